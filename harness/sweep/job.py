"""What another process needs to work on a plan: small, picklable, and opened again there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.dataset import SelectedSequences
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.release import program_version
from vosbench.harness.store import FiledPlan, Storage, Worker
from vosbench.harness.sweep.events import Listener
from vosbench.harness.sweep.run_options import RunOptions
from vosbench.harness.sweep.scheduler import LocalExecutor
from vosbench.harness.sweep.timing_trials import TimingTrials
from vosbench.harness.trials import Kind

if TYPE_CHECKING:
    import torch

    from vosbench.harness.measure.environment import MachineEnvironment
    from vosbench.harness.sweep.plan import PlannedWeights


@dataclass(frozen=True)
class ClipsRef:
    """A selection of clips by name.

    Attributes:
        dataset: as it was asked for, with its argument.
        protocol: by which it is scored.
        root: its folder.
        sequences, max_frames: as in :class:`SelectedSequences`.
        manifest_sha256: what the selected frames hashed to when the study was planned.
    """

    dataset: str
    protocol: str
    root: str
    sequences: tuple[str, ...]
    max_frames: int | None
    manifest_sha256: str

    @classmethod
    def of(cls, selection: SelectedSequences) -> ClipsRef:
        """The name of ``selection``."""
        dataset = selection.dataset
        return cls(
            dataset.name,
            dataset.protocol.name,
            str(dataset.root.absolute()),
            selection.sequences,
            selection.max_frames,
            selection.manifest_sha256,
        )

    def open(self, *, verify: bool) -> SelectedSequences:
        """The selection; with ``verify``, its frames are hashed and compared.

        Raises:
            InputError: the data isn't there, or has other frames than were planned.
        """
        takes_root = bool(registry.factory(self.dataset).spec.root_name)
        root = Path(self.root) if takes_root else None
        opened = registry.open(self.dataset, root, self.protocol)
        selection = opened.select(self.sequences, self.max_frames)
        if verify and selection.manifest_sha256 != self.manifest_sha256:
            raise InputError(
                f"{self.dataset} in {opened.root} has other frames than where the study was "
                "planned: copy them from there, or put them on a folder that all machines share"
            )
        return selection


@dataclass(frozen=True)
class Job:
    """A plan, and how its trials are run.

    Attributes:
        db: address of the store.
        plan: whose trials they are.
        clips: the datasets of its trials.
        precision: arithmetic, for the record of the environment.
        threads: CPU threads of each worker.
        folder: working folder in which relative paths were given.
        weights_files: checkpoint files by the hash of their tensors.
        options: as the command says.
        busy_timeout_s: how long a worker waits for the database.
    """

    db: str
    plan: FiledPlan
    clips: tuple[ClipsRef, ...]
    precision: str = "float32"
    threads: int = 1
    folder: str = "."
    weights_files: Mapping[str, str] = field(default_factory=dict)
    options: RunOptions = RunOptions()
    busy_timeout_s: float = 30.0

    @contextmanager
    def executor(
        self, device_name: str, worker: str, tell: Listener, kind: Kind, *, verify: bool
    ) -> Iterator[LocalExecutor]:
        """This process's part of the work: trials of one kind, on one device.

        Args:
            device_name: ``cpu`` or ``cuda:N``.
            worker: how it signs its attempts.
            tell: who wants to know how far it is.
            kind: which trials it claims.
            verify: hash the clips first, where they may differ from the planned ones.
        """
        import torch

        torch.set_num_threads(self.threads)
        device = torch.device(device_name)
        clocks = self.options.locked_clocks
        environment = _environment(device_name, self.precision, clocks, self.threads)
        stable = environment.stable
        selections = opened(self.clips, verify=verify)
        with Storage.open(self.db, busy_timeout_s=self.busy_timeout_s) as storage:
            storage.add_environment(environment.key, stable.device_name, asdict(stable))
            yield self.executor_with(
                storage,
                selections=selections,
                environment=environment,
                device=device,
                worker=worker,
                tell=tell,
                kinds=(kind,),
            )

    def executor_with(
        self,
        storage: Storage,
        *,
        selections: Mapping[tuple[str, str], SelectedSequences],
        environment: MachineEnvironment,
        device: torch.device,
        worker: str,
        tell: Listener,
        kinds: tuple[Kind, ...] = tuple(Kind),
    ) -> LocalExecutor:
        """The work on one device of this process, with what it has opened already.

        Args:
            storage: where ``environment`` is filed.
            selections: as :func:`opened` gives them.
        """
        known = environment.notes
        notes = asdict(known) | {"large_blocks_kept": keep_large_blocks()}
        commit = known.git_commit or os.environ.get("VOSBENCH_COMMIT")
        version = program_version(commit, known.git_dirty)
        return LocalExecutor(
            storage=storage,
            plan=self.plan,
            selections=selections,
            worker=Worker.here(worker, environment_key=environment.key, version=version),
            device=device,
            tell=tell,
            timing=TimingTrials(storage, device, tell, self.options, notes=notes),
            notes=notes,
            kinds=kinds,
            weights_files=self.weights_files,
        )


def weights_files(planned: Iterable[PlannedWeights]) -> dict[str, str]:
    """:attr:`Job.weights_files`: those that were asked for by their file."""
    return {
        weights.info.sha256: str(Path(weights.asked).absolute())
        for weights in planned
        if weights.asked is not None and not weights.asked.startswith("random")
    }


def opened(clips: Iterable[ClipsRef], *, verify: bool) -> dict[tuple[str, str], SelectedSequences]:
    """The selections by (dataset, manifest hash), as the scheduler looks them up."""
    return {(ref.dataset, ref.manifest_sha256): _open(ref, verify) for ref in clips}


# A worker of a cluster runs one task after another: it looks at its machine and data once.
@lru_cache(maxsize=32)
def _open(ref: ClipsRef, verify: bool) -> SelectedSequences:
    return ref.open(verify=verify)


@lru_cache(maxsize=8)
def _environment(
    device_name: str, precision: str, locked_clocks: str | None, threads: int
) -> MachineEnvironment:
    """The environment; ``threads`` has been set, and is part of what is remembered."""
    import torch

    from vosbench.harness.measure.probe import read_environment

    assert torch.get_num_threads() == threads
    return read_environment(torch.device(device_name), precision, locked_clocks=locked_clocks)
