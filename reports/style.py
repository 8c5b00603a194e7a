"""One look for all figures: colours, markers, sizes, and files that repeat byte for byte.

Colours are seaborn's colour-blind palette. A model keeps its colour and marker whatever else is
in a plot: they follow from its name alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vosbench.baselines.errors import InputError
from vosbench.reports.names import parse_model
from vosbench.reports.policies import policy_spec

_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _BROWN, _PINK, _GREY, _YELLOW, _SKY = (
    sns.color_palette("colorblind").as_hex()
)
_INK = "#222222"
_DIM = "#595959"

NOTE_COLOUR = "#8a3b00"
"""Of the lines that say what is wrong with a plot's runs; dark enough for print."""

INK, DIM = _INK, _DIM

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Look:
    """How one curve is drawn: matplotlib's colour, marker and line style."""

    colour: str
    marker: str = "o"
    line: str | tuple[int, tuple[int, ...]] = "-"


_FAMILY_COLOURS: Mapping[str, str] = {
    "frtm": _VERMILION,
    "frtm-fast": _BLUE,
    "frtm-lite": _GREEN,
    "ttvos": _PURPLE,
    "ttvos-lite": _ORANGE,
}
_OTHER_COLOURS = (_BROWN, _SKY, _GREY, _INK, _PINK)

_ROLES: Mapping[str, Look] = {
    "ours": Look(_BLUE, "o", "-"),
    "copy": Look(_ORANGE, "s", "--"),
    "fusion": Look(_GREEN, "^", "-."),
    "cap": Look(_SKY, "p", "-."),
    "g-iou": Look(_PURPLE, "D", "--"),
    "random": Look(_DIM, "X", ":"),
    "every": Look(_PINK, "d", ":"),
    "budget": Look(_BROWN, "h", "-."),
    "N-gate": Look(_VERMILION, "P", "-"),
    "reduced": Look(_BROWN, "v", "none"),
    "baseline": Look(_INK, "*", "none"),
    "always": Look(_SKY, "<", "none"),
    "never": Look(_SKY, ">", "none"),
    "always-copy": Look(_ORANGE, "<", "none"),
}
_OTHER_MARKERS = ("h", "d", "p", "8")
_VARIANT_MARKERS = ("s", "^", "D", "v", "P", "X", "h", "p")
_TINTS: Mapping[str, float] = {"copy": 0.45, "fusion": -0.45, "g-iou": 0.25, "random": 0.6}
"""How far a policy's colour lies from its family's: above 0 to white, below to black."""

_M1_COLOURS = {Decimal("1"): _BLUE, Decimal("0.7"): _ORANGE, Decimal("0.35"): _GREEN}
_M2_LOOKS = {Decimal("0"): ("o", "-"), Decimal("0.2"): ("s", "--"), Decimal("0.4"): ("^", ":")}

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
    "lines.linewidth": 1.8,
    "lines.markersize": 6.5,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "svg.hashsalt": "vosbench",
    "pdf.fonttype": 42,
}

_METADATA: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def family_look(model: str, policy: str | None) -> Look:
    """Colour by the network's family, marker and line by the gate's policy.

    A policy that brings a colour of its own keeps it in every family.
    """
    parts = parse_model(model)
    colour = _FAMILY_COLOURS.get(parts.family) or _pick(_OTHER_COLOURS, parts.family)
    if not policy:
        return Look(colour, "v" if parts.reduced else "*", "none")
    name = policy.partition(":")[0]
    shape = role_look("ours" if name == "learned" else name)
    spec = policy_spec(name)
    own = spec.colour if spec is not None else ""
    tinted = own or _tinted(colour, _TINTS.get(name, 0.0))
    if not parts.variant:
        return Look(tinted, shape.marker, shape.line)
    lines = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    digest = hashlib.sha256(parts.variant.encode()).digest()
    marker = _VARIANT_MARKERS[digest[1] % len(_VARIANT_MARKERS)]
    return Look(_tinted(tinted, (-0.35, 0.0, 0.35)[digest[2] % 3]), marker, lines[digest[3] % 4])


def role_look(name: str) -> Look:
    """Of an alternative, see :func:`vosbench.reports.names.role`."""
    known = _ROLES.get(name)
    if known is not None:
        return known
    spec = policy_spec(name)
    colour = (spec.colour if spec is not None else "") or _pick(_OTHER_COLOURS, name)
    marker = spec.marker if spec is not None else ""
    known_marker = marker in Line2D.markers and marker not in ("", " ", "None", "none")
    return Look(colour, marker if known_marker else _pick(_OTHER_MARKERS, name), "-.")


def margins_look(margins: str) -> Look:
    """Colour by m1, marker and line by m2."""
    try:
        m1, m2 = (Decimal(part.strip()).normalize() for part in margins.split(","))
    except (InvalidOperation, ValueError):
        return role_look(margins)
    marker, line = _M2_LOOKS.get(m2) or (_pick(_OTHER_MARKERS, str(m2)), "-.")
    return Look(_M1_COLOURS.get(m1) or _pick(_OTHER_COLOURS, str(m1)), marker, line)


def _pick(choices: tuple[str, ...], name: str) -> str:
    """The same choice for the same name, on any machine."""
    return choices[hashlib.sha256(name.encode()).digest()[0] % len(choices)]


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


@contextmanager
def styled() -> Iterator[None]:
    """Figures are made and saved inside this block; settings outside it stay as they were."""
    settings = {
        **sns.plotting_context("paper", font_scale=1.15),
        **sns.axes_style("whitegrid"),
        **_RC,
    }
    with mpl.rc_context(settings):
        yield


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
