"""The paper's own points, beside measured ones where somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pandas as pd

from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.looks import COLUMNS as LOOK
from vosbench.reports.looks import looks
from vosbench.reports.names import parse_model
from vosbench.reports.published import PaperClaim, Published, claims, methods, published_table
from vosbench.reports.style import DIM

WEIGHTS = "the paper's"
"""In the column ``weights`` of printed points."""

OTHERS = "others (paper)"
"""The curve of methods that have no model here; each is named at its point."""

_POLICIES = {"copy": "copy", "fusion": "fusion", "": "learned"}
_OF_PANEL = {"davis17": "DAVIS17", "ytvos18": "YouTube-VOS", "ytvos19": "YouTube-VOS"}

Wanted = Callable[[str], bool]
Row = dict[str, object]


def every_method(model: str) -> bool:  # noqa: ARG001 - a choice
    """Every method of tables 1 and 2."""
    return True


def of_ablation(model: str) -> bool:
    """The gated network of the ablation, its alternatives and its baseline."""
    return parse_model(model).whole_family == "frtm-fast"


def is_printed(points: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are the paper's."""
    return points["weights"].eq(WEIGHTS)


def has_printed(data: pd.DataFrame) -> bool:
    """Whether any number in a figure's data is the paper's."""
    return "weights" in data and bool(is_printed(data).any())


def note(dataset: str) -> str:
    """What has to be said of printed points."""
    return f"(paper): as printed, for all of {dataset}, with its authors' weights and machine"


def with_published(points: pd.DataFrame, options: FigureOptions, wanted: Wanted) -> pd.DataFrame:
    """``points`` and the paper's J&F over FPS on DAVIS 2016, if the options ask for them."""
    printed = [row for row in _speeds() if wanted(str(row["model"]))]
    return _joined(points, options, {"DAVIS16": printed})


def with_published_reuse(points: pd.DataFrame, options: FigureOptions) -> pd.DataFrame:
    """``points`` and the paper's J&F over reuse rate: of the same dataset where it prints any,
    else of DAVIS 2016."""
    printed = {name: list(_reuse(name)) for name in ("DAVIS16", "DAVIS17", "YouTube-VOS")}
    return _joined(points, options, printed)


def _joined(
    points: pd.DataFrame, options: FigureOptions, printed: dict[str, list[Row]]
) -> pd.DataFrame:
    if not options.published or options.metric is not None or points.empty:
        return points
    rows = []
    for panel in dict.fromkeys(points["panel"]):
        own = _OF_PANEL.get(str(panel).partition(",")[0].partition("-")[0], "DAVIS16")
        dataset = own if own in printed else "DAVIS16"
        rows += [row | {"panel": panel, "weights_note": note(dataset)} for row in printed[dataset]]
    if not rows:
        return points
    frame = pd.DataFrame(_drawn(rows, points), dtype="object").reindex(columns=points.columns)
    frame = frame.where(frame.notna(), None)
    frame = frame.astype({name: kind for name, kind in points.dtypes.items() if kind == "float64"})
    return pd.concat([points, frame], ignore_index=True)


def _drawn(rows: list[Row], points: pd.DataFrame) -> list[Row]:
    """Rows with the look of their model's measured curve, or a look of its own."""
    plain = {str(row["model"]): row for row in points.to_dict("records")}
    meant = looks((str(r["curve"]), str(r["model"]), r["policy"] or None) for r in rows)  # type: ignore[misc]
    drawn = []
    for row in rows:
        own: Row = vars(meant[str(row["curve"])])
        if row["curve"] == OTHERS:
            own = {"colour": DIM, "marker": ".", "dash": ""}
        elif row["model"] in plain:
            own = {name: plain[str(row["model"])][name] for name in LOOK}
        drawn.append(own | row)
    return drawn


def _speeds() -> list[Row]:
    """Of tables 1 and 2: J&F and FPS on DAVIS 2016, one row per method and τ."""
    numbers: dict[tuple[int, int], list[Published]] = {}
    for table in (1, 2):
        for number in published_table(table):
            numbers.setdefault((table, number.row), []).append(number)
    rows: dict[tuple[str, str], Row] = {}
    for row in numbers.values():
        values = {number.column: number.value for number in row}
        jf, fps, first = values["dv16_jf"], values["fps_dv16"], row[0]
        if jf is None or fps is None:
            continue
        name = "G-FRTM-fast" if first.method == "ours" else first.method
        # Both tables print some runs: the first one's numbers stand.
        rows.setdefault(
            (name, str(first.tau)),
            _row(name, first.model, first.tau, jf_mean=jf / 100, fps=fps),
        )
    return sorted(rows.values(), key=lambda row: str(row["curve"]))


def _reuse(dataset: str) -> Iterator[Row]:
    """The reuse rates that the paper prints for a dataset, with the J&F or G of the same run."""
    if dataset == "YouTube-VOS":
        for values in _by_row(4):
            first = values["g_all"]
            rate, score = values["reuse_rate_percent"].value, first.value
            if rate is not None and score is not None:
                yield _row(
                    first.method, first.model, first.tau,
                    reuse_rate=rate / 100, jf_mean=score / 100,
                )  # fmt: skip
        return
    column = {"DAVIS16": "dv16_jf", "DAVIS17": "dv17_jf"}[dataset]
    for claim in claims():
        if claim.text != "reuse rate" or claim.dataset != dataset:
            continue
        score = _score(claim, column)
        if score is not None:
            model, _ = methods()[claim.model]
            (rate,) = claim.values
            yield _row(claim.model, model, claim.tau, reuse_rate=rate, jf_mean=score / 100)


def _by_row(table: int) -> list[dict[str, Published]]:
    rows: dict[int, dict[str, Published]] = {}
    for number in published_table(table):
        rows.setdefault(number.row, {})[number.column] = number
    return list(rows.values())


def _score(claim: PaperClaim, column: str) -> float | None:
    """J&F of the run that a claim is about, by the first table that prints it."""
    model, _ = methods()[claim.model]
    for table in (1, 2):
        for number in published_table(table):
            same = (number.model, number.run_tau, number.column) == (model, claim.tau, column)
            if same and number.value is not None:
                return number.value
    return None


def _row(name: str, model: str | None, tau: Decimal | None, **values: float) -> Row:
    if model is None:
        about: Row = {"curve": OTHERS, "model": "", "policy": None, "point": name}
    else:
        parts = parse_model(model)
        about = {
            "curve": f"{name} (paper)",
            "model": model,
            "policy": _POLICIES.get(parts.policy, parts.policy) if parts.gated else None,
            "point": "" if tau is None else f"{tau.normalize():f}",
        }
    return about | {"tau": tau, "repeats": 1, "weights": WEIGHTS, "trained": True} | values
