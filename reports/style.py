"""One style for all figures: colours, sizes for screen and paper, files that repeat byte for byte.

Colours are seaborn's colour-blind palette; those of models are in :mod:`vosbench.reports.looks`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from vosbench.baselines.errors import InputError

_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _BROWN, _PINK, _GREY, _YELLOW, _SKY = (
    sns.color_palette("colorblind").as_hex()
)
_INK = "#222222"
_DIM = "#595959"

NOTE_COLOUR = "#8a3b00"
"""Of the lines that say what is wrong with a plot's runs; dark enough for print."""

INK, DIM = _INK, _DIM

FORMATS = ("png", "svg", "pdf")
NARROWEST_IN, WIDEST_IN = 2.0, 40.0

PATH_COLOURS: Mapping[str, str] = {
    "init": _INK,
    "full": _VERMILION,
    "reuse": _BLUE,
    "copy": _ORANGE,
    "mixed": _GREY,
}
"""Of the paths a frame can take."""

OBJECT_COLOURS = (_PURPLE, _YELLOW, _GREEN, _SKY, _BROWN, _PINK)
"""Of object ids from 1, again from the front after the last; those of paths are others."""

_LIGHTEST_TEXT = 0.18
"""Relative luminance: a contrast of 4.5 to 1 on white, as WCAG asks for."""

STAGE_COLOURS = (
    _BLUE, _SKY, _PURPLE, _PINK, _YELLOW, _ORANGE, _BROWN, _GREY, _VERMILION, "#f2a988", _GREEN,
    "#8fd3c1", "#b9a5d6",
)  # fmt: skip
"""Of the stages of a breakdown, in their order."""

SEQUENCE = (_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _BROWN)
"""For things that have no fixed colour, such as datasets."""

_RC: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "axes.edgecolor": _DIM,
    "axes.labelcolor": _INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titlesize": 11,
    "figure.dpi": 100,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.5,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
}

_PAPER: Mapping[str, Any] = {
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.titlesize": 8,
    "figure.titlesize": 9,
    "font.size": 8,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "savefig.dpi": 300,
    "xtick.labelsize": 7,
    "xtick.major.pad": 2,
    "ytick.labelsize": 7,
    "ytick.major.pad": 2,
}
"""At the size of print nothing is written smaller than :data:`SMALLEST_PT`."""

SMALLEST_PT = 7.0

_FIXED: Mapping[str, Any] = {
    "text.parse_math": False,  # a name with two dollar signs is a name
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "vosbench",
}
"""Whatever a style says: fonts are embedded as TrueType, and files repeat."""

_METADATA: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def readable(colour: str) -> str:
    """The colour, darker where small text in it would be hard to read on white."""
    while luminance(colour) > _LIGHTEST_TEXT:
        colour = _tinted(colour, -0.1)
    return colour


def luminance(colour: str) -> float:
    """How bright a colour is, 0..1 (relative luminance)."""
    red, green, blue = to_rgb(colour)
    return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)


def _tinted(colour: str, by: float) -> str:
    towards = 1.0 if by > 0 else 0.0
    red, green, blue = (part + abs(by) * (towards - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))


@dataclass(frozen=True)
class Sheet:
    """What a figure is made for.

    Attributes:
        width_in: its width in print, in inches; its notes then stand in a caption beside it. None
            for the screen: as wide as it likes, with all notes in the picture.
        title: whether its title is drawn.
        settings: of matplotlib, over the house's.
    """

    width_in: float | None = None
    title: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width_in is not None and not NARROWEST_IN <= self.width_in <= WIDEST_IN:
            raise InputError(
                f"a figure is {NARROWEST_IN:g} to {WIDEST_IN:g} inches wide, not {self.width_in:g}"
            )

    @property
    def paper(self) -> bool:
        """Whether it is made for a page."""
        return self.width_in is not None


@dataclass
class Caption:
    """What a figure says beside its picture: filled while it is drawn."""

    title: str = ""
    notes: list[str] = field(default_factory=list)


SCREEN = Sheet()

_SHEET: ContextVar[Sheet] = ContextVar("sheet")
_CAPTION: ContextVar[Caption] = ContextVar("caption")


def sheet() -> Sheet:
    """What the figure that is being drawn is made for."""
    return _SHEET.get(SCREEN)


def caption() -> Caption:
    """Of the figure that is being drawn."""
    return _CAPTION.get(Caption())


@contextmanager
def styled(made_for: Sheet = SCREEN) -> Iterator[Caption]:
    """Figures are made and saved inside this block; settings outside it stay as they were."""
    settings = {
        **sns.plotting_context("paper", font_scale=1.15),
        **sns.axes_style("whitegrid"),
        **_RC,
        **(_PAPER if made_for.paper else {}),
        **made_for.settings,
        **_FIXED,
    }
    told = Caption()
    sheet_before, caption_before = _SHEET.set(made_for), _CAPTION.set(told)
    try:
        with mpl.rc_context(settings), warnings.catch_warnings():
            # It would put the very character that no font has on the terminal.
            warnings.filterwarnings("ignore", message="Glyph")
            yield told
    finally:
        _SHEET.reset(sheet_before)
        _CAPTION.reset(caption_before)


def checked_format(out: Path) -> str:
    """``png``, ``svg`` or ``pdf``, by the extension of ``out``.

    Raises:
        InputError: another extension, or none.
    """
    extension = out.suffix.lower().removeprefix(".")
    if extension not in FORMATS:
        raise InputError(f"{out}: a figure's file ends in .png, .svg or .pdf")
    return extension


def save(figure: Figure, out: Path) -> None:
    """Write ``figure``, the same bytes for the same figure; call it inside :func:`styled`.

    Raises:
        InputError: the place can't be written, or another extension than png, svg, pdf.
    """
    extension = checked_format(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format=extension, metadata=dict(_METADATA[extension]))
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror}") from None
