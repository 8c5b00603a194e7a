"""The target model: FRTM's score generator, trained while the clip runs (paper, section 3.1).

``project`` (1×1) then ``filter`` (3×3) turn f16 into the coarse score S of one object. All state
is in frozen records: an update makes a new record, so that branches of a sweep share the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.arithmetic import takes_shortcuts
from vosbench.baselines.frtm.optimiser import FilterProblem, JointProblem, Momentum, minimise
from vosbench.baselines.frtm.samples import Samples, pixel_weights

LEAST_PIXELS = 10
"""A frame with less foreground than this teaches nothing."""


@dataclass(frozen=True)
class TargetConfig:
    """How long the optimiser runs, and what the memory keeps.

    Attributes:
        joint_steps: CG iterations of each Gauss-Newton step on the first frame.
        filter_iterations: CG iterations of a run on ``filter`` alone.
        capacity: samples in memory.
        learning_rate: weight of a new sample before renormalising.
        every: frames between two runs on ``filter``.
    """

    joint_steps: tuple[int, ...] = (5, 10, 10, 10)
    filter_iterations: int = 5
    channels: int = 96
    capacity: int = 80
    learning_rate: float = 0.1
    every: int = 8


FRTM_TARGET = TargetConfig(joint_steps=(5, 10, 10, 10, 10), filter_iterations=10)
FRTM_FAST_TARGET = TargetConfig()


@dataclass(frozen=True)
class Memory:
    """Projected samples, each with its weight; ``latest`` is the slot written last.

    Weights (capacity,) are 0 for empty slots. They follow from how many samples came, never from
    what they show, so they stay on the CPU: choosing a slot waits for no device.
    """

    slots: tuple[Samples, ...]
    weights: Tensor
    latest: int | None = None

    def with_sample(self, sample: Samples, rate: float) -> Memory:
        """Write the slot of least weight; older samples fade."""
        slot = int(self.weights.numpy().argmin())
        if self.latest is None:
            weights = self.weights / (1 - rate)
            weights[slot] = rate
        else:
            weights = self.weights.clone()
            weights[slot] = self.weights[self.latest] / (1 - rate)
        # Empty slots weigh nothing and fill from the lowest index up, so none is skipped.
        slots = (*self.slots[:slot], sample, *self.slots[slot + 1 :])
        return Memory(slots, weights / weights.sum(), slot)


@dataclass(frozen=True)
class TargetModel:
    """One object's score generator at one moment.

    Attributes:
        project: (m, C16).
        kernel: the 3×3 ``filter``, (m, 9).
        classified: frames scored so far; the filter is optimised at multiples of ``every``.
    """

    config: TargetConfig
    project: Tensor
    kernel: Tensor
    memory: Memory
    momentum: Momentum | None
    classified: int = 0

    def score(self, f16: Tensor) -> Tensor:
        """The coarse scores S of T frames: f16 (T, C16, h, w) → (T, 1, h, w)."""
        return scores((self,), f16).transpose(0, 1)

    def like(self, x: Tensor) -> TargetModel:
        """With filters of the type and on the device of ``x``; the memory stays as it is."""
        return replace(self, project=self.project.to(x), kernel=self.kernel.to(x))

    def filter_problem(self) -> FilterProblem:
        """What the optimiser solves: ``filter`` over the memory."""
        slots = self.memory.slots
        weights = self.memory.weights[: len(slots)].to(self.kernel.device, non_blocking=True)
        return FilterProblem(Samples.stack(slots), weights)

    def scored(self) -> TargetModel:
        """Count a frame that was scored."""
        return replace(self, classified=self.classified + 1)

    def updated(self, f16: Tensor, mask: Tensor) -> TargetModel:
        """Learn a frame: f16 (1, C16, h, w) and the object's soft mask (H, W)."""
        return learn((self,), f16, mask[None])[0]

    def optimised(self) -> TargetModel:
        """Run the optimiser on ``filter`` over the memory."""
        return _optimised((self,))[0]

    @property
    def due(self) -> bool:
        """Whether the filter is optimised in this frame."""
        return self.classified % self.config.every == 0


def scores(models: Sequence[TargetModel], f16: Tensor) -> Tensor:
    """The coarse scores S of N objects in T frames: f16 (T, C16, h, w) → (N, T, h, w)."""
    if not takes_shortcuts():
        parts = [
            F.conv2d(_project(m.project, f16), m.kernel.view(1, -1, 3, 3), padding=1)
            for m in models
        ]
        return torch.cat(parts, dim=1).transpose(0, 1)
    if len(models) == 1:
        both = models[0].project.t() @ models[0].kernel
    else:
        both = torch.stack([m.project for m in models]).mT @ torch.stack([m.kernel for m in models])
    both = both.view(len(models), -1, 3, 3)
    return F.conv2d(f16.to(both.dtype), both, padding=1).transpose(0, 1)


def learn(models: Sequence[TargetModel], f16: Tensor, masks: Tensor) -> list[TargetModel]:
    """Have N objects learn one frame: f16 (1, C16, h, w) and their soft masks (N, H, W).

    One wait for the device, for how many pixels each object has.
    """
    masks = masks.to(models[0].project.dtype)
    foreground = (masks > 0.5).to(masks.dtype)
    pixels = foreground.sum(dim=(-2, -1)).tolist()
    learnt = list(models)
    taught = [k for k, count in enumerate(pixels) if count >= LEAST_PIXELS]
    if not taught:
        return learnt
    if len(taught) < len(models):
        masks, foreground = masks[taught], foreground[taught]
    projected = _project(torch.cat([models[k].project for k in taught]), f16)
    projected = projected.view(len(taught), -1, *f16.shape[-2:])
    samples = Samples.of(projected, masks, pixel_weights(foreground)).apart()
    for k, sample in zip(taught, samples, strict=True):
        memory = models[k].memory.with_sample(sample, models[k].config.learning_rate)
        learnt[k] = replace(models[k], memory=memory)
    # Those that began together have as many samples, and are optimised in one batch.
    alike: dict[tuple[int, bool], list[int]] = {}
    for k in taught:
        if learnt[k].due:
            key = (len(learnt[k].memory.slots), learnt[k].momentum is None)
            alike.setdefault(key, []).append(k)
    for group in alike.values():
        for k, model in zip(group, _optimised([learnt[k] for k in group]), strict=True):
            learnt[k] = model
    return learnt


def _optimised(models: Sequence[TargetModel]) -> list[TargetModel]:
    """Run the optimiser on ``filter`` of each, over as many samples each."""
    steps = (models[0].config.filter_iterations,)
    if len(models) == 1 or any(model.momentum is None for model in models):
        return [
            _with(m, *minimise(m.filter_problem(), (m.kernel,), steps, m.momentum)) for m in models
        ]
    size = models[0].memory.slots[0].size

    def run(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, normal, moment, weights, kernel, direction, rho, residual = parts
        problem = FilterProblem(Samples(x, normal, moment, size), weights)
        before = Momentum((direction,), rho, (residual,))
        (kernel,), after = minimise(problem, (kernel,), steps, before)
        assert after is not None
        return kernel, after.direction[0], after.rho, after.residual[0]

    parts = zip(*(_parts(model) for model in models), strict=True)
    found = torch.func.vmap(run)(tuple(torch.stack(part) for part in parts))
    return [
        _with(model, (kernel,), Momentum((direction,), rho, (residual,)))
        for model, kernel, direction, rho, residual in zip(models, *found, strict=True)
    ]


def _parts(model: TargetModel) -> tuple[Tensor, ...]:
    """All that one run of the optimiser depends on."""
    problem, momentum = model.filter_problem(), model.momentum
    assert momentum is not None
    s, (direction,), (residual,) = problem.samples, momentum.direction, momentum.residual
    return (
        s.x,
        s.normal,
        s.moment,
        problem.weights,
        model.kernel,
        direction,
        momentum.rho,
        residual,
    )


def _with(
    model: TargetModel, unknowns: tuple[Tensor, ...], momentum: Momentum | None
) -> TargetModel:
    return replace(model, kernel=unknowns[0], momentum=momentum)


def _project(project: Tensor, f16: Tensor) -> Tensor:
    return F.conv2d(f16.to(project.dtype), project[:, :, None, None])


def initial_weights(
    config: TargetConfig, channels: int, seed: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw ``project`` and ``filter`` as torch initialises convolutions, from ``seed`` alone."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, fan_in: int) -> Tensor:
        # Kaiming-uniform with a = sqrt(5), torch's default, has the bound 1/sqrt(fan_in).
        draw = torch.rand(shape, generator=generator, dtype=torch.float64)
        drawn = torch.as_tensor((2 * draw - 1) * fan_in**-0.5)
        return drawn.to(like.device, like.dtype, non_blocking=True)

    m = config.channels
    return uniform(m, channels, fan_in=channels), uniform(m, 9, fan_in=9 * m)


def fit(
    config: TargetConfig, start: tuple[Tensor, Tensor], f16: Tensor, masks: Tensor
) -> TargetModel:
    """Train on the first frame and its augmentations.

    Args:
        start: starting values of ``project`` (m, C16) and ``filter`` (m, 9).
        f16: (K, C16, h, w), the untouched frame first.
        masks: 0/1, (K, H, W).
    """
    project, kernel = start
    masks = masks.to(project.dtype)
    samples = Samples.of(f16.to(project.dtype), masks, pixel_weights(masks))
    weights = first_weights(masks)
    problem = JointProblem(samples, weights.to(project.device, non_blocking=True))
    (project, kernel), _ = minimise(problem, (project, kernel), config.joint_steps)
    slots = samples.with_features(project @ samples.x).split()
    padded = F.pad(weights, (0, config.capacity - len(masks)))
    model = TargetModel(config, project, kernel, Memory(slots, padded), None)
    return model.optimised()


def misfit(model: TargetModel, f16: Tensor, masks: Tensor) -> float:
    """What :func:`fit` lowers, without its regularisers: the weighted squared error at full size.

    In the arithmetic of ``f16`` (K, C16, h, w); 0/1 masks are (K, H, W).
    """
    masks = masks.to(f16)
    score = scores(
        (replace(model, project=model.project.to(f16), kernel=model.kernel.to(f16)),), f16
    )
    gap = F.interpolate(score, masks.shape[-2:], mode="bilinear", align_corners=False)[0] - masks
    each = first_weights(masks).to(masks.device)
    weights = each[:, None, None] * pixel_weights(masks)
    return float((weights * gap.square()).sum())


def first_weights(masks: Tensor) -> Tensor:
    """Weights of a first-frame set, summing to 1: the untouched frame counts twice.

    On the CPU, like those of a memory: they depend on how many masks there are alone.
    """
    weights = torch.ones(len(masks), dtype=masks.dtype)
    weights[0] = 2
    return weights / weights.sum()
