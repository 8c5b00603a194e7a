"""The device lock across processes, other users of a device, and pinned threads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.harness.measure.device_lock import (
    device_id,
    hold,
    holder,
    lock_folder,
    lock_path,
)
from vosbench.harness.measure.occupancy import (
    Occupancy,
    cpu_jiffies,
    descendants,
    occupancy,
    others_busy_cores,
    require_idle,
    without_disguised_self,
)
from vosbench.harness.measure.threads import choose_cores, pinned

HOLDER = """
import sys
import time
from pathlib import Path
from vosbench.harness.measure.device_lock import hold
with hold("cpu", folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_device(tmp_path: Path):
    with other_holder(tmp_path) as other:
        with (
            pytest.raises(InputError, match=f"process {other.pid}: wait"),
            hold("cpu", folder=tmp_path),
        ):
            pass
        with hold("GPU-1", folder=tmp_path) as path:
            assert holder(path) == os.getpid()
        other.kill()
        other.wait()
        with hold("cpu", folder=tmp_path) as path:
            assert holder(path) == os.getpid()
        assert holder(path) is None


def test_waiting_is_bounded_and_ends_with_the_holder(tmp_path: Path):
    with other_holder(tmp_path) as other:
        now_s, slept = [0.0], []

        def sleep(seconds: float) -> None:
            now_s[0] += seconds
            slept.append(seconds)

        with (
            pytest.raises(InputError, match="is being timed"),
            hold("cpu", wait_s=1.0, folder=tmp_path, sleep=sleep, now_s=lambda: now_s[0]),
        ):
            pass
        assert sum(slept) == pytest.approx(1.0, abs=0.11)

        def sleep_until_killed(seconds: float) -> None:
            other.kill()
            other.wait()

        with hold("cpu", wait_s=60.0, folder=tmp_path, sleep=sleep_until_killed):
            pass


def test_the_lock_is_given_back_after_a_failure(tmp_path: Path):
    with pytest.raises(KeyError), hold("cpu", folder=tmp_path):
        raise KeyError
    with hold("cpu", folder=tmp_path):
        pass


def test_lock_files_are_named_by_machine_and_device(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("VOSBENCH_LOCK_DIR", str(tmp_path))
    assert lock_folder() == tmp_path
    assert lock_path("MIG-GPU/1/0").parent == tmp_path
    assert device_id(torch.device("cpu")) == "cpu"
    monkeypatch.delenv("VOSBENCH_LOCK_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert lock_folder() == tmp_path / "vosbench" / "locks"
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="VOSBENCH_LOCK_DIR"),
        hold("cpu", folder=tmp_path / "file"),
    ):
        pass


def test_a_busy_device_is_refused_unless_allowed():
    busy = Occupancy("cuda:0", processes=(12, 34))
    with pytest.raises(InputError, match=r"12, 34.*--allow-busy"):
        require_idle(busy, allow_busy=False)
    assert require_idle(busy, allow_busy=True).busy
    with pytest.raises(InputError, match=r"1\.5 cores"):
        require_idle(Occupancy("cpu", busy_cores=1.5), allow_busy=False)
    unknown = Occupancy("cuda:0", reason="no driver")
    assert require_idle(unknown, allow_busy=False) is unknown
    assert "no driver" in str(unknown)
    assert str(Occupancy("cuda:0")) == "cuda:0 is free"


def test_own_process_is_recognised_also_from_another_pid_namespace():
    own, alive, foreign = os.getpid(), os.getppid(), 2**22 + 1
    assert without_disguised_self((own, alive), own, has_context=True) == (alive,)
    assert without_disguised_self((foreign, alive), own, has_context=True) == (alive,)
    assert without_disguised_self((foreign, alive), own, has_context=False) == (foreign, alive)


def test_models_in_child_processes_are_not_others():
    own, alive, foreign = os.getpid(), os.getppid(), 2**22 + 1
    child = frozenset({foreign + 7})
    for pids in ((own, foreign + 7, alive), (foreign, foreign + 1, alive)):
        assert without_disguised_self(pids, own, True, child) == (alive,)
    assert without_disguised_self((foreign, foreign + 1), own, True) == (foreign + 1,)


def test_descendants_are_children_and_theirs():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        deadline_s = time.monotonic() + 20
        while len(found := descendants(os.getpid())) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        child.stdin.close()
    assert child.pid in found
    assert len(found) >= 2
    assert os.getpid() not in found


def test_cpu_time_of_others_is_read_from_the_kernel():
    assert cpu_jiffies("cpu  10 1 5 80 4 1 1 2 9 9\ncpu0 1 1\n") == (20, 104)
    found = occupancy(torch.device("cpu"))
    assert found.reason is None
    assert 0 <= found.busy_cores <= os.cpu_count() + 0.5
    assert others_busy_cores(0.01) >= 0


def test_threads_go_to_different_physical_cores_first():
    physical = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    assert choose_cores([0, 1, 2, 3], physical, 2) == (0, 1)
    assert choose_cores([0, 2, 3], physical, 2) == (0, 3)
    assert choose_cores([3, 2, 1, 0], physical, 3) == (0, 1, 2)


@given(st.sets(st.integers(0, 63), min_size=1), st.data())
def test_chosen_cores_are_as_many_as_asked_and_available(available, data):
    threads = data.draw(st.integers(1, len(available)))
    physical = {core: core // 2 for core in available}
    chosen = choose_cores(sorted(available), physical, threads)
    assert len(set(chosen)) == threads
    assert set(chosen) <= available
    shared = threads - len({physical[core] for core in chosen})
    assert shared == max(0, threads - len(set(physical.values())))


def test_pinning_is_put_back():
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("no thread affinity on this system")
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    with pinned(1) as pinning:
        assert torch.get_num_threads() == 1
        assert os.sched_getaffinity(0) == set(pinning.cores)
        assert len(pinning.cores) == 1
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == (threads, cores)
    with pytest.raises(InputError, match="lower it"), pinned(len(cores) + 1):
        pass
