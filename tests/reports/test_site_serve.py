"""The served site: it follows the database, writes nothing to it, and is this machine's alone."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from report_samples import World, aggregates, clip, spec

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Command, Selection, Storage, Worker, open_database
from vosbench.reports.site import Making, serve
from vosbench.reports.site.script import read_script
from vosbench.reports.site.serve import Served, serving


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Two trials that wait."""
    with Storage.open(tmp_path / "results.db") as storage:
        storage.add_plan("sweep", Command("vosbench run …"), [spec(tau="0.4"), spec(tau="0.7")])
    return tmp_path / "results.db"


@pytest.fixture
def served(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(serve, "_SHARE", 0.0)
    with (
        open_database(db, read_only=True) as database,
        serving(database, Selection(), Making(), port=0) as (found, _),
    ):
        yield found


def measure_one(db: Path) -> None:
    with Storage.open(db) as storage:
        claim = storage.claim(storage.study("sweep"), Worker.here("test"))
        assert claim is not None
        (trial,) = claim.trials
        clips = [clip(trial.spec, name, World(frames=4)) for name in trial.spec.sequences]
        for one in clips:
            storage.record(trial, one)
        storage.complete(trial, aggregates(clips))


def get(url: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def states(served: Served) -> dict[str, int]:
    data = read_script(served.newest() / "data" / "site.js")
    assert read_script(served.newest() / "data" / "live.js") == data["live"]
    found: dict[str, int] = data["summary"]["states"]
    return found


def test_it_is_remade_when_results_come_in(db: Path, served: Served) -> None:
    status, page = get(served.url, "/index.html")
    assert (status, b"<title>VOSBench" in page) == (200, True)
    assert states(served) == {"waiting": 2}
    before = get(served.url, "/data/live.js")
    assert served.remake() is None
    measure_one(db)
    newer = served.remake()
    assert newer is not None and newer.runs == 2
    assert states(served) == {"complete": 1, "waiting": 1}
    assert get(served.url, "/data/live.js") != before


def test_nothing_is_written_to_the_database(db: Path, served: Served) -> None:
    before = db.read_bytes()
    assert served.remake() is None
    get(served.url, "/")
    assert db.read_bytes() == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.0.1"])
def test_other_names_are_told_nothing(served: Served, host: str) -> None:
    status, text = get(served.url, "/data/site.js", Host=host)
    assert status == 403
    assert b"vosbenchData" not in text


def test_only_files_of_the_site_are_served(served: Served) -> None:
    assert urlsplit(served.url).hostname == "127.0.0.1"
    assert get(served.url, "/data/")[0] == 404
    assert get(served.url, "/../../results.db")[0] == 404
    assert get(served.url, "/data/site.js", Host="localhost")[0] == 200


def test_a_taken_port_is_said(db: Path, served: Served) -> None:
    port = urlsplit(served.url).port
    assert port is not None
    with (
        open_database(db, read_only=True) as database,
        pytest.raises(InputError, match=f"can't serve at port {port}"),
        serving(database, Selection(), Making(), port),
    ):
        pass


def test_a_snapshot_stays_as_it_was(db: Path) -> None:
    with open_database(db, read_only=True) as database, database.snapshot() as snapshot:
        before = serve.newest_change(snapshot)
        measure_one(db)
        assert serve.newest_change(snapshot) == before != serve.newest_change(database)
        with pytest.raises(ValueError, match="read, not written"):
            snapshot.write(lambda _: None)
