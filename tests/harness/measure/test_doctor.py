"""The doctor's judgements, and what it says on a machine without a GPU."""

from __future__ import annotations

import io

import pytest
import torch

from vosbench.harness.measure import doctor, judgements
from vosbench.harness.measure.doctor_gpu import graph_gap
from vosbench.harness.measure.energy_readings import (
    EnergyMethod,
    EnergyReading,
    EnergyScope,
    known,
    unknown,
)
from vosbench.harness.measure.judgements import Trust
from vosbench.harness.measure.occupancy import Occupancy
from vosbench.harness.terminal import Terminal
from vosbench.runners import compiled

GOOD, DOUBT, NONE = Trust.TRUSTWORTHY, Trust.DOUBTFUL, Trust.UNAVAILABLE
GPU = EnergyScope.GPU_BOARD


def reading(
    watts: float, method: EnergyMethod, period_ms: float | None = 20, seconds: float = 2.0
) -> EnergyReading:
    return known(
        gross_j=watts * seconds,
        duration_s=seconds,
        method=method,
        scope=GPU,
        samples=200,
        update_period_ms=period_ms,
    )


COUNTER, INSTANT = EnergyMethod.NVML_COUNTER, EnergyMethod.NVML_INSTANT


@pytest.mark.parametrize(
    ("finding", "verdict", "seen"),
    [
        (judgements.judge_cpu_clock([0, 40, 80]), GOOD, "40 ns"),
        (judgements.judge_cpu_clock([0, 15_000]), DOUBT, "15000 ns"),
        (judgements.judge_cpu_clock([0, -3]), DOUBT, "goes back"),
        (judgements.judge_cpu_clock([0, 0]), DOUBT, "stands still"),
        (judgements.judge_events(990.0, 1000.0), GOOD, "-1.0%"),
        (judgements.judge_events(900.0, 1000.0), DOUBT, "-10.0%"),
        (judgements.judge_counter(reading(100, COUNTER), reading(104, INSTANT)), GOOD, "-3.8%"),
        (judgements.judge_counter(reading(100, COUNTER), reading(80, INSTANT)), DOUBT, "+25.0%"),
        (judgements.judge_counter(reading(100, COUNTER), unknown("lost", GPU)), DOUBT, "lost"),
        (judgements.judge_counter(unknown("lost", GPU), reading(80, INSTANT)), NONE, "lost"),
        (judgements.judge_counter(reading(80, INSTANT), reading(80, INSTANT)), NONE, "has none"),
        (judgements.judge_sampling(reading(80, INSTANT)), GOOD, "every 20 ms"),
        (judgements.judge_sampling(reading(80, INSTANT, period_ms=250)), DOUBT, "every 250 ms"),
        (judgements.judge_sampling(reading(80, INSTANT, period_ms=None)), DOUBT, "all equal"),
        (judgements.judge_sampling(reading(80, EnergyMethod.NVML_AVERAGE)), GOOD, "running mean"),
        (judgements.judge_sampling(unknown("no permission", GPU)), NONE, "no permission"),
        (judgements.judge_clocks([1410, 1410, 1400]), GOOD, "1410 MHz"),
        (judgements.judge_clocks([1410, 1200]), DOUBT, "lock it"),
        (judgements.judge_clocks([]), NONE, "can't be read"),
        (judgements.judge_throttling(frozenset({"idle"})), GOOD, "none"),
        (judgements.judge_throttling(frozenset({"idle", "power cap"})), DOUBT, "power cap"),
        (judgements.judge_throttling(None), NONE, "can't be read"),
        (judgements.judge_users("gpu users", Occupancy("cuda:0", (7,))), DOUBT, "process 7"),
        (judgements.judge_users("gpu users", Occupancy("cuda:0")), GOOD, "free"),
        (judgements.judge_users("gpu users", Occupancy("cuda:0", reason="no NVML")), NONE, "NVML"),
        (judgements.judge_graphs(2e-7), GOOD, "2.0e-07"),
        (judgements.judge_graphs(0.3), DOUBT, "3.0e-01"),
        (judgements.judge_graphs("no C compiler"), NONE, "no C compiler"),
        (judgements.judge_cpu_energy(reading(30, EnergyMethod.RAPL_COUNTER)), GOOD, "30.0 W"),
        (judgements.judge_cpu_energy(unknown("root only", GPU)), NONE, "root only"),
    ],
)
def test_judgements(finding: judgements.InstrumentFinding, verdict: Trust, seen: str):
    assert finding.verdict is verdict, finding
    assert seen in finding.detail


def test_the_gap_of_a_compiled_part_is_seen(monkeypatch: pytest.MonkeyPatch):
    """On the CPU, with a compiler that runs the graph as it is, and with one that is missing."""
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    assert graph_gap(torch.device("cpu")) == 0
    monkeypatch.setattr(compiled, "copied_out", lambda work: work)

    def forgetful(graph, _):
        buffer = torch.empty(1, 8, 30, 46)
        return lambda *given: (buffer.copy_(graph(*given)[0]),)

    monkeypatch.setattr(compiled, "BACKEND", forgetful)
    torch.compiler.reset()
    assert graph_gap(torch.device("cpu")) > judgements.GRAPH_GAP
    monkeypatch.setattr(compiled, "BACKEND", "no-such-compiler")
    torch.compiler.reset()
    assert "no-such-compiler" in graph_gap(torch.device("cpu"))


def test_without_a_gpu_every_instrument_gets_one_plain_line():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    findings = doctor.examine()
    assert len({finding.instrument for finding in findings}) == len(findings) == 10
    for finding in findings:
        assert finding.detail
        if finding.instrument.startswith("gpu"):
            assert finding.verdict is NONE
            assert "no CUDA device" in finding.detail
    written = io.StringIO()
    doctor.render(findings, Terminal(file=written, width=160))
    lines = written.getvalue().splitlines()
    assert len([line for line in lines if line.strip()]) == len(findings) + 2  # title, rule
    assert all(finding.instrument in written.getvalue() for finding in findings)
