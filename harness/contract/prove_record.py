"""What a check found: figures beside their bounds, and the verdict that follows."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.harness.measure.occupancy import BUSY_CORES, CpuUse, occupancy

if TYPE_CHECKING:
    import torch


class ProofVerdict(StrEnum):
    """What a check came to; only ``FAILED`` makes the command fail. Reports keep this order.

    A check is doubtful where an instrument is, or where it was a matter of time that broke it while
    other processes used the machine.
    """

    FAILED = "failed"
    DOUBTFUL = "doubtful"
    PROVED = "proved"
    NOT_DONE = "not done"


class NotDone(Exception):  # noqa: N818 - a reason, not a fault
    """The check can't be made on this machine; the message says why."""


class TookTooLong(Exception):  # noqa: N818 - on a busy machine no fault
    """What was waited for did not come; the message says what."""


@dataclass(frozen=True)
class Figure:
    """A measured number; without a bound it informs and proves nothing.

    Attributes:
        at_most, at_least: the bounds that the value must keep, both inclusive.
        group: what it belongs to with others ("float32, reuse"); a row of the report's table.
        timed: it depends on what else runs on the machine.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    group: str = ""
    timed: bool = False

    @property
    def bounded(self) -> bool:
        """Whether anything depends on it."""
        return self.at_most is not None or self.at_least is not None

    @property
    def holds(self) -> bool:
        """Whether it keeps its bounds; NaN keeps none."""
        if not self.bounded:
            return True
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= self.value <= high

    @property
    def bound(self) -> str:
        """The bounds as a person reads them, "" without any."""
        written = [
            f"{sign} {limit:g}"
            for sign, limit in (("≥", self.at_least), ("≤", self.at_most))
            if limit is not None
        ]
        return ", ".join(written)

    @property
    def number(self) -> str:
        """The value as a person reads it."""
        digits = f"{self.value:.0f}" if 100 <= abs(self.value) < 1e6 else f"{self.value:.3g}"
        return f"{digits} {self.unit}".rstrip()

    @property
    def nearness(self) -> float:
        """How near the value is to its bounds: 1 at a bound, 0 far away or without one."""
        if self.value == 0 or not self.bounded:
            return 0.0
        above = 0.0 if not self.at_most else self.value / self.at_most
        below = 0.0 if not self.at_least else self.at_least / self.value
        return max(above, below)

    def __str__(self) -> str:
        name = f"{self.group}: {self.name}" if self.group else self.name
        return f"{name} {self.number}" + (f" ({self.bound})" if self.bounded else "")


@dataclass(frozen=True)
class ProofOutcome:
    """A check that was made, or was not."""

    check: str
    claim: str
    verdict: ProofVerdict
    figures: tuple[Figure, ...] = ()
    detail: str = ""
    traceback: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Bench:
    """What checks are made with.

    Attributes:
        device: the one that is on trial; the CPU where there is no GPU.
        folder: empty, for whatever a check writes.
        seconds: length of a load under which instruments are watched.
    """

    device: torch.device
    folder: Path
    seconds: float = 2.0

    @property
    def gpu(self) -> bool:
        """Whether a GPU is on trial."""
        return self.device.type == "cuda"


@dataclass(frozen=True)
class Proof:
    """One promise, and how it is put to the test.

    Attributes:
        claim: the promise in one line.
        measure: gives the figures; raises :class:`NotDone` with a reason, or anything else for
            a promise that is broken.
    """

    name: str
    claim: str
    measure: Callable[[Bench], Sequence[Figure]]

    def run(self, bench: Bench) -> ProofOutcome:
        """Make the check; whatever it raises becomes its outcome."""
        others = OthersWatch.begin(bench.device)
        began_s = time.monotonic()
        figures: tuple[Figure, ...] = ()
        trace = ""
        timed = False
        try:
            figures = tuple(self.measure(bench))
        except NotDone as reason:
            verdict, detail = ProofVerdict.NOT_DONE, str(reason)
        except TookTooLong as reason:
            verdict, detail, timed = ProofVerdict.FAILED, str(reason), True
        except Exception as error:
            verdict, trace = ProofVerdict.FAILED, traceback.format_exc()
            detail = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        else:
            broken = [figure for figure in figures if not figure.holds]
            timed = bool(broken) and all(figure.timed for figure in broken)
            proved = not broken and any(figure.bounded for figure in figures)
            verdict = ProofVerdict.PROVED if proved else ProofVerdict.FAILED
            detail = "" if proved else "; ".join(map(str, broken)) or "nothing was measured"
        if timed and (users := others.found()):
            verdict, detail = ProofVerdict.DOUBTFUL, f"{detail}; {users}"
        spent_s = time.monotonic() - began_s
        return ProofOutcome(self.name, self.claim, verdict, figures, detail, trace, spent_s)


@dataclass(frozen=True)
class OthersWatch:
    """Who else used the machine since it began; on a GPU, who uses that at the end, too."""

    device: torch.device
    before: CpuUse | None

    @classmethod
    def begin(cls, device: torch.device) -> OthersWatch:
        """From now on; where the system tells nothing, nobody is ever found."""
        try:
            return cls(device, CpuUse.now())
        except (OSError, ValueError):
            return cls(device, None)

    def found(self) -> str:
        """What a reader needs to know of other users, "" where there is none."""
        cores = CpuUse.now().others_since(self.before) if self.before else 0.0
        if cores > BUSY_CORES:
            return (
                f"other processes kept {cores:.1f} cores busy meanwhile: run it on a quiet machine"
            )
        users = occupancy(self.device) if self.device.type == "cuda" else None
        return str(users) if users is not None and users.busy else ""


@dataclass(frozen=True)
class ProofReport:
    """Every outcome, and the machine that they hold for."""

    date: str
    device: str
    environment: dict[str, Any]
    outcomes: tuple[ProofOutcome, ...] = field(default=())
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """How many checks came to what: "20 proved, 2 failed"; what came to nothing is left out."""
        counts = Counter(o.verdict for o in self.outcomes)
        return ", ".join(f"{counts[v]} {v}" for v in ProofVerdict if counts[v])

    @property
    def failed(self) -> tuple[ProofOutcome, ...]:
        """The promises that were not kept."""
        return tuple(o for o in self.outcomes if o.verdict is ProofVerdict.FAILED)

    def to_json(self) -> str:
        """Everything, tracebacks included; numbers that are unknown become null."""

        def known(value: Any) -> Any:
            if isinstance(value, float) and not math.isfinite(value):
                return None
            if isinstance(value, dict):
                return {k: known(v) for k, v in value.items()}
            return [known(v) for v in value] if isinstance(value, list | tuple) else value

        whole = {"summary": self.summary} | asdict(self)
        return json.dumps(known(whole), indent=1, allow_nan=False) + "\n"
