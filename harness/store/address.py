"""Where a result database is: a file, or a PostgreSQL URL; and an engine for it."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from vosbench.baselines.errors import InputError

WRITES = "vosbench_writes"
"""Execution option of an engine whose transactions write."""


@dataclass(frozen=True)
class Address:
    """One of ``path`` (SQLite) and ``url`` (PostgreSQL).

    Attributes:
        text: how messages name it, without a password.
    """

    text: str
    path: Path | None = None
    url: URL | None = None


def parse_address(source: str | Path) -> Address:
    """Read a path, ``sqlite:///PATH`` or ``postgresql[+psycopg]://…``.

    Raises:
        InputError: a URL that names no such database.
    """
    if isinstance(source, Path) or "://" not in source:
        return Address(text=str(source), path=Path(source))
    try:
        url = make_url(source)
    except ArgumentError:
        raise InputError(
            f"{source!r} is not a database: name a file or postgresql://USER@HOST/NAME"
        ) from None
    if url.drivername in {"sqlite", "sqlite+pysqlite"} and url.database:
        return Address(text=url.database, path=Path(url.database))
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        url = url.set(drivername="postgresql+psycopg")
        return Address(text=url.render_as_string(hide_password=True), url=url)
    raise InputError(
        f"no database of kind {url.drivername!r}: name a file or postgresql://USER@HOST/NAME"
    )


def connect(address: Address, *, create: bool, busy_timeout_s: float) -> Engine:
    """An engine for ``address``; nothing is opened before its first use.

    Args:
        address: where the database is.
        create: a missing SQLite file may be made.
        busy_timeout_s: how long a statement waits for another's lock.

    Raises:
        InputError: PostgreSQL without its driver.
    """
    if address.path is not None:
        return _sqlite_engine(address.path, create=create, busy_timeout_s=busy_timeout_s)
    assert address.url is not None
    options: dict[str, str | int] = {"connect_timeout": 10}
    if "options" not in address.url.query:
        options["options"] = f"-c lock_timeout={1000 * busy_timeout_s:.0f}"
    try:
        return create_engine(
            address.url, pool_pre_ping=True, pool_size=4, max_overflow=60, connect_args=options
        )
    except ModuleNotFoundError:
        raise InputError("PostgreSQL needs its driver: pip install 'vosbench[postgres]'") from None


def _sqlite_engine(path: Path, *, create: bool, busy_timeout_s: float) -> Engine:
    path = path.resolve()  # SQLite's log lies beside the file, not beside a link to it
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{_open_options(path, create=create)}"

    def open_file() -> sqlite3.Connection:
        # isolation_level=None: transactions begin where `_begin` says, not at the first write.
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not create:
            connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine(
        "sqlite://", creator=open_file, poolclass=QueuePool, pool_size=4, max_overflow=60
    )
    event.listen(engine, "begin", _begin)
    return engine


def _open_options(path: Path, *, create: bool) -> str:
    if create:
        return "mode=rwc"
    if os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK):
        return "mode=rw"
    # A reader writes a shared index beside the log, which it may not do here. Without a log the
    # file is all there is, and nobody is writing to it.
    has_log = path.with_name(f"{path.name}-wal").exists()
    return "mode=ro" if has_log else "mode=ro&immutable=1"


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the writer's lock first: a transaction that reads, then writes, could
    # otherwise fail at once where it should wait.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
