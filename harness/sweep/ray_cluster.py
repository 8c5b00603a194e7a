"""Trials on a Ray cluster: one group of trials per task, results through the database.

Tasks claim their group from the store, so nothing is lost with Ray's own state: a task whose
node dies leaves a lease that runs out, and the next task takes its trials.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.interrupts import reinstall
from vosbench.harness.measure.environment import MachineEnvironment
from vosbench.harness.store import Storage
from vosbench.harness.store.address import parse_address
from vosbench.harness.store.overview import Groups
from vosbench.harness.sweep.events import Advanced, Listener, told
from vosbench.harness.sweep.job import Job
from vosbench.harness.sweep.ray_tasks import (
    TaskReport,
    read_environment_task,
    run_group_task,
    run_timings_task,
)
from vosbench.harness.sweep.shipping import write_code
from vosbench.harness.trials import Kind

_POLL_S = 1.0
_CONNECT_S = 10.0
_GRACE_S = 10.0
_LOST_IN_A_ROW = 20
"""Tasks lost without one that ended, after which the cluster is given up."""


@dataclass(frozen=True)
class Device:
    """One device of a node: where a timing trial holds it alone.

    Attributes:
        node: Ray's id of the node.
        cpus: how many CPUs a task on it asks for: on a node without GPUs, all of them.
        gpus: 1, or 0 where the CPU is the device.
    """

    node: str
    cpus: float
    gpus: int


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        ray: the module.
        gpus: trials run on GPUs, one each; otherwise on CPUs.
    """

    ray: ModuleType
    gpus: bool

    @property
    def device_name(self) -> str:
        """The device as a task sees it: Ray shows it its own GPU only."""
        return "cuda:0" if self.gpus else "cpu"

    def nodes(self) -> tuple[dict[str, Any], ...]:
        """The nodes that are alive, as Ray describes them."""
        return tuple(node for node in self.ray.nodes() if node["Alive"])

    def slots(self, threads: int) -> int:
        """How many tasks run at once."""
        resource, each = ("GPU", 1) if self.gpus else ("CPU", threads)
        return sum(int(node["Resources"].get(resource, 0)) // each for node in self.nodes())

    def devices(self) -> tuple[Device, ...]:
        """Every device, one by one."""
        found = []
        for node in self.nodes():
            cpus = float(node["Resources"].get("CPU", 0))
            gpus = int(node["Resources"].get("GPU", 0))
            if self.gpus:
                found += [Device(node["NodeID"], max(1, cpus // gpus), 1) for _ in range(gpus)]
            elif cpus:
                found.append(Device(node["NodeID"], cpus, 0))
        return tuple(found)

    def environment(
        self, precision: str, threads: int, locked_clocks: str | None
    ) -> MachineEnvironment:
        """The environment of a worker: timings planned for it run on machines like it."""
        task = self.ray.remote(read_environment_task).options(
            num_cpus=threads, num_gpus=int(self.gpus)
        )
        found = self.ray.get(task.remote(self.device_name, precision, locked_clocks, threads))
        assert isinstance(found, MachineEnvironment)
        return found


@contextmanager
def connected(address: str | None, db: str, device: str) -> Iterator[Cluster]:
    """Connect to a cluster, and ship this program to it.

    Args:
        address: as ``ray.init`` takes it (``auto``, ``HOST:PORT``, ``ray://…``); None: where
            RAY_ADDRESS says, else a cluster of this machine alone, started here.
        db: the store that the nodes will write to.
        device: ``auto`` takes GPUs where there are any; ``cpu``, ``cuda``.

    Raises:
        InputError: no Ray, no cluster there, no such devices, or a store that the nodes can't
            reach.
    """
    ray = _import_ray()
    require_listener(address or os.environ.get("RAY_ADDRESS"))
    with tempfile.TemporaryDirectory(prefix="vosbench-code-") as folder:
        code = write_code(Path(folder))
        try:
            ray.init(
                address=address,
                runtime_env={"working_dir": str(code)},
                log_to_driver=False,
                logging_level="warning",
            )
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            line = str(error).strip().partition("\n")[0]
            raise InputError(
                f"no Ray cluster at {address or 'this machine'}: {line}; where it runs, see that "
                "RAY_AUTH_TOKEN is the same here and there"
            ) from error
        reinstall()
        try:
            total = ray.cluster_resources()
            gpus = device.startswith("cuda") or (device == "auto" and total.get("GPU", 0) >= 1)
            if gpus and total.get("GPU", 0) < 1:
                raise InputError(f"--device {device}: the Ray cluster has no GPUs: say cpu")
            cluster = Cluster(ray, gpus)
            check_reach(db, [node["NodeManagerAddress"] for node in cluster.nodes()], _own(ray))
            yield cluster
        finally:
            ray.shutdown()


def require_listener(address: str | None) -> None:
    """Raise InputError if nobody listens at ``HOST:PORT``: Ray would take minutes to say so."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # auto, local, or nothing
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster at {address}: {error.strerror or error}; `ray start --head` on the "
            "first node prints its address"
        ) from error


def check_reach(db: str, nodes: Sequence[str], own: str) -> None:
    """Raise InputError unless every node can write to the store.

    Args:
        db: the store's address.
        nodes: the nodes' network addresses.
        own: this machine's.
    """
    address = parse_address(db)
    others = sorted(set(nodes) - {own, "127.0.0.1"})
    if address.path is not None and others:
        raise InputError(
            f"{address.text} is a file of this machine, and the cluster has others "
            f"({', '.join(others[:3])}): give --db postgresql+psycopg://USER@HOST/NAME"
        )


@dataclass
class RayExecutor:
    """Works a plan off on a cluster.

    Attributes:
        storage: this process's view of the store.
        job: the work; its threads are the CPUs that a task asks for.
        cluster: where.
        tell: who wants to know, at the end of each task.
    """

    storage: Storage
    job: Job
    cluster: Cluster
    tell: Listener
    _lost: int = 0

    def run(self) -> None:
        """Accuracy trials in parallel, then timing trials, each alone on its device.

        Raises:
            InputError: what the user can mend; or task after task is lost.
        """
        self._run_accuracy()
        self._run_timings()

    def _run_accuracy(self) -> None:
        ray = self.cluster.ray
        task = ray.remote(run_group_task).options(
            num_cpus=self.job.threads, num_gpus=int(self.cluster.gpus), max_retries=0
        )
        tasks: list[Any] = []
        with self._ending(tasks):
            while (left := self._groups(Kind.ACCURACY)).all or tasks:
                self._take_back()
                slots = max(1, self.cluster.slots(self.job.threads))
                if left.waiting:
                    for _ in range(min(left.all, slots) - len(tasks)):
                        tasks.append(task.remote(self.job, self.cluster.device_name))
                tasks[:] = self._gather(tasks)

    def _run_timings(self) -> None:
        """One task per device; it takes trials until there is none for its kind of machine."""
        if not self._groups(Kind.TIMING).waiting:
            return
        ray = self.cluster.ray
        pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        tasks = [
            ray.remote(run_timings_task)
            .options(
                num_cpus=device.cpus,
                num_gpus=device.gpus,
                max_retries=0,
                scheduling_strategy=pinned(node_id=device.node, soft=False),
            )
            .remote(self.job, self.cluster.device_name)
            for device in self.cluster.devices()
        ]
        with self._ending(tasks):
            while tasks:
                self._take_back()
                tasks[:] = self._gather(tasks)

    @contextmanager
    def _ending(self, tasks: list[Any]) -> Iterator[None]:
        """Let tasks hand their trials back when this process is asked to end."""
        try:
            yield
        except BaseException:
            for task in tasks:
                self.cluster.ray.cancel(task, force=False)
            if tasks:
                self.cluster.ray.wait(tasks, num_returns=len(tasks), timeout=_GRACE_S)
            raise

    def _gather(self, tasks: list[Any]) -> list[Any]:
        """Take what ended; returns what still runs."""
        if not tasks:
            time.sleep(_POLL_S)  # another's trials, or those of a node that was lost: wait
            return tasks
        ended, running = self.cluster.ray.wait(tasks, num_returns=1, timeout=_POLL_S)
        for each in ended:
            report = self._result(each)
            if report is None:
                continue
            if not report.worked:
                time.sleep(_POLL_S)  # others were faster, or the rest is in work
            self.tell(Advanced(report.frames, walked=False))
            if report.stopped is not None:
                raise InputError(report.stopped)
        return list(running)

    def _result(self, ended: Any) -> TaskReport | None:
        """A task's report, or None if it was lost with its worker or node."""
        lost = self.cluster.ray.exceptions
        try:
            report = self.cluster.ray.get(ended)
        except (
            lost.WorkerCrashedError,
            lost.NodeDiedError,
            lost.OutOfMemoryError,
            lost.ObjectLostError,
            lost.TaskUnschedulableError,
        ) as error:
            self._lost += 1
            if self._lost >= _LOST_IN_A_ROW:
                line = str(error).strip().partition("\n")[0]
                raise InputError(f"{self._lost} Ray tasks in a row were lost: {line}") from error
            return None
        except lost.RuntimeEnvSetupError as error:
            raise InputError(f"the Ray cluster can't take this program: {error}") from error
        self._lost = 0
        assert isinstance(report, TaskReport)
        return report

    def _take_back(self) -> None:
        for event in told(self.storage.release_stale()):
            self.tell(event)

    def _groups(self, kind: Kind) -> Groups:
        return self.storage.open_groups(self.job.plan, kind)


def _import_ray() -> ModuleType:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError:
        raise InputError("--executor ray needs Ray: pip install 'vosbench[ray]'") from None
    module: ModuleType = ray
    return module


def _own(ray: ModuleType) -> str:
    own: str = ray.util.get_node_ip_address()
    return own
