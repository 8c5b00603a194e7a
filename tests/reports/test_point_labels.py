from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vosbench.reports.figures.canvas import MOST_LABELS, PointLabel, place_labels
from vosbench.reports.style import OBJECT_COLOURS, STAGE_COLOURS, readable


@pytest.mark.parametrize(("points", "written"), [(3, 3), (MOST_LABELS + 1, 0)])
def test_points_are_labelled_as_long_as_they_can_be_read(points: int, written: int) -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(-1, points), ylim=(-1, 1))
    labels = [PointLabel(axes, x, 0.0, f"{x}", "black") for x in range(points)]
    assert place_labels(figure, labels) == written
    assert len(axes.texts) == written


def test_a_point_without_a_text_keeps_those_of_others_away() -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(-1, 1), ylim=(-1, 1))
    named = PointLabel(axes, 0.0, 0.0, "0.7", "black")
    assert place_labels(figure, [named]) == 1
    (free,) = (text.xyann for text in axes.texts)
    axes.texts[0].remove()
    # A point where the label would stand.
    x_px, y_px = axes.transData.transform((0, 0))
    above = axes.transData.inverted().transform((x_px, y_px + 14))
    assert place_labels(figure, [named, PointLabel(axes, 0.0, float(above[1]), "", "black")]) == 1
    assert axes.texts[0].xyann != free


def test_small_text_is_dark_enough_in_every_colour() -> None:
    for colour in (*OBJECT_COLOURS, *STAGE_COLOURS):
        red, green, blue = (part**2.2 for part in to_rgb(readable(colour)))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue <= 0.185
    assert readable("#000000") == "#000000"
