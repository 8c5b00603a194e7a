"""All checks, in the order in which a report reads; and the instruments before them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from vosbench.harness.contract import prove_networks, prove_programs, prove_speed, prove_tracks
from vosbench.harness.contract.prove_record import (
    Bench,
    Proof,
    ProofOutcome,
    ProofReport,
    ProofVerdict,
)
from vosbench.harness.measure.doctor import examine
from vosbench.harness.measure.judgements import InstrumentFinding, Trust
from vosbench.harness.measure.probe import read_environment

BUDGET_S = 600.0

_VERDICTS = {
    Trust.TRUSTWORTHY: ProofVerdict.PROVED,
    Trust.DOUBTFUL: ProofVerdict.DOUBTFUL,
    Trust.UNAVAILABLE: ProofVerdict.NOT_DONE,
}


def all_checks() -> list[Proof]:
    """Quick and telling ones first, so that a spent budget costs least."""
    return [
        *prove_tracks.checks(),
        *prove_speed.checks(),
        *prove_programs.checks(),
        *prove_networks.checks(),
    ]


def instruments(findings: Sequence[InstrumentFinding]) -> Iterator[ProofOutcome]:
    """What the doctor found, as outcomes."""
    for finding in findings:
        yield ProofOutcome(
            finding.instrument,
            "can be trusted",
            _VERDICTS[finding.verdict],
            detail=finding.detail,
        )


def prove(
    device: torch.device,
    *,
    seconds: float = 2.0,
    budget_s: float = BUDGET_S,
    checks: Sequence[Proof] | None = None,
    heard: Callable[[ProofOutcome], None] = lambda _: None,
) -> ProofReport:
    """Make every check on ``device``; what the budget no longer allows is said to be not done.

    Args:
        seconds: length of the load under which instruments are watched.
        budget_s: no check begins after so many seconds.
        heard: is told each outcome as it comes.
    """
    began_s, date = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    found = read_environment(device, "float32")
    outcomes: list[ProofOutcome] = []

    def tell(outcome: ProofOutcome) -> None:
        outcomes.append(outcome)
        heard(outcome)

    for outcome in instruments(examine(seconds)):
        tell(outcome)
    for check in all_checks() if checks is None else checks:
        if time.monotonic() - began_s > budget_s:
            reason = f"the {budget_s:.0f} s are spent: give --budget"
            tell(ProofOutcome(check.name, check.claim, ProofVerdict.NOT_DONE, detail=reason))
            continue
        with tempfile.TemporaryDirectory(prefix="vosbench-prove-") as folder:
            tell(check.run(Bench(device, Path(folder), seconds)))
    report = ProofReport(
        date,
        found.stable.device_name,
        {"comparability key": found.key} | vars(found.stable) | vars(found.notes),
    )
    return replace(report, outcomes=tuple(outcomes), seconds=time.monotonic() - began_s)
