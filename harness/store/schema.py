"""Which schema a database has, and bringing it to the one this program knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from vosbench.baselines.errors import InputError

REVISION = "0003"
"""The newest migration; revisions are numbers of four digits that only grow."""

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
_SCHEMA_LOCK = 0x766F7362


@dataclass(frozen=True)
class Found:
    """What a database holds: a revision, or none; and whether there are any tables."""

    revision: str | None
    empty: bool


def inspect_schema(connection: Connection) -> Found:
    """Look, changing nothing."""
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE not in tables:
        return Found(revision=None, empty=not tables)
    row = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).first()
    return Found(revision=None if row is None else str(row[0]), empty=False)


def refuse_unknown(found: Found, place: str) -> None:
    """Raise ``InputError`` unless the schema is empty, older, or this program's."""
    if found.empty or (found.revision is not None and found.revision <= REVISION):
        return
    if found.revision is None:
        raise InputError(f"{place} holds other tables than results: name another database")
    raise InputError(
        f"{place} was made by a newer vosbench (schema {found.revision}, this one knows "
        f"{REVISION}): upgrade vosbench"
    )


def require_current(found: Found, place: str) -> None:
    """Raise ``InputError`` unless the schema is this program's."""
    refuse_unknown(found, place)
    if found.empty:
        raise InputError(
            f"no results in {place}: run `vosbench run` first (if it is a copy of a database in "
            "use, copy that again with `vosbench db copy`)"
        )
    if found.revision != REVISION:
        raise InputError(
            f"{place} was made by an older vosbench (schema {found.revision}, this one needs "
            f"{REVISION}): run `vosbench db upgrade --db {place}` "
            "(`vosbench db copy` keeps a copy)"
        )


def lock_schema(connection: Connection) -> None:
    """Hold off others who would migrate; SQLite's writer does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))


def migrate(connection: Connection) -> None:
    """Run the missing migrations inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
