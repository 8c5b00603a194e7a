"""A training from its request to a checkpoint that the store knows: once, whoever asks again."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import torch

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.places import cache_dir
from vosbench.harness.measure.environment import MachineEnvironment
from vosbench.harness.release import program_version
from vosbench.harness.store import (
    CurveValue,
    State,
    Storage,
    TrainingNotes,
    TrainingSpec,
    Worker,
)
from vosbench.harness.training.device import CPU
from vosbench.harness.training.loop import Cadence, Report, TrainingProgress
from vosbench.harness.training.recipe import GateRecipe
from vosbench.harness.training.request import TrainingRequest, start_sha256
from vosbench.harness.training.state import TrainingState
from vosbench.harness.training.trainers import Opened, trainer_of
from vosbench.runners.interface import RunnerOptions, WeightsInfo
from vosbench.runners.registry import resolve

_TELL_EVERY_S = 5.0


def margins_text(gate: GateRecipe) -> str:
    """``0.7,0.2``, as checkpoints say it."""
    return f"{gate.m1:g},{gate.m2:g}"


def variant_name(gate: GateRecipe) -> str:
    """What follows the ``@`` of a model trained so: ``m0.7-0.0``, or ``ngate``."""
    if gate.rate is not None:
        return "ngate"
    m1, m2 = (max(Decimal(f"{m:g}"), Decimal(f"{m:.1f}"), key=_digits) for m in (gate.m1, gate.m2))
    return f"m{m1}-{m2}"


def _digits(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


@dataclass(frozen=True)
class PlannedTraining:
    """A request of which it is known what it comes to, before any of it is done.

    Attributes:
        spec: its identity.
        folder: of its state.
        out: where its checkpoint goes.
        device: that it runs on.
    """

    request: TrainingRequest
    spec: TrainingSpec
    opened: Opened
    folder: Path
    out: Path
    device: torch.device = CPU

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return self.request.recipe.steps


def plan_training(
    request: TrainingRequest,
    *,
    cache: Path | None = None,
    folder: Path | None = None,
    out: Path | None = None,
    device: torch.device | None = None,
) -> PlannedTraining:
    """Open everything, and name the training.

    Args:
        cache: folder of encoded clips; default: in this user's cache.
        folder: of the state; default: in this user's cache, by the training's key.
        out: the checkpoint's file; default: in ``folder``.
        device: that it runs on; default: the CPU. It is no part of the key.

    Raises:
        InputError: what can't be trained, or data that is missing.
    """
    request = request.counted()
    trainer = trainer_of(request.recipe.model)
    trainer.check(request)
    place = device or CPU
    opened = trainer.open(request, cache or cache_dir() / "clips", place)
    recipe = request.recipe
    gate = None if recipe.reuse is None else recipe.reuse.gate
    spec = TrainingSpec(
        recipe.model,
        recipe.to_json(),
        opened.data_sha256,
        start_sha256(request),
        recipe.seed,
        None if gate is None or gate.rate is not None else margins_text(gate),
    )
    folder = folder or cache_dir() / "trainings" / spec.key[:16]
    variant = "" if gate is None else f"@{variant_name(gate)}"
    name = f"{recipe.model}{variant}-seed{recipe.seed}-{spec.key[:6]}.safetensors"
    return PlannedTraining(request, spec, opened, folder, out or folder / name, place)


@dataclass(frozen=True)
class Finished:
    """A training that is done.

    Attributes:
        path: its checkpoint.
        weights: what a runner makes of it.
        again: it was done before: nothing was computed now.
    """

    path: Path
    weights: WeightsInfo
    again: bool
    elapsed_s: float


def finished_before(planned: PlannedTraining, storage: Storage) -> Finished | None:
    """The outcome of an earlier run, if the store knows one and its file is still the same.

    Where another file was asked for now, it becomes a copy.
    """
    record = storage.trainings.find(planned.spec.key)
    if record is None or record.state is not State.COMPLETE or record.path is None:
        return None
    path = Path(record.path)
    if not path.is_file():
        return None
    with suppress(InputError):
        weights = weights_of(path, planned.spec.model)
        if weights.sha256 == record.checkpoint_sha256:
            if planned.out.absolute() != path and planned.out.parent != planned.folder:
                _copy(path, planned.out)
                path = planned.out
            return Finished(path, weights, True, record.elapsed_s)
    return None


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as partial:
        shutil.copyfile(source, partial)


def weights_of(path: Path, model: str) -> WeightsInfo:
    """What a runner says of a checkpoint; InputError if it can't be loaded."""
    return resolve(model).build(RunnerOptions(weights=str(path))).weights


def run_training(
    planned: PlannedTraining,
    storage: Storage,
    environment: MachineEnvironment,
    report: Report,
    *,
    cadence: Cadence | None = None,
    note: str | None = None,
) -> Finished:
    """Train, or go on, and file what comes out; see :func:`finished_before` for what is done.

    Args:
        note: what is said of the weights wherever results show them.

    Raises:
        InputError: another process trains the same; the data or the store can't be used.
    """
    planned.folder.mkdir(parents=True, exist_ok=True)
    planned.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with _held(planned.folder):
        with replacing(planned.folder / "recipe.json") as partial:
            partial.write_text(planned.request.to_json(), encoding="utf-8")
        account = _Account.begin(storage, planned, environment)
        with account.closing():
            state = planned.opened.train(
                planned.folder, cadence or Cadence(), _both(report, account.tell)
            )
            note = (
                note or f"own training: {planned.steps} steps on {planned.request.data.in_words()}"
            )
            planned.opened.save(planned.out, state, note)
            weights = weights_of(planned.out, planned.spec.model)
            return account.complete(state, weights)


def follow(planned: PlannedTraining, cadence: Cadence) -> None:
    """What all processes but the first do: train, and write nothing."""
    if cadence.processes.tell(False):
        return  # it was trained before
    planned.opened.train(planned.folder, cadence, lambda _news: None)


def _both(first: Report, second: Report) -> Report:
    def report(news: TrainingProgress) -> None:
        second(news)
        first(news)

    return report


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other processes from the training; the lock goes with the process."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process trains this now (state in {folder}): wait for it to end"
            ) from None
        yield


@dataclass
class _Account:
    """Keeps the store's account of one run of a training."""

    storage: Storage
    planned: PlannedTraining
    spent_s: float
    began_s: float
    told_s: float

    @classmethod
    def begin(
        cls, storage: Storage, planned: PlannedTraining, environment: MachineEnvironment
    ) -> _Account:
        request, known = planned.request, environment.notes
        version = program_version(
            known.git_commit or os.environ.get("VOSBENCH_COMMIT"), known.git_dirty
        )
        earlier = storage.trainings.find(planned.spec.key)
        notes = TrainingNotes(
            request.data.in_words(),
            None if request.start is None else Path(request.start).name,
            planned.steps,
            environment.stable.device_name,
            torch.get_num_threads(),
        )
        storage.trainings.begin(planned.spec, notes, Worker.here("train", version=version))
        now_s = time.monotonic()
        return cls(storage, planned, earlier.elapsed_s if earlier else 0.0, now_s, now_s)

    def tell(self, news: TrainingProgress) -> None:
        """Say how far it is, every few seconds; a store that is busy hears of it later."""
        now_s = time.monotonic()
        if news.stage == "clips" or now_s - self.told_s < _TELL_EVERY_S:
            return
        self.told_s = now_s
        with suppress(InputError):
            key = self.planned.spec.key
            self.storage.trainings.advance(key, news.step, self.spent_s + now_s - self.began_s)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """File however it ends; what is raised goes on."""
        trainings, key = self.storage.trainings, self.planned.spec.key
        try:
            yield
        except BaseException as error:
            with suppress(InputError):
                if isinstance(error, KeyboardInterrupt):
                    trainings.pause(key)
                elif isinstance(error, InputError):
                    trainings.fail(key, str(error), None)
                else:
                    text = f"{type(error).__name__}: {error}"
                    trainings.fail(key, text, traceback.format_exc())
            raise

    def complete(self, state: TrainingState, weights: WeightsInfo) -> Finished:
        """The training is done and saved."""
        planned = self.planned
        out, model = planned.out.absolute(), planned.spec.model
        curve = tuple(CurveValue(p.step, p.name, p.value) for p in state.curve)
        provenance = dict(weights.provenance) | {"note": weights.note, "training": planned.spec.key}
        self.storage.add_checkpoint(weights.sha256, weights.name, model, provenance, trained=True)
        self.storage.trainings.complete(
            planned.spec.key,
            checkpoint_sha256=weights.sha256,
            path=str(out),
            elapsed_s=state.elapsed_s,
            curve=curve,
        )
        return Finished(out, weights, False, state.elapsed_s)
