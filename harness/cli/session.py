"""One sitting of ``vosbench run``: this machine, its device, the database, and the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.progress import SweepProgress
from vosbench.harness.store import Command, FiledPlan, Storage, TrialRecord
from vosbench.harness.sweep.plan import Plan, Request, group_key
from vosbench.harness.sweep.run_options import RunOptions
from vosbench.harness.terminal import Terminal
from vosbench.harness.trials import TrialSpec
from vosbench.runners.registry import base_name

if TYPE_CHECKING:
    import torch

    from vosbench.harness.measure.environment import MachineEnvironment
    from vosbench.harness.sweep.job import Job
    from vosbench.harness.sweep.ray_cluster import Cluster


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


@dataclass(frozen=True)
class Session:
    """What stays the same while a command runs.

    Attributes:
        request: completed by this machine's comparability key.
        db: where results go.
        options: how trials are run.
        devices: where ``jobs`` processes run, in turn; default: all on ``device``.
        cluster: run there instead of here.
    """

    request: Request
    device: torch.device
    environment: MachineEnvironment
    db: str
    options: RunOptions = RunOptions()
    devices: tuple[str, ...] = ()
    cluster: Cluster | None = None

    @classmethod
    def begin(
        cls, request: Request, *, device: str, db: str, options: RunOptions = RunOptions()
    ) -> Session:
        """Choose the device, set the threads and read the environment."""
        import torch

        from vosbench.harness.measure.probe import read_environment

        chosen = choose_device(device)
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        environment = read_environment(
            chosen, request.precision, locked_clocks=options.locked_clocks
        )
        completed = replace(request, environment_key=environment.key)
        gpus = torch.cuda.device_count() if device == "auto" else 0
        devices = tuple(f"cuda:{index}" for index in range(gpus)) or (str(chosen),)
        return cls(completed, chosen, environment, db, options, devices)

    def on(self, cluster: Cluster) -> Session:
        """The same on a cluster, whose devices are what timings are planned for."""
        environment = cluster.environment(
            self.request.precision, self.options.threads or 1, self.options.locked_clocks
        )
        request = replace(self.request, environment_key=environment.key)
        return replace(self, request=request, environment=environment, cluster=cluster)

    def run(
        self, plan: Plan, study: str, command: str, console: Terminal
    ) -> tuple[TrialRecord, ...]:
        """File the plan and work it off; returns its trials as they stand then."""
        with Storage.open(self.db) as storage:
            filed = storage.add_plan(
                study,
                Command(command, str(Path.cwd()), self._cut() | self.options.values()),
                plan.specs,
                lambda spec: group_key(spec, self.options.lockstep),
            )
            self._file_provenance(storage, plan)
            left = [record for record in storage.trials(filed) if not record.is_done]
            if any(not record.is_given_up and record.origin is None for record in left):
                with SweepProgress(self._frames(left), console) as shown:
                    self._work(storage, plan, filed, shown)
            return storage.trials(filed)

    def _cut(self) -> dict[str, Any]:
        """Which part of which datasets, for the record."""
        return {
            "data": [
                {
                    "dataset": selection.dataset.name,
                    "root": str(selection.dataset.root.absolute()),
                    "sequences": list(selection.sequences),
                    "max_frames": selection.max_frames,
                }
                for selection in self.request.selections
            ]
        }

    def _work(self, storage: Storage, plan: Plan, filed: FiledPlan, shown: SweepProgress) -> None:
        job = self._job(plan, filed)
        if self.cluster is not None:
            from vosbench.harness.sweep.ray_cluster import RayExecutor

            RayExecutor(storage, job, self.cluster, shown).run()
            return
        jobs = self.options.jobs
        if jobs > 1:
            from vosbench.harness.sweep.processes import ProcessExecutor

            ProcessExecutor(job, self.devices, jobs, shown.of_worker).run()
        # Timing trials hold their device alone: here, one after another.
        selections = {(s.dataset.name, s.manifest_sha256): s for s in self.request.selections}
        job.executor_with(
            storage,
            selections=selections,
            environment=self.environment,
            device=self.device,
            worker=str(self.device),
            tell=shown,
        ).run()

    def _job(self, plan: Plan, filed: FiledPlan) -> Job:
        from vosbench.harness.sweep.job import ClipsRef, Job, weights_files

        return Job(
            db=self.db,
            plan=filed,
            clips=tuple(ClipsRef.of(selection) for selection in self.request.selections),
            precision=self.request.precision,
            threads=max(1, self.environment.stable.threads // self.options.jobs),
            folder=str(Path.cwd()),
            weights_files=weights_files(plan.weights),
            options=self.options,
        )

    def _file_provenance(self, storage: Storage, plan: Plan) -> None:
        stable = self.environment.stable
        storage.add_environment(self.environment.key, stable.device_name, vars(stable))
        for planned in plan.weights:
            info = planned.info
            storage.add_checkpoint(
                info.sha256,
                info.name,
                base_name(planned.model),
                dict(info.provenance) | {"note": info.note},
                trained=info.trained,
            )

    def _frames(self, left: Sequence[TrialRecord]) -> int:
        """Frames that have to be walked: a group's trials walk a clip once."""
        by_group: dict[str, TrialSpec] = {}
        for record in left:
            key = group_key(record.spec, self.options.lockstep)
            by_group.setdefault(key, record.spec)
        lengths = {
            (s.dataset.name, s.manifest_sha256): sum(len(clip) for clip in s.clips)
            for s in self.request.selections
        }
        return sum(
            lengths.get((spec.dataset, spec.manifest_sha256), 0) for spec in by_group.values()
        )
