"""What a user wants models to be called and to look like: ``--labels`` and ``--style``."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import is_color_like, to_hex
from matplotlib.lines import Line2D

from vosbench.baselines.errors import InputError, suggestion
from vosbench.reports.looks import COLUMNS as LOOK

_TABLES = {"matplotlib", "models"}
_MODEL = {*LOOK, "label"}


@dataclass(frozen=True)
class Dressing:
    """Names and looks that stand over the house's.

    Attributes:
        labels: what models or curves are called, by their name here.
        looks: any of colour, marker and dash, by model or curve.
        settings: of matplotlib.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    looks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def check(self, known: Collection[str]) -> None:
        """Raises InputError for a name that is neither a model nor a curve of the database."""
        for name in (*self.labels, *self.looks):
            if name not in known:
                raise InputError(f"--labels, --style: no model '{name}'{suggestion(name, known)}")

    def with_label(self, text: str, model: str) -> str:
        """A curve by the label of its own name, else with its model's in its place."""
        if text in self.labels:
            return self.labels[text]
        label = self.labels.get(model)
        return text if label is None else text.replace(model, label, 1)

    def dressed(self, data: pd.DataFrame) -> pd.DataFrame:
        """A figure's data with these looks and labels, wherever it names curves."""
        if "curve" not in data:
            return data
        for name, look in self.looks.items():
            rows = (data["model"] == name) | (data["curve"] == name)
            for column in set(look) & set(data):
                data.loc[rows, column] = look[column]
        labels = [
            self.with_label(curve, model)
            for curve, model in zip(data["curve"], data["model"], strict=True)
        ]
        if "other" in data:
            data = data.assign(other=[self.with_label(name, name) for name in data["other"]])
        return data.assign(curve=labels)


PLAIN = Dressing()
"""Names and looks as they are."""


def load_style(path: Path) -> Dressing:
    """A style: a ``.mplstyle`` sheet of matplotlib's, or a ``.toml`` file.

    TOML: ``[matplotlib]`` holds matplotlib's settings, ``[models."NAME"]`` a model's ``colour``,
    ``marker``, ``dash`` (lengths of line and gap, "6 2") and ``label``.

    Raises:
        InputError: unreadable, another extension, or unknown settings; says which.
    """
    try:
        if path.suffix == ".mplstyle":
            return Dressing(settings=_checked_settings(path, _mplstyle(path)))
        if path.suffix == ".toml":
            return _from_toml(path, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    raise InputError(f"{path}: a style's file ends in .mplstyle or .toml")


def _mplstyle(path: Path) -> Mapping[str, Any]:
    settings = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        said = line.partition("#")[0].strip() if not line.strip().startswith("#") else ""
        if said:
            name, colon, value = said.partition(":")
            if not colon:
                raise InputError(f"{path}, line {number}: write SETTING: VALUE")
            settings[name.strip()] = value.strip().strip('"')
    return settings


def _checked_settings(path: Path, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in settings.items():
        try:
            with mpl.rc_context({name: value}):  # type: ignore[dict-item]
                checked[name] = mpl.rcParams[name]  # type: ignore[index]
        except KeyError:
            near = suggestion(name, list(mpl.rcParams))
            raise InputError(f"{path}: matplotlib has no setting '{name}'{near}") from None
        except ValueError as error:
            raise InputError(f"{path}: {name}: {error}") from None
    return checked


def _from_toml(path: Path, read: Mapping[str, Any]) -> Dressing:
    _known(path, "table", read, _TABLES)
    settings = _checked_settings(path, _table(path, "matplotlib", read.get("matplotlib", {})))
    labels, looks = {}, {}
    for name, values in _table(path, "models", read.get("models", {})).items():
        own = _table(path, name, values)
        _known(path, f"entry of {name}", own, _MODEL)
        looks[name] = {key: _look(path, key, own[key]) for key in LOOK if key in own}
        if "label" in own:
            labels[name] = str(own["label"])
    return Dressing(labels, looks, settings)


def _table(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{path}: {name} is a table, not {value!r}")
    return value


def _known(path: Path, kind: str, read: Mapping[str, Any], known: Collection[str]) -> None:
    for name in read:
        if name not in known:
            raise InputError(f"{path}: unknown {kind} '{name}'{suggestion(name, known)}")


def _look(path: Path, key: str, value: Any) -> str:
    text = str(value)
    if key == "colour":
        if is_color_like(text):
            return to_hex(text)
    elif key == "marker":
        if text in Line2D.filled_markers:
            return text
    elif not text or (all(_length(part) for part in text.split()) and len(text.split()) % 2 == 0):
        return text
    raise InputError(f"{path}: '{text}' is no {key}")


def _length(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and float(text) > 0


def over(style: Dressing, labels: Mapping[str, str]) -> Dressing:
    """A style with the labels of a command over its own."""
    return replace(style, labels={**style.labels, **labels})
