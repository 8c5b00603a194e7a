"""Records from plain values, as JSON gives them, with every mistake named."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from vosbench.baselines.errors import InputError, suggestion

Record = TypeVar("Record")


def record(kind: type[Record], values: object, place: str, **made: object) -> Record:
    """A frozen dataclass from a mapping of its fields; those with defaults may be left out.

    Fields may be numbers, texts, booleans, enumerations, tuples, and other such records.

    Args:
        place: where the values are, for messages.
        made: fields that are ready.

    Raises:
        InputError: unknown or missing fields, or a value of another type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{place} must be an object with the fields of a {kind.__name__}")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(cast(Any, kind))}
    for name in values:
        if name not in known:
            raise InputError(f"{place} has an unknown field '{name}'{suggestion(name, known)}")
    read = {name: _value(hints[name], value, f"{place}: {name}") for name, value in values.items()}
    try:
        return kind(**read, **made)
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise InputError(f"{place} lacks the field {missing}") from None


def _value(hint: Any, value: object, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        needed = next(part for part in arguments if part is not type(None))
        return None if value is None else _value(needed, value, place)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], item, place) for item in value)
    if is_dataclass(hint):
        return record(cast(type, hint), value, place)
    return _scalar(hint, value, place)


def _scalar(hint: Any, value: object, place: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in list(hint):
            raise InputError(f"{place} is {value!r}; it must be one of {', '.join(hint)}")
        return hint(cast(str, value))
    if isinstance(value, bool) != (hint is bool):  # a bool is an int to Python
        raise InputError(f"{place} is {value!r}, which is no {_named(hint)}")
    if hint is float and isinstance(value, int):
        return float(value)
    if not isinstance(hint, type) or not isinstance(value, hint):
        raise InputError(f"{place} is {value!r}, which is no {_named(hint)}")
    return value


def _named(hint: Any) -> str:
    words = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    return "list" if get_origin(hint) is tuple else words.get(hint, "such value")
