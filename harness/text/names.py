"""Lists of names as people type them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def parse_names(
    texts: Iterable[str], is_one: Callable[[str], bool] = lambda _: False
) -> tuple[str, ...]:
    """Split comma lists of names; order is kept, repetitions are dropped.

    Where ``is_one`` says that parts with the commas between them are one name, such as that of a
    folder, they stay together: the longest such name at each place.
    """
    names = (name.strip() for text in texts for name in _names_of(text, is_one))
    return tuple(dict.fromkeys(name for name in names if name))


def _names_of(text: str, is_one: Callable[[str], bool]) -> Iterator[str]:
    parts = text.split(",")
    at = 0
    while at < len(parts):
        ends = range(len(parts), at + 1, -1)
        end = next((k for k in ends if is_one(",".join(parts[at:k]).strip())), at + 1)
        yield ",".join(parts[at:end])
        at = end


def names_a_place(name: str) -> bool:
    """Whether a name is, or has behind its colon, the path of something that exists."""
    argument = name.partition(":")[2]
    try:
        return any(Path(text).expanduser().exists() for text in (name, argument) if text)
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a NUL
        return False
