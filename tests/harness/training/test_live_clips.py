"""Clips that no file keeps: drawn by workers, encoded in batches, the same as those of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_toys import CLIPS, learnt, make_encoder, make_network, moment, write_pictures

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.clips import TrainingClip
from vosbench.harness.training.data.encoding import NAMES, EncodedClip, raw_clip
from vosbench.harness.training.data.live import LivePool
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.device import compile_layers
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.frtm.steps import cut
from vosbench.harness.training.loop import train
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import DataRequest

RECIPE = Recipe(
    "g-frtm-lite",
    StageRecipe(2, batch=2, learning_rate=2e-3),
    ReuseRecipe(StageRecipe(3, batch=2, learning_rate=2e-3), finetune="all"),
    sequences=True,
)


def live(root: Path) -> LivePool:
    pictures = root / "pictures"
    made = write_pictures(pictures) if not pictures.exists() else None
    source = SyntheticClips(made or _opened(pictures), CLIPS)
    return LivePool(source, make_encoder(), root / "cache", 2)


def _opened(pictures: Path):
    from vosbench.harness.training.data.pictures import open_pictures

    return open_pictures(pictures)


def test_they_are_those_that_files_would_hold(tmp_path: Path) -> None:
    pool = live(tmp_path)
    files = ClipPool(pool.source, pool.encoder, tmp_path / "files", 2)
    with pool.feeding([[4, 5], [6, 7]], workers=0):
        pool.advance(0, first=4)
        assert pool.choose(2, None).tolist() == [4, 5]  # type: ignore[arg-type]
        for index in (4, 5):
            for name in NAMES:
                given, kept = (getattr(p.stored(index, [2, 0]), name) for p in (pool, files))
                assert given.dtype == kept.dtype and torch.equal(given, kept), name
        assert torch.equal(pool.masks(5, [1]), files.masks(5, [1]))
        assert torch.equal(pool.masks(9, [1]), files.masks(9, [1]))  # of another step
        pool.advance(1, first=6)
        assert set(pool.present.clips) == {6, 7}
    assert pool.frames == 5 and pool.sha256 != files.sha256
    assert not list((tmp_path / "cache").rglob("0*.safetensors"))


def job(root: Path, folder: str, workers: int = 0) -> FrtmJob:
    made = FrtmJob(RECIPE, make_network(True), live(root), None, root / folder, 2, 99, 1)
    return replace(made, workers=workers)


def test_a_resumed_run_takes_the_same_clips(tmp_path: Path) -> None:
    whole = train(job(tmp_path, "whole"))
    train(job(tmp_path, "broken"), stop_after=1)
    train(job(tmp_path, "broken"), stop_after=3)
    end = train(job(tmp_path, "broken"))
    assert learnt(end.curve) == learnt(whole.curve)
    assert all(torch.equal(t, end.network[name]) for name, t in whole.network.items())


def test_workers_draw_the_same_clips(tmp_path: Path) -> None:
    pool = live(tmp_path)
    with pool.feeding([[0, 1], [2, 3]], workers=1):
        pool.advance(0)
        clip = pool.source.draw(1)
        (alone,) = pool.encoder.encode_all([raw_clip(clip, pool.encoder.seed)])
        assert torch.equal(pool.present.clips[1].f8, alone.f8)
        assert pool.waited.seconds > 0
    assert not pool.present.clips  # what the context held is gone, the worker with it


def test_what_cannot_be_drawn_is_one_line(tmp_path: Path) -> None:
    class Damaged:
        sha256 = "x"

        def draw(self, seed: int) -> TrainingClip:
            raise InputError("a.jpg is damaged")

    pool = replace(live(tmp_path), source=Damaged())
    with pool.feeding([[0]], workers=0), pytest.raises(InputError, match=r"^a.jpg is damaged$"):
        pool.advance(0)


def test_fresh_clips_are_kept_in_files() -> None:
    with pytest.raises(InputError, match="either fresh or cached=false"):
        DataRequest(motion=1.0, fresh=0.5, cached=False)


class _Dropping(nn.Module):
    """A layer with a chance of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Tensor) -> Tensor:
        y: Tensor = self.inner(*args)
        return y * (torch.rand_like(y) < 0.8)


def test_chances_of_torch_are_those_of_the_step(toy_pool: ClipPool, tmp_path: Path) -> None:
    """A network with dropout resumes bit for bit, and leaves the global generator alone."""

    def dropping(folder: str) -> FrtmJob:
        network = make_network(True)
        network.refiner.RRB2["layer2"] = _Dropping(network.refiner.RRB2["layer2"])
        recipe = Recipe("g-frtm-lite", StageRecipe(3, batch=2), None, clips=4)
        return FrtmJob(recipe, network, toy_pool, None, tmp_path / folder, 1, 99, 1)

    torch.manual_seed(7)
    before = torch.get_rng_state()
    whole = train(dropping("whole"))
    assert torch.equal(torch.get_rng_state(), before)
    train(dropping("broken"), stop_after=1)
    torch.rand(3)
    end = train(dropping("broken"))
    assert learnt(end.curve) == learnt(whole.curve)


def test_layers_are_compiled_and_names_stay(
    toy_pool: ClipPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, **_: compiled.append(type(self).__name__)
    )
    recipe = Recipe("g-frtm-lite", None, ReuseRecipe(StageRecipe(1, batch=2), gaps=(1,)), clips=4)
    made = FrtmJob(recipe, make_network(True), toy_pool, None, tmp_path, 1, 99, 1)
    names = set(made.network.state_dict())
    train(replace(made, compiled=True))
    assert set(made.network.state_dict()) == names
    # The reuse stage's: matching's two networks, translator, gate, Δ; nothing that is frozen.
    assert {"TemplateGenerator", "TemplateMatching", "Gate", "Conv2d"} <= set(compiled)
    assert not {"TSE", "RRB", "Matching", "ModuleDict"} & set(compiled)


def test_a_compiled_layer_computes_the_same() -> None:
    torch.manual_seed(0)
    layers = nn.ModuleDict({"a": nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU())})
    x = torch.rand(1, 2, 4, 4)
    plain = layers["a"](x)
    assert compile_layers([layers], backend="eager") == 1
    torch.testing.assert_close(layers["a"](x), plain)


def test_each_layer_of_a_class_is_compiled_for_its_own_sizes() -> None:
    """torch's own limit is eight graphs a class, and it would make one of several sizes."""
    graphs: list[list[Tensor]] = []

    def counting(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(inputs)
        return graph

    layers = nn.ModuleList(nn.Sequential(nn.Conv2d(n, 2, 1), nn.ReLU()) for n in range(1, 7))
    compile_layers([layers], backend=counting)
    for size in (4, 6):
        for n, layer in enumerate(layers, 1):
            layer(torch.rand(1, n, size, size))
    assert len(graphs) == 12
    assert all(isinstance(x, Tensor) for inputs in graphs for x in inputs)  # no size is a variable


def test_a_window_is_drawn_from_the_hosts_masks(tmp_path: Path) -> None:
    """Those on a GPU would have to be waited for; a tensor without values stands for one."""
    pool, windows = live(tmp_path), Windows((1, 2), mirror=True)
    with pool.feeding([[0, 1]], workers=0):
        pool.advance(0)
        (alone,) = cut(pool, 1, [2, 0], windows=windows, moment=moment(2, 0), sample=1)
        kept = pool.present.clips
        for index, clip in kept.items():
            kept[index] = EncodedClip(*(getattr(clip, name).to("meta") for name in NAMES))
        (there,) = cut(pool, 1, [2, 0], windows=windows, moment=moment(2, 0), sample=1)
    assert all(getattr(alone, n).shape == getattr(there, n).shape for n in NAMES)
    assert there.masks.is_meta and alone.masks.shape == (2, 1, 32, 64)
