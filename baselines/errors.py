"""The one error that every room may raise about what its caller handed in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What was handed in can't be used; the message says what is wrong and what to do.

    The command line prints it as one line and exits with status 2. Everything else that
    escapes is a fault of ours and keeps its traceback.
    """


class SurroundingsError(InputError):
    """What stands in the way lies around the work, not in it: a busy device, a full disk.

    Nobody's trials are to blame: they are handed back, and the same command goes on later.
    """


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or the list of known words where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(names)}"
