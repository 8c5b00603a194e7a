"""The figures, each by name, each with its data; a site can take the data alone."""

from vosbench.reports.figures.make import (
    draw_figure,
    figure_data,
    figure_kind,
    figure_names,
    make_figure,
    make_figures,
)
from vosbench.reports.figures.options import FigureKind, FigureOptions

__all__ = [
    "FigureKind",
    "FigureOptions",
    "draw_figure",
    "figure_data",
    "figure_kind",
    "figure_names",
    "make_figure",
    "make_figures",
]
