"""A model's card: all its results, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.regression.regression_samples import LAPTOP, accuracy, spec
from vosbench.baselines.errors import InputError
from vosbench.harness.regression.importing import import_run
from vosbench.harness.store import Storage
from vosbench.harness.store.measured import Run
from vosbench.harness.trials import Kind
from vosbench.reports.card import model_card


@pytest.fixture
def db(tmp_path: Path) -> str:
    numbers = {"jf_mean": 0.654, "reuse_rate": 0.25}
    ours = replace(accuracy(spec("0.7", model="ours")), aggregates=numbers)
    policy = replace(accuracy(spec("0.5", model="ours+every:3", policy="every:3")))
    timed = replace(
        accuracy(spec("0.7", model="ours", kind=Kind.TIMING, environment_key=LAPTOP.key)),
        aggregates={"fps": 12.34, "init_ms": 56.0, "peak_memory_mib": 789.0},
        machine=LAPTOP,
    )
    theirs = accuracy(spec("0.7", model="others"))
    with Storage.open(str(tmp_path / "r.db")) as storage:
        import_run(storage, Run("Lab X", (ours, policy, timed, theirs)), "s")
    return str(tmp_path / "r.db")


def test_a_card_has_every_result_of_the_model(db: str) -> None:
    card = model_card(db, "ours")
    assert card.startswith("# ours\n\n- not installed here\n")
    assert "## Accuracy: davis16-val@1" in card
    assert "| ours | 0.7 | model.pt | davis16 | 12 | all | 65.4 | 25.0 |" in card
    assert "| ours+every:3 |" in card
    assert "## Cost: CPU of a laptop" in card
    assert "| 12.3 | 56.0 | 789.0 |" in card
    assert "imported from Lab X" in card
    assert "others" not in card
    assert model_card(db, "ours+every:3") == card


def test_a_card_says_what_objects_cost(db: str) -> None:
    changes = {"kind": Kind.TIMING, "environment_key": LAPTOP.key, "model": "ours"}
    names = ("crowd-a", "crowd-b", "crowd-c")
    crowd = accuracy(spec("0.7", dataset="crowd", sequences=names, **changes))
    counted = zip(crowd.clips, ((1, 40.0), (2, 30.0), (10, 5.25)), strict=True)
    clips = tuple(
        replace(
            clip,
            object_ids=tuple(range(1, count + 1)),
            metrics={"fps": fps},
            object_metrics={},
        )
        for clip, (count, fps) in counted
    )
    timed = replace(crowd, clips=clips, aggregates={"fps": 20.0}, machine=LAPTOP)
    with Storage.open(db) as storage:
        import_run(storage, Run("Lab X", (timed,)), "crowds")
    lines = model_card(db, "ours").splitlines()
    (titles,) = (line for line in lines if "FPS, 1 object" in line)
    assert titles.endswith("| FPS, 1 object | FPS, 10 objects |")
    (row,) = (line for line in lines if "| crowd |" in line)
    assert row.endswith("| 40.0 | 5.2 |")
    (elsewhere,) = (line for line in lines if "| 12.3 |" in line)
    assert elsewhere.endswith("| – | – |")


def test_a_model_without_results_has_no_card(db: str) -> None:
    with pytest.raises(InputError, match="no complete result of frtm"):
        model_card(db, "frtm")
