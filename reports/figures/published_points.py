"""The paper's own points, for figures of DAVIS 2016."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.names import parse_model
from vosbench.reports.published import Published, published_table

WEIGHTS = "the paper's"
"""In the column ``weights`` of printed points."""

NOTE = "printed in the paper, from its authors' machine and all 20 clips"

_POLICIES = {"copy": "copy", "fusion": "fusion", "": "learned"}


def with_published(
    points: pd.DataFrame, options: FigureOptions, wanted: Callable[[str], bool]
) -> pd.DataFrame:
    """``points`` and the paper's, in each panel of DAVIS 2016, if the options ask for them."""
    if not options.published or points.empty:
        return points
    panels = [name for name in dict.fromkeys(points["panel"]) if name.startswith("davis16,")]
    printed = [row for name in panels for row in _printed(name) if wanted(str(row["model"]))]
    if not printed:
        return points
    rows = pd.DataFrame(printed, dtype="object").reindex(columns=points.columns)
    rows = rows.where(rows.notna(), None)
    rows = rows.astype({name: kind for name, kind in points.dtypes.items() if kind == "float64"})
    return pd.concat([points, rows], ignore_index=True)


def _printed(panel: str) -> list[dict[str, object]]:
    numbers: dict[tuple[int, int], list[Published]] = {}
    for table in (1, 2):
        for number in published_table(table):
            numbers.setdefault((table, number.row), []).append(number)
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for row in numbers.values():
        values = {number.column: number.value for number in row}
        first = row[0]
        if first.model is None or values["dv16_jf"] is None or values["fps_dv16"] is None:
            continue
        model = parse_model(first.model)
        name = "G-FRTM-fast" if first.method == "ours" else first.method
        # Both tables print some runs: the first one's numbers stand.
        rows.setdefault(
            (name, str(first.tau)),
            {
                "panel": panel,
                "curve": f"{name} (paper)",
                "model": first.model,
                "policy": _POLICIES[model.policy] if model.gated else None,
                "point": "" if first.tau is None else f"{first.tau.normalize():f}",
                "tau": first.tau,
                "jf_mean": values["dv16_jf"] / 100,
                "fps": values["fps_dv16"],
                "repeats": 1,
                "weights": WEIGHTS,
                "trained": True,
                "weights_note": NOTE,
            },
        )
    return sorted(rows.values(), key=lambda row: str(row["curve"]))
