"""The paper's numbers, as data (``paper/*.csv``): tables 1 to 4 and what its text claims, typed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

_FILES: Mapping[int, str] = {
    1: "table1_davis.csv",
    2: "table2_ablation.csv",
    3: "table3_ytvos.csv",
    4: "table4_ytvos_pretrained.csv",
}

TRAINING: Mapping[int, str] = {4: "pre-trained without the reuse modules"}
"""Tables whose networks were trained in another way than those of table 1."""


@dataclass(frozen=True)
class Quantity:
    """What a column holds: dataset and metric as results name them, and how it is printed.

    Attributes:
        factor: a result times this is in the paper's unit.
    """

    dataset: str
    metric: str
    label: str
    unit: str
    factor: float


def _percent(dataset: str, metric: str, label: str) -> Quantity:
    return Quantity(dataset, metric, label, "%", 100.0)


QUANTITIES: Mapping[str, Quantity] = {
    "dv17_jf": _percent("davis17", "jf_mean", "DAVIS17 J&F"),
    "dv16_jf": _percent("davis16", "jf_mean", "DAVIS16 J&F"),
    "fps_dv16": Quantity("davis16", "fps", "DAVIS16 FPS", "frames/s", 1.0),
    "reuse_rate_percent": _percent("ytvos", "reuse_rate", "reuse rate"),
    "g_all": _percent("ytvos", "g_all", "G"),
    "j_seen": _percent("ytvos", "j_seen", "J seen"),
    "j_unseen": _percent("ytvos", "j_unseen", "J unseen"),
    "f_seen": _percent("ytvos", "f_seen", "F seen"),
    "f_unseen": _percent("ytvos", "f_unseen", "F unseen"),
}
"""The columns of the data files that hold numbers."""


@dataclass(frozen=True)
class Published:
    """One printed number.

    Attributes:
        table, row: where it stands; rows from 0.
        method: as printed.
        tau: the threshold as printed, None where none is.
        column: a key of :data:`QUANTITIES`.
        value: as printed; None where the table has a dash.
        model: the runner that stands for the method, None for methods of others.
        run_tau: the τ of a run that stands for the row. N-gate's is taken to be 1, since the
            row has the speed of ours at τ = 1 and the text says that it reuses nothing.
    """

    table: int
    row: int
    method: str
    tau: Decimal | None
    column: str
    value: float | None
    model: str | None
    run_tau: Decimal | None

    @property
    def quantity(self) -> Quantity:
        """Dataset, metric and unit."""
        return QUANTITIES[self.column]


@dataclass(frozen=True)
class PaperClaim:
    """A number in the paper's text.

    Attributes:
        text: what is claimed.
        dataset, model: as printed; "" where there is none.
        tau: the threshold, None where none is given.
        values: the number, or several, for objects 1, 2, …
        unit: as in the data file.
        where: the section.
    """

    text: str
    dataset: str
    model: str
    tau: Decimal | None
    values: tuple[float, ...]
    unit: str
    where: str


@cache
def methods() -> Mapping[str, tuple[str, Decimal | None]]:
    """The runner that stands for each of the paper's own methods, and an assumed τ."""
    return {
        row["method"]: (row["model"], _decimal(row["assumed_tau"])) for row in _rows("methods.csv")
    }


@cache
def published_table(number: int) -> tuple[Published, ...]:
    """All numbers of table 1, 2, 3 or 4, in printed order; raises KeyError for others."""
    values = []
    for index, row in enumerate(_rows(_FILES[number])):
        model, assumed = methods().get(row["method"], (None, None))
        tau = _decimal(row["tau"])
        for column in QUANTITIES:
            if column in row:
                value = float(row[column]) if row[column] else None
                values.append(
                    Published(
                        number, index, row["method"], tau, column, value, model,
                        assumed if tau is None else tau,
                    )
                )  # fmt: skip
    return tuple(values)


@cache
def siblings(number: Published) -> tuple[Published, ...]:
    """Other printed values of the same quantity of the same network: contradictions.

    Numbers of networks that were trained in another way are no contradictions.
    """
    return tuple(
        other
        for table in _FILES
        for other in published_table(table)
        if number.model is not None
        and (other.model, other.run_tau, other.column)
        == (number.model, number.run_tau, number.column)
        and TRAINING.get(other.table) == TRAINING.get(number.table)
        and other.value is not None
        and other.value != number.value
    )


@cache
def claims() -> tuple[PaperClaim, ...]:
    """What the paper's text claims, in its order."""
    return tuple(
        PaperClaim(
            row["claim"],
            row["dataset"],
            row["model"],
            _decimal(row["tau"]),
            tuple(float(value) for value in row["value"].split("/")),
            row["unit"],
            row["where"],
        )
        for row in _rows("text_claims.csv")
    )


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _rows(name: str) -> list[dict[str, str]]:
    text = (files(__package__) / "paper" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
