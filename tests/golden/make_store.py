"""Writes the golden database of the schema as it is now: once for each new revision.

``python tests/golden/make_store.py`` makes ``store-REVISION.db`` beside this file.
"""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness" / "store"))

from store_samples import run, spec, train, training, worker  # noqa: E402

from vosbench.harness.store import Command, Storage, schema  # noqa: E402


def main() -> None:
    """Make a small database with a complete and a failed trial, and a training."""
    path = HERE / f"store-{schema.REVISION}.db"
    if path.exists():
        sys.exit(f"{path} exists: a released schema doesn't change")
    key = "ef" * 32
    somebody = replace(worker(), host="host", pid=1, process_started=None, environment_key=key)
    with Storage.open(path) as storage:
        storage.add_environment(key, "Some CPU", {"torch": "2.6.0"})
        study = storage.add_plan("golden", Command("vosbench run"), [spec("0.3"), spec("0.7")])
        complete = storage.claim(study, somebody)
        failed = storage.claim(study, somebody)
        assert complete is not None and failed is not None
        storage.annotate(complete.trials[0], {"temperature_c": 50.0})
        run(storage, complete.trials[0])
        storage.fail(failed.trials[0], "broken", "Traceback", deterministic=True)
        storage.add_checkpoint("ab" * 32, "random:0", "g-frtm-fast", {}, trained=False)
        train(storage.trainings, training(), replace(somebody, name="cpu"))
    # Small pages, no log: it goes into the repository.
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("journal_mode = DELETE", "page_size = 512"):
        connection.execute(f"PRAGMA {statement}")
    connection.execute("VACUUM")
    connection.close()


if __name__ == "__main__":
    main()
