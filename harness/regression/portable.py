"""A run's results as one small JSON file: for pipelines that have no database at hand."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.baselines.files import read_text
from vosbench.baselines.parsing import parse_json
from vosbench.baselines.records import record
from vosbench.harness.store import State
from vosbench.harness.store.measured import ENDED, Machine, MeasuredTrial, Run
from vosbench.harness.trials import ClipResult, TrialSpec

FORMAT = "vosbench-results"
SCHEMA = 1
"""Raised with every change that an older program would misread."""


@dataclass(frozen=True)
class _Head:
    format: str
    schema: int


@dataclass(frozen=True)
class _Object:
    id: int
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class _Sequence:
    sequence: str
    frames: int
    mask_sha256: str
    metrics: Mapping[str, float | None]
    objects: tuple[_Object, ...]

    def result(self) -> ClipResult:
        metrics = {each.id: _numbers(each.metrics) for each in self.objects}
        return ClipResult(
            sequence=self.sequence,
            object_ids=tuple(sorted(metrics)),
            frames=self.frames,
            mask_sha256=self.mask_sha256,
            metrics=_numbers(self.metrics),
            object_metrics=metrics,
            series={},
        )


@dataclass(frozen=True)
class _Trial:
    spec: TrialSpec
    state: State
    error: str | None
    version: str | None
    started_at: float | None
    machine: str | None
    aggregates: Mapping[str, float | None]
    clips: tuple[_Sequence, ...]


@dataclass(frozen=True)
class _Saved:
    machines: tuple[Machine, ...]
    trials: tuple[_Trial, ...]


def save_run(run: Run, path: Path, by: str = "") -> None:
    """Write a run's ended trials with their scalars; arrays (series) stay behind.

    The file appears whole or not at all, and equal runs give equal bytes. It is a bundle too
    (:mod:`vosbench.harness.regression.bundles`).

    Args:
        by: whose results they are, for those who import them.

    Raises:
        InputError: nothing to save, or the file can't be written.
    """
    if not any(trial.state is State.COMPLETE for trial in run.trials):
        raise InputError(f"no complete trial in {run.source}: nothing to save in {path}")
    values = _run_values(run) | {"by": by}
    text = json.dumps(
        values | {"sha256": content_sha256(values)},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    try:
        with replacing(path) as draft:
            draft.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}") from error


def load_run(path: Path) -> Run:
    """Read what :func:`save_run` wrote.

    Raises:
        InputError: no such file, another format, a newer schema, or a field that is missing,
            of a wrong type or inconsistent; the message names it.
    """
    values = parse_json(read_text(path, "a saved run"), str(path))
    try:
        return run_of(values, path)
    except InputError as error:
        raise InputError(f"{error}; save it again with --save") from error


def _run_values(run: Run) -> dict[str, Any]:
    machines = {t.machine.key: t.machine for t in run.trials if t.machine is not None}
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "source": run.source,
        "machines": [
            {"key": machine.key, "device": machine.device, "stable": dict(machine.stable)}
            for _, machine in sorted(machines.items())
        ],
        "trials": [_trial_values(trial) for trial in run.trials],
    }


def _trial_values(trial: MeasuredTrial) -> dict[str, Any]:
    return {
        "spec": _spec_values(trial.spec),
        "key": trial.spec.key,
        "state": trial.state.value,
        "error": trial.error,
        "version": trial.version,
        "started_at": trial.started_at,
        "machine": None if trial.machine is None else trial.machine.key,
        "aggregates": _scalars(trial.aggregates),
        "clips": [
            {
                "sequence": clip.sequence,
                "frames": clip.frames,
                "mask_sha256": clip.mask_sha256,
                "metrics": _scalars(clip.metrics),
                "objects": [
                    {"id": number, "metrics": _scalars(clip.object_metrics.get(number, {}))}
                    for number in clip.object_ids
                ],
            }
            for clip in trial.clips
        ],
    }


def _spec_values(spec: TrialSpec) -> dict[str, Any]:
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    values["sequences"] = list(spec.sequences)
    values["switches"] = dict(sorted(spec.switches.items()))
    values["kind"] = spec.kind.value
    for name in ("tau", "tau2"):
        values[name] = None if values[name] is None else str(values[name])
    return values


def _scalars(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows no NaN: what isn't known is null."""
    return {
        name: float(value) if math.isfinite(value) else None
        for name, value in sorted(values.items())
    }


def _numbers(values: Mapping[str, float | None]) -> Mapping[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def content_sha256(values: Mapping[str, Any]) -> str:
    """Hash over all of a file but its field ``sha256``, however it is laid out."""
    content = {name: value for name, value in values.items() if name != "sha256"}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def run_of(values: object, path: Path) -> Run:
    """The run that a file's values are; raises InputError as :func:`load_run` does."""
    head = record(_Head, values, str(path), whole=True)
    if head.format != FORMAT:
        raise InputError(f"{path}: its format is {head.format!r}, not {FORMAT!r}")
    if head.schema != SCHEMA:
        raise InputError(f"{path}: schema {head.schema}, this program reads {SCHEMA}")
    saved = record(_Saved, values, str(path), whole=True)
    machines = {machine.key: machine for machine in saved.machines}
    trials = (
        _trial(trial, machines, f"{path}: trials[{index}]")
        for index, trial in enumerate(saved.trials)
    )
    return Run(str(path), tuple(trials))


def _trial(trial: _Trial, machines: Mapping[str, Machine], place: str) -> MeasuredTrial:
    if trial.state not in ENDED:
        raise InputError(f"{place}: state is '{trial.state}'; it must be one of {', '.join(ENDED)}")
    if trial.machine is not None and trial.machine not in machines:
        raise InputError(f"{place} names machine {trial.machine!r}, which isn't in machines")
    counts = [("spec: seed", trial.spec.seed), ("spec: repeat", trial.spec.repeat)]
    counts += [(f"frames of {each.sequence}", each.frames) for each in trial.clips]
    for name, count in counts:
        if count < 0:
            raise InputError(f"{place}: {name} is {count}, below 0")
    clips = tuple(each.result() for each in trial.clips)
    is_complete = trial.state is State.COMPLETE
    if is_complete and sorted(c.sequence for c in clips) != sorted(trial.spec.sequences):
        raise InputError(f"{place} is complete, but its results aren't of its spec's sequences")
    return MeasuredTrial(
        spec=trial.spec,
        state=trial.state,
        error=trial.error,
        version=trial.version,
        started_at=trial.started_at,
        machine=None if trial.machine is None else machines[trial.machine],
        aggregates=_numbers(trial.aggregates),
        clips=clips,
    )
