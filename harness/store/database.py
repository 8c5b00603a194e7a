"""An open result database: transactions that wait, retry within a bound, and say why they fail."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError, SurroundingsError
from vosbench.harness.store import schema
from vosbench.harness.store.address import WRITES, Address, connect, parse_address
from vosbench.harness.store.faults import as_input_error, is_retryable


class DatabaseGoneError(SurroundingsError):
    """The database's file was deleted, moved or replaced while it was open."""


BUSY_TIMEOUT_S = 30.0
"""How long a transaction waits for others by default."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 1.0

Result = TypeVar("Result")
Source = str | Path


class Database:
    """A result database of the current schema; :func:`open_database` makes one.

    It may be shared by threads. A process that was forked opens its own.
    """

    def __init__(self, address: Address, engine: Engine, busy_timeout_s: float) -> None:
        self.address = address
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._busy_timeout_s = busy_timeout_s
        self._was_reached = False
        self._file: tuple[int, int] | None = None

    def remember_file(self) -> None:
        """From now on the address must lead to the file that it leads to now."""
        self._file = self._file_now()

    def _file_now(self) -> tuple[int, int] | None:
        if self.address.path is None:
            return None
        try:
            found = self.address.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _require_file(self) -> None:
        """A file that has no name any more takes writes, and they are lost with it."""
        if self._file is not None and self._file_now() != self._file:
            raise DatabaseGoneError(
                f"{self.address.text} was deleted, moved or replaced while it was in use: put it "
                "back, then run the same command again (copy one in use with `vosbench db copy`)"
            )

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """``work``'s result, from one consistent view of the database.

        Raises:
            InputError: the database is locked, damaged or out of reach.
        """
        return self._transact(self._engine, work)

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """The database as it is now: whatever is read from it is of one consistent view.

        Raises:
            InputError: the database is locked, damaged or out of reach.
        """
        engine = self._engine
        if self.address.url is not None:  # SQLite's transactions are of one view by themselves
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.begin() as connection:
            yield _Snapshot(self, connection)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """``work``'s result, all of it stored or nothing.

        ``work`` may run more than once: conflicts are retried for the busy timeout.

        Raises:
            InputError: the database is locked, full, damaged, read-only or out of reach.
        """
        return self._transact(self._writer, work)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _transact(self, engine: Engine, work: Callable[[Connection], Result]) -> Result:
        began_s = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                with engine.begin() as connection:
                    self._require_file()
                    result = work(connection)
                    self._require_file()
                self._was_reached = True
                return result
            except DBAPIError as error:
                waited_s = time.monotonic() - began_s
                may_pass = is_retryable(error, was_reached=self._was_reached)
                if not may_pass or waited_s + pause_s >= self._busy_timeout_s:
                    self._explain(error, waited_s)
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # apart from others who failed with us
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _explain(self, error: DBAPIError, waited_s: float) -> NoReturn:
        explained = as_input_error(error, self.address.text, waited_s)
        if explained is None:
            raise error
        raise explained from error


class _Snapshot(Database):
    """A database that is read in one transaction of another one's."""

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__(database.address, database._engine, database._busy_timeout_s)
        self._connection = connection

    def _transact(self, engine: Engine, work: Callable[[Connection], Result]) -> Result:
        if engine is not self._engine:
            raise ValueError("a snapshot is read, not written")
        try:
            return work(self._connection)
        except DBAPIError as error:
            self._explain(error, 0.0)

    def close(self) -> None:
        """The transaction ends with its block."""


def open_database(
    source: Source, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Database:
    """Open a result database; a new one is made by running all migrations.

    Args:
        source: a file (SQLite), or ``postgresql://USER@HOST/NAME``.
        read_only: make nothing, change nothing.
        busy_timeout_s: how long a transaction waits for others.

    Raises:
        InputError: nothing there to read; a newer or older schema; not a result database;
            locked, damaged or out of reach. The database is left as it was.
    """
    database = _connect(source, read_only=read_only, busy_timeout_s=busy_timeout_s)
    try:
        found = database.read(schema.inspect_schema)
        if found.empty and not read_only:
            _migrate(database)
        else:
            schema.require_current(found, database.address.text)
        database.remember_file()
    except BaseException:
        database.close()
        raise
    return database


def copy_database(source: Source, target: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """Copy a result database of any schema into a new file, as it is at one moment.

    It may be in use meanwhile. The file appears whole or not at all.

    Raises:
        InputError: nothing there, not a result database, on a server, or ``target`` exists.
    """
    address = parse_address(source)
    if address.path is None:
        raise InputError(f"{address.text} is on a server: copy it with pg_dump")
    _check_path(address.path, read_only=True)
    if target.exists():
        raise InputError(f"{target} exists: name a new file")
    if not target.absolute().parent.is_dir():
        raise InputError(f"no folder {target.absolute().parent} for the copy: make it first")
    with _connect(source, read_only=True, busy_timeout_s=busy_timeout_s) as database:
        found = database.read(schema.inspect_schema)
        schema.refuse_unknown(found, address.text)
        if found.empty:
            raise InputError(f"no results in {address.text}: run `vosbench run` first")
        with replacing(target) as draft:

            def work(connection: Connection) -> None:
                # Not inside a transaction; what it reads is one state all the same.
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA query_only = OFF")  # it writes another file
                uri = f"file:{quote(str(draft.absolute()))}?mode=rwc"
                connection.exec_driver_sql("VACUUM INTO ?", (uri,))

            database.read(work)
            with closing(sqlite3.connect(draft)) as copy:
                copy.execute("PRAGMA journal_mode = WAL")


def upgrade_database(source: Source, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> str:
    """Bring an older database to this program's schema; returns the revision it had.

    Raises:
        InputError: nothing there, a newer schema, or not a result database.
    """
    address = parse_address(source)
    if address.path is not None and not address.path.exists():
        raise InputError(f"no database {address.text}: nothing to upgrade")
    with _connect(source, read_only=False, busy_timeout_s=busy_timeout_s) as database:
        found = database.read(schema.inspect_schema)
        schema.refuse_unknown(found, database.address.text)
        if found.revision != schema.REVISION:
            _migrate(database)
        return found.revision or "none"


def _connect(source: Source, *, read_only: bool, busy_timeout_s: float) -> Database:
    address = parse_address(source)
    if address.path is not None:
        _check_path(address.path, read_only=read_only)
    engine = connect(address, create=not read_only, busy_timeout_s=busy_timeout_s)
    return Database(address, engine, busy_timeout_s)


def _check_path(path: Path, *, read_only: bool) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # too long, not a name, not ours to see
        reason = getattr(error, "strerror", None) or "no file can have this name"
        raise InputError(f"{path}: {reason}: name another file with --db") from error
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it with --db")
    if read_only and not path.exists():
        raise InputError(f"no results in {path}: run `vosbench run` first")
    if not path.absolute().parent.is_dir():
        raise InputError(f"no folder {path.absolute().parent} for the database: make it first")


def _migrate(database: Database) -> None:
    """Make or upgrade the tables; whoever comes second finds them made."""
    if database.address.path is not None:
        _use_write_ahead_log(database)

    def work(connection: Connection) -> None:
        schema.lock_schema(connection)
        found = schema.inspect_schema(connection)
        schema.refuse_unknown(found, database.address.text)
        if found.revision != schema.REVISION:
            schema.migrate(connection)

    database.write(work)


def _use_write_ahead_log(database: Database) -> None:
    """Readers and the writer don't wait for each other; the file remembers this mode."""

    def work(connection: Connection) -> None:
        # The mode can't be changed inside a transaction.
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    database.read(work)
