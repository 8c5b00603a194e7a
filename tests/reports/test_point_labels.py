from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vosbench.reports.figures.canvas import MOST_LABELS, PointLabel, place_labels


@pytest.mark.parametrize(("points", "written"), [(3, 3), (MOST_LABELS + 1, 0)])
def test_points_are_labelled_as_long_as_they_can_be_read(points: int, written: int) -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(-1, points), ylim=(-1, 1))
    labels = [PointLabel(axes, x, 0.0, f"{x}", "black") for x in range(points)]
    assert place_labels(figure, labels) == written
    assert len(axes.texts) == written
