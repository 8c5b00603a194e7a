"""What goes wrong around a database, done to the processes that use it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

_UNIX_EPOCH_JULIAN = 2440587.5


@dataclass(frozen=True)
class FullDisk:
    """SQLite may add so many pages to the file, and then finds no room, as on a full disk."""

    db: str
    pages: int

    def __call__(self) -> None:
        """Take effect in this process."""

        def limit(connection: Any, _record: Any) -> None:
            used = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {max(1, used) + self.pages}")

        event.listen(Engine, "connect", limit)


@dataclass(frozen=True)
class ClockSetBack:
    """The database's clock goes back by an hour as soon as ``signal`` exists."""

    signal: Path

    def __call__(self) -> None:
        """Take effect in this process."""

        def julian_day(_when: str) -> float:
            back_s = 3600.0 if self.signal.exists() else 0.0
            return (time.time() - back_s) / 86400.0 + _UNIX_EPOCH_JULIAN

        def connect(connection: Any, _record: Any) -> None:
            connection.create_function("julianday", 1, julian_day)

        event.listen(Engine, "connect", connect)


class Lock:
    """Holds the writer's lock of a SQLite file, as another program may."""

    def __init__(self, db: str) -> None:
        self._connection = sqlite3.connect(db, isolation_level=None, timeout=30)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        """Let go."""
        with closing(self._connection), suppress(sqlite3.OperationalError):
            self._connection.execute("ROLLBACK")
