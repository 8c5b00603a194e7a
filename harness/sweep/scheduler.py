"""Run a plan's trials on this machine: claim, evaluate clip by clip, store, go on.

Everything that survives a kill is in the store; this module holds nothing that can't be done
again from there.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from vosbench.baselines.errors import InputError, SurroundingsError
from vosbench.baselines.text import error_text
from vosbench.harness.datasets.dataset import Dataset, SelectedSequences
from vosbench.harness.evaluate.accuracy import Evaluation, SoloWalk, evaluate_clip
from vosbench.harness.evaluate.faults import RunnerFault
from vosbench.harness.evaluate.notes import remarks, unscored
from vosbench.harness.evaluate.summary import aggregate
from vosbench.harness.interrupts import check_interrupts, deferred
from vosbench.harness.measure.probe import peak_memory_mib
from vosbench.harness.metrics import TruthCache
from vosbench.harness.store import Claim, ClaimedTrial, FiledPlan, LostLease, Storage, Worker
from vosbench.harness.store.database import DatabaseGoneError
from vosbench.harness.sweep.events import Advanced, Began, Ended, Listener, told
from vosbench.harness.sweep.plan import options_of, policy_of
from vosbench.harness.trials import Kept, Kind, TrialSpec
from vosbench.runners.interface import ClipInfo, PolicyRunner, Precision, SharingRunner
from vosbench.runners.plugins import in_this_folder
from vosbench.runners.registry import resolve
from vosbench.runners.steered import steered

if TYPE_CHECKING:
    import torch

    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Runner, Walk

WALK_OBJECTS = 48
"""Most policies times objects in one walk: each may end in a branch with a memory of its own."""
_POLL_S = 1.0
_now_s = time.monotonic


class TimingEvaluator(Protocol):
    """Runs one timing trial; see :mod:`vosbench.harness.evaluate.timing`."""

    def __call__(
        self,
        trial: ClaimedTrial,
        runner: Runner,
        selection: SelectedSequences,
        go_on: Callable[[], None],
    ) -> None: ...


@dataclass
class _Held:
    """A claim as its heartbeat finds it: mostly in a thread of its own.

    Attributes:
        renew: gives the heartbeat; returns what was lost.
        lease_s: how long the claim lasts without one.
    """

    renew: Callable[[], frozenset[int]]
    lease_s: float
    lost: frozenset[int] = frozenset()
    stop: DatabaseGoneError | None = None
    _beat_at_s: float = field(default_factory=_now_s)

    def beat(self) -> None:
        """Renew the leases, and learn which are lost."""
        self._beat_at_s = _now_s()
        try:
            self.lost = self.renew()
        except DatabaseGoneError as error:
            self.stop = error
        except Exception:
            pass  # the next write finds out, in the worker's own thread

    def go_on(self, trials: Sequence[ClaimedTrial]) -> None:
        """Return if there is still a reason to work on these trials.

        Raises:
            Interrupted: the process was asked to end, and whoever was told kept it to himself.
            DatabaseGoneError: there is nowhere to store it.
            LostLease: all were taken away, as from a process that was suspended.
        """
        check_interrupts()
        if _now_s() - self._beat_at_s > self.lease_s:
            self.beat()  # the whole process was suspended, its heartbeat with it
        if self.stop is not None:
            raise self.stop
        if self.lost.issuperset(trial.id for trial in trials):
            raise LostLease("all trials of the walk were taken away")


@dataclass
class LocalExecutor:
    """One worker on one device.

    Attributes:
        plan: whose trials it claims.
        selections: the clips of each dataset, by (dataset's name, manifest hash).
        worker: how this process signs its attempts.
        tell: who wants to know how far it is.
        timing: times trials.
        notes: what the environment was like, kept with every attempt.
        kinds: which trials to claim.
        weights_files: checkpoint files by the hash of their tensors; a trial knows only a name.
    """

    storage: Storage
    plan: FiledPlan
    selections: Mapping[tuple[str, str], SelectedSequences]
    worker: Worker
    device: torch.device
    tell: Listener
    timing: TimingEvaluator
    notes: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = tuple(Kind)
    weights_files: Mapping[str, str] = field(default_factory=dict)
    _caches: dict[str, TruthCache] = field(default_factory=dict)

    def run(self, *, takes_back: bool = True) -> None:
        """Work until no trial of the plan is left for this worker.

        Args:
            takes_back: trials of lost workers too; otherwise somebody else does, who knows more.

        Raises:
            InputError: the database can't be written; its trials are handed back.
        """
        while True:
            if self.run_group(takes_back=takes_back):
                continue
            if not self.storage.progress(self.plan).running:
                return
            time.sleep(_POLL_S)  # another worker may still be lost, and leave us its trials

    def run_group(self, *, takes_back: bool = True) -> bool:
        """Claim the next group of trials and work on it; False if none is left to claim."""
        if takes_back:
            for event in told(self.storage.release_stale()):
                self.tell(event)
        with deferred() as resume:
            claim = self.storage.claim(self.plan, self.worker, kinds=self.kinds)
            if claim is not None:
                self._work(claim, resume)
        return claim is not None

    def _work(self, claim: Claim, resume: Callable[[], None]) -> None:
        with self._kept_alive(claim) as held:
            try:
                resume()  # from here on an interrupt finds what to hand back
                self._evaluate(claim.trials, held)
            except (KeyboardInterrupt, InputError):
                self._hand_back(claim.trials)
                raise

    def _hand_back(self, trials: Sequence[ClaimedTrial]) -> None:
        # Where the database doesn't answer, each try would wait in vain: the first one says so,
        # and the trials become stale when this process has ended.
        with suppress(InputError):
            for trial in trials:
                with suppress(LostLease):
                    self.storage.hand_back(trial)

    def _evaluate(self, trials: Sequence[ClaimedTrial], held: _Held) -> None:
        spec = trials[0].spec
        with self._failing(trials):
            runner = self._runner(spec)
            selection = self._selection(spec)
            if spec.kind is Kind.TIMING:
                for trial in trials:
                    steered = _steered(runner, trial.spec)
                    self.timing(trial, steered, selection, partial(held.go_on, (trial,)))
                return
            for trial in trials:
                with suppress(LostLease):
                    self.storage.annotate(trial, self.notes)
            self._walk_clips(trials, runner, selection, held)
            said = {"peak_memory_mib": peak_memory_mib(self.device), **unscored(selection)}
            for trial in trials:
                with suppress(LostLease):
                    clips = self.storage.recorded(trial.id, without=("labels",))
                    noted = {**self.notes, **said, **remarks(selection, clips)}
                    self.storage.annotate(trial, noted)
                    # Nothing new of one that was complete before.
                    numbers = {} if trial.is_complete else aggregate(selection.dataset, clips)
                    self.storage.complete(trial, numbers)

    def _runner(self, spec: TrialSpec) -> Runner:
        options = options_of(spec)
        file = self.weights_files.get(spec.weights_sha256)
        if file is not None:
            options = replace(options, weights=file)
        runner = resolve(spec.model).build(options)
        if runner.weights.sha256 != spec.weights_sha256:
            raise InputError(
                f"the weights {spec.weights} of {spec.model} changed since the study was planned: "
                "run the command again"
            )
        with in_this_folder():
            runner.load(self.device, Precision(spec.precision))
        return runner

    def _selection(self, spec: TrialSpec) -> SelectedSequences:
        found = self.selections.get((spec.dataset, spec.manifest_sha256))
        if found is None or found.dataset.protocol.name != spec.protocol:
            raise InputError(
                f"the frames of {spec.dataset}, scored by {spec.protocol}, are not those that were "
                "planned"
            )
        return found

    def _walk_clips(
        self,
        trials: Sequence[ClaimedTrial],
        runner: Runner,
        selection: SelectedSequences,
        held: _Held,
    ) -> None:
        kept = {trial.id: self.storage.kept(trial) for trial in trials}
        for name in selection.sequences:
            clip = selection.clip(name)
            before = {id_: found[name] for id_, found in kept.items() if name in found}
            left = [
                trial
                for trial in trials
                if trial.id not in before or not before[trial.id].covers(trial.extras)
            ]
            shares = isinstance(runner, SharingRunner)
            most = max(1, WALK_OBJECTS // len(clip.objects)) if shares else 1
            parts = [left[i : i + most] for i in range(0, len(left), most)]
            if not parts:
                self.tell(Advanced(len(clip), walked=False))
            for part in parts:
                how = self._how(part, clip, selection.dataset, before)
                self._walk(part, runner, clip, how, held)

    def _how(
        self,
        trials: Sequence[ClaimedTrial],
        clip: Clip,
        dataset: Dataset,
        before: Mapping[int, Kept],
    ) -> Evaluation:
        """All that any of the trials wants kept; traces are stored anew with what there was."""
        traced = {t for trial in trials for t in trial.extras.frames(len(clip))}
        if traced:
            traced |= {t for trial in trials if trial.id in before for t in before[trial.id].traced}
        cache = self._caches.setdefault(trials[0].spec.manifest_sha256, TruthCache())
        masks = any(trial.extras.masks for trial in trials)
        return Evaluation(dataset, self.device, cache, masks, frozenset(traced))

    def _walk(
        self,
        trials: Sequence[ClaimedTrial],
        runner: Runner,
        clip: Clip,
        how: Evaluation,
        held: _Held,
    ) -> None:
        held.go_on(trials)
        self.tell(Began(trials[0].spec, len(trials), clip.name))

        def begin(info: ClipInfo) -> Walk:
            policies = [policy_of(trial.spec) for trial in trials]
            decided = tuple(policy for policy in policies if policy is not None)
            if decided and isinstance(runner, PolicyRunner):
                return runner.walk(info, decided)
            return SoloWalk(runner, info)

        def on_frame() -> None:
            self.tell(Advanced())
            held.go_on(trials)

        specs = [resolve(trial.spec.model).spec for trial in trials]
        results = evaluate_clip(
            begin,
            len(trials),
            clip,
            how,
            on_frame,
            oracle=any(spec.needs_truth for spec in specs),
            early=all(spec.predicts_early for spec in specs),
        )
        for trial, result in zip(trials, results, strict=True):
            with suppress(LostLease):  # taken away: no business of ours any more
                self.storage.record(trial, result.keeping(trial.extras))
        self.tell(Ended())

    @contextmanager
    def _failing(self, trials: Sequence[ClaimedTrial]) -> Iterator[None]:
        """File whatever goes wrong with the trials it concerns, and let the sweep go on."""
        try:
            yield
        except SurroundingsError:
            raise  # the database is full, locked or away, the device busy: no fault of the trials
        except (InputError, RunnerFault) as error:
            self._fail(trials, str(error), None, deterministic=True)
        except LostLease:
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a plug-in raises must not end the sweep
            message = error_text(error)
            again = isinstance(error, MemoryError | OSError) or "out of memory" in message.lower()
            self._fail(trials, message, traceback.format_exc(), deterministic=not again)

    def _fail(
        self,
        trials: Sequence[ClaimedTrial],
        message: str,
        trace: str | None,
        *,
        deterministic: bool,
    ) -> None:
        for trial in trials:
            with suppress(LostLease):
                self.storage.fail(trial, message, trace, deterministic=deterministic)

    @contextmanager
    def _kept_alive(self, claim: Claim) -> Iterator[_Held]:
        """Renew the claim's leases from a thread until the work on it ends."""
        ended = threading.Event()
        lease_s = min(trial.lease_s for trial in claim.trials)
        held = _Held(partial(self.storage.heartbeat, claim), lease_s)

        def beat() -> None:
            while not ended.wait(lease_s / 4):
                held.beat()

        thread = threading.Thread(target=beat, name="vosbench-heartbeat", daemon=True)
        thread.start()
        try:
            yield held
        finally:
            ended.set()
            thread.join()


def _steered(runner: Runner, spec: TrialSpec) -> Runner:
    policy = policy_of(spec)
    if policy is None:
        return runner
    assert isinstance(runner, PolicyRunner), "a model that takes policies"
    return steered(runner, policy)
