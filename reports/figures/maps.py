"""Maps of a network as pictures: their colours, one bar for all that compare, a border around."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.reports.style import INK, SMALLEST_PT, sheet

COLOURS = {"score": "viridis", "delta": "PuOr", "r8": "magma"}


def border(axes: Axes, colour: str) -> None:
    """Draw a picture's edges in the colour of what was done."""
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=1.5 if sheet().paper else 2.5, visible=True)


def show_map(
    axes: Axes, values: NDArray[np.float64], name: str, limits: tuple[float, float]
) -> None:
    """A map (h, w) in its colours; "none" where all of it is NaN."""
    if np.isnan(values).all():
        axes.set_facecolor("#eeeeee")
        axes.text(
            0.5, 0.5, "none", ha="center", va="center", fontsize=SMALLEST_PT, color=INK,
            transform=axes.transAxes,
        )  # fmt: skip
        axes.set_box_aspect(values.shape[0] / values.shape[1])
        return
    low, high = limits
    axes.imshow(values, cmap=COLOURS[name], vmin=low, vmax=high, interpolation="nearest")


def colour_bar(
    figure: Figure, column: NDArray[np.object_], name: str, limits: tuple[float, float]
) -> None:
    """A bar below a column of maps, with its ends as numbers."""
    scale = ScalarMappable(Normalize(*limits), COLOURS[name])
    bar = figure.colorbar(scale, ax=list(column), location="bottom", aspect=14, pad=0.01)
    bar.set_ticks(limits, labels=[f"{limit:.2g}".replace("-", "−") for limit in limits])
    bar.ax.tick_params(labelsize=SMALLEST_PT, length=2, pad=1)
    left, right = bar.ax.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")
    bar.outline.set_visible(False)


def limit(arrays: pd.Series) -> tuple[float, float]:
    """The largest magnitude over all frames, so that colours mean the same in each; from 0 where
    nothing is negative."""
    known = [a[np.isfinite(a)] for a in arrays if np.isfinite(a).any()]
    largest = max((float(np.abs(a).max()) for a in known), default=1.0) or 1.0
    return (-largest if any((a < 0).any() for a in known) else 0.0), largest
