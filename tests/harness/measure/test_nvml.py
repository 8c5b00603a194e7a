"""The NVML path: the real nvidia-ml-py over a fake libnvidia-ml.so.1 that is compiled here.

Each test runs a short program in a process of its own, because the binding loads the library
once and for all. The program prints one JSON value; the fake is steered by a file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml
import pytest

SOURCE = Path(__file__).with_name("fake_nvml.c")

PRELUDE = """
import ctypes, json, os, time
from pathlib import Path
import pynvml
from vosbench.harness.measure.nvml import NvmlError, open_device
from vosbench.harness.measure.nvml_source import nvml_source
from vosbench.harness.measure.energy_readings import net_of
from vosbench.harness.measure.sampled_power import SampledSource

def steer(**state):
    text = "".join(f"{name} {value}\\n" for name, value in state.items())
    # In one step: the sampling process reads the file while it is replaced.
    fresh = Path(os.environ["FAKE_NVML"] + ".new")
    fresh.write_text(text)
    fresh.rename(os.environ["FAKE_NVML"])

class Time:
    'A clock that the fake library shares and that moves when somebody sleeps.'
    def __init__(self):
        self.library = ctypes.CDLL("libnvidia-ml.so.1")
        self.now = 0.0
        self.sleep(0.0)
    def __call__(self):
        return self.now
    def sleep(self, seconds):
        self.now += seconds
        self.library.fake_nvml_set_time(ctypes.c_double(self.now))

def told(reading):
    return [reading.gross_j, reading.reason, reading.method.name, reading.samples]
"""

Run = Callable[[str], Any]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler for the fake libnvidia-ml.so.1")
    folder = tmp_path_factory.mktemp("fake_nvml")
    built = folder / "libnvidia-ml.so.1"
    flags = ["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(built)]
    subprocess.run([compiler, *flags, str(SOURCE)], check=True)
    return folder


@pytest.fixture
def run(library: Path, tmp_path: Path) -> Run:
    """Runs a program after the prelude, over the fake library, and gives what it printed."""

    def start(program: str) -> Any:
        environment = os.environ | {
            "LD_LIBRARY_PATH": str(library),
            "FAKE_NVML": str(tmp_path / "state"),
        }
        command = [sys.executable, "-c", PRELUDE + program]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return start


def codes() -> list[int]:
    """Every error code of NVML, by the binding that is installed."""
    names = [name for name in dir(pynvml) if name.startswith("NVML_ERROR_")]
    return sorted({getattr(pynvml, name) for name in names})


CURVES = {
    "constant": ({"curve": "constant", "watts": 120}, 120 * 7.3),
    "ramp": ({"curve": "ramp", "watts": 300}, 15 * (9.0**2 - 1.7**2)),
    # From 1.7 s to 9.0 s the pulses of half a second's period are on for 3.55 s.
    "pulsed": ({"curve": "pulsed", "watts": 200, "period": 0.5}, 200 * 3.55),
}


@pytest.mark.parametrize("curve", CURVES)
def test_counter_and_sampled_power_meet_the_analytic_energy(run: Run, curve: str):
    state, joules = CURVES[curve]
    found = run(f"""
from dataclasses import replace
from vosbench.harness.measure.power_trace import energy_j, from_csv, to_csv
from vosbench.harness.measure.power_sampler import choose_method, sample
steer(**{state!r})
time_ = Time()
counter = replace(nvml_source("GPU-fake"), now_s=time_)
time_.sleep(1.7)
window = counter.begin()
time_.sleep(7.3)
reading = window.end()

sampled = []
with open_device("GPU-fake") as device:
    for read in (device.instant_power_w, device.power_w):
        time_.now = 0.0
        time_.sleep(0.0)
        def stopped_within(seconds):
            time_.sleep(seconds)
            return time_() >= 9.5
        pairs = sample(read, stopped_within, 0.01, now_ns=lambda: round(time_() * 1e9))
        sampled.append(energy_j(from_csv(to_csv(pairs)), 1.7, 9.0))
    method = choose_method(device).name
print(json.dumps([told(reading), reading.mean_w, sampled, method]))
""")
    (gross_j, _, method, samples), mean_w, sampled, sampled_method = found
    assert (method, samples, sampled_method) == ("NVML_COUNTER", 2, "NVML_INSTANT")
    assert gross_j == pytest.approx(joules, rel=0.01)
    assert mean_w == pytest.approx(joules / 7.3, rel=0.01)
    assert sampled == pytest.approx([joules, joules], rel=0.01)


def test_every_error_code_ends_in_none_and_its_reason(run: Run):
    """Whichever call fails with whichever code, at the start or in the middle of a window."""
    found = run(f"""
answers = []
for code in {codes()!r}:
    for where in ("init", "uuid", "mig", "energy", ""):
        steer(fail=code, **({{"fail_in": where}} if where else {{}}))
        if where == "energy" and code in (3, 13):
            continue  # not an error: cards without a counter are sampled; tested by itself
        if where == "mig" and code in (3, 13):
            continue  # not an error: cards before MIG
        reading = nvml_source("GPU-fake").begin().end()
        answers.append([code, where, *told(reading)])
    steer()
    from vosbench.harness.measure import nvml_source as module
    module.poll_period_ms = lambda read: None
    window = nvml_source("GPU-fake", min_window_s=0.0).begin()
    steer(fail=code, fail_in="energy")
    answers.append([code, "mid-window", *told(window.end())])
print(json.dumps(answers))
""")
    assert len(found) == len(codes()) * 6 - 4
    names = {getattr(pynvml, name): name for name in dir(pynvml) if name.startswith("NVML_ERROR_")}
    for code, where, gross_j, reason, _, _ in found:
        assert gross_j is None, (code, where)
        assert names[code] in reason, (code, where, reason)


def test_every_error_code_in_the_sampler_ends_in_none_and_its_reason(run: Run):
    """The sampling process: refused at its first sample, or broken off in the middle."""
    found = run(f"""
from vosbench.harness.measure import power_sampler as sampler
import contextlib, io
answers = []
for code in {codes()!r}:
    for broken_off in (False, True):
        steer(**({{}} if broken_off else {{"fail": code, "fail_in": "power", "instant": 0}}))
        calls = []
        def stopped_within(seconds):
            calls.append(seconds)
            steer(fail=code)
            return len(calls) > 3
        sampler._stopped_within = stopped_within
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = sampler.main("GPU-fake", 1.0)
        answers.append([code, broken_off, status, printed.getvalue().splitlines()])
print(json.dumps(answers))
""")
    names = {getattr(pynvml, name): name for name in dir(pynvml) if name.startswith("NVML_ERROR_")}
    assert len(found) == 2 * len(codes())
    for code, broken_off, status, lines in found:
        assert status == 1
        assert len(lines) == (2 if broken_off else 1)
        assert lines[-1].startswith("error ")
        assert names[code] in lines[-1]


def test_a_card_without_a_counter_is_sampled_by_a_process_of_its_own(run: Run):
    found = run("""
answers = []
for instant in (1, 0):
    steer(counter=0, instant=instant, watts=80)
    window = nvml_source("GPU-fake", min_window_s=0.1).begin()
    time.sleep(0.2)
    reading = window.end()
    window.end()  # once more does no harm
    answers.append([*told(reading), reading.gross_j / reading.duration_s])
print(json.dumps(answers))
""")
    for (gross_j, _, method, _, mean_w), expected in zip(
        found, ("NVML_INSTANT", "NVML_AVERAGE"), strict=True
    ):
        # Of a constant power the integral is exact, however late the samples come.
        assert mean_w == pytest.approx(80, rel=1e-6)
        assert gross_j > 0
        assert method == expected


def test_a_device_that_vanishes_while_sampled_is_a_reason(run: Run):
    found = run("""
steer(counter=0, watts=80)
answers = []
window = nvml_source("GPU-fake", min_window_s=0.0).begin()
steer(counter=0, fail=pynvml.NVML_ERROR_GPU_IS_LOST)
window.process.wait()
answers.append(told(window.end()))
steer(counter=0)
window = nvml_source("GPU-fake", min_window_s=0.0).begin()
window.process.kill()
answers.append(told(window.end()))
steer(counter=0)
window = nvml_source("GPU-fake").begin()
answers.append(told(window.end()))
steer(watts=0)
window = nvml_source("GPU-fake", min_window_s=0.0).begin()
answers.append(told(window.end()))
print(json.dumps(answers))
""")
    lost, killed, short, still = found
    for gross_j, reason, *_ in found:
        assert gross_j is None
        assert reason
    assert "NVML_ERROR_GPU_IS_LOST" in lost[1]
    assert "ended early" in killed[1]
    assert "shorter than 1 s" in short[1]
    assert "stood still" in still[1]


def test_mig_and_unknown_devices_have_no_energy(run: Run):
    found = run("""
steer(mig=1)
answers = [told(nvml_source(uuid).begin().end()) for uuid in ("MIG-fake", "fake", "0", "GPU-x")]
print(json.dumps(answers))
""")
    *split, missing = found
    assert all(gross_j is None and "MIG" in reason for gross_j, reason, *_ in split)
    assert missing[0] is None
    assert "NVML_ERROR_NOT_FOUND" in missing[1]


def test_the_device_layer_reads_one_to_one(run: Run):
    found = run("""
steer(pid=4242, reasons=0x24, app_clock=1200)
from vosbench.harness.measure.occupancy import others_on
from vosbench.harness.measure.probe import application_clocks
with open_device("fake") as gpu:
    answers = {
        "uuid": gpu.uuid, "name": gpu.name(), "limit": gpu.power_limit_w(),
        "clocks": [gpu.sm_clock_mhz(), gpu.memory_clock_mhz(), gpu.temperature_c()],
        "reasons": gpu.clock_reasons(), "processes": gpu.processes(),
        "others": others_on(gpu), "mine": others_on(gpu, own_pid=4242),
        "locked": application_clocks(gpu),
    }
    steer(app_clock=1410)
    answers["unlocked"] = application_clocks(gpu)
    answers["nobody"] = gpu.processes()
print(json.dumps(answers))
""")
    assert found == {
        "uuid": "GPU-fake",
        "name": "Fake GPU",
        "limit": 300.0,
        "clocks": [1410, 5001, 61],
        "reasons": ["power cap", "software thermal slowdown"],
        "processes": [4242],
        "others": [4242],
        "mine": [],
        "locked": "application clock 1200 MHz",
        "unlocked": "default",
        "nobody": [],
    }


def test_doctor_judges_a_gpu_from_one_load(run: Run):
    found = run("""
from vosbench.harness.measure.doctor_gpu import examine_gpu

def load(seconds):
    time.sleep(seconds)
    return 1e3 * seconds, 1e3 * seconds * 1.005

answers = {}
steer(curve="pulsed", period=0.02, watts=100)
answers["good"] = examine_gpu("GPU-fake", load, 1.2)
steer(mig=1, reasons=0x40)
answers["mig"] = examine_gpu("MIG-fake", load, 0.3)
steer(counter=0, fail=pynvml.NVML_ERROR_GPU_IS_LOST)
answers["lost"] = examine_gpu("GPU-fake", load, 0.1)
print(json.dumps({name: [[f.instrument, f.verdict, f.detail] for f in findings]
                  for name, findings in answers.items()}))
""")
    good = {instrument: (verdict, detail) for instrument, verdict, detail in found["good"]}
    assert good["gpu clock (events)"] == ("trustworthy", "events 1200.0 ms, wall 1206.0 ms (-0.5%)")
    assert good["gpu clock locking"] == ("trustworthy", "SM clock steady at 1410 MHz")
    assert good["gpu throttling"] == ("trustworthy", "none under load")
    assert good["gpu energy counter"][1].startswith("counter ")
    assert "samples/s" in good["gpu power sampling"][1]
    mig = {instrument: (verdict, detail) for instrument, verdict, detail in found["mig"]}
    assert mig["gpu throttling"] == ("doubtful", "throttled: hardware thermal slowdown")
    for instrument in ("gpu energy counter", "gpu power sampling"):
        assert mig[instrument][0] == "unavailable"
        assert "MIG" in mig[instrument][1]
    lost = {instrument: (verdict, detail) for instrument, verdict, detail in found["lost"]}
    for instrument in set(lost) - {"gpu clock (events)"}:
        assert lost[instrument][0] == "unavailable", lost


def test_without_any_library_everything_says_so(tmp_path: Path):
    program = """
import json
from vosbench.harness.measure.nvml_source import nvml_source
reading = nvml_source("GPU-fake").begin().end()
print(json.dumps([reading.gross_j, reading.reason]))
"""
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    gross_j, reason = json.loads(done.stdout)
    assert gross_j is None
    assert "no NVIDIA driver" in reason
