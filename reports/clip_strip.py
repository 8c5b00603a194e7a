"""The strip below a clip's frames: what the gate said along the clip, and where we are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vosbench.reports.overlay import rgb
from vosbench.reports.style import DIM, INK, NOTE_COLOUR, PATH_COLOURS, styled

Pixels = NDArray[np.uint8]

PATH_WORDS: Mapping[str, str] = {
    "init": "given",
    "full": "full",
    "reuse": "reused",
    "copy": "copied",
}
"""Paths as a viewer reads them."""

_DPI = 100
_BAR = (-0.3, 0.2)
"""Bottom and height of the bar of decisions, below the probabilities."""
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BELOW_PX = 68, 16, 8, 58
_PANEL_PX, _GAP_PX = 92, 12
_FADED = 0.6
"""How far what is still to come lies towards white."""


@dataclass(frozen=True)
class Track:
    """What was decided about one object along a clip.

    Attributes:
        name: beside the panel, "" for none.
        colour: of the name's panel mark; matplotlib's.
        paths: of each frame, a key of :data:`PATH_WORDS`, or "absent".
        values: (T,) what was held against τ, 0..1; NaN where nothing was.
    """

    name: str
    colour: str
    paths: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class GateStrip:
    """A drawn strip; :meth:`at` puts the cursor on it.

    Attributes:
        picture: (H, W, 3) RGB without a cursor.
        columns: of each frame, the x of its centre in pixels.
        rows: top and bottom of each panel in pixels.
    """

    picture: Pixels
    columns: tuple[int, ...]
    rows: tuple[tuple[int, int], ...]

    def at(self, t: int) -> Pixels:
        """The strip with the cursor at frame ``t``; later frames are faded."""
        drawn = self.picture.copy()
        x = self.columns[t]
        half = max(1, (self.columns[-1] - self.columns[0]) // max(1, 2 * len(self.columns) - 2))
        later = slice(x + half, self.columns[-1] + half - 1)
        for top, bottom in self.rows:
            inside = drawn[top + 2 : bottom - 2, later]
            inside[:] = faded(inside)
            drawn[top - 3 : bottom + 3, x - 1 : x + 2] = rgb(INK)
        return drawn


def faded(colours: Pixels) -> Pixels:
    """What is still to come: RGB brought towards white."""
    plain = colours.astype(np.float64)
    return np.rint(plain + _FADED * (255 - plain)).astype(np.uint8)


def height_px(tracks: int) -> int:
    """Of a strip of so many panels."""
    return _TOP_PX + tracks * _PANEL_PX + (tracks - 1) * _GAP_PX + _BELOW_PX


def draw_strip(
    tracks: Sequence[Track], thresholds: Mapping[str, float], measure: str, width: int
) -> GateStrip:
    """One panel an object: the values, thresholds as lines, a bar of decisions, a legend.

    Args:
        tracks: one per object.
        thresholds: lines across the values, by their names.
        measure: what the values are.
        width: in pixels.
    """
    height = height_px(len(tracks))
    with styled():
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        canvas = FigureCanvasAgg(figure)
        handles: dict[str, Artist] = {}
        panels = []
        for index, track in enumerate(tracks):
            bottom = height - _TOP_PX - (index + 1) * _PANEL_PX - index * _GAP_PX
            inner = width - _LEFT_PX - _RIGHT_PX
            box = (_LEFT_PX / width, bottom / height, inner / width, _PANEL_PX / height)
            axes = figure.add_axes(box)
            _panel(axes, track, thresholds, measure, handles)
            axes.tick_params(labelbottom=index == len(tracks) - 1)
            panels.append((axes, bottom))
        figure.legend(
            list(handles.values()), list(handles), loc="lower center", ncols=len(handles),
            bbox_to_anchor=(0.5, 0.0), handlelength=1.6, columnspacing=1.4,
        )  # fmt: skip
        canvas.draw()  # type: ignore[no-untyped-call]
        picture = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]
        frames = np.arange(len(tracks[0].paths))
        xs = panels[0][0].transData.transform(np.stack([frames, 0.0 * frames], axis=1))[:, 0]
    rows = tuple((height - bottom - _PANEL_PX, height - bottom) for _, bottom in panels)
    return GateStrip(picture, tuple(round(float(x)) for x in xs), rows)


def _panel(
    axes: Axes,
    track: Track,
    thresholds: Mapping[str, float],
    measure: str,
    handles: dict[str, Artist],
) -> None:
    frames = np.arange(len(track.paths))
    if np.isfinite(track.values).any():
        (line,) = axes.plot(
            frames, track.values, color=INK, marker="o", markersize=3.2, linewidth=1.6
        )
        handles.setdefault(measure, line)
        for (name, value), style in zip(thresholds.items(), ("--", ":"), strict=False):
            rule = axes.axhline(value, color=NOTE_COLOUR, linestyle=style, linewidth=1.2)
            handles.setdefault(name, rule)
    else:
        axes.text(
            0.5, 0.6, f"no {measure}: decided without", color=DIM, fontsize=9,
            ha="center", va="center", transform=axes.transAxes,
        )  # fmt: skip
    for path, word in PATH_WORDS.items():
        taken = [t for t, name in enumerate(track.paths) if name == path]
        if taken:
            spans = [(t - 0.46, 0.92) for t in taken]
            axes.broken_barh(spans, _BAR, color=PATH_COLOURS[path], linewidth=0)
            handles.setdefault(word, Patch(color=PATH_COLOURS[path]))
    axes.set_ylim(_BAR[0] - 0.04, 1.08)
    axes.set_xlim(-0.5, len(frames) - 0.5)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.tick_params(labelsize=8.5, pad=2)
    if track.name:
        axes.set_ylabel(track.name, fontsize=8.5, labelpad=15)
        axes.add_patch(_mark(axes, track.colour))


def _mark(axes: Axes, colour: str) -> Patch:
    """A bar in an object's colour between its name and its panel."""
    width = axes.get_window_extent().width
    mark = Rectangle(
        (-43 / width, 0.0), 5 / width, 1.0, color=colour, transform=axes.transAxes, clip_on=False
    )
    mark.set_in_layout(False)
    return mark
