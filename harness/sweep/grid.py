"""Lists of thresholds and names as people type them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from vosbench.baselines.errors import InputError

_MOST = 10_000


def parse_taus(texts: Iterable[str], option: str = "--tau") -> tuple[Decimal, ...]:
    """Parse thresholds: values, comma lists and ranges START:STOP:STEP, freely mixed.

    Ranges include both ends and are counted in decimals, never in accumulated floats. Order is
    kept, repetitions are dropped.

    Raises:
        InputError: no number, a range that never ends, or a value outside 0..1.
    """
    found: dict[Decimal, None] = {}
    for text in texts:
        for part in text.split(","):
            for tau in _expand(part.strip(), option):
                if not 0 <= tau <= 1:
                    raise InputError(f"{option} {text}: {tau} is not between 0 and 1")
                found[tau.normalize() + 0] = None
    return tuple(found)


def _expand(part: str, option: str) -> Iterator[Decimal]:
    try:
        numbers = [Decimal(number) for number in part.split(":")]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (1, 3) or not all(n.is_finite() for n in numbers):
        raise InputError(f"{option} {part!r}: write a value, a list 0.3,0.5 or a range 0.1:1.0:0.1")
    if len(numbers) == 1:
        yield numbers[0]
        return
    start, stop, step = numbers
    if step <= 0 or stop < start:
        raise InputError(f"{option} {part}: a range START:STOP:STEP goes up by a positive step")
    if (stop - start) / step >= _MOST:
        raise InputError(f"{option} {part}: more than {_MOST:,} values: take a larger step")
    for index in range(int((stop - start) / step) + 1):
        yield start + index * step


def parse_margins(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """Parse margins M(m1, m2): pairs ``m1,m2``, several of them apart by ``;``.

    Raises:
        InputError: no pair of numbers, or a number outside 0..1.
    """
    found: dict[tuple[Decimal, Decimal], None] = {}
    for part in text.split(";"):
        try:
            numbers = [Decimal(number.strip()) for number in part.split(",")]
        except InvalidOperation:
            numbers = []
        if len(numbers) != 2 or not all(n.is_finite() for n in numbers):
            raise InputError(f'--margins {text!r}: write m1,m2 or a list "1.0,0;0.7,0.2"')
        if not all(0 <= n <= 1 for n in numbers):
            raise InputError(f"--margins {text}: margins are between 0 and 1")
        found[numbers[0].normalize() + 0, numbers[1].normalize() + 0] = None
    return tuple(found)
