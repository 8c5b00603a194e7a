"""G-FRTM as its description reads, with nothing done for speed: what the benchmarks compare with.

The residual of the target model is formed at the mask's full size and its Jacobian products come
from autograd (back-propagation, and back-propagation through it); the memory keeps full-size masks
and weights in float32; augmented frames pass the whole backbone; batch norms are evaluated, the
head up-samples 32 maps. Layers are those of :mod:`vosbench.baselines.frtm`, so that both sides
have the same weights. One object; empty memory slots are skipped, as in the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.frtm.aggregate import aggregate
from vosbench.baselines.frtm.network import GatedFrtmNetwork
from vosbench.baselines.frtm.optimiser import (
    FILTER_REGULARISER,
    FORGETTING,
    PROJECT_REGULARISER,
)
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.baselines.frtm.samples import pixel_weights
from vosbench.baselines.frtm.target import TargetConfig

Weights = list[Tensor]


def inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Inner product over all weight tensors."""
    return torch.stack([(u * v).sum() for u, v in zip(a, b, strict=True)]).sum()


@dataclass
class PlainGaussNewton:
    """Gauss-Newton with preconditioned conjugate gradients on any residual function.

    Attributes:
        residual: weights → the data term's residual, any shape.
        regularisers: one per weight tensor.
    """

    residual: Callable[[Weights], Tensor]
    regularisers: Sequence[float]
    direction: Weights | None = None
    rho: Tensor | None = None
    last: Weights | None = None

    def run(self, weights: Weights, steps: Sequence[int]) -> Weights:
        """One Gauss-Newton step per entry, of so many conjugate-gradient iterations."""
        for iterations in steps:
            weights = self._step(weights, iterations)
        return weights

    def _step(self, weights: Weights, iterations: int) -> Weights:
        at = [w.detach().requires_grad_() for w in weights]
        r = self.residual(at)
        u = torch.zeros_like(r, requires_grad=True)
        pulled = torch.autograd.grad(r, at, u, create_graph=True)  # Jᵀu, linear in u

        def normal(p: Weights) -> Weights:
            (pushed,) = torch.autograd.grad(pulled, u, p, retain_graph=True)  # J p
            back = torch.autograd.grad(r, at, pushed, retain_graph=True)
            terms = zip(back, p, self.regularisers, strict=True)
            return [b + reg**2 * d for b, d, reg in terms]

        gradient = torch.autograd.grad(r, at, r.detach(), retain_graph=True)
        terms = zip(gradient, at, self.regularisers, strict=True)
        residual = [-g - reg**2 * w.detach() for g, w, reg in terms]
        if self.rho is not None:
            self.rho = self.rho / FORGETTING
        change = [torch.zeros_like(w) for w in weights]
        for _ in range(iterations):
            residual, change = self._iterate(normal, residual, change)
        return [w + c for w, c in zip(weights, change, strict=True)]

    def _iterate(
        self, normal: Callable[[Weights], Weights], residual: Weights, change: Weights
    ) -> tuple[Weights, Weights]:
        scaled = [r / reg for r, reg in zip(residual, self.regularisers, strict=True)]
        rho = inner(residual, scaled)
        if self.direction is None or self.rho is None or self.last is None:
            p = scaled
        else:
            beta = ((rho - inner(self.last, scaled)) / self.rho).clamp(min=0)
            p = [s + beta * d for s, d in zip(scaled, self.direction, strict=True)]
        q = normal(p)
        alpha = rho / inner(p, q)
        self.direction, self.rho, self.last = p, rho, residual
        change = [c + alpha * d for c, d in zip(change, p, strict=True)]
        return [r - alpha * d for r, d in zip(residual, q, strict=True)], change


class PlainTarget:
    """Target model with a memory of full-size masks; see :mod:`vosbench.baselines.frtm.target`.

    Args:
        config: schedule and capacity.
        start: ``project`` (m, C16) and ``filter`` (m, 9).
        f16: (K, C16, h, w), the untouched frame first.
        masks: 0/1, (K, H, W).
    """

    def __init__(
        self, config: TargetConfig, start: tuple[Tensor, Tensor], f16: Tensor, masks: Tensor
    ) -> None:
        self.config, self.classified = config, 0
        project, kernel = start[0][:, :, None, None], start[1].view(1, -1, 3, 3)
        masks = masks.to(f16.dtype)[:, None]
        weights = torch.ones(len(masks), dtype=f16.dtype)
        weights[0] = 2
        weights /= weights.sum()
        root = (weights[:, None, None, None] * pixel_weights(masks[:, 0])[:, None]).sqrt()

        def residual(at: Weights) -> Tensor:
            score = F.conv2d(F.conv2d(f16, at[0]), at[1], padding=1)
            return root * (_to_size(score, masks) - masks)

        with torch.enable_grad():
            joint = PlainGaussNewton(residual, (PROJECT_REGULARISER, FILTER_REGULARISER))
            self.project, self.kernel = joint.run([project, kernel], config.joint_steps)
        self._optimiser = PlainGaussNewton(self._filter_residual, (FILTER_REGULARISER,))
        self._samples = f16.new_zeros((config.capacity, config.channels, *f16.shape[-2:]))
        self._masks = f16.new_zeros((config.capacity, 1, *masks.shape[-2:]))
        self._pixels = torch.zeros_like(self._masks)
        self.weights = F.pad(weights, (0, config.capacity - len(masks)))
        self._samples[: len(masks)] = F.conv2d(f16, self.project)
        self._masks[: len(masks)] = masks
        self._pixels[: len(masks)] = pixel_weights(masks[:, 0])[:, None]
        self._filled, self._latest = len(masks), -1
        self.optimise()

    def _filter_residual(self, at: Weights) -> Tensor:
        n = self._filled
        masks = self._masks[:n]
        root = (self.weights[:n, None, None, None] * self._pixels[:n]).sqrt()
        score = F.conv2d(self._samples[:n], at[0], padding=1)
        return root * (_to_size(score, masks) - masks)

    def score(self, f16: Tensor) -> Tensor:
        """f16 (1, C16, h, w) → S (1, 1, h, w)."""
        return F.conv2d(F.conv2d(f16, self.project), self.kernel, padding=1)

    def update(self, f16: Tensor, mask: Tensor) -> None:
        """Learn a frame: f16 and the object's soft mask (H, W)."""
        foreground = (mask > 0.5).to(mask.dtype)
        if foreground.sum() < 10:
            return
        slot, rate = int(self.weights.argmin()), self.config.learning_rate
        if self._latest < 0:
            self.weights = self.weights / (1 - rate)
            self.weights[slot] = rate
        else:
            self.weights[slot] = self.weights[self._latest] / (1 - rate)
        self.weights = self.weights / self.weights.sum()
        self._samples[slot] = F.conv2d(f16, self.project)[0]
        self._masks[slot] = mask
        self._pixels[slot] = pixel_weights(foreground[None])
        self._latest, self._filled = slot, max(self._filled, slot + 1)
        if self.classified % self.config.every == 0:
            self.optimise()

    def optimise(self) -> None:
        """Run the optimiser on ``filter`` over the memory."""
        with torch.enable_grad():
            steps = (self.config.filter_iterations,)
            (self.kernel,) = self._optimiser.run([self.kernel], steps)


def _to_size(score: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(score, like.shape[-2:], mode="bilinear", align_corners=False)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


class PlainTracker:
    """G-FRTM on one object of one clip, frame by frame.

    Args:
        network: gated, in eval mode.
        config: of the target model.
    """

    def __init__(self, network: GatedFrtmNetwork, config: TargetConfig) -> None:
        self._network, self._config = network, config

    @torch.no_grad()
    def begin(self, start: tuple[Tensor, Tensor], images: Tensor, masks: Tensor) -> None:
        """First-frame set: uint8 (K, 3, H, W), the untouched one first, and 0/1 (K, H, W)."""
        levels = [self._features(image) for image in images]
        f16 = torch.cat([level[2] for level in levels])
        self.target = PlainTarget(self._config, start, f16, masks)
        _, f8, f16, f32 = levels[0]
        given = masks[0, None, None].to(f8.dtype)
        self._template = self._network.Tmatching.template(f8, given)
        self._r8 = self._network.refiner.deep(f32, f16, self.target.score(f16))
        self.target.classified = 1
        self._score = F.interpolate(given, f16.shape[-2:], mode="nearest")

    @torch.no_grad()
    def step(self, image: Tensor, *, reuse: bool) -> Tensor:
        """Segment uint8 (3, H, W) down one path → probability (H, W); the gate is computed."""
        network, refiner = self._network, self._network.refiner
        f4, f8 = network.feature_extractor.first(image[None])
        d = network.Tmatching.match(f8, self._score, self._template)
        float(p_gate(network.convGS(d)))
        if reuse:
            delta = network.Convert_Diff(d)
            r8, score = refiner.translate(self._r8, delta), self._score + delta
        else:
            f16, f32 = network.feature_extractor.second(f8)
            self._score = score = self.target.score(f16)
            self._r8 = r8 = refiner.deep(f32, f16, score)
        probability = torch.sigmoid(self._head(refiner.shallow(r8, f8, f4, score), image.shape))
        soft = aggregate(probability).masks[0]
        if not reuse:
            self.target.classified += 1
            self.target.update(f16, soft)
        return probability[0]

    def _features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        f4, f8 = self._network.feature_extractor.first(image[None])
        return f4, f8, *self._network.feature_extractor.second(f8)

    def _head(self, x: Tensor, shape: torch.Size) -> Tensor:
        project = self._network.refiner.project
        x = F.relu(project.conv1(_doubled(x)))
        x = _doubled(x)
        x = F.interpolate(x, shape[-2:], mode="bilinear", align_corners=False)
        logits: Tensor = project.conv2(x)
        return logits[:, 0]
