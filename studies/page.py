"""What the studies share: running commands, and writing tables into pages from a database."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd

from vosbench.harness.store import Selection, State, results
from vosbench.reports.export import export_frame
from vosbench.reports.figures import FigureOptions, figure_data

ROOT = Path(__file__).resolve().parent.parent
STUDIES = ROOT / "studies"
RECIPES = STUDIES / "recipes"
WEIGHTS = ROOT / "baselines" / "weights"
BESIDE = ROOT / "docs" / "study"

Tables = Mapping[str, Callable[[str], str]]  # by the name of its block: from a database, Markdown


def execute(command: Sequence[str], check: bool = True) -> None:
    """Run `vosbench` or a script of this folder with this interpreter; its line is printed."""
    print("$ " + shlex.join(command), flush=True)
    name, *arguments = command
    main = "from vosbench.harness.cli import main; main()"
    script = ["-c", main] if name == "vosbench" else [str(STUDIES / name)]
    subprocess.run([sys.executable, *script, *arguments], check=check)


def placed(recipe: str, data: Path, out: Path) -> Path:
    """A shipped recipe with ``data`` in place of its /data, written to ``out``."""
    text = (RECIPES / f"{recipe}.json").read_text(encoding="utf-8")
    out.write_text(text.replace('"/data/', f'"{data}/'), encoding="utf-8")
    return out


def fill(page: Path, tables: Tables, source: str) -> None:
    """Write a page's tables anew from the database ``source``; prose stays as it is."""
    page.write_text(filled(page.read_text(encoding="utf-8"), tables, source), encoding="utf-8")


def filled(text: str, tables: Tables, source: str) -> str:
    """A text with what stands between ``<!-- NAME -->`` and ``<!-- end -->`` written anew."""

    def block(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{tables[match[1]](source)}\n\n<!-- end -->"

    names = "|".join(tables)
    return re.sub(rf"<!-- ({names}) -->.*?<!-- end -->", block, text, flags=re.DOTALL)


def export(source: str, name: str) -> None:
    """All finished trials as a CSV file beside the pages."""
    export_frame(results(source, Selection(states=(State.COMPLETE,))), BESIDE / name)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(value: float, digits: int = 1) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.{digits}f}"


def point(run: pd.Series) -> str:
    """J&F @ reuse rate of a trial or of one of its sequences."""
    return f"{percent(run['jf_mean'])} @ {percent(run['reuse_rate'])}"


def at_tau(tau: object) -> str:
    """A threshold in words; nothing for runs without one."""
    return "" if pd.isna(tau) else f"τ = {Decimal(str(tau)).normalize():f}"


def settings_table(runs: pd.DataFrame, by: str) -> str:
    """J&F and reuse of every setting: a row for each value of a column and each model."""
    rows = [
        [str(one), f"`{model}`",
         " · ".join(f"{at_tau(run['tau'])}: ".removeprefix(": ") + point(run)
                    for _, run in part.sort_values("reuse_rate").iterrows())]
        for (one, model), part in runs.groupby([by, "model"], sort=False)
    ]  # fmt: skip
    return table(["sequences" if by == "evaluation" else by, "model", "J&F @ reuse"], rows)


def at(frame: pd.DataFrame, **wanted: object) -> pd.Series | None:
    """The first row that has these values."""
    for name, value in wanted.items():
        frame = frame[[cell == value for cell in frame[name]]]
    return None if frame.empty else frame.iloc[0]


def ahead(source: str, study: str) -> pd.DataFrame:
    """How far ours lies ahead of each other way at the same reuse: the figure's rows."""
    return figure_data("equal-reuse", source, Selection(studies=[study]), FigureOptions())


def equal_table(source: str, study: str) -> str:
    """How far ours lies ahead of each other way at the same reuse, with intervals."""
    data = ahead(source, study)
    rates = sorted(set(data["rate"]))
    rows = [
        [str(panel), str(way), *(points_ahead(at(part, rate=rate)) for rate in rates)]
        for (panel, way), part in data.groupby(["panel", "way"], sort=False)
    ]
    return table(["sequences", "ours minus", *(f"at {100 * rate:.0f} %" for rate in rates)], rows)


def points_ahead(row: pd.Series | None) -> str:
    """A row of `ahead` in points, with its interval where there is one."""
    if row is None:
        return "–"
    text = f"{100 * row['ahead']:+.1f}"
    if not pd.isna(row["low"]):
        text += f" ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    return text.replace("-", "−")
