"""Column types that keep what they are given, and the database's clock as an expression."""

# ruff: noqa: ARG002 - SQLAlchemy hands every type the dialect
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Double, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from vosbench.baselines.text import escaped

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class DatabaseNow(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, the only clock that leases go by.

    It advances within a transaction; its resolution is a millisecond or better.
    """

    inherit_cache = True
    name = "database_now"
    type = Double()


@compiles(DatabaseNow, "sqlite")
def _sqlite_now(_element: DatabaseNow, _compiler: SQLCompiler, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; 2440587.5 is the Julian day of 1970-01-01.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseNow, "postgresql")
def _postgresql_now(_element: DatabaseNow, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def decimal_text(value: Decimal) -> str:
    """The one way to write a decimal: plain digits, no trailing zeros (0.30 is ``0.3``)."""
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


class PlainText(TypeDecorator[str]):
    """Text that every database here can hold: NUL and lone surrogates are escaped.

    A traceback may quote any bytes, and PostgreSQL refuses a NUL; an error that can't be stored
    would end the sweep.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _UNSTORABLE.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    return escaped(found[0])


class DecimalText(TypeDecorator[Decimal]):
    """A decimal as exact text; no database here has an exact type that both share."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class NamesText(TypeDecorator[tuple[str, ...]]):
    """A tuple of names, as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(json.loads(value))


class NumbersText(TypeDecorator[tuple[int, ...]]):
    """A tuple of integers (object ids, an array's shape), as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps([int(number) for number in value])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...] | None:
        return None if value is None else tuple(json.loads(value))


class SwitchesText(TypeDecorator[Mapping[str, str]]):
    """Switches by name, as a JSON object with sorted keys."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, str] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(dict(value), sort_keys=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, str] | None:
        return None if value is None else dict(json.loads(value))
