"""Records from plain values, as JSON and TOML give them, with every mistake named."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from vosbench.baselines.errors import InputError, suggestion

Record = TypeVar("Record")


def record(
    kind: type[Record], values: object, place: str, *, whole: bool = False, **made: object
) -> Record:
    """A frozen dataclass from a mapping of its fields.

    Fields may be finite numbers, decimals (written as texts), texts, booleans, enumerations,
    tuples, mappings from texts, and other such records.

    Args:
        place: where the values are, for messages.
        whole: a program wrote them: each field must be there, and ones that a newer program adds
            are passed over. Else fields with defaults may be left out, and no other may be there.
        made: fields that are ready.

    Raises:
        InputError: unknown or missing fields, or a value of another type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{place} must be an object of named fields")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(cast(Any, kind))} - {*made}
    for name in values:
        if name not in known and not whole:
            raise InputError(f"{place} has an unknown field '{name}'{suggestion(name, known)}")
    for name in sorted(known - {*values}) if whole else ():
        raise InputError(f"{place} lacks the field '{name}'")
    read = {
        name: _value(hints[name], value, f"{place}: {name}", whole)
        for name, value in values.items()
        if name in known
    }
    try:
        return kind(**read, **made)
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise InputError(f"{place} lacks the field {missing}") from None


def _value(hint: Any, value: object, place: str, whole: bool) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        needed = next(part for part in arguments if part is not type(None))
        return None if value is None else _value(needed, value, place, whole)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(
            _value(arguments[0], item, f"{place}[{index}]", whole)
            for index, item in enumerate(value)
        )
    if origin is Mapping and isinstance(value, Mapping):
        return {
            name: _value(arguments[1], item, f"{place}: {name}", whole)
            for name, item in value.items()
        }
    if is_dataclass(hint):
        return record(cast(type, hint), value, place, whole=whole)
    return value if hint is Any else _scalar(hint, value, place)


def _scalar(hint: Any, value: object, place: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in list(hint):
            raise InputError(f"{place} is {value!r}; it must be one of {', '.join(hint)}")
        return hint(cast(str, value))
    kinds = {float: (int, float), Decimal: str}.get(hint, hint)
    # A bool is an int to Python.
    fits = isinstance(value, bool) == (hint is bool) and _is(value, kinds)
    if fits and hint is float:
        value = float(cast(float, value))
        fits = math.isfinite(value)
    elif fits and hint is Decimal:
        value = _decimal(cast(str, value))
        fits = value.is_finite()
    if not fits:
        raise InputError(f"{place} is {value!r}, which is no {_named(hint)}")
    return value


def _is(value: object, kinds: Any) -> bool:
    return isinstance(kinds, type | tuple) and isinstance(value, kinds)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _named(hint: Any) -> str:
    words = {
        int: "whole number", float: "number", bool: "true or false", str: "text",
        Decimal: "decimal in quotes",
    }  # fmt: skip
    origins = {tuple: "list", Mapping: "object"}
    return origins.get(get_origin(hint)) or words.get(hint, "such value")
