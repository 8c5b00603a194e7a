"""The loop: the loss falls, and a run that was killed goes on as if it had not been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_toys import learnt, make_network

from vosbench.baselines.errors import InputError
from vosbench.harness.terminal import Terminal
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.loop import TrainingProgress, train
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.reporting import tensorboard, terminal
from vosbench.harness.training.state import load_state

RECIPE = Recipe(
    "g-frtm-lite",
    StageRecipe(6, batch=2, learning_rate=2e-3),
    ReuseRecipe(StageRecipe(5, batch=2), gaps=(1, 2), finetune="shallow", imitation=0.1),
    clips=4,
    soft_iou=0.1,
)


def job(pool: ClipPool, folder: Path, recipe: Recipe = RECIPE, gated: bool = True) -> FrtmJob:
    return FrtmJob(recipe, make_network(gated), pool, pool, folder, 2, 4, 1)


class KilledError(Exception):
    """What ends a run without warning."""


def killer(at: int):
    def report(news: TrainingProgress) -> None:
        if news.step == at:
            raise KilledError

    return report


def test_resumed_run_equals_an_undisturbed_one(toy_pool: ClipPool, tmp_path: Path) -> None:
    whole = train(job(toy_pool, tmp_path / "whole"))
    folder = tmp_path / "broken"
    for step in (3, 7, 10):  # in either stage, between two saves
        with pytest.raises(KilledError):
            train(job(toy_pool, folder), killer(step))
    train(job(toy_pool, folder), stop_after=1)
    resumed = job(toy_pool, folder)
    end = train(resumed)
    assert set(end.network) == set(whole.network)
    for name, tensor in whole.network.items():
        assert torch.equal(tensor, end.network[name]), name
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert learnt(end.curve) == learnt(whole.curve)
    assert end.elapsed_s > 0


def test_a_finished_training_is_not_run_again(toy_pool: ClipPool, tmp_path: Path) -> None:
    first = train(job(toy_pool, tmp_path))
    heard: list[TrainingProgress] = []
    again = train(job(toy_pool, tmp_path), heard.append)
    assert not heard
    assert all(torch.equal(t, again.network[name]) for name, t in first.network.items())


def test_loss_falls_in_both_stages(toy_pool: ClipPool, tmp_path: Path) -> None:
    """Beside a training that learns nothing and sees the same frames: draws differ more than that
    from step to step."""

    def curve(rate: float) -> dict[str, list[float]]:
        recipe = replace(
            RECIPE,
            segmentation=StageRecipe(40, batch=4, learning_rate=rate),
            reuse=ReuseRecipe(StageRecipe(40, batch=4, learning_rate=rate), gaps=(1, 2)),
        )
        points = train(job(toy_pool, tmp_path / str(rate), recipe)).curve
        names = ("bce", "reuse", "delta", "gate")
        return {name: [p.value for p in points if p.name == name] for name in names}

    learnt, unlearnt = curve(5e-3), curve(1e-12)
    for name, values in learnt.items():
        assert len(values) == 40
        assert sum(values[-10:]) < 0.9 * sum(unlearnt[name][-10:]), name


def test_the_refiner_rests_in_the_second_stage(toy_pool: ClipPool, tmp_path: Path) -> None:
    recipe = replace(RECIPE, segmentation=None, reuse=ReuseRecipe(StageRecipe(3, batch=2)))
    started = job(toy_pool, tmp_path, recipe)
    before = {k: v.clone() for k, v in started.network.state_dict().items()}
    train(started)
    for name, tensor in started.network.state_dict().items():
        reuse = name.startswith(("convGS", "Tmatching", "Convert_Diff", "refiner.Diff_process"))
        if not reuse:
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(before["Convert_Diff.weight"], started.network.Convert_Diff.weight)


def test_another_recipe_does_not_take_over_a_state(toy_pool: ClipPool, tmp_path: Path) -> None:
    train(job(toy_pool, tmp_path), stop_after=1)
    with pytest.raises(InputError, match="another recipe"):
        train(job(toy_pool, tmp_path, replace(RECIPE, seed=1)))
    (tmp_path / "state.pt").write_bytes(b"half a fi")
    with pytest.raises(InputError, match="damaged"):
        load_state(tmp_path / "state.pt", "key")


def test_plain_network_trains_without_reuse_modules(toy_pool: ClipPool, tmp_path: Path) -> None:
    recipe = replace(RECIPE, model="frtm-lite", reuse=None)
    end = train(job(toy_pool, tmp_path, recipe, gated=False))
    assert {p.name for p in end.curve} >= {"loss", "bce", "validation/full"}


def test_real_sequences_are_scored_beside_and_stages_end_with_the_best_weights(
    toy_pool: ClipPool, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, autocast=True, choose=("video full", "video reuse 1"))
    made = replace(job(toy_pool, tmp_path, recipe), videos=toy_pool, validation=None)
    made = replace(made, validate_every=1)
    curve = train(made).curve
    assert {p.name for p in curve} >= {"validation/video full", "validation/video reuse 1"}
    assert "validation/full" not in {p.name for p in curve}
    later = replace(recipe, choose=("video reuse 1",))  # which the first stage can't be chosen by
    assert train(replace(made, recipe=later, folder=tmp_path / "c")).best is not None
    wrong = replace(recipe, choose=("video full", "video jf"))
    with pytest.raises(InputError, match="'video jf'"):  # in the last stage; the first may lack it
        train(replace(made, recipe=wrong, folder=tmp_path / "b"))


def test_rate_follows_its_schedule() -> None:
    stage = StageRecipe(100, learning_rate=1.0, milestones=(0.5, 0.8), decay=0.1)
    assert [stage.rate(s) for s in (0, 49, 50, 80)] == pytest.approx([1, 1, 0.1, 0.01])


def test_recipe_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="finetune"):
        Recipe("g-frtm-lite", None, ReuseRecipe(StageRecipe(1), finetune="deep"))
    with pytest.raises(InputError, match="at least one stage"):
        Recipe("frtm-lite", None, None)


def test_progress_is_shown_with_and_without_a_terminal(tmp_path: Path) -> None:
    news = TrainingProgress("reuse", 4, 10, {"validation/full": 0.5})
    for is_terminal in (True, False):
        with (tmp_path / "out").open("w") as file:
            console = Terminal(file=file, force_terminal=is_terminal, width=120)
            with terminal(console, 10) as report:
                report(news)
        text = (tmp_path / "out").read_text()
        assert "reuse" in text and "0.500" in text


def test_tensorboard_is_optional(tmp_path: Path) -> None:
    write = tensorboard(tmp_path)
    try:
        import tensorboard as _  # noqa: F401
    except ImportError:
        assert write is None
    else:
        assert write is not None
        write(TrainingProgress("reuse", 1, 2, {"loss": 1.0}))
        assert any(tmp_path.iterdir())
