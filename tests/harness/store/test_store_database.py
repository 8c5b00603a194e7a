"""Opening databases: new, missing, locked, full, foreign, older, newer; and upgrading them."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, text
from store_samples import clip, grid, spec, take

from vosbench.baselines.errors import InputError
from vosbench.harness.store import (
    Claim,
    Command,
    Storage,
    copy_database,
    open_database,
    results,
    schema,
    series,
    upgrade_database,
)
from vosbench.harness.store.address import parse_address
from vosbench.harness.store.database import DatabaseGoneError
from vosbench.harness.store.measured import read_run
from vosbench.harness.store.models import Base

GOLDEN = Path(__file__).resolve().parents[2] / "golden"

NOW = schema.REVISION
NEXT = f"{int(NOW) + 1:04d}"
NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{now}"


def upgrade() -> None:
    op.add_column("study", sa.Column("colour", sa.Text()))
    {then}
"""


def difference_from_models(database_url: str) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    with open_database(database_url) as database:
        return database.read(compare)


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program a release later: its next migration's file, still to be filled."""
    folder = tmp_path / "100% migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "REVISION", NEXT)
    return folder / "versions" / f"r{NEXT}_next.py"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# The schema


def test_the_revision_is_that_of_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)

    assert script.get_current_head() == schema.REVISION
    revisions = [each.revision for each in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)


def test_migrations_make_the_tables_of_the_models(store_url: str) -> None:
    Storage.open(store_url).close()
    assert difference_from_models(store_url) == []


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("store-*.db")), ids=lambda path: path.stem)
def test_a_golden_database_upgrades_to_the_models(golden: Path, tmp_path: Path) -> None:
    path = shutil.copy(golden, tmp_path / "results.db")

    assert upgrade_database(path) == golden.stem.removeprefix("store-")

    assert difference_from_models(str(path)) == []
    with Storage.open(path) as storage:
        assert storage.integrity_check() == ()
    frame = results(path)
    assert [str(tau) for tau in frame.tau] == ["0.3", "0.7"]
    assert list(frame.state) == ["complete", "failed"]
    assert frame.jf_mean[0] == 0.75
    assert series(path, "p_gate")[frame.key[0], "dog"].shape == (5, 2)


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("store-*.db")), ids=lambda path: path.stem)
def test_keys_of_old_trials_are_what_their_settings_hash_to(golden: Path, tmp_path: Path) -> None:
    """Else the same command would measure all of an old database again."""
    path = shutil.copy(golden, tmp_path / "results.db")
    connection = sqlite3.connect(path)
    written = [key for (key,) in connection.execute("SELECT key FROM trial ORDER BY id")]
    connection.close()
    upgrade_database(path)

    assert [trial.spec.key for trial in read_run(path).trials] == written
    assert len(set(written)) == 2


def test_there_is_a_golden_database_of_every_revision() -> None:
    revisions = {path.name[1:5] for path in schema.MIGRATIONS.glob("versions/r*.py")}
    assert {path.stem.removeprefix("store-") for path in GOLDEN.glob("store-*.db")} == revisions


def test_an_older_database_is_upgraded_on_request_only(
    store_url: str, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "REVISION", NOW)
        with Storage.open(store_url) as storage:
            storage.add_plan("s", Command("c"), grid(2))
    next_version.write_text(NEXT_REVISION.format(now=NOW, next=NEXT, then="pass"))

    for read_only in (True, False):
        with pytest.raises(
            InputError, match=rf"schema {NOW}, .*{NEXT}.*`vosbench db upgrade"
        ) as error:
            open_database(store_url, read_only=read_only)
        one_line(error)
    assert upgrade_database(store_url) == NOW
    assert upgrade_database(store_url) == NEXT

    with open_database(store_url) as database:
        rows = database.read(
            lambda connection: connection.execute(text("SELECT name, colour FROM study")).all()
        )
    assert [tuple(row) for row in rows] == [("s", None)]


def test_a_migration_that_breaks_leaves_the_database_as_it_was(
    store_url: str, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "REVISION", NOW)
        Storage.open(store_url).close()
        next_version.write_text(
            NEXT_REVISION.format(now=NOW, next=NEXT, then="raise OSError('power cut')")
        )
        with before.context() as after:
            after.setattr(schema, "REVISION", NEXT)
            with pytest.raises(OSError, match="power cut"):
                upgrade_database(store_url)
        assert difference_from_models(store_url) == []


def test_a_newer_database_is_refused(store_url: str) -> None:
    with Storage.open(store_url) as storage:
        storage.database.write(
            lambda connection: connection.execute(
                text("UPDATE alembic_version SET version_num = '0099'")
            )
        )
    for attempt in (open_database, upgrade_database, results):
        with pytest.raises(InputError, match="made by a newer vosbench") as error:
            attempt(store_url)
        assert one_line(error).endswith("upgrade vosbench")


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photo (id INTEGER)")
    other.close()
    before = path.read_bytes()

    for attempt in (open_database, upgrade_database, results):
        with pytest.raises(InputError, match="holds other tables"):
            attempt(path)
    assert path.read_bytes() == before


def test_many_may_open_a_new_database_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: Storage.open(store_url), range(8)))
    for storage in opened:
        storage.close()
    assert difference_from_models(store_url) == []


# What can't be used


def test_reading_a_missing_file_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with pytest.raises(InputError) as error:
        results(path)
    assert one_line(error) == f"no results in {path}: run `vosbench run` first"
    with pytest.raises(InputError, match="nothing to upgrade"):
        upgrade_database(path)
    assert list(tmp_path.iterdir()) == []


def test_reading_an_empty_database_makes_no_tables(store_url: str) -> None:
    if "://" not in store_url:
        Path(store_url).touch()
    with pytest.raises(InputError, match=r"no results in .*: run `vosbench run` first"):
        results(store_url)
    with pytest.raises(InputError, match="no results in"):
        results(store_url)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to have a header" * 100)
    before = path.read_bytes()
    for attempt in (open_database, upgrade_database, results):
        with pytest.raises(InputError, match="is not a result database"):
            attempt(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folders_and_their_absence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_database(tmp_path)
    with pytest.raises(InputError, match=r"no folder .*nowhere for the database"):
        open_database(tmp_path / "nowhere" / "results.db")


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    Storage.open(tmp_path / name).close()
    assert results(tmp_path / name).empty
    assert (tmp_path / name).is_file()


def test_reading_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.db"
    with Storage.open(path) as storage:
        storage.add_plan("s", Command("c"), [spec()])
    before = path.read_bytes()
    monkeypatch.setattr("os.access", lambda *_: False)

    assert len(results(path)) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_locked_database_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with Storage.open(path, busy_timeout_s=0.2) as storage:
        study = storage.add_plan("s", Command("c"), [spec()])
        with locked(path):
            with pytest.raises(InputError, match="is locked by another program") as error:
                storage.add_plan("t", Command("c"), [spec("0.9")])
            assert "run the same command again" in one_line(error)
            assert len(results(path)) == 1  # reading goes on
        take(storage, study)


def test_a_new_database_that_another_holds_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    path.touch()
    with locked(path), pytest.raises(InputError, match="is locked by another program"):
        open_database(path, busy_timeout_s=0.2)
    Storage.open(path).close()


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with Storage.open(path) as storage:
        study = storage.add_plan("s", Command("c"), [spec()])
        trial = take(storage, study)
        storage.record(trial, clip("dog"))

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", fill)
    try:
        with Storage.open(path) as full, pytest.raises(InputError, match="no space left") as error:
            full.add_plan("s", Command("c"), grid(200))
        one_line(error)
    finally:
        event.remove(Engine, "connect", fill)
    with Storage.open(path) as storage:
        assert len(storage.trials(study)) == 1
        assert set(storage.kept(trial)) == {"dog"}
        assert storage.integrity_check() == ()


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with Storage.open(path) as storage:
        storage.add_plan("s", Command("c"), grid(50))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(InputError, match="is damaged"):
        results(path)


def test_a_lost_connection_is_made_again(postgresql_url: str) -> None:
    fates = iter(["SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"])
    with Storage.open(postgresql_url) as storage:
        study = storage.add_plan("s", Command("c"), [spec()])
        storage.database.write(lambda connection: connection.execute(text(next(fates))))
        take(storage, study)
    assert next(fates, None) is None


def test_a_lock_on_a_server_is_one_line(postgresql_url: str) -> None:
    with Storage.open(postgresql_url) as storage:
        study = storage.add_plan("s", Command("c"), [spec()])
        trial = take(storage, study)

    def write_elsewhere(connection: Connection) -> None:
        connection.execute(text("UPDATE trial SET tries = tries"))
        with Storage.open(postgresql_url, busy_timeout_s=0.3) as storage:
            storage.record(trial, clip("dog"))

    with Storage.open(postgresql_url) as other:
        with pytest.raises(InputError, match=r"is too busy \(lock not available") as error:
            other.database.write(write_elsewhere)
        one_line(error)
        other.record(trial, clip("dog"))


# Copied, moved, linked


def test_a_copy_of_a_database_in_use_is_whole(tmp_path: Path) -> None:
    path, copy = tmp_path / "results.db", tmp_path / "a copy.db"
    with Storage.open(path) as storage:
        study = storage.add_plan("s", Command("c"), [spec(), spec("0.9")])
        trial = take(storage, study)
        storage.record(trial, clip("dog"))
        bare = shutil.copy(path, tmp_path / "bare.db")  # as `cp` does: what is in the log is lost
        copy_database(path, copy)
        storage.record(trial, clip("camel"))
    with Storage.open(copy) as copied:
        assert copied.integrity_check() == ()
        assert set(copied.kept(trial)) == {"dog"}
        assert len(copied.trials(study)) == 2
    with pytest.raises(InputError, match="copy that again with `vosbench db copy`"):
        results(bare)
    with pytest.raises(InputError, match="exists: name a new file"):
        copy_database(path, copy)
    with pytest.raises(InputError, match="no results in"):
        copy_database(tmp_path / "none.db", tmp_path / "other.db")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_database_that_goes_away_stops_the_next_write(tmp_path: Path, how: str) -> None:
    path, other = tmp_path / "results.db", tmp_path / "other.db"
    Storage.open(other).close()
    with Storage.open(path) as storage:
        study = storage.add_plan("s", Command("c"), [spec()])
        trial = take(storage, study)
        storage.record(trial, clip("dog"))
        if how == "deleted":
            path.unlink()
        elif how == "moved":
            path.rename(tmp_path / "moved.db")
        else:
            other.replace(path)
        for write in (
            lambda: storage.record(trial, clip("camel")),
            lambda: storage.heartbeat(Claim("g", (trial,))),
        ):
            with pytest.raises(DatabaseGoneError, match="was deleted, moved or replaced") as error:
                write()
            one_line(error)
    assert path.exists() == (how == "replaced")


def test_a_reader_through_a_link_sees_what_was_just_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to write, it opens a file that has no log as one that doesn't change."""
    folder = tmp_path / "data"
    folder.mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(folder / "results.db")
    with Storage.open(folder / "results.db") as storage:
        storage.add_plan("s", Command("c"), [spec()])
        monkeypatch.setattr("os.access", lambda *_: False)
        assert len(results(link)) == 1
        monkeypatch.undo()
        storage.add_plan("s", Command("c"), [spec("0.9")])
        monkeypatch.setattr("os.access", lambda *_: False)
        assert len(results(link)) == 2


# Addresses


@pytest.mark.parametrize("source", ["mysql://localhost/x", "sqlite://", "http://x", "://"])
def test_other_databases_are_refused(source: str) -> None:
    with pytest.raises(InputError, match="name a file or postgresql"):
        open_database(source)


def test_a_password_is_not_shown() -> None:
    address = parse_address("postgresql://me:secret@host/results")
    assert address.text == "postgresql+psycopg://me:***@host/results"


def test_a_server_out_of_reach_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=r"can't be reached: ") as error:
        open_database(f"postgresql://me:secret@/x?host={tmp_path}", busy_timeout_s=0.1)
    assert "secret" not in one_line(error)


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch isn't there to be imported"
)
def test_the_store_imports_no_torch() -> None:
    program = "import sys, vosbench.harness.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
