"""Gauss-Newton with preconditioned conjugate gradients, as FRTM runs it online.

The two problems here, over (project, filter) and over filter alone, have residuals that are
bilinear in their unknowns, so products with the Jacobian and its transpose are closed forms over
:class:`~vosbench.baselines.frtm.samples.Samples`; nothing is differentiated by autograd.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from vosbench.baselines.frtm.samples import Samples

PROJECT_REGULARISER = 1e-4
FILTER_REGULARISER = 1e-2
FORGETTING = (1 - 0.1) ** 750
"""What is left of the search direction from one Gauss-Newton step to the next: practically none."""

Unknowns: TypeAlias = tuple[Tensor, ...]


class LeastSquares(Protocol):
    """A regularised least-squares problem, linearised where needed."""

    @property
    def regularisers(self) -> tuple[float, ...]:
        """One per unknown; the preconditioner divides by them."""

    def descent(self, x: Unknowns) -> Unknowns:
        """−Jᵀr at x."""

    def normal(self, x: Unknowns, p: Unknowns) -> Unknowns:
        """JᵀJ p, with J taken at x."""


@dataclass(frozen=True)
class FilterProblem:
    """Over ``filter`` (C, 9) alone; ``samples.x`` holds projected features."""

    samples: Samples
    weights: Tensor
    regularisers = (FILTER_REGULARISER,)

    def descent(self, x: Unknowns) -> Unknowns:
        (kernel,) = x
        s = self.samples
        gap = s.moment - s.apply_normal(s.score(kernel))
        return (s.score_adjoint(self.weights[:, None] * gap) - FILTER_REGULARISER**2 * kernel,)

    def normal(self, x: Unknowns, p: Unknowns) -> Unknowns:  # noqa: ARG002 - linear: J is constant
        (kernel,) = p
        s = self.samples
        g = self.weights[:, None] * s.apply_normal(s.score(kernel))
        return (s.score_adjoint(g) + FILTER_REGULARISER**2 * kernel,)


@dataclass(frozen=True)
class JointProblem:
    """Over ``project`` P (m, C) and ``filter`` f (m, 9); together one 3×3 kernel Pᵀf (C, 9).

    All is done with that kernel, over unprojected features: a product with J costs as much as
    a 3×3 convolution to a single map.
    """

    samples: Samples
    weights: Tensor
    regularisers = (PROJECT_REGULARISER, FILTER_REGULARISER)

    def descent(self, x: Unknowns) -> Unknowns:
        project, kernel = x
        s = self.samples
        gap = s.moment - s.apply_normal(s.score(project.t() @ kernel))
        e = s.score_adjoint(self.weights[:, None] * gap)
        return (
            kernel @ e.t() - PROJECT_REGULARISER**2 * project,
            project @ e - FILTER_REGULARISER**2 * kernel,
        )

    def normal(self, x: Unknowns, p: Unknowns) -> Unknowns:
        project, kernel = x
        d_project, d_kernel = p
        s = self.samples
        change = s.score(d_project.t() @ kernel + project.t() @ d_kernel)
        e = s.score_adjoint(self.weights[:, None] * s.apply_normal(change))
        return (
            kernel @ e.t() + PROJECT_REGULARISER**2 * d_project,
            project @ e + FILTER_REGULARISER**2 * d_kernel,
        )


@dataclass(frozen=True)
class Momentum:
    """What conjugate gradients keep from one run to the next: direction, ρ, last residual."""

    direction: Unknowns
    rho: Tensor
    residual: Unknowns


def _inner(a: Unknowns, b: Unknowns) -> Tensor:
    return torch.stack(
        [torch.dot(u.flatten(), v.flatten()) for u, v in zip(a, b, strict=True)]
    ).sum()


def _axpy(a: Tensor, x: Unknowns, y: Unknowns) -> Unknowns:
    return tuple(torch.addcmul(v, a, u) for u, v in zip(x, y, strict=True))


def minimise(
    problem: LeastSquares, x: Unknowns, steps: Iterable[int], momentum: Momentum | None = None
) -> tuple[Unknowns, Momentum | None]:
    """Run one Gauss-Newton step per entry of ``steps``, with so many CG iterations each.

    Returns the unknowns and what to hand to the next run on the same problem. Steps that would
    divide by zero (the minimum is reached) leave x where it is.
    """
    for iterations in steps:
        residual = problem.descent(x)
        change: Unknowns = tuple(torch.zeros_like(u) for u in x)
        if momentum is not None:
            momentum = Momentum(momentum.direction, momentum.rho / FORGETTING, momentum.residual)
        for _ in range(iterations):
            scaled = tuple(
                r / weight for r, weight in zip(residual, problem.regularisers, strict=True)
            )
            rho = _inner(residual, scaled)
            if momentum is None:
                direction: Unknowns = scaled
            else:  # Polak-Ribière, restarted by the clamp
                beta = ((rho - _inner(momentum.residual, scaled)) / momentum.rho).clamp(min=0)
                beta = torch.where(momentum.rho > 0, beta, torch.zeros_like(beta))
                direction = _axpy(beta, momentum.direction, scaled)
            product = problem.normal(x, direction)
            alpha = rho / _inner(direction, product)
            alpha = torch.where(rho > 0, alpha, torch.zeros_like(alpha))
            momentum = Momentum(direction, rho, residual)
            change = _axpy(alpha, direction, change)
            residual = _axpy(-alpha, product, residual)
        x = tuple(u + d for u, d in zip(x, change, strict=True))
    return x, momentum
