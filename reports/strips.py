"""Frames of one clip side by side: base, head and annotation where head lost most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.reports.overlay import object_palette, overlay
from vosbench.reports.style import save, styled

Pixels = NDArray[np.uint8]

_CELL_IN = 1.75
_ROWS = ("base", "head", "annotation")


@dataclass(frozen=True)
class StripFrame:
    """A column of a strip.

    Attributes:
        index: of the frame in its clip.
        image: (H, W, 3) RGB.
        base, head, annotation: label maps (H, W), 0 for background.
        base_j, head_j: region J of the frame, mean over objects, 0..1.
    """

    index: int
    image: Pixels
    base: Pixels
    head: Pixels
    annotation: Pixels
    base_j: float
    head_j: float


def draw_strip(title: str, note: str, frames: Sequence[StripFrame]) -> Figure:
    """A column per frame with rows of base, head and annotation; call it inside ``styled()``."""
    height, width = frames[0].base.shape
    size = (
        _CELL_IN * len(frames) + 0.9,
        (_CELL_IN * height / width + 0.08) * len(_ROWS) + 1.3,
    )
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(_ROWS), len(frames), squeeze=False)
    for column, frame in enumerate(frames):
        for row, name in enumerate(_ROWS):
            axes = grid[row, column]
            axes.imshow(overlay(frame.image, getattr(frame, name), palette=object_palette()))
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        change = f"J {100 * frame.base_j:.0f} → {100 * frame.head_j:.0f}"
        grid[0, column].set_title(f"frame {frame.index}\n{change}", fontsize=8.5)
    for row, name in enumerate(_ROWS):
        grid[row, 0].set_ylabel(name, fontsize=8.5)
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(note, fontsize=8)
    return figure


def write_strip(title: str, note: str, frames: Sequence[StripFrame], out: Path) -> Path:
    """Draw and save; raises InputError if the place can't be written."""
    with styled():
        save(draw_strip(title, note, frames), out)
    return out
