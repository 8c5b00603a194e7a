"""From what a person asks for to the trials that answer it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.dataset import SelectedSequences
from vosbench.harness.sweep.interleave import interleaved
from vosbench.harness.trials import Kind, TrialSpec
from vosbench.runners.interface import RunnerOptions
from vosbench.runners.policies import default_tau2
from vosbench.runners.registry import Model, base_name, resolve

if TYPE_CHECKING:
    from vosbench.runners.interface import WeightsInfo
    from vosbench.runners.policy import GatePolicy


MOST_TRIALS = 100_000
"""Of one plan: more is a slip of the keyboard, which nobody waits for."""


@dataclass(frozen=True)
class Request:
    """What a person asks for; the grid is the product of everything that applies.

    Attributes:
        models: composed names (:mod:`vosbench.runners.registry`).
        selections: datasets, cut to the wanted clips.
        taus, tau2s: thresholds; models that take none run once.
        weights: as in :class:`RunnerOptions`; every model runs with each of them, and with what
            it ships if there are none.
        trained: checkpoint files of models that were trained for this, by the model's name
            without its policy; they take the place of ``weights``.
        interleave: repeats of timing trials take turns (:mod:`vosbench.harness.sweep.interleave`).
        environment_key: comparability key of this machine, for timing trials.
    """

    models: tuple[str, ...]
    selections: tuple[SelectedSequences, ...]
    taus: tuple[Decimal, ...] = ()
    tau2s: tuple[Decimal, ...] = ()
    weights: tuple[str, ...] = ()
    trained: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = (Kind.ACCURACY,)
    repeats: int = 1
    seed: int = 0
    precision: str = "float32"
    switches: Mapping[str, str] = field(default_factory=dict)
    interleave: bool = False
    environment_key: str | None = None


@dataclass(frozen=True)
class PlannedWeights:
    """What a model's parameters are, and how they were asked for; None for shipped ones."""

    model: str
    asked: str | None
    info: WeightsInfo


@dataclass(frozen=True)
class Plan:
    """The trials of a request, in the order in which they are run."""

    specs: tuple[TrialSpec, ...]
    weights: tuple[PlannedWeights, ...]


def make_plan(request: Request) -> Plan:
    """Look everything up, and lay out the grid.

    Raises:
        InputError: unknown names, thresholds that are missing or don't fit, weights of another
            architecture, damaged data, a grid without measure: all before anything is stored or
            run.
    """
    models = [resolve(name) for name in request.models]
    for model in models:
        if model.spec.takes_tau and not request.taus:
            raise InputError(f"{model.name} needs a threshold: give --tau, e.g. --tau 0.1:1.0:0.1")
    _check_size(models, request)
    weights = _weights(models, request)
    specs: list[TrialSpec] = []
    for selection in request.selections:
        _check_clips(selection, models)
        for model, planned in weights:
            base = _base_spec(model, selection, planned.info, request)
            grid = [s for tau in _taus(model, request) for s in _repeated(base, tau, request)]
            _check_grid(model, grid)
            specs += grid
    unique = tuple({spec.key: spec for spec in specs}.values())
    ordered = interleaved(unique) if request.interleave else unique
    return Plan(ordered, tuple(planned for _, planned in weights))


def group_key(spec: TrialSpec, lockstep: bool = True) -> str:
    """Accuracy trials of one key share a walk: they differ in their policy only.

    A model without policies shares nothing: its thresholds are its own affair.
    """
    if spec.kind is Kind.TIMING or not lockstep or spec.policy is None:
        return spec.key
    model = base_name(spec.model)
    alone = replace(spec, model=model, policy=None, tau=None, tau2=None)
    return hashlib.sha256(json.dumps([alone.key]).encode()).hexdigest()


def options_of(spec: TrialSpec) -> RunnerOptions:
    """The options from which a trial's runner is built again; a file's place isn't in it."""
    return RunnerOptions(
        weights=spec.weights if spec.weights.startswith("random:") else None,
        tau=spec.tau,
        seed=spec.seed,
        switches=spec.switches,
    )


def policy_of(spec: TrialSpec) -> GatePolicy | None:
    """The policy of a trial; None for a model without. Raises InputError where it can't be made."""
    return resolve(spec.model).decide_by(spec.tau, spec.tau2, spec.seed, spec.switches)


def _weights(models: Iterable[Model], request: Request) -> list[tuple[Model, PlannedWeights]]:
    """Each model with each of its weights; a network is built once, whatever its policies."""
    known: dict[tuple[int, str | None, str | None], WeightsInfo] = {}
    planned = []
    if request.weights and not any(model.spec.takes_weights for model in models):
        names = ", ".join(model.name for model in models)
        raise InputError(f"--weights {','.join(request.weights)}: {names} takes none: leave it out")
    for model in models:
        for asked in _asked(model, request):
            key = (id(model.factory), model.variant, asked)
            if key not in known:
                options = RunnerOptions(weights=asked, switches=request.switches)
                known[key] = model.build(options).weights
            planned.append((model, PlannedWeights(model.name, asked, known[key])))
    return planned


def _asked(model: Model, request: Request) -> tuple[str | None, ...]:
    """A model's weights, as they were asked for; None for those that it ships."""
    trained = request.trained.get(base_name(model.name), ())
    wanted = request.weights if model.spec.takes_weights else ()
    return trained or wanted or (None,)


def _check_size(models: Iterable[Model], request: Request) -> None:
    """Refuse a grid of more than :data:`MOST_TRIALS` before it is laid out."""
    per_setting = sum(request.repeats if k is Kind.TIMING else 1 for k in request.kinds)
    settings = 0
    for model in models:
        taus = len(request.taus) if model.spec.takes_tau else 1
        tau2s = max(1, len(request.tau2s)) if model.spec.takes_tau2 else 1
        settings += len(_asked(model, request)) * taus * tau2s
    trials = settings * per_setting * len(request.selections)
    if trials > MOST_TRIALS:
        raise InputError(
            f"{trials:,} trials, and {MOST_TRIALS:,} are the most of one command (models × weights "
            "× thresholds × datasets × repeats): take fewer values, e.g. a larger step of --tau"
        )


def _check_clips(selection: SelectedSequences, models: Iterable[Model]) -> None:
    for clip in selection.clips:
        if not clip.objects:
            raise InputError(f"sequence {clip.name} has no object to track: leave it out")
        for model in models:
            if model.spec.needs_truth and len(clip.annotation_paths) < len(clip):
                raise InputError(
                    f"{model.name} decides by annotated masks, and {clip.name} has them for "
                    f"{len(clip.annotation_paths)} of {len(clip)} frames: use a fully annotated set"
                )
            if not model.spec.multi_object and len(clip.objects) > 1:
                raise InputError(f"{model.name} tracks one object, {clip.name} has several")


def _check_grid(model: Model, grid: Sequence[TrialSpec]) -> None:
    """Refuse what no run could do: no setting at all, or a policy that can't be made."""
    if not grid:
        raise InputError(f"{model.name} copies above τ₂ and reuses above τ: give a --tau2 ≥ --tau")
    for spec in grid:
        policy_of(spec)


def _base_spec(
    model: Model, selection: SelectedSequences, weights: WeightsInfo, request: Request
) -> TrialSpec:
    spec = model.spec
    return TrialSpec(
        model=model.name,
        runner_version=spec.version,
        weights=weights.name,
        weights_sha256=weights.sha256,
        trained=weights.trained,
        dataset=selection.dataset.name,
        protocol=selection.dataset.protocol.name,
        manifest_sha256=selection.manifest_sha256,
        sequences=selection.sequences,
        max_frames=selection.max_frames,
        policy=model.policy,
        margins=weights.margins,
        seed=request.seed,
        precision=request.precision,
        switches=request.switches,
    )


def _taus(model: Model, request: Request) -> Iterator[tuple[Decimal | None, Decimal | None]]:
    if not model.spec.takes_tau:
        yield None, None
        return
    for tau in request.taus:
        if not model.spec.takes_tau2:
            yield tau, None
            continue
        for tau2 in request.tau2s or (default_tau2(tau),):
            if tau2 >= tau:
                yield tau, tau2


def _repeated(
    base: TrialSpec, taus: tuple[Decimal | None, Decimal | None], request: Request
) -> Sequence[TrialSpec]:
    spec = replace(base, tau=taus[0], tau2=taus[1])
    found = []
    for kind in request.kinds:
        timed = kind is Kind.TIMING
        for repeat in range(request.repeats if timed else 1):
            key = request.environment_key if timed else None
            found.append(replace(spec, kind=kind, repeat=repeat, environment_key=key))
    return found
