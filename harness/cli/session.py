"""One sitting of ``vosbench run``: this machine, its device, the database, and the work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.progress import SweepProgress
from vosbench.harness.store import State, Storage
from vosbench.harness.sweep.interleave import is_in_order
from vosbench.harness.sweep.plan import Plan, Request, group_key
from vosbench.harness.sweep.trials import TrialSpec
from vosbench.harness.text.terminal import Terminal

if TYPE_CHECKING:
    import torch

    from vosbench.harness.measure.environment import Environment
    from vosbench.harness.sweep.executors.job import Job
    from vosbench.harness.sweep.executors.ray_cluster import Cluster


def choose_device(name: str) -> torch.device:
    """``auto`` takes the first GPU, or the CPU; raises InputError for what isn't there."""
    import torch

    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"--device {name}: write auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        index = device.index or 0
        if index >= count:
            raise InputError(f"--device {name}: this machine has {count} CUDA devices")
        return torch.device("cuda", index)
    if device.type != "cpu":
        raise InputError(f"--device {name}: only cpu and cuda devices are timed and tested")
    return device


def _require_order(storage: Storage, plan: Plan, study_id: int, study: str) -> None:
    """Work is handed out in a study's order, which an earlier command may have set."""
    left = [r.spec.key for r in storage.trials(study_id) if r.state is not State.COMPLETE]
    if not is_in_order(left, [spec.key for spec in plan.specs]):
        raise InputError(
            f"study {study} has these trials in another order already: give another --study"
        )


def _complete(storage: Storage, study_id: int) -> set[str]:
    records = storage.trials(study_id)
    return {record.spec.key for record in records if record.state is State.COMPLETE}


@dataclass(frozen=True)
class Session:
    """What stays the same while a command runs.

    Attributes:
        request: completed by this machine's comparability key.
        db: where results go.
        devices: where ``jobs`` processes run, in turn; default: all on ``device``.
        cluster: run there instead of here.
    """

    request: Request
    device: torch.device
    environment: Environment
    db: str
    allow_busy: bool = False
    breakdown: bool = True
    traced: range = range(0)
    locked_clocks: str | None = None
    devices: tuple[str, ...] = ()
    cluster: Cluster | None = None

    @classmethod
    def begin(
        cls,
        request: Request,
        *,
        device: str,
        threads: int | None,
        db: str,
        allow_busy: bool = False,
        breakdown: bool = True,
        locked_clocks: str | None = None,
    ) -> Session:
        """Choose the device, set the threads and read the environment."""
        import torch

        from vosbench.harness.measure.probe import read_environment

        chosen = choose_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        environment = read_environment(chosen, request.precision, locked_clocks=locked_clocks)
        completed = replace(request, environment_key=environment.key)
        gpus = torch.cuda.device_count() if device == "auto" else 0
        return cls(
            completed,
            chosen,
            environment,
            db,
            allow_busy,
            breakdown,
            locked_clocks=locked_clocks,
            devices=tuple(f"cuda:{index}" for index in range(gpus)) or (str(chosen),),
        )

    def on(self, cluster: Cluster, threads: int) -> Session:
        """The same on a cluster, whose devices are what timings are planned for."""
        environment = cluster.environment(self.request.precision, threads, self.locked_clocks)
        request = replace(self.request, environment_key=environment.key)
        return replace(self, request=request, environment=environment, cluster=cluster)

    def run(
        self,
        plan: Plan,
        study: str,
        command: str,
        console: Terminal,
        *,
        lockstep: bool = True,
        keep_masks: bool = False,
        jobs: int = 1,
    ) -> int:
        """Store the plan and work it off; returns how many of its trials are not complete."""
        with Storage.open(self.db) as storage:
            study_id = storage.add_study(
                study, command, plan.specs, lambda spec: group_key(spec, lockstep)
            )
            if self.request.interleave:
                _require_order(storage, plan, study_id, study)
            self._file_provenance(storage, plan)
            left = {spec.key for spec in plan.specs} - _complete(storage, study_id)
            if not left:
                return 0
            with SweepProgress(self._frames_left(storage, study_id, lockstep), console) as shown:
                self._work(storage, plan, study_id, shown, keep_masks=keep_masks, jobs=jobs)
            for spec, message in shown.failures:
                at = "" if spec.tau is None else f" at τ={spec.tau}"
                console.say(f"failed: {spec.model}{at} on {spec.dataset}: {message}")
            return len(left - _complete(storage, study_id))

    def _work(
        self,
        storage: Storage,
        plan: Plan,
        study_id: int,
        shown: SweepProgress,
        *,
        keep_masks: bool,
        jobs: int,
    ) -> None:
        job = self._job(plan, study_id, keep_masks, jobs)
        if self.cluster is not None:
            from vosbench.harness.sweep.executors.ray_cluster import RayExecutor

            RayExecutor(storage, job, self.cluster, shown).run()
            return
        if jobs > 1:
            from vosbench.harness.sweep.executors.processes import ProcessExecutor

            ProcessExecutor(job, self.devices, jobs, shown.of_worker).run()
        # Timing trials hold their device alone: here, one after another.
        selections = {(s.dataset.name, s.manifest_sha256): s for s in self.request.selections}
        job.executor_with(
            storage,
            selections=selections,
            environment=self.environment,
            device=self.device,
            worker=str(self.device),
            progress=shown,
        ).run()

    def _job(self, plan: Plan, study_id: int, keep_masks: bool, jobs: int) -> Job:
        from vosbench.harness.sweep.executors.job import ClipsRef, Job, weights_files

        return Job(
            db=self.db,
            study=study_id,
            clips=tuple(ClipsRef.of(selection) for selection in self.request.selections),
            precision=self.request.precision,
            threads=max(1, self.environment.stable.threads // jobs),
            folder=str(Path.cwd()),
            weights_files=weights_files(plan.weights),
            keep_masks=keep_masks,
            traced=self.traced,
            breakdown=self.breakdown,
            allow_busy=self.allow_busy,
            locked_clocks=self.locked_clocks,
        )

    def _file_provenance(self, storage: Storage, plan: Plan) -> None:
        stable = self.environment.stable
        storage.add_environment(self.environment.key, stable.device_name, vars(stable))
        for planned in plan.weights:
            info = planned.info
            storage.add_checkpoint(
                info.sha256,
                info.name,
                planned.model.partition("+")[0],
                dict(info.provenance) | {"note": info.note},
                trained=info.trained,
            )

    def _frames_left(self, storage: Storage, study_id: int, lockstep: bool) -> int:
        """Frames that have to be walked: a group's trials walk a clip once."""
        by_group: dict[str, TrialSpec] = {}
        for record in storage.trials(study_id):
            if record.state is not State.COMPLETE:
                by_group.setdefault(group_key(record.spec, lockstep), record.spec)
        lengths = {
            (s.dataset.name, s.manifest_sha256): sum(len(clip) for clip in s.clips)
            for s in self.request.selections
        }
        return sum(
            lengths.get((spec.dataset, spec.manifest_sha256), 0) for spec in by_group.values()
        )
