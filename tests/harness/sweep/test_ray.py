"""Sweeps on a real Ray cluster of several nodes on this machine, one of which is killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="no Ray: pip install 'vosbench[ray]'")
sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from crash_databases import postgresql_server, postgresql_url  # noqa: E402, F401
from crash_plugin import HOLD  # noqa: E402
from crash_rounds import finished  # noqa: E402
from crash_sweep import Sweep, install_plugin, outcome, write_clips  # noqa: E402
from ray.cluster_utils import Cluster as LocalCluster  # noqa: E402
from sqlalchemy import select  # noqa: E402

from vosbench.baselines.errors import InputError  # noqa: E402
from vosbench.harness.interrupts import interruptible  # noqa: E402
from vosbench.harness.store import State, Storage  # noqa: E402
from vosbench.harness.store.models import Attempt, Trial  # noqa: E402
from vosbench.harness.sweep.events import Tally  # noqa: E402
from vosbench.harness.sweep.ray_cluster import (  # noqa: E402
    RayExecutor,
    check_reach,
    connected,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def sweep(tmp_path: Path, postgresql_url: str) -> Sweep:  # noqa: F811
    install_plugin(tmp_path / "plugin")
    return Sweep(postgresql_url, write_clips(tmp_path / "clips"), trials=10, workers=1)


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """No frame ends before this file is deleted."""
    file = tmp_path / "hold"
    file.touch()
    return file


@pytest.fixture
def cluster(sweep: Sweep, hold: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    """A head without CPUs; nodes are added by the test. Its workers know the dummy model."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv(HOLD, str(hold))
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    memory = 80 * 1024 * 1024
    started = LocalCluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": memory,
        },
    )
    yield started
    started.shutdown()


def running(storage: Storage) -> set[int]:
    query = select(Attempt.pid).where(Attempt.state == State.RUNNING)
    return set(storage.database.read(lambda c: c.scalars(query).all()))


def kill_in_the_middle(cluster: LocalCluster, node: Any, storage: Storage, hold: Path) -> None:
    """Kill ``node`` when both nodes hold a trial, and let the other go on.

    A worker outlives its killed node for a moment: no frame may end before it is gone.
    """
    until = time.monotonic() + 120
    while len(workers := running(storage)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)
    while all(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.02)
    hold.unlink()


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_sweep_survives_the_loss_of_a_node(
    cluster: LocalCluster, sweep: Sweep, hold: Path, tmp_path: Path
) -> None:
    node_args = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024}
    cluster.add_node(**node_args)
    doomed = cluster.add_node(**node_args)
    tally = Tally()
    with (
        Storage.open(sweep.db) as storage,
        connected(cluster.address, sweep.db, "cpu") as found,
    ):
        job = sweep.store(storage)
        assert found.slots(threads=1) == 2
        assert [device.gpus for device in found.devices()] == [0, 0]
        assert found.environment("float32", 1, None).stable.device_kind == "cpu"
        killer = threading.Thread(target=kill_in_the_middle, args=(cluster, doomed, storage, hold))
        killer.start()
        RayExecutor(storage, job, found, tally).run()
        killer.join()
        assert storage.integrity_check() == ()
        states = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
    assert sorted(states) == ["complete"] * 10 + ["stale"]
    calm = str(tmp_path / "calm.db")
    finished(Sweep(calm, sweep.clips, sweep.trials, workers=1))
    assert outcome(sweep.db) == outcome(calm)


def test_a_signal_at_the_driver_hands_back_what_the_nodes_hold(
    cluster: LocalCluster, sweep: Sweep
) -> None:
    cluster.add_node(num_cpus=2, object_store_memory=80 * 1024 * 1024)

    def send(storage: Storage) -> None:
        until = time.monotonic() + 120
        while len(running(storage)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    with (
        Storage.open(sweep.db) as storage,
        interruptible() as interrupts,
        connected(cluster.address, sweep.db, "cpu") as found,
    ):
        job = sweep.store(storage)
        sender = threading.Thread(target=send, args=(storage,))
        sender.start()
        with pytest.raises(KeyboardInterrupt):  # Ray makes one of ours a plain one
            RayExecutor(storage, job, found, Tally()).run()
        sender.join()
        assert interrupts.first == signal.SIGTERM
        states = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
        tries = storage.database.read(lambda c: c.scalars(select(Trial.tries)).all())
        assert set(states) == {State.WAITING}
        assert set(tries) == {0}
        assert storage.integrity_check() == ()


def test_other_machines_need_a_database_server() -> None:
    check_reach("results.db", ["10.0.0.1", "127.0.0.1"], "10.0.0.1")
    check_reach("postgresql://u@h/n", ["10.0.0.1", "10.0.0.2"], "10.0.0.1")
    with pytest.raises(InputError, match="the cluster has others"):
        check_reach("results.db", ["10.0.0.1", "10.0.0.2"], "10.0.0.1")


def test_no_cluster_there_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="no Ray cluster at"),
        connected("127.0.0.1:1", str(tmp_path / "r.db"), "cpu"),
    ):
        pass
