"""Integration of power, counters, RAPL and baselines, all with given times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.measure.energy_meter import measure, per_frame_j
from vosbench.harness.measure.energy_readings import (
    EnergyMethod,
    EnergyReading,
    EnergyScope,
    NoSource,
    UnavailableError,
    known,
    net_of,
    unknown,
)
from vosbench.harness.measure.power_sampler import sample
from vosbench.harness.measure.power_trace import (
    PowerTrace,
    energy_j,
    from_csv,
    samples_within,
    to_csv,
    update_period_ms,
)
from vosbench.harness.measure.rapl import growth_with_wrap, rapl_source

GPU = EnergyScope.GPU_BOARD


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Recording:
    """A source that measures windows of recorded power, at the times that a clock gives."""

    trace: PowerTrace
    now_s: Time
    start_s: float = 0.0

    def begin(self) -> Recording:
        return replace(self, start_s=self.now_s())

    def end(self) -> EnergyReading:
        end_s = self.now_s()
        return known(
            gross_j=energy_j(self.trace, self.start_s, end_s),
            duration_s=end_s - self.start_s,
            method=EnergyMethod.NVML_AVERAGE,
            scope=GPU,
            samples=samples_within(self.trace, self.start_s, end_s),
        )


def trace(power, end_s: float = 10.0, period_s: float = 0.01, jitter: float = 0.0) -> PowerTrace:
    count = round(end_s / period_s) + 1
    time_s = np.linspace(0, end_s, count)
    shift = np.random.default_rng(0).uniform(-jitter, jitter, count) * period_s
    time_s[1:-1] += shift[1:-1]
    return PowerTrace(time_s, np.array([power(t) for t in time_s], dtype=float))


@pytest.mark.parametrize("jitter", [0.0, 0.45])
@pytest.mark.parametrize(
    ("power", "joules"),
    [
        (lambda t: 120.0, 120 * 7.3),
        (lambda t: 30 * t, 15 * (9.0**2 - 1.7**2)),
        # 0.25 s on, 0.25 s off: from 1.7 s to 9.0 s it is on for 0.05 + 14 · 0.25 s.
        (lambda t: 200.0 if t % 0.5 < 0.25 else 0.0, 200 * 3.55),
    ],
    ids=["constant", "ramp", "pulsed"],
)
def test_known_curves_integrate_within_a_percent(power, joules, jitter):
    found = energy_j(trace(power, jitter=jitter), 1.7, 9.0)
    assert found == pytest.approx(joules, rel=0.01)


def test_each_sample_holds_until_the_next_and_edges_are_clipped():
    steps = PowerTrace(np.array([0.0, 1.0, 1.5, 2.0]), np.array([10.0, 20.0, 0.0, 5.0]))
    assert energy_j(steps, 0.5, 1.75) == pytest.approx(0.5 * 10 + 0.5 * 20)
    assert energy_j(steps, 0.2, 0.4) == pytest.approx(2.0)
    assert energy_j(steps, 0.0, 2.0) == pytest.approx(20.0)
    assert samples_within(steps, 0.5, 1.75) == 2


@given(
    st.lists(st.floats(0, 500), min_size=3, max_size=40),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
def test_windows_add_up_and_lie_between_the_extremes(power, cut, end):
    steps = PowerTrace(np.linspace(0, 1, len(power)), np.array(power))
    middle_s, end_s = sorted((cut, end))
    whole = energy_j(steps, 0.0, end_s)
    assert whole == pytest.approx(energy_j(steps, 0.0, middle_s) + energy_j(steps, middle_s, end_s))
    assert min(power) * end_s - 1e-9 <= whole <= max(power) * end_s + 1e-9


@pytest.mark.parametrize(
    ("start_s", "end_s", "why"),
    [(-1, 5, "at the start"), (1, 11, "at the end"), (1, 9, "for 4.0 s")],
)
def test_windows_that_samples_do_not_cover_are_refused(start_s, end_s, why):
    steps = trace(lambda t: 50.0)
    if "for" in why:
        keep = (steps.time_s <= 3.0) | (steps.time_s >= 7.0)
        steps = PowerTrace(steps.time_s[keep], steps.power_w[keep])
    with pytest.raises(UnavailableError, match=why):
        energy_j(steps, start_s, end_s)


@pytest.mark.parametrize(
    ("time_s", "power_w", "why"),
    [([0, 1], [1], "number"), ([1, 0], [1, 1], "backwards"), ([0, 1], [1, -1], "negative")],
)
def test_bad_traces_are_refused(time_s, power_w, why):
    with pytest.raises(UnavailableError, match=why):
        PowerTrace(np.array(time_s, float), np.array(power_w, float))
    with pytest.raises(UnavailableError, match="finite"):
        PowerTrace(np.array([0.0]), np.array([np.nan]))


def test_update_period_is_the_time_between_changes():
    times = [i / 100 for i in range(100)]
    assert update_period_ms(times, [i // 10 for i in range(100)]) == pytest.approx(100)
    assert update_period_ms(times, [7.0] * 100) is None


@given(st.lists(st.tuples(st.integers(0, 10**18), st.floats(0, 1e4)), max_size=20))
def test_csv_round_trip(samples):
    samples.sort(key=lambda pair: pair[0])
    found = from_csv(to_csv(samples))
    assert found.power_w.tolist() == [power for _, power in samples]
    assert found.time_s.tolist() == [time_ns / 1e9 for time_ns, _ in samples]


def test_net_energy_is_gross_less_what_idling_takes():
    power = [(i * 10_000_000, 80.0 if 200 <= i < 600 else 30.0) for i in range(901)]
    time = Time(0.0)
    source = Recording(from_csv(to_csv(power)), time)
    result, reading = measure(source, lambda: time.sleep(4.0), idle_s=2.0, sleep=time.sleep)
    assert result is None
    assert reading.gross_j == pytest.approx(4 * 80)
    assert reading.idle_w == pytest.approx(30)
    assert reading.net_j == pytest.approx(4 * 50)
    assert (reading.method, reading.scope) == (EnergyMethod.NVML_AVERAGE, GPU)
    assert reading.reason is None


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "time_ns,power_w\n1,x\n"])
def test_what_is_no_recording_is_refused(text: str):
    with pytest.raises(UnavailableError, match="recorded power"):
        from_csv(text)


def test_unknown_energy_is_none_with_its_reason_and_never_zero():
    source = NoSource("no sensor", EnergyScope.CPU_PACKAGE)
    _, reading = measure(source, lambda: 1, sleep=lambda s: None)
    assert (reading.gross_j, reading.net_j, reading.reason) == (None, None, "no sensor")
    assert per_frame_j(reading.gross_j, 10) is None
    assert per_frame_j(5.0, 10) == 0.5
    gross = known(
        gross_j=10.0, duration_s=2.0, method=EnergyMethod.NVML_AVERAGE, scope=GPU, samples=9
    )
    assert gross.reason
    net = net_of(gross, gross, unknown("sensor lost", GPU))
    assert (net.gross_j, net.net_j) == (10.0, None)
    assert "sensor lost" in net.reason
    with pytest.raises(ValueError, match="reason"):
        EnergyReading(None, None, 1.0, None, EnergyMethod.NONE, GPU, 0, None, None)


def test_sampler_takes_edge_samples_and_keeps_its_period():
    time = Time()
    told: list[float] = []

    def stopped_within(seconds: float) -> bool:
        time.sleep(seconds)
        return time.now_s >= 1.0

    found = sample(
        lambda: 40 + time.now_s,
        stopped_within,
        0.25,
        now_ns=lambda: round(time.now_s * 1e9),
        on_first=lambda: told.append(time.now_s),
    )
    assert told == [0.0]
    assert found == [(round(t * 1e9), 40 + t) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]


# ---- RAPL


def rapl_tree(root: Path, microjoules: dict[str, int], range_uj: int = 10**9) -> Path:
    for folder, value in microjoules.items():
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        name = {"intel-rapl:2": "psys", "intel-rapl:0:0": "core"}.get(folder, "package-0")
        (place / "name").write_text(name + "\n")
        (place / "energy_uj").write_text(f"{value}\n")
        (place / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return root


FOLDERS = ("intel-rapl:0", "intel-rapl:1", "intel-rapl:2", "intel-rapl:0:0")


def test_rapl_adds_up_packages_only_and_handles_wraparound(tmp_path: Path):
    root = rapl_tree(
        tmp_path, dict(zip(FOLDERS, (10**9 - 20_000_000, 5_000_000, 0, 0), strict=True))
    )
    time = Time()
    source = rapl_source(root, now_s=time)
    window = source.begin()
    time.sleep(1.5)
    rapl_tree(root, dict(zip(FOLDERS, (10_000_000, 45_000_000, 900, 900), strict=True)))
    reading = window.end()
    assert reading.gross_j == pytest.approx(30 + 40)
    assert reading.method is EnergyMethod.RAPL_COUNTER
    assert reading.scope is EnergyScope.CPU_PACKAGE
    assert (reading.samples, reading.duration_s) == (2, 1.5)


def test_rapl_refuses_what_it_cannot_know(tmp_path: Path):
    assert "no RAPL counter" in rapl_source(tmp_path / "none").begin().end().reason
    with pytest.raises(UnavailableError, match="wrapped twice"):
        growth_with_wrap([0.0], [5.0], [1000.0], 2.0)
    with pytest.raises(UnavailableError, match="stood still"):
        growth_with_wrap([5.0], [5.0], [1e5], 2.0)
    time = Time()
    window = rapl_source(rapl_tree(tmp_path, {"intel-rapl:0": 1}), now_s=time).begin()
    time.sleep(0.2)
    rapl_tree(tmp_path, {"intel-rapl:0": 2})
    assert "shorter than 1 s" in window.end().reason


def test_rapl_that_may_not_be_read_or_vanishes_is_a_reason(tmp_path: Path, monkeypatch):
    root = rapl_tree(tmp_path, {"intel-rapl:0": 1})
    time = Time()
    window = rapl_source(root, now_s=time).begin()
    time.sleep(2.0)
    (root / "intel-rapl:0" / "energy_uj").unlink()
    gone = window.end()
    assert gone.gross_j is None
    assert "energy_uj" in gone.reason
    real = Path.read_text

    def forbidden(path: Path, *args, **kwargs) -> str:
        if path.name == "energy_uj":
            raise PermissionError
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", forbidden)
    reading = rapl_source(root).begin().end()
    assert reading.gross_j is None
    assert "root only" in reading.reason
