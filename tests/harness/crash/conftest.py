"""A sweep of the dummy model over a few tiny clips; and the databases of the store's tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from crash_databases import postgresql_server, postgresql_url, store_url  # noqa: F401
from crash_sweep import Sweep, install_plugin, write_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny clips, and the dummy registered."""
    install_plugin(tmp_path_factory.mktemp("plugin"))
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def sweep(clips: Path, tmp_path: Path) -> Sweep:
    """Six trials, one worker, a SQLite file."""
    return Sweep(str(tmp_path / "results.db"), clips, trials=6, workers=1)


@pytest.fixture(scope="session")
def undisturbed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of those six trials after a sweep in which nothing happened."""
    from crash_rounds import finished

    db = str(tmp_path_factory.mktemp("undisturbed") / "results.db")
    finished(Sweep(db, clips, trials=6, workers=1))
    return db
