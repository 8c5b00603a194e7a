"""Distil a backbone from another one's ImageNet features, on pictures without labels.

Where the ImageNet weights of a ResNet can't be had, those of EfficientNet-Lite0 can: the ResNet
learns to hold the same features at strides 4, 8, 16 and 32, up to a 1×1 convolution each, which is
dropped afterwards (Romero et al., "FitNets", 2015). A run that was cut off goes on bit for bit.
Processes that torchrun started share each batch, as in a training: see :mod:`.processes`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.atomic import replacing
from vosbench.baselines.backbones import Backbone, make_backbone
from vosbench.baselines.imagenet import imagenet_state_dict
from vosbench.harness.store import SPEED, VALIDATION
from vosbench.harness.training.checkpoint import halved
from vosbench.harness.training.data.crops import Image, centred, decoded, draw_crops
from vosbench.harness.training.data.pictures import PictureFolder, open_pictures
from vosbench.harness.training.device import CPU, compile_layers, repeatable
from vosbench.harness.training.distillation_recipe import DistillationRecipe
from vosbench.harness.training.frtm.losses import wide
from vosbench.harness.training.loop import TrainingProgress
from vosbench.harness.training.processes import (
    ALONE,
    Processes,
    check_batch,
    distributed,
    parts_in_turn,
)
from vosbench.harness.training.state import CurvePoint, TrainingState, load_state, save_state

HELD_OUT = 0.06
"""Fraction of the pictures kept for validation: those that trainings on clips keep, too."""
LEVELS = ("f4", "f8", "f16", "f32")
STAGE = "distillation"
_STATISTICS_PICTURES = 128


@dataclass(frozen=True)
class Distilled:
    """A finished distillation.

    Attributes:
        backbone: the student, in eval mode.
        unexplained: fraction of each level's variance that the held-out pictures leave
            unexplained, by level; empty where nothing is held out.
        elapsed_s: time spent, over all runs.
    """

    recipe: DistillationRecipe
    backbone: Backbone
    unexplained: Mapping[str, float]
    elapsed_s: float


class _Pupil(nn.Module):
    """The student and what turns its features into the teacher's."""

    def __init__(self, student: Backbone, teacher: Backbone) -> None:
        super().__init__()
        self.student = student
        self.adapters = nn.ModuleList(
            nn.Conv2d(own, theirs, 1)
            for own, theirs in zip(student.spec.channels, teacher.spec.channels, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """uint8 RGB (B, 3, H, W) → estimates of the teacher's f4, f8, f16, f32."""
        features = _features(self.student, images)
        return [adapt(x) for adapt, x in zip(self.adapters, features, strict=True)]

    def learn(self, learning: bool) -> None:
        """Train or evaluate; a backbone by itself would stay in eval mode."""
        self.requires_grad_(learning)
        for module in self.student.children():
            module.train(learning)


@dataclass(frozen=True)
class Distillation:
    """A distillation: what is learnt from which pictures, and where its state is kept.

    Attributes:
        pictures, held_out: those to learn from, and those for validation (may be empty).
        folder: of the state file.
        save_every, validate_every, log_every: steps between.
        device: where student and teacher are; no part of the key.
        compiled: compile the student's layers; equal up to rounding.
        processes: that share each batch; the first one alone writes.
    """

    recipe: DistillationRecipe
    pictures: PictureFolder
    held_out: PictureFolder
    folder: Path
    save_every: int = 100
    validate_every: int = 250
    log_every: int = 20
    device: torch.device = CPU
    compiled: bool = False
    processes: Processes = ALONE

    @property
    def state_path(self) -> Path:
        return self.folder / "distillation.pt"

    @cached_property
    def key(self) -> str:
        """Hash of recipe and pictures: a state serves one distillation only."""
        return hashlib.sha256(
            f"{self.recipe.to_json()}/{self.pictures.sha256}".encode()
        ).hexdigest()


def open_distillation(recipe: DistillationRecipe, pictures: Path, folder: Path) -> Distillation:
    """A distillation on a folder with ``images/`` and ``masks/``; InputError if there is none."""
    training, held_out = open_pictures(pictures).split(HELD_OUT)
    return Distillation(recipe, training, held_out, folder)


def distil(
    job: Distillation,
    report: Callable[[TrainingProgress], None] | None = None,
    stop_after: int | None = None,
) -> Distilled:
    """Distil from where the folder's state says, or from the beginning.

    Args:
        report: hears of progress, in the first process.
        stop_after: end after so many steps of this run, as a kill would (the state is saved).

    Raises:
        InputError: no weights of the teacher, a damaged picture, a foreign state, or a batch that
            the processes can't share.
    """
    check_batch(job.recipe.batch, job.recipe.accumulate, job.processes)
    with repeatable(job.device), ThreadPoolExecutor(1) as ahead:
        run = _DistillationRun(job, report, ahead)
        last = job.recipe.steps if stop_after is None else run.state.step + stop_after
        started, spent = time.monotonic(), run.state.elapsed_s
        while run.state.step < min(last, job.recipe.steps):
            run.step()
            if run.state.step % job.save_every == 0 or run.state.step in (last, job.recipe.steps):
                run.state.elapsed_s = spent + time.monotonic() - started
                run.save()
        return run.finish()


class _DistillationRun:
    """One run of a distillation, from its newest saved state on."""

    def __init__(
        self,
        job: Distillation,
        report: Callable[[TrainingProgress], None] | None,
        ahead: ThreadPoolExecutor,
    ) -> None:
        self._job, self._ahead = job, ahead
        self._report = report if job.processes.leads else None
        parts = job.processes.parts(job.recipe.accumulate)
        self._own = [sample for part in parts for sample in part.of(job.recipe.batch)]
        self._coming: Future[Tensor] | None = None
        self._speed = _Speed()
        recipe = job.recipe
        self._teacher = _taught(recipe.teacher).to(job.device)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self._pupil = _Pupil(make_backbone(recipe.student), self._teacher)
        self._pupil.to(job.device).to(memory_format=torch.channels_last)
        self._images = decoded(job.pictures, recipe.largest)
        self._statistics = self._teacher_statistics()
        job.folder.mkdir(parents=True, exist_ok=True)
        self.state = TrainingState(job.key, self._pupil.state_dict())
        self._pupil.learn(True)
        if job.compiled:
            compile_layers([self._pupil.student, self._pupil.adapters])
        self._optimiser = torch.optim.AdamW(
            self._pupil.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if job.state_path.exists():
            self.state = load_state(job.state_path, job.key)
            job.processes.wait()  # nobody saves before all have read
            self._pupil.load_state_dict(self.state.network)
            assert self.state.optimiser is not None  # saved after a step
            self._optimiser.load_state_dict(self.state.optimiser)
        self._module = distributed(self._pupil, job.processes)

    def step(self) -> None:
        """Take one step of the optimiser, and tell of it when it is time."""
        job, recipe = self._job, self._job.recipe
        began_s = time.monotonic()
        images = self._batch(self.state.step)
        waited_s = time.monotonic() - began_s
        self._pupil.learn(True)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate(self.state.step)
        self._optimiser.zero_grad(set_to_none=True)
        sums = torch.zeros(len(LEVELS), device=job.device)
        parts = torch.split(images, len(images) // recipe.accumulate)
        turns = parts_in_turn(self._module, recipe.accumulate, job.processes)
        for _turn, part in zip(turns, parts, strict=True):
            sums += self._learn(part.to(job.device, non_blocking=True))
        self._optimiser.step()
        self.state.step += 1
        ends = self.state.step == recipe.steps
        logs = self.state.step % job.log_every == 0 or ends
        values = self._values(sums) if logs else {}
        self._speed.add(recipe.batch, time.monotonic() - began_s, waited_s)
        if logs:
            self._note(values | self._speed.values())
        if len(job.held_out) and (self.state.step % job.validate_every == 0 or ends):
            self._note({VALIDATION + k: v for k, v in self.unexplained().items()})

    def _learn(self, images: Tensor) -> Tensor:
        """Add the gradient of one part of a batch; its error at each level, (4,)."""
        errors: dict[str, Tensor] = self._module(
            lambda: dict(zip(LEVELS, self._errors(images), strict=True))
        )
        stacked = torch.stack(list(errors.values()))
        (stacked.mean() / self._job.recipe.accumulate).backward()  # type: ignore[no-untyped-call]
        return stacked.detach()

    def _values(self, sums: Tensor) -> dict[str, float]:
        """The step's errors and loss over all processes; waits for a GPU."""
        errors = self._job.processes.means(sums / self._job.recipe.accumulate)
        values = torch.cat((errors.mean()[None], errors)).tolist()
        return dict(zip(("loss", *LEVELS), values, strict=True))

    def _batch(self, step: int) -> Tensor:
        """This process's crops of a step, drawn while the one before it was computed."""
        coming, self._coming = self._coming, None
        images = self._drawn(step) if coming is None else coming.result()
        if step + 1 < self._job.recipe.steps:
            self._coming = self._ahead.submit(self._drawn, step + 1)
        return images

    def _drawn(self, step: int) -> Tensor:
        recipe = self._job.recipe
        rng = np.random.default_rng([recipe.seed, step])
        size, smallest = recipe.size, recipe.smallest
        crops = draw_crops(self._images, recipe.batch, size, smallest, rng, own=self._own)
        images = _batch(crops)
        return images.pin_memory() if self._job.device.type == "cuda" else images

    def save(self) -> None:
        """Keep the state on disk, whole or not at all."""
        if not self._job.processes.leads:
            return
        self.state.network = self._pupil.state_dict()
        self.state.optimiser = self._optimiser.state_dict()
        save_state(self.state, self._job.state_path)

    def unexplained(self) -> Mapping[str, float]:
        """The first process's scores of the held-out pictures, in all of them."""
        self._pupil.learn(False)
        processes = self._job.processes
        return processes.tell(self._scored() if processes.leads else {})

    @torch.no_grad()
    def _scored(self) -> Mapping[str, float]:
        """Score the held-out pictures, each as one centred crop, in eval mode."""
        size, step = self._job.recipe.size, self._job.recipe.batch
        pictures = decoded(self._job.held_out, self._job.recipe.largest)
        images = [centred(image, size) for image in pictures]
        parts = [images[i : i + step] for i in range(0, len(images), step)]
        batches = [_batch(part).to(self._job.device) for part in parts]
        errors = [torch.stack(self._errors(batch)) * len(batch) for batch in batches]
        means = torch.stack(errors).sum(0) / len(images)
        return dict(zip(LEVELS, means.tolist(), strict=True))

    def finish(self) -> Distilled:
        """The student as it stands."""
        unexplained = self.unexplained() if len(self._job.held_out) else {}
        self._pupil.learn(False)
        return Distilled(
            self._job.recipe,
            self._pupil.student,
            unexplained,
            self.state.elapsed_s,
        )

    def _errors(self, images: Tensor) -> list[Tensor]:
        """Mean squared error of each level, where the teacher's channels have variance 1."""
        job = self._job
        with torch.autocast(job.device.type, torch.bfloat16, enabled=job.recipe.autocast):
            with torch.no_grad():
                wanted = _features(self._teacher, images)
            given = self._pupil(images)
        pairs = zip(given, wanted, self._statistics, strict=True)
        return [F.mse_loss(wide(x), (wide(y) - mean) / std) for x, y, (mean, std) in pairs]

    @torch.no_grad()
    def _teacher_statistics(self) -> list[tuple[Tensor, Tensor]]:
        """Mean and standard deviation of the teacher's channels, (1, C, 1, 1), by level."""
        size, step = self._job.recipe.size, self._job.recipe.batch
        images = [centred(image, size) for image in self._images[:_STATISTICS_PICTURES]]
        parts = [
            [wide(x) for x in _features(self._teacher, batch.to(self._job.device))]
            for batch in (_batch(images[i : i + step]) for i in range(0, len(images), step))
        ]
        found = []
        for level in zip(*parts, strict=True):
            std, mean = torch.std_mean(torch.cat(level), dim=(0, 2, 3), keepdim=True)
            found.append((mean, std.clamp(min=1e-3)))
        return found

    def _note(self, values: Mapping[str, float]) -> None:
        state, steps = self.state, self._job.recipe.steps
        state.curve += [CurvePoint(state.step, name, value) for name, value in values.items()]
        if self._report is not None:
            self._report(TrainingProgress(STAGE, state.step, steps, values))


@dataclass
class _Speed:
    """Pictures a second since it was last asked, and the share of the time spent on waiting."""

    pictures: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0

    def add(self, pictures: int, seconds: float, waited_s: float) -> None:
        """Count a step."""
        self.pictures += pictures
        self.seconds += seconds
        self.waited_s += waited_s

    def values(self) -> dict[str, float]:
        """Both, by name; counting begins anew."""
        counted = {"pictures per s": self.pictures, "waiting": self.waited_s}
        found = {SPEED + name: x / max(self.seconds, 1e-9) for name, x in counted.items()}
        self.pictures, self.seconds, self.waited_s = 0, 0.0, 0.0
        return found


def _taught(name: str) -> Backbone:
    teacher = make_backbone(name)
    teacher.load_state_dict(imagenet_state_dict(name))
    return teacher.to(memory_format=torch.channels_last)


def _features(backbone: Backbone, images: Tensor) -> tuple[Tensor, ...]:
    f4, f8 = backbone.first(images)
    return f4, f8, *backbone.second(f8)


def _batch(images: Sequence[Image]) -> Tensor:
    """(B, 3, H, W), channels last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def backbone_tensors(backbone: Backbone) -> dict[str, Tensor]:
    """A backbone's state dict in half precision."""
    return halved(backbone.state_dict())


def write_backbone(path: Path, backbone: Backbone) -> None:
    """Write a distilled backbone, in half precision, where a training takes ``backbone`` from.

    :func:`vosbench.baselines.imagenet.resnet_state_dict` reads the file.
    """
    with replacing(path) as temporary:
        torch.save(backbone_tensors(backbone), temporary)
