"""Student's t distribution for whole degrees of freedom: all that intervals need of it."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_SERIES_UP_TO = 100
_BISECTIONS = 80


def t_tail(t: float, degrees: int) -> float:
    """P(T > t) of Student's t for t >= 0 and at most a hundred degrees of freedom.

    The finite sums of Abramowitz & Stegun 26.7.3 (odd) and 26.7.4 (even).

    Raises:
        ValueError: no degree of freedom.
    """
    if degrees < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    theta = math.atan(t / math.sqrt(degrees))
    cos_squared = math.cos(theta) ** 2
    is_odd = degrees % 2 == 1
    # Each term is the one before, times cos² and a ratio of neighbouring factors.
    term = math.cos(theta) if is_odd else 1.0
    total = 0.0 if degrees == 1 else term
    for step in range(3 if is_odd else 2, degrees - 1, 2):
        term *= cos_squared * (step - 1) / step
        total += term
    within = math.sin(theta) * total
    if is_odd:
        within = 2.0 / math.pi * (theta + within)
    return max(0.0, (1.0 - within) / 2.0)


@lru_cache(maxsize=8192)
def t_quantile(tail: float, degrees: int) -> float:
    """The t >= 0 with P(T > t) = ``tail``, for 0 < tail <= 0.5.

    Above a hundred degrees of freedom by the expansion about the normal quantile
    (Abramowitz & Stegun 26.7.5), which is then exact to eight digits and more.

    Raises:
        ValueError: no degree of freedom, or a tail out of range.
    """
    if not 0.0 < tail <= 0.5:
        raise ValueError(f"tail {tail}: must lie in (0, 0.5]")
    if degrees > _SERIES_UP_TO:
        return _expanded(-NormalDist().inv_cdf(tail), degrees)
    low, high = 0.0, 1.0
    while t_tail(high, degrees) > tail:
        high *= 2.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if t_tail(middle, degrees) > tail:
            low = middle
        else:
            high = middle
    return high


def _expanded(x: float, degrees: int) -> float:
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    fourth = (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160
    return x + first / degrees + second / degrees**2 + third / degrees**3 + fourth / degrees**4
