"""How a run of a training ends in the store; the training itself is a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from vosbench.baselines.errors import InputError
from vosbench.harness.measure.environment import MachineEnvironment
from vosbench.harness.measure.probe import read_environment
from vosbench.harness.store import State, Storage, TrainingRecord, TrainingSpec
from vosbench.harness.training.loop import Cadence, Report, TrainingProgress
from vosbench.harness.training.recipe import Recipe, StageRecipe
from vosbench.harness.training.request import DataRequest, TrainingRequest
from vosbench.harness.training.runs import PlannedTraining, run_training
from vosbench.harness.training.state import TrainingState


@dataclass(frozen=True)
class Broken:
    """A training that ends with an error."""

    error: BaseException
    data_sha256: str = "ab"

    def train(self, folder: Path, cadence: Cadence, report: Report) -> TrainingState:
        report(TrainingProgress("segmentation", 2, 4, {"loss": 1.0}))
        raise self.error

    def save(self, path: Path, state: TrainingState, note: str) -> None:
        raise AssertionError("it never gets there")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with Storage.open(tmp_path / "results.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def environment() -> MachineEnvironment:
    return read_environment(torch.device("cpu"), "float32")


def planned(folder: Path, error: BaseException) -> PlannedTraining:
    recipe = Recipe("frtm-lite", StageRecipe(4), None)
    request = TrainingRequest(recipe, DataRequest(motion=1.0))
    spec = TrainingSpec("frtm-lite", recipe.to_json(), "ab")
    return PlannedTraining(request, spec, Broken(error), folder, folder / "a.safetensors")


def ended(storage: Storage) -> TrainingRecord:
    (record,) = storage.trainings.all()
    return record


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), (State.WAITING, None)),
        (InputError("x.jpg can't be read"), (State.FAILED, "x.jpg can't be read")),
        (RuntimeError("loss is\nodd"), (State.FAILED, "RuntimeError: loss is odd")),
    ],
)
def test_however_it_ends_is_filed(
    storage: Storage,
    environment: MachineEnvironment,
    tmp_path: Path,
    error: BaseException,
    expected: tuple[State, str | None],
) -> None:
    state, message = expected
    heard: list[TrainingProgress] = []
    with pytest.raises(type(error)):
        run_training(planned(tmp_path / "t", error), storage, environment, heard.append)
    assert [news.step for news in heard] == [2]
    record = ended(storage)
    assert (record.state, record.error, record.notes.data) == (state, message, "motion")
    assert (record.traceback is not None) == isinstance(error, RuntimeError)


def test_two_processes_do_not_train_the_same(
    storage: Storage, environment: MachineEnvironment, tmp_path: Path
) -> None:
    second: list[str] = []

    def report(_: TrainingProgress) -> None:
        try:
            run_training(planned(tmp_path / "t", OSError()), storage, environment, second.append)
        except InputError as refused:
            second.append(str(refused))

    with pytest.raises(KeyboardInterrupt):
        run_training(planned(tmp_path / "t", KeyboardInterrupt()), storage, environment, report)
    assert len(second) == 1 and "another process trains this now" in second[0]
    assert ended(storage).state is State.WAITING
