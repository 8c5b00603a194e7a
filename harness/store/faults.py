"""What a database's error means to the person at the keyboard."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError

from vosbench.baselines.errors import SurroundingsError

_SQLITE_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_POSTGRESQL_CONFLICT = {
    "40001": "serialization failure",
    "40P01": "deadlock",
    "55P03": "lock not available",
    "53300": "too many connections",
}


def is_retryable(error: DBAPIError, *, was_reached: bool) -> bool:
    """Whether the same transaction may well succeed a moment later.

    Args:
        error: what SQLAlchemy raised.
        was_reached: the server has answered before: it may come back.
    """
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_name(error.orig) in _SQLITE_BUSY
    return _sqlstate(error) in _POSTGRESQL_CONFLICT or (was_reached and _is_out_of_reach(error))


def as_input_error(error: DBAPIError, place: str, waited_s: float) -> SurroundingsError | None:
    """The one line for what the user can mend, or None for a fault of ours.

    Args:
        error: what SQLAlchemy raised.
        place: the database, without its password.
        waited_s: how long the transaction was tried.
    """
    if isinstance(error.orig, sqlite3.Error):
        text = _sqlite_line(error.orig, place, waited_s)
    else:
        text = _postgresql_line(error, place, waited_s)
    return None if text is None else SurroundingsError(text)


def _sqlite_name(error: sqlite3.Error) -> str:
    """The primary result code: ``SQLITE_BUSY_SNAPSHOT`` is ``SQLITE_BUSY``."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def _sqlite_line(error: sqlite3.Error, place: str, waited_s: float) -> str | None:
    name = _sqlite_name(error)
    if name in _SQLITE_BUSY:
        return (
            f"{place} is locked by another program (waited {waited_s:.0f} s): "
            "wait for it or end it, then run the same command again"
        )
    return {
        "SQLITE_NOTADB": f"{place} is not a result database: name another file with --db",
        "SQLITE_CORRUPT": f"{place} is damaged ({error}): restore it from a copy",
        "SQLITE_FULL": f"no space left for {place}: free some, then run the same command again",
        "SQLITE_IOERR": f"{place} can't be read or written ({error}): check its disk",
        "SQLITE_READONLY": f"{place} can't be written: make the file and its folder writable",
        "SQLITE_CANTOPEN": f"{place} can't be opened: check that its folder exists and is writable",
        "SQLITE_PERM": f"{place} can't be opened: permission denied",
    }.get(name)


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _postgresql_line(error: DBAPIError, place: str, waited_s: float) -> str | None:
    state = _sqlstate(error)
    first_line = str(error.orig).strip().partition("\n")[0]
    if state in _POSTGRESQL_CONFLICT:
        reason = _POSTGRESQL_CONFLICT[state]
        return f"{place} is too busy ({reason}; waited {waited_s:.0f} s): try again later"
    if state == "53100":
        return f"no space left for {place}: free some, then run the same command again"
    if state in {"42501", "25006"}:
        return f"{place} can't be written ({first_line}): use a user and server that may"
    if _is_out_of_reach(error) or (state or "").startswith(("28", "3D")):
        return f"{place} can't be reached: {first_line}"
    return None


def _is_out_of_reach(error: DBAPIError) -> bool:
    """Whether the server was not reached, or went away while it was asked."""
    state = _sqlstate(error)
    if state is None:
        return isinstance(error, OperationalError) or error.connection_invalidated
    return state.startswith(("08", "57P"))
