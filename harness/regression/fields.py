"""Reading JSON objects whose fields are checked one by one, so that a message can name them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any


class FieldError(Exception):
    """A field is missing, or isn't what it has to be; the message names it."""


@dataclass(frozen=True)
class Fields:
    """A JSON object and where it is, for messages."""

    values: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, value: Any, where: str) -> Fields:
        """``value`` as an object; raises :class:`FieldError` if it is none."""
        if not isinstance(value, dict):
            raise FieldError(f"{where} is no JSON object")
        return cls(value, where)

    def _get(self, name: str, *kinds: type, says: str) -> Any:
        if name not in self.values:
            raise FieldError(f"{self.where} lacks `{name}`")
        value = self.values[name]
        # A bool is an int to Python, not to JSON.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise FieldError(f"{self.where}: `{name}` must be {says}")
        return value

    def _or_none(self, name: str) -> bool:
        return self.values.get(name, "") is None

    def text(self, name: str) -> str:
        """A string."""
        return str(self._get(name, str, says="a text"))

    def text_or_none(self, name: str) -> str | None:
        """A string or null."""
        return None if self._or_none(name) else self.text(name)

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """A string out of a few."""
        value = self.text(name)
        if value not in known:
            raise FieldError(f"{self.where}: `{name}` must be one of {', '.join(known)}")
        return value

    def whole(self, name: str) -> int:
        """An integer from 0."""
        value = int(self._get(name, int, says="a whole number"))
        if value < 0:
            raise FieldError(f"{self.where}: `{name}` must not be negative")
        return value

    def whole_or_none(self, name: str) -> int | None:
        """An integer from 0, or null."""
        return None if self._or_none(name) else self.whole(name)

    def number_or_none(self, name: str) -> float | None:
        """A finite number, or null."""
        if self._or_none(name):
            return None
        return _finite(self._get(name, int, float, says="a number"), name, self.where)

    def decimal(self, name: str) -> Decimal:
        """A finite decimal, written as a string."""
        try:
            value = Decimal(self.text(name))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise FieldError(f"{self.where}: `{name}` must be a decimal")
        return value

    def truth(self, name: str) -> bool:
        """True or false."""
        return bool(self._get(name, bool, says="true or false"))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._get(name, list, says="a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise FieldError(f"{self.where}: `{name}` must be a list of texts")
        return tuple(values)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object with any values."""
        return dict(self._get(name, dict, says="an object"))

    def text_mapping(self, name: str) -> Mapping[str, str]:
        """An object whose values are strings."""
        values = self.mapping(name)
        if not all(isinstance(value, str) for value in values.values()):
            raise FieldError(f"{self.where}: `{name}` must hold texts only")
        return values

    def scalars(self, name: str) -> Mapping[str, float]:
        """Numbers by name; null is NaN."""
        where = f"{self.where}: `{name}`"
        return {
            key: math.nan if value is None else _finite(value, key, where)
            for key, value in self.mapping(name).items()
        }

    def inner(self, name: str) -> Fields:
        """An object to read in turn."""
        return Fields(self.mapping(name), f"`{name}` of {self.where}")

    def items(self, name: str) -> tuple[Fields, ...]:
        """A list of objects to read in turn."""
        values = self._get(name, list, says="a list")
        return tuple(
            Fields.of(value, f"`{name}`[{place}] of {self.where}")
            for place, value in enumerate(values)
        )


def _finite(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FieldError(f"{where}: `{name}` must be a finite number or null")
    return float(value)
