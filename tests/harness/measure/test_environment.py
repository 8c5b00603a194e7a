"""The environment record, its key, and the probe on a machine without a GPU."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
import torch

from vosbench.harness.measure import probe
from vosbench.harness.measure.environment import (
    EnvironmentNotes,
    MachineEnvironment,
    StableEnvironment,
    differences,
)

STABLE = StableEnvironment(
    device_kind="cuda",
    device_name="Fake GPU",
    driver="999.1",
    cuda="13.0",
    cudnn="92400",
    torch="2.14.1",
    precision="float32",
    float32_matmul="highest",
    tf32_matmul=False,
    tf32_cudnn=True,
    cudnn_benchmark=False,
    threads=2,
    cpu_model="a CPU",
    power_limit_w=300.0,
    locked_clocks="default",
)
NOTES = EnvironmentNotes(
    sm_clock_mhz=1410,
    memory_clock_mhz=None,
    temperature_c=61,
    throttle_reasons=("power cap",),
    other_processes=(),
    load_average=0.5,
    governor=None,
    cores=(0, 1),
    git_commit=None,
    git_dirty=None,
    python="3.11",
    platform="Linux",
    packages=(("torch", "2.14.1"),),
    unknown=(("governor", "no such file"),),
)

OTHER = {str: "another", float: 250.0, bool: None, int: 8}


@pytest.mark.parametrize("field", [field.name for field in fields(StableEnvironment)])
def test_each_stable_field_changes_the_key(field: str):
    value = getattr(STABLE, field)
    changed = (not value) if isinstance(value, bool) else OTHER[type(value)]
    here = MachineEnvironment(STABLE, NOTES)
    there = MachineEnvironment(replace(STABLE, **{field: changed}), NOTES)
    assert here.key != there.key
    assert differences(here, there) == ((field, value, changed),)


def test_notes_do_not_change_the_key():
    here = MachineEnvironment(STABLE, NOTES)
    there = MachineEnvironment(STABLE, replace(NOTES, temperature_c=80, git_dirty=True))
    assert here.key == there.key
    assert differences(here, there) == ()
    record = json.loads(here.to_json())
    assert record["key"] == here.key
    assert record["stable"]["device_name"] == "Fake GPU"
    assert record["notes"]["unknown"] == [["governor", "no such file"]]


def test_probe_of_a_cpu_claims_nothing_of_a_gpu():
    found = probe.read_environment(torch.device("cpu"), "float32")
    stable, notes = found.stable, found.notes
    assert (stable.device_kind, stable.device_name) == ("cpu", stable.cpu_model)
    assert stable.torch == torch.__version__
    assert stable.threads == torch.get_num_threads()
    for value in (stable.driver, stable.cuda, stable.cudnn, stable.power_limit_w):
        assert value is None
    for value in (notes.sm_clock_mhz, notes.temperature_c, notes.throttle_reasons):
        assert value is None
    assert dict(notes.packages)["torch"]
    assert probe.read_environment(torch.device("cpu"), "float32").key == found.key
    assert probe.read_environment(torch.device("cpu"), "bf16").key != found.key


def test_probe_of_a_gpu_without_nvml_keeps_the_reasons(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    monkeypatch.setattr(probe, "cuda_uuid", lambda device: "no-such-device")
    found = probe.read_environment(torch.device("cuda"), "bf16", locked_clocks="1410 MHz")
    assert found.stable.device_name == "Some GPU"
    assert found.stable.driver is None
    assert found.stable.locked_clocks == "1410 MHz"
    assert "NVML_ERROR" in dict(found.notes.unknown)["nvml"]


def test_peak_memory_of_this_process_is_plausible():
    assert 10 < probe.peak_memory_mib(torch.device("cpu")) < 1e6


def test_git_state_of_a_stranger_s_checkout_is_not_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "__file__", str(tmp_path / "probe.py"))
    with pytest.raises(LookupError, match="git checkout"):
        probe.git_state()
