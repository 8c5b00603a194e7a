"""A sweep that takes a second or two, run in processes that can be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import forkserver, get_context
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vosbench.harness.measure.probe  # noqa: F401 - imported once, by the fork server
from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import registry
from vosbench.harness.store import Command, State, Storage, results
from vosbench.harness.sweep.events import Tally
from vosbench.harness.sweep.job import ClipsRef, Job
from vosbench.harness.sweep.plan import Plan, Request, group_key, make_plan
from vosbench.harness.sweep.processes import ProcessExecutor
from vosbench.harness.trials import Kind

CLIPS, FRAMES, SIZE = ("a", "b", "c"), 5, (24, 32)
STUDY = "crash"

Hook = Callable[[], None]


def install_plugin(folder: Path) -> None:
    """Register the dummy for this process and those it starts."""
    info = folder / "crash_dummy-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crash-dummy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[vosbench.runners]\ncrash-dummy = crash_plugin:CrashDummy\n"
    )
    here = str(Path(__file__).parent)
    sys.path[:0] = [path for path in (str(folder), here) if path not in sys.path]


def write_clips(folder: Path) -> Path:
    """Clips of two objects each, in the layout of DAVIS."""
    chance = np.random.default_rng(0)
    for name in CLIPS:
        images, labels = folder / "JPEGImages" / name, folder / "Annotations" / name
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for t in range(FRAMES):
            Image.fromarray(chance.integers(0, 255, (*SIZE, 3), np.uint8)).save(
                images / f"{t:05d}.png"
            )
            truth = np.zeros(SIZE, np.uint8)
            truth[4 : 12 + t, 3 + t : 15] = 1
            truth[10:20, 18 : 26 + t] = 2
            picture = Image.fromarray(truth).convert("P")
            picture.putdata(truth.ravel().tolist())
            picture.save(labels / f"{t:05d}.png")
    return folder


@dataclass(frozen=True)
class Sweep:
    """What is run where.

    Attributes:
        db: the store.
        clips: folder of the clips.
        trials: how many thresholds.
        workers: processes.
        busy_timeout_s: how long to wait for the database.
        message_file: where it says why it stopped; the fork server's output is nobody's.
    """

    db: str
    clips: Path
    trials: int
    workers: int = 2
    busy_timeout_s: float = 30.0
    message_file: Path | None = None

    def plan(self) -> Plan:
        """Its trials, each a group of its own."""
        selection = registry.open(f"davis-layout:{self.clips}").select()
        taus = tuple(Decimal(k) / 1000 for k in range(1, self.trials + 1))
        return make_plan(Request(("crash-dummy",), (selection,), taus))

    def store(self, storage: Storage) -> Job:
        """Ask for the trials."""
        plan = self.plan()
        study = storage.add_plan(
            STUDY, Command("c"), plan.specs, lambda s: group_key(s, lockstep=False)
        )
        refs = (ClipsRef.of(registry.open(f"davis-layout:{self.clips}").select()),)
        return Job(self.db, study, refs, busy_timeout_s=self.busy_timeout_s)

    def run(self, hook: Hook | None = None) -> None:
        """Be the scheduler: plan, and run all that is left; exit status 2 for bad input."""
        torch.set_num_threads(1)
        if hook is not None:
            hook()
        try:
            with Storage.open(self.db, busy_timeout_s=self.busy_timeout_s) as storage:
                job = self.store(storage)
            if self.workers == 1:
                with job.executor("cpu", "cpu", Tally(), Kind.ACCURACY, verify=False) as executor:
                    executor.run()
            else:
                ProcessExecutor(job, ("cpu",), self.workers, lambda _: Tally(), "fork").run()
        except InputError as error:
            if self.message_file is not None:
                self.message_file.write_text(str(error))
            os._exit(2)


def fork_server() -> BaseContext:
    """Processes that have torch imported already: they start in a few milliseconds."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["crash_sweep", "crash_plugin"])
    # Its server finds modules through the environment; no other process is to inherit that.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        forkserver.ensure_running()
    return context


def outcome(db: str) -> dict[str, tuple[str, str, float]]:
    """What counts of a finished sweep: by trial key, state, hash of all masks, and J&F."""
    frame = results(db)
    rows = zip(frame.key, frame.state, frame.mask_sha256, frame.jf_mean, strict=True)
    return {key: (str(state), digest, float(jf)) for key, state, digest, jf in rows}


def is_complete(db: str) -> bool:
    """Whether every trial is."""
    return all(state == State.COMPLETE for state, _, _ in outcome(db).values())
