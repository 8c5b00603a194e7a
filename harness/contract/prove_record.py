"""What a check found: figures beside their bounds, the verdict that follows, and the report."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class ProofVerdict(StrEnum):
    """What a check came to; only ``FAILED`` makes the command fail."""

    PROVED = "proved"
    DOUBTFUL = "doubtful"
    FAILED = "failed"
    NOT_DONE = "not done"


class NotDone(Exception):  # noqa: N818 - a reason, not a fault
    """The check can't be made on this machine; the message says why."""


@dataclass(frozen=True)
class Figure:
    """A measured number; without a bound it informs and proves nothing.

    Attributes:
        at_most, at_least: the bounds that the value must keep, both inclusive.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

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

    def __str__(self) -> str:
        number = f"{self.value:.4g}{f' {self.unit}' if self.unit else ''}"
        return f"{self.name} {number}" + (f" ({self.bound})" if self.bounded else "")


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
        began_s = time.monotonic()
        figures: tuple[Figure, ...] = ()
        detail = trace = ""
        try:
            figures = tuple(self.measure(bench))
        except NotDone as reason:
            verdict, detail = ProofVerdict.NOT_DONE, str(reason)
        except Exception as error:
            verdict, trace = ProofVerdict.FAILED, traceback.format_exc()
            detail = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        else:
            broken = [str(figure) for figure in figures if not figure.holds]
            proved = any(figure.bounded for figure in figures)
            verdict = ProofVerdict.FAILED if broken or not proved else ProofVerdict.PROVED
            detail = "; ".join(broken) if broken or proved else "nothing was measured"
        spent_s = time.monotonic() - began_s
        return ProofOutcome(self.name, self.claim, verdict, figures, detail, trace, spent_s)


@dataclass(frozen=True)
class ProofReport:
    """Every outcome, and the machine that they hold for."""

    date: str
    device: str
    environment: dict[str, Any]
    outcomes: tuple[ProofOutcome, ...] = field(default=())

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

        return json.dumps(known(asdict(self)), indent=1, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """A page to file with an issue."""
        lines = [f"# Proof of {self.date}", "", f"Device: {self.device}", ""]
        lines += ["| check | verdict | figures | s |", "| --- | --- | --- | --- |"]
        for o in self.outcomes:
            said = "; ".join(str(f) for f in o.figures) or o.detail
            lines.append(
                f"| {o.check}: {o.claim} | {o.verdict} | {_cell(said)} | {o.seconds:.0f} |"
            )
        for o in self.outcomes:
            if o.traceback:
                lines += ["", f"## {o.check}", "", "```", o.traceback.rstrip(), "```"]
        lines += ["", "## Environment", ""]
        lines += [f"- {name}: {value}" for name, value in self.environment.items()]
        return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
