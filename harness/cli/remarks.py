"""Remarks that commands make on stderr, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vosbench.harness.text import complain

if TYPE_CHECKING:
    from vosbench.runners.interface import WeightsInfo


def say_how_read(weights: Iterable[WeightsInfo]) -> None:
    """Say of each checkpoint that needed understanding how it was understood."""
    lines = [
        f"{info.name}: read {info.provenance['read_as']}"
        for info in weights
        if info.provenance.get("read_as")
    ]
    for line in dict.fromkeys(lines):
        complain(line)
