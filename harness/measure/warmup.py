"""Warm-up: run until times are stable, by a rule that is stored with the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class WarmUpRule:
    """Stable means: the medians of the last blocks lie close together.

    Attributes:
        block: runs in a block.
        blocks: how many of the last blocks are compared.
        tolerance: allowed spread of their medians (largest / smallest − 1).
        max_runs: give up after so many runs.

    Raises:
        ValueError: for a rule that could never be met.
    """

    block: int = 3
    blocks: int = 3
    tolerance: float = 0.05
    max_runs: int = 60

    def __post_init__(self) -> None:
        if self.block < 1 or self.blocks < 2 or self.tolerance < 0:
            raise ValueError(f"no such warm-up: {self}")
        if self.max_runs < self.block * self.blocks:
            raise ValueError(f"warm-up gives up before it can be stable: {self}")

    def __str__(self) -> str:
        return (
            f"medians of the last {self.blocks} blocks of {self.block} runs within "
            f"{self.tolerance:.0%}, at most {self.max_runs} runs"
        )


@dataclass(frozen=True)
class WarmUpRecord:
    """What a warm-up did: ms of every run, whether it became stable, by which rule."""

    times_ms: tuple[float, ...]
    stable: bool
    rule: WarmUpRule


def is_stable(times_ms: Sequence[float], rule: WarmUpRule) -> bool:
    """Whether the last ``block · blocks`` times meet the rule."""
    needed = rule.block * rule.blocks
    if len(times_ms) < needed:
        return False
    last = times_ms[-needed:]
    medians = [median(last[i : i + rule.block]) for i in range(0, needed, rule.block)]
    return max(medians) <= min(medians) * (1 + rule.tolerance)


def warm_up(run: Callable[[], float], rule: WarmUpRule | None = None) -> WarmUpRecord:
    """Call ``run``, which returns its own ms, until stable or ``max_runs`` are spent.

    Call it once for each input shape and path (full, reuse, copy): each has kernels of its own.
    """
    rule = rule or WarmUpRule()
    times_ms: list[float] = []
    while len(times_ms) < rule.max_runs:
        times_ms.append(run())
        if is_stable(times_ms, rule):
            return WarmUpRecord(tuple(times_ms), stable=True, rule=rule)
    return WarmUpRecord(tuple(times_ms), stable=False, rule=rule)
