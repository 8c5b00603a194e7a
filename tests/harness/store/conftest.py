"""Databases to test on: a SQLite file, and a PostgreSQL server started from installed binaries."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from vosbench.harness.store import Storage


def _binaries() -> Path | None:
    """Folder of PostgreSQL's server programs: Debian's newest, else that on the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.insert(0, Path(on_path).resolve())
    return found[-1].parent if found else None


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: somebody else, or None for the user that we are."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    return user or pytest.skip("PostgreSQL doesn't run as root, and there is no other user")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server of our own on a Unix socket; its URL, without a database's name.

    Skips where the server's programs or the driver are missing.
    """
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'vosbench[postgres]'")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server programs: install the package postgresql")
    user = _server_user()
    # Not pytest's folder: a socket's path is limited to 107 bytes, and others can't enter it.
    folder = Path(tempfile.mkdtemp(prefix="vosbench-pg-"))
    if user is not None:
        shutil.chown(folder, user)

    def call(*command: str) -> None:
        # The server keeps an open pipe for as long as it lives: take no output from it.
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            subprocess.run(
                [str(binaries / command[0]), *command[1:]],
                check=True, cwd="/", user=user, stdout=log, stderr=log, timeout=60,
            )  # fmt: skip

    data = str(folder / "data")
    settings = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=120"
    try:
        call("initdb", "-D", data, "-U", "vosbench", "-A", "trust", "-E", "UTF8", "--no-sync")
        call("pg_ctl", "-D", data, "-w", "-o", settings, "start")
        try:
            yield f"postgresql+psycopg://vosbench@/{{name}}?host={folder}"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database."""
    name = f"t{uuid.uuid4().hex}"
    server = create_engine(postgresql_server.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql_server.format(name=name)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a database, once of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "results.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def storage(store_url: str) -> Iterator[Storage]:
    """An empty store, once of each kind."""
    with Storage.open(store_url, busy_timeout_s=60) as opened:
        yield opened


@pytest.fixture
def lapse() -> Callable[[Storage, float], None]:
    """``lapse(storage, 61)``: as if so many seconds had gone by since all signs of life."""

    def shift(storage: Storage, seconds: float) -> None:
        storage.database.write(
            lambda connection: connection.execute(
                text("UPDATE trial SET lease_until = lease_until - :seconds"),
                {"seconds": seconds},
            )
        )

    return shift
