"""Closed-form Jacobian products against autograd on the residual at full size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.functional import jvp, vjp

from vosbench.baselines.frtm.optimiser import FilterProblem, JointProblem, minimise
from vosbench.baselines.frtm.samples import Samples, pixel_weights

SIZE, LARGE = (4, 5), (61, 78)


def draw(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


class Scene:
    """Three samples of six channels, with everything the residual needs at full size."""

    def __init__(self) -> None:
        self.x = draw(1, 3, 6, *SIZE)
        self.label = (draw(2, 3, *LARGE) > 0.5).double()
        self.v2 = pixel_weights(self.label)
        self.weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
        self.project, self.kernel = draw(3, 2, 6), draw(4, 2, 9)
        self.samples = Samples.of(self.x, self.label, self.v2)

    def residual(self, project: Tensor, kernel: Tensor) -> Tensor:
        """w v (up(filter(project(x))) − y), and the regularising terms after it."""
        score = F.conv2d(self.x, project[:, :, None, None])
        score = F.conv2d(score, kernel.view(1, -1, 3, 3), padding=1)
        up = F.interpolate(score, LARGE, mode="bilinear", align_corners=False)[:, 0]
        data = (self.weights[:, None, None] * self.v2).sqrt() * (up - self.label)
        return torch.cat((data.flatten(), 1e-4 * project.flatten(), 1e-2 * kernel.flatten()))


def test_joint_products_equal_autograd() -> None:
    scene = Scene()
    at, p = (scene.project, scene.kernel), (draw(5, 2, 6), draw(6, 2, 9))
    problem = JointProblem(scene.samples, scene.weights)
    value, pushed = jvp(scene.residual, at, p)
    _, descent = vjp(scene.residual, at, -value)
    _, normal = vjp(scene.residual, at, pushed)
    for ours, expected in zip(problem.descent(at), descent, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)
    for ours, expected in zip(problem.normal(at, p), normal, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_filter_products_equal_autograd() -> None:
    scene = Scene()
    projected = scene.samples.with_features(scene.project @ scene.samples.x)
    problem = FilterProblem(projected, scene.weights)

    def residual(kernel: Tensor) -> Tensor:
        whole = scene.residual(scene.project, kernel)
        return torch.cat((whole[: scene.label.numel()], 1e-2 * kernel.flatten()))

    p = draw(7, 2, 9)
    value, pushed = jvp(residual, scene.kernel, p)
    _, descent = vjp(residual, scene.kernel, -value)
    _, normal = vjp(residual, scene.kernel, pushed)
    torch.testing.assert_close(problem.descent((scene.kernel,))[0], descent)
    torch.testing.assert_close(problem.normal((scene.kernel,), (p,))[0], normal)


def test_minimise_solves_a_linear_problem_in_as_many_steps_as_unknowns() -> None:
    scene = Scene()
    problem = FilterProblem(
        scene.samples.with_features(scene.project @ scene.samples.x), scene.weights
    )
    (kernel,), momentum = minimise(problem, (scene.kernel,), (60,))
    before = problem.descent((scene.kernel,))[0].norm()
    assert problem.descent((kernel,))[0].norm() < 1e-8 * before
    assert momentum is not None


def test_the_minimum_is_left_where_it_is() -> None:
    scene = Scene()
    nothing = Samples.of(scene.x, torch.zeros_like(scene.label), scene.v2)
    zero = (torch.zeros_like(scene.project), torch.zeros_like(scene.kernel))
    found, _ = minimise(JointProblem(nothing, scene.weights), zero, (2, 2))
    assert all(torch.equal(a, b) for a, b in zip(found, zero, strict=True))
