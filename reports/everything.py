"""All figures and tables that a database can make, with an index of those that it can't."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection, results
from vosbench.harness.text import markdown
from vosbench.reports.export import export_frame
from vosbench.reports.figures import FigureOptions, figure_kind, figure_names, make_figures
from vosbench.reports.style import FORMATS, checked_format
from vosbench.reports.table_render import PaperTable, write_table
from vosbench.reports.tables import check_claims, make_table, table_names

_TABLE_FORMATS = (".txt", ".csv", ".md", ".tex")
INDEX = "index.md"


@dataclass(frozen=True)
class Item:
    """One figure, table or export of a report.

    Attributes:
        name, summary: what it is.
        files: what was written; none where it couldn't be made.
        reason: why it couldn't be made, "" where it was.
    """

    name: str
    summary: str
    files: tuple[Path, ...]
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that was made, and what wasn't; ``index`` is the page that lists both."""

    index: Path
    made: tuple[Item, ...]
    missing: tuple[Item, ...]


def report_all(
    source: Readable,
    out_dir: Path,
    where: Selection = Selection(),  # noqa: B008 - immutable
    *,
    formats: Sequence[str] = FORMATS,
    options: FigureOptions = FigureOptions(),  # noqa: B008 - immutable
    tell: Callable[[str, int, int], None] = lambda _part, _done, _of: None,
) -> Report:
    """Write every figure and table that the database can make, all results, and an index.

    Args:
        source: a file, a URL, or an open database.
        out_dir: a folder, made if missing; files in it are replaced.
        where: which trials.
        formats: of the figures.
        options: for all figures.
        tell: called as each figure and the tables begin, with its name, how many parts are done
            and of how many.

    Raises:
        InputError: an unknown format, no results at all, or a place that can't be written.
    """
    for extension in formats:
        checked_format(Path(f"figure.{extension}"))
    found = results(source, where)
    items = []
    names = figure_names()
    for done, name in enumerate(names):
        tell(name, done, len(names) + 1)
        outs = [out_dir / "figures" / f"{name}.{extension}" for extension in formats]
        items.append(_figure(name, source, where, outs, options))
    tell("tables", len(names), len(names) + 1)
    for table in (*(make_table(name, source, where) for name in table_names()),
                  check_claims(source, where)):  # fmt: skip
        items.append(_table(table, out_dir))
    every = export_frame(found, out_dir / "results.csv")
    items.append(Item("results", f"all {len(found)} trials, one row each", (every,)))
    made = tuple(item for item in items if item.files)
    missing = tuple(item for item in items if not item.files)
    index = out_dir / INDEX
    index.write_text(_index(made, missing, out_dir), encoding="utf-8")
    return Report(index, made, missing)


def _figure(
    name: str, source: Readable, where: Selection, outs: list[Path], options: FigureOptions
) -> Item:
    summary = "a figure that is broken"
    try:
        kind = figure_kind(name)
        summary = kind.summary
        if not kind.takes_metric:
            options = replace(options, metric=None)
        return Item(name, summary, tuple(make_figures(name, source, where, outs, options)))
    except InputError as error:
        return Item(name, summary, (), str(error))


def _table(table: PaperTable, out_dir: Path) -> Item:
    stem = table.name if table.name == "claims" else f"table{table.name}"
    files = [write_table(table, out_dir / "tables" / f"{stem}{ext}") for ext in _TABLE_FORMATS]
    measured = int(table.frame["measured"].notna().sum())
    comparable = int(table.frame["comparable"].astype(bool).sum())
    found = f"{measured} measured numbers, {comparable} of them comparable"
    return Item(stem, f"{table.title}: {found}", tuple(files))


def _index(made: Sequence[Item], missing: Sequence[Item], out_dir: Path) -> str:
    lines = ["# Report", "", "## Made", ""]
    for item in made:
        links = ", ".join(
            f"[{path.suffix[1:]}]({path.relative_to(out_dir).as_posix()})" for path in item.files
        )
        lines.append(f"- **{item.name}**: {markdown(item.summary)} ({links})")
    if missing:
        lines += ["", "## Not made", ""]
        lines += [
            f"- **{item.name}**: {markdown(f'{item.summary}. {item.reason}')}" for item in missing
        ]
    return "\n".join([*lines, ""])
