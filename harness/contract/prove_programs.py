"""Promises that only whole processes can break: locks, kills, memory that runs out, a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vosbench.baselines.checkpoints import hash_tensors, read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.harness.contract.prove_record import (
    Bench,
    Figure,
    NotDone,
    Proof,
    TookTooLong,
)
from vosbench.harness.measure.device_lock import device_id, hold
from vosbench.harness.store import State, Storage, TrialRecord

_MAIN = "from vosbench.harness.cli import main; main()"
_HOLD = """
import sys, time
from vosbench.harness.measure.device_lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""
_STARVED = """
import torch
torch.cuda.set_per_process_memory_fraction(0.0005)
from vosbench.harness.cli import main
main()
"""
STEPS = (30, 20)
"""Of the two stages of the training that is killed."""
_TRAINING = (
    "train", "g-frtm-lite", "--motion", "1", "--steps", ",".join(map(str, STEPS)), "--batch", "2",
    "--set", "data.height=64", "--set", "data.width=112", "--set", "data.frames=5",
    "--set", "clips=6", "--set", "reuse.gaps=[1,2]", "--threads", "1",
    "--log-every", "1", "--save-every", "5",
)  # fmt: skip
_WAIT_S = 240


def _start(code: str, *arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[str]) -> str:
    try:
        said, _ = process.communicate(timeout=_WAIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise TookTooLong(f"a process of the check was not done after {_WAIT_S} s") from None
    return said


def lock(bench: Bench) -> list[Figure]:
    """Another process holds the device; then it is killed."""
    name = device_id(bench.device)
    other = _start(_HOLD, name, folder=bench.folder)
    refused = named = 0
    try:
        assert other.stdout is not None
        if other.stdout.readline().strip() != "held":
            raise NotDone("somebody else is timing on this device: try again later")
        try:
            with hold(name):
                pass
        except InputError as error:
            refused, named = 1, int(str(other.pid) in str(error))
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.communicate()
    with hold(name, wait_s=5):
        pass
    return [
        Figure("refused while another holds it", refused, at_least=1),
        Figure("holder named", named, at_least=1),
        Figure("free after its kill", 1, at_least=1),
    ]


def training(bench: Bench) -> list[Figure]:
    """A training of 50 steps, killed on its way and started again, beside an undisturbed one."""
    run = (*_TRAINING, "--device", str(bench.device))
    whole, mended = bench.folder / "whole.safetensors", bench.folder / "mended.safetensors"
    said = _ended(_start(_MAIN, *run, *_places("whole", whole), folder=bench.folder))
    if not whole.is_file():
        raise RuntimeError(f"the training left no checkpoint: {said[-300:]}")
    killed = _start(_MAIN, *run, *_places("mended", mended), folder=bench.folder)
    state = bench.folder / "mended" / "state.pt"
    end_s = time.monotonic() + _WAIT_S
    while not state.exists() and killed.poll() is None and time.monotonic() < end_s:
        time.sleep(0.05)
    disturbed = killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    _ended(_start(_MAIN, *run, *_places("mended", mended), folder=bench.folder))
    return compared(whole, mended, disturbed=disturbed)


def compared(whole: Path, mended: Path, *, disturbed: bool) -> list[Figure]:
    """Whether two checkpoints hold the same bits; the order of a header's fields is chance."""
    one, two = (hash_tensors(read_checkpoint(path).tensors) for path in (whole, mended))
    return [
        Figure("killed on its way", disturbed, at_least=1),
        Figure("equal checkpoints", one == two, at_least=1),
    ]


def _places(name: str, out: Path) -> tuple[str, ...]:
    return ("--folder", name, "--out", str(out), "--db", f"{name}.db")


def memory_runs_out(bench: Bench) -> list[Figure]:
    """A run that is given next to no memory of the GPU."""
    if not bench.gpu:
        raise NotDone("a CPU has no memory of its own that could run out: the system kills")
    said = _ended(_start(_STARVED, *_RUN, "--device", str(bench.device), folder=bench.folder))
    return failed_trials(bench.folder / "results.db", said)


STUDY = "prove"
_RUN = (
    "run", "--models", "frtm-lite", "--dataset", "motion", "--sequences", "fast",
    "--max-frames", "3", "--study", STUDY,
)  # fmt: skip


def _trials(db: Path, said: str) -> tuple[TrialRecord, ...]:
    if not db.is_file():
        raise RuntimeError(f"the run left no database: {said[-300:]}")
    with Storage.open(db) as storage:
        return storage.trials(storage.study(STUDY))


def failed_trials(db: Path, said: str) -> list[Figure]:
    """Whether the memory's end became failed trials that say so, and no traceback."""
    records = _trials(db, said)
    failed = [record for record in records if record.state is State.FAILED]
    named = [record for record in failed if "memory" in (record.error or "").lower()]
    return [
        Figure("failed trials", len(failed), at_least=1),
        Figure("failed trials that name memory", len(named), at_least=1),
        Figure("tracebacks on the terminal", said.count("Traceback"), at_most=0),
    ]


def cluster(bench: Bench) -> list[Figure]:
    """Ray hands the GPU to a task."""
    if find_spec("ray") is None:
        raise NotDone("Ray is not installed: pip install 'vosbench[ray]'")
    said = _ended(_start(_MAIN, *_RUN, "--executor", "ray", folder=bench.folder))
    return completed_trials(bench.folder / "results.db", said)


def completed_trials(db: Path, said: str) -> list[Figure]:
    """Whether every trial of a database is complete."""
    records = _trials(db, said)
    left = sum(record.state is not State.COMPLETE for record in records)
    return [
        Figure("complete trials", len(records) - left, at_least=1),
        Figure("others", left, at_most=0),
    ]


def checks() -> Sequence[Proof]:
    """What is asked of processes."""
    return [
        Proof("device lock", "Two processes never time on one device at once", lock),
        Proof(
            "out of memory", "Memory that runs out is a failed trial, not a crash", memory_runs_out
        ),
        Proof("ray", "A Ray cluster of this machine works a grid off", cluster),
        Proof(
            "training",
            f"A training of {sum(STEPS)} steps, killed and resumed, ends in the same bits",
            training,
        ),
    ]
