"""Which instruments can be trusted on this machine: each is tried, then judged."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vosbench.harness.measure.doctor_gpu import examine_gpu, graph_gap, matmul_load
from vosbench.harness.measure.energy_meter import idle
from vosbench.harness.measure.energy_readings import MIN_WINDOW_S
from vosbench.harness.measure.judgements import (
    GPU_INSTRUMENTS,
    InstrumentFinding,
    Trust,
    judge_cpu_clock,
    judge_cpu_energy,
    judge_graphs,
    judge_users,
)
from vosbench.harness.measure.nvml import cuda_uuid
from vosbench.harness.measure.occupancy import occupancy
from vosbench.harness.measure.rapl import rapl_source

if TYPE_CHECKING:
    from vosbench.harness.terminal import Terminal


def examine_cpu() -> list[InstrumentFinding]:
    """The CPU's clock, energy and other users; takes about a second and a half."""
    import torch

    readings_ns = [time.perf_counter_ns() for _ in range(10_000)]
    steps_ns = [late - early for early, late in itertools.pairwise(readings_ns)]
    return [
        judge_cpu_clock(steps_ns),
        judge_cpu_energy(idle(rapl_source(), seconds=1.1 * MIN_WINDOW_S)),
        judge_users("cpu users", occupancy(torch.device("cpu"))),
    ]


def no_gpu(reason: str) -> list[InstrumentFinding]:
    """One line for each instrument that needs a GPU."""
    return [InstrumentFinding(name, Trust.UNAVAILABLE, reason) for name in GPU_INSTRUMENTS]


def examine(seconds: float = 2.0) -> list[InstrumentFinding]:
    """Try every instrument of this machine; with a GPU, under a load of so many seconds.

    Raises nothing for what is missing: that is a finding.
    """
    import torch

    findings = examine_cpu()
    if not torch.cuda.is_available():
        return findings + no_gpu("no CUDA device on this machine; CPU timings stand for the CPU")
    device = torch.device("cuda", torch.cuda.current_device())
    users = occupancy(device)
    gpu = examine_gpu(cuda_uuid(device), matmul_load(device), seconds)
    findings += [*gpu, judge_users("gpu users", users)]
    return [*findings, judge_graphs(graph_gap(device))]


_STYLES = {
    Trust.TRUSTWORTHY: "green",
    Trust.DOUBTFUL: "yellow",
    Trust.UNAVAILABLE: "dim",
}


def render(findings: Sequence[InstrumentFinding], console: Terminal) -> None:
    """Print the findings, one row each."""
    from vosbench.harness.terminal import plain_table, styled

    table = plain_table("instrument", "verdict", "seen")
    for finding in findings:
        style = _STYLES[finding.verdict]
        table.add_row(finding.instrument, styled(finding.verdict, style), finding.detail)
    console.print(table)
