"""What a process of the tests of processes does: train toys in float64, and write the losses.

Run by torchrun, or alone: ``together.py CACHE OUT``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn
from training_toys import CLIPS, make_encoder, make_network, untrained_teacher

from vosbench.harness.training import distillation
from vosbench.harness.training.data.encoding import NAMES, EncodedClip
from vosbench.harness.training.data.pictures import open_pictures
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.distillation import Distillation, distil
from vosbench.harness.training.distillation_recipe import DistillationRecipe
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.loop import TrainingJob, TrainingProgress, train
from vosbench.harness.training.processes import ALONE, Processes, joined
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe

Point: TypeAlias = tuple[int, str, float]
"""Step, name and value."""
WEIGHTS = ("conv1.weight", "layer4.1.conv2.weight", "layer2.0.bn1.running_var")
STAGE = StageRecipe(2, batch=4, learning_rate=2e-3)
SHALLOW = ReuseRecipe(STAGE, gaps=(1, 2), finetune="shallow", imitation=0.1, focus=1.0)
RECIPES = {
    "pairs": Recipe("g-frtm-lite", STAGE, SHALLOW, clips=4, soft_iou=0.1, mirror=True),
    "windows": Recipe("g-frtm-lite", STAGE, None, clips=4, window=(1, 2), mirror=True),
    "counted": Recipe(
        "g-frtm-lite", None, ReuseRecipe(STAGE, GateRecipe(rate=0.4), gaps=(1,)), clips=4
    ),
    "sequences": Recipe(
        "g-frtm-lite", None, ReuseRecipe(STAGE, finetune="all"), clips=4, sequences=True
    ),
}


@dataclass(frozen=True)
class Double(ClipPool):
    """A pool that gives float64."""

    def deliver(self, clips: Sequence[EncodedClip]) -> EncodedClip:
        given = super().deliver(clips)
        return EncodedClip(*(getattr(given, name).double() for name in NAMES))


def pool_of(root: Path) -> Double:
    source = SyntheticClips(open_pictures(root / "pictures"), CLIPS)
    return Double(source, make_encoder(), root / "cache", 4)


def jobs(
    root: Path, folder: Path, processes: Processes = ALONE
) -> Iterator[tuple[str, TrainingJob]]:
    """A training of each kind."""
    for name, recipe in RECIPES.items():
        network: nn.Module = make_network(True).double()
        held_out = pool_of(root) if name == "pairs" else None
        job = FrtmJob(recipe, network, pool_of(root), held_out, folder / name, log_every=1)  # type: ignore[arg-type]
        yield name, replace(job, processes=processes)


def losses(job: TrainingJob) -> list[Point]:
    curve = train(job).curve
    return [(p.step, p.name, p.value) for p in curve if not p.name.startswith("speed/")]


def distilled(
    root: Path, folder: Path, processes: Processes = ALONE, cuts: Sequence[int] = ()
) -> tuple[list[Point], list[Point]]:
    """Distil in float64, cut off after so many steps each time: what was told, and the outcome."""
    pictures = open_pictures(root / "pictures")
    training, held = (replace(pictures, files=f) for f in (pictures.files[:4], pictures.files[4:]))
    recipe = DistillationRecipe(steps=2, batch=4, size=64, accumulate=2)
    heard: list[Point] = []

    def hear(news: TrainingProgress) -> None:
        heard.extend((news.step, k, v) for k, v in news.values.items() if "speed/" not in k)

    before = torch.get_default_dtype(), distillation.imagenet_state_dict
    try:
        torch.set_default_dtype(torch.float64)
        distillation.imagenet_state_dict = untrained_teacher  # type: ignore[assignment]
        job = Distillation(
            recipe, training, held, folder, validate_every=1, log_every=1, processes=processes
        )
        for stop in (*cuts, None):
            end = distil(job, hear, stop_after=stop)
    finally:
        torch.set_default_dtype(before[0])
        distillation.imagenet_state_dict = before[1]
    weights = end.backbone.state_dict()
    outcome = [(2, name, float(weights[name].abs().sum())) for name in WEIGHTS]
    return heard, outcome + [(2, name, value) for name, value in end.unexplained.items()]


def _refuse(state: object, path: Path) -> None:
    raise AssertionError(f"{path} is the first process's to write")


def main(root: Path, out: Path) -> None:
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as processes:
        found = {name: losses(job) for name, job in jobs(root, out.parent, processes)}
        if not processes.leads:
            distillation.save_state = _refuse
        told, found["outcome"] = distilled(root, out.parent / "distilled", processes, cuts=[1])
        if processes.leads:
            out.write_text(json.dumps(found | {"distilled": told}))
        else:
            assert not told
            out.with_suffix(".other").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
