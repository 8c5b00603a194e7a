"""``budget:RATE[:SCORE]``: a threshold that adapts until a sequence meets a reuse rate.

A frame is worth reusing if it looks unchanged, by a score: the model's own gate, or something
that any model has. What a score's value means differs from model to model and sequence to
sequence, so the threshold is a rank among the object's latest frames: with a rate of 0.4, a frame
is reused if it is among the best 40 % of them. Ranks alone drift, since the frames that come
differ from those that were; so the share that is let through is raised by what was reused too
little so far, and lowered by what was reused too much. That holds the number of reused frames
within a few of RATE times the frames, whatever the score does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from vosbench.baselines.errors import InputError, suggestion
from vosbench.runners.policy import Decision, Evidence, PolicySettings, PolicySpec
from vosbench.runners.scores import SCORES

_WINDOW = 32
"""So many frames are ranked against each other."""
_GAIN = 0.25
"""Change of the share per frame that was reused too much or too little."""


@dataclass(frozen=True)
class _Spent:
    """What an object's frames came to so far, and their latest scores."""

    tracked: int = 0
    reused: int = 0
    scores: tuple[float, ...] = ()


SPEC = PolicySpec(
    "budget",
    "a threshold that adapts to a reuse rate, by P_gate or a named score",
    argument="RATE[:SCORE]",
    examples=("0.4", "0.4:delta", "0.4:pixels", "0.4:age", "0.4:change", "0.4:flow"),
)


@dataclass(frozen=True)
class Budget:
    """Reuse ``rate`` of each object's frames, the most unchanged ones by ``score``."""

    rate: Decimal
    score: str = "p_gate"

    @classmethod
    def of(cls, settings: PolicySettings) -> Budget:
        """Read RATE and SCORE; raises InputError for other texts."""
        rate, _, score = settings.argument.partition(":")
        if score and score not in SCORES:
            raise InputError(
                f"{settings.written}: unknown score '{score}'{suggestion(score, SCORES)}: "
                f"there are {', '.join(SCORES)}"
            )
        return cls(settings.number(rate), score or "p_gate")

    @property
    def spec(self) -> PolicySpec:
        """The policy's, with what the score needs."""
        return replace(SPEC, needs=SCORES[self.score].needs)

    def decide(self, seen: Evidence) -> Decision:
        """Let through the share of frames that keeps the object's reuse at the rate."""
        spent: _Spent = seen.memory or _Spent()
        score = SCORES[self.score].of(seen)
        scores = (*spent.scores, score)[-_WINDOW:]
        rate = float(self.rate)
        share = rate + _GAIN * (rate * spent.tracked - spent.reused)
        better = sum(other > score for other in scores) / len(scores)
        on = better < share
        return Decision(seen.cheap_if(on), _Spent(spent.tracked + 1, spent.reused + on, scores))
