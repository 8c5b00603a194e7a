"""How each model is drawn: one colour, one marker and one dash for it, in all figures and pages.

A look belongs to a curve of the whole database, whatever else was selected. Curves take looks in
the order in which they were first asked for, so that a new model never changes an older one's:
each the look that is meant for what it does, where that is free, else the next free one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from vosbench.reports.names import role
from vosbench.reports.policies import policy_spec

COLUMNS = ("colour", "marker", "dash")
"""The columns that hold a row's look."""


@dataclass(frozen=True)
class Look:
    """How one curve is drawn.

    Attributes:
        colour: as #rrggbb.
        marker: as matplotlib names it.
        dash: lengths of line and gap in widths of the line, "6 2"; "" for a solid line.
    """

    colour: str
    marker: str = "o"
    dash: str = ""

    @property
    def line(self) -> str | tuple[int, tuple[float, ...]]:
        """The dash as matplotlib takes it."""
        return (0, tuple(map(float, self.dash.split()))) if self.dash else "-"


_ROLES: Mapping[str, Look] = {
    "ours": Look("#0173b2", "o", ""),
    "copy": Look("#de8f05", "s", "5 1.5"),
    "fusion": Look("#029e73", "^", "6 1.5 1 1.5"),
    "g-iou": Look("#a65fb0", "D", "2.5 1.2"),
    "random": Look("#6f6f6f", "X", "1 1.3"),
    "N-gate": Look("#d55e00", "P", "9 2"),
    "baseline": Look("#222222", "*", "9 2 1 2"),
    "reduced": Look("#8c613c", "v", "3 1 1 1 1 1"),
    "cap": Look("#56b4e9", "<", "7 1.5 3 1.5"),
    "always": Look("#882255", "d", "1 3"),
    "always-copy": Look("#8a7d0b", ">", "4 3"),
    "never": Look("#44aa99", "p", "3 1 3 1 1 1"),
    "every": Look("#d6459b", "8", "5 1 5 1 1 1 1 1"),
    "budget": Look("#5c7a1f", "H", "2 3"),
}
_FREE = (Look("#332288", "h", "12 2"),)
_ALL = (*_FREE, *reversed([*_ROLES.values()]))
"""In the order in which a curve without a look of its own tries them."""


def looks(curves: Iterable[tuple[str, str, str | None]]) -> Mapping[str, Look]:
    """The look of each curve, by its name; of up to 3375 no two are drawn alike.

    Args:
        curves: name, model and policy of each, the first one asked for first; a later curve of
            a name that was there before is passed over.
    """
    taken: dict[str, Look] = {}
    used: set[Look] = set()
    others = _others()
    for name, model, policy in curves:
        if name in taken:
            continue
        look = _meant(model, policy)
        while look is None or (look in used and len(used) < len(_ALL) ** 3):
            look = next(others)
        taken[name] = look
        used.add(look)
    return taken


def _meant(model: str, policy: str | None) -> Look | None:
    """The look that is meant for what a model does: a stranger's policy may bring its own."""
    does = role(model, policy)
    spec = None if does in _ROLES or not policy else policy_spec(policy.partition(":")[0])
    if spec is None or not spec.colour:
        return _ROLES.get(does)
    marker = spec.marker if spec.marker in Line2D.filled_markers else _FREE[0].marker
    return Look(spec.colour, marker, _FREE[0].dash)


def _others() -> Iterator[Look]:
    """For ever: looks without a meaning first, then the others, then new pairs of their parts."""
    count = len(_ALL)
    while True:
        for turn in range(count * count):
            by_marker, by_dash = 4 * turn % count + turn // count, 7 * turn % count
            for place, look in enumerate(_ALL):
                marker = _ALL[(place + by_marker) % count].marker
                yield Look(look.colour, marker, _ALL[(place + by_dash) % count].dash)


def look_of(row: Mapping[str, Any] | pd.Series) -> Look:
    """The look in a row's :data:`COLUMNS`."""
    return Look(row["colour"], row["marker"], row["dash"])
