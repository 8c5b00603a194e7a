"""The target model: FRTM's score generator, trained while the clip runs (paper, section 3.1).

``project`` (1×1) then ``filter`` (3×3) turn f16 into the coarse score S of one object. All state
is in frozen records: an update makes a new record, so that branches of a sweep share the past.
"""

from __future__ import annotations

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
    """Projected samples, each with its weight; ``latest`` is the slot written last."""

    slots: tuple[Samples, ...]
    weights: Tensor  # (capacity,); 0 for empty slots
    latest: int | None = None

    def with_sample(self, sample: Samples, rate: float) -> Memory:
        """Write the slot of least weight; older samples fade."""
        slot = int(self.weights.argmin())
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
        """The coarse score S: f16 (1, C16, h, w) → (1, 1, h, w)."""
        channels = self.project.shape[1]
        if not takes_shortcuts():
            kernel = self.kernel.view(1, -1, 3, 3)
            return F.conv2d(_project(self.project, f16), kernel, padding=1)
        both = (self.project.t() @ self.kernel).view(1, channels, 3, 3)
        return F.conv2d(f16.to(both.dtype), both, padding=1)

    def scored(self) -> TargetModel:
        """Count a frame that was scored."""
        return replace(self, classified=self.classified + 1)

    def updated(self, f16: Tensor, mask: Tensor) -> TargetModel:
        """Learn a frame: f16 (1, C16, h, w) and the object's soft mask (H, W)."""
        mask = mask.to(self.project.dtype)
        foreground = (mask > 0.5).to(mask.dtype)
        if foreground.sum() < LEAST_PIXELS:
            return self
        projected = _project(self.project, f16)
        sample = Samples.of(projected, mask[None], pixel_weights(foreground[None]))
        memory = self.memory.with_sample(sample, self.config.learning_rate)
        model = replace(self, memory=memory)
        due = self.classified % self.config.every == 0
        return model.optimised() if due else model

    def optimised(self) -> TargetModel:
        """Run the optimiser on ``filter`` over the memory."""
        slots = self.memory.slots
        problem = FilterProblem(Samples.stack(slots), self.memory.weights[: len(slots)])
        (kernel,), momentum = minimise(
            problem, (self.kernel,), (self.config.filter_iterations,), self.momentum
        )
        return replace(self, kernel=kernel, momentum=momentum)


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
        return torch.as_tensor((2 * draw - 1) * fan_in**-0.5).to(like)

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
    weights = torch.ones(len(masks), dtype=project.dtype, device=project.device)
    weights[0] = 2
    weights = weights / weights.sum()
    (project, kernel), _ = minimise(
        JointProblem(samples, weights), (project, kernel), config.joint_steps
    )
    slots = samples.with_features(project @ samples.x).split()
    padded = F.pad(weights, (0, config.capacity - len(masks)))
    model = TargetModel(config, project, kernel, Memory(slots, padded), None)
    return model.optimised()
