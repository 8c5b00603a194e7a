"""A run's results as one small JSON file: for pipelines that have no database at hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.baselines.files import read_text
from vosbench.baselines.parsing import parse_json
from vosbench.harness.regression.fields import FieldError, Fields
from vosbench.harness.store import State
from vosbench.harness.store.measured import ENDED, Machine, MeasuredTrial, Run
from vosbench.harness.trials import ClipResult, Kind, TrialSpec

FORMAT = "vosbench-results"
SCHEMA = 1
"""Raised with every change that an older program would misread."""


def save_run(run: Run, path: Path) -> None:
    """Write a run's ended trials with their scalars; arrays (series) stay behind.

    The file appears whole or not at all, and equal runs give equal bytes.

    Raises:
        InputError: nothing to save, or the file can't be written.
    """
    if not any(trial.state is State.COMPLETE for trial in run.trials):
        raise InputError(f"no complete trial in {run.source}: nothing to save in {path}")
    text = json.dumps(_run_values(run), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
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
        return _run(Fields.of(values, "the file"), path)
    except FieldError as error:
        raise InputError(f"{path}: {error}; save it again with --save") from error


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


def _run(values: Fields, path: Path) -> Run:
    if values.text("format") != FORMAT:
        raise FieldError(f"its format is {values.text('format')!r}, not {FORMAT!r}")
    schema = values.whole("schema")
    if schema != SCHEMA:
        raise FieldError(f"schema {schema}, this program reads {SCHEMA}")
    machines = {}
    for item in values.items("machines"):
        machine = Machine(item.text("key"), item.text("device"), item.mapping("stable"))
        machines[machine.key] = machine
    trials = tuple(_trial(item, machines) for item in values.items("trials"))
    return Run(str(path), trials)


def _trial(values: Fields, machines: Mapping[str, Machine]) -> MeasuredTrial:
    spec = _spec(values.inner("spec"))
    state = values.one_of("state", [state.value for state in ENDED])
    key = values.text_or_none("machine")
    if key is not None and key not in machines:
        raise FieldError(f"{values.where} names machine {key!r}, which isn't in `machines`")
    clips = tuple(_clip(item) for item in values.items("clips"))
    is_complete = state == State.COMPLETE.value
    if is_complete and sorted(clip.sequence for clip in clips) != sorted(spec.sequences):
        raise FieldError(f"{values.where} is complete, but its clips aren't its spec's sequences")
    return MeasuredTrial(
        spec=spec,
        state=State(state),
        error=values.text_or_none("error"),
        version=values.text_or_none("version"),
        started_at=values.number_or_none("started_at"),
        machine=None if key is None else machines[key],
        aggregates=values.scalars("aggregates"),
        clips=clips,
    )


def _clip(values: Fields) -> ClipResult:
    objects = {item.whole("id"): item.scalars("metrics") for item in values.items("objects")}
    return ClipResult(
        sequence=values.text("sequence"),
        object_ids=tuple(sorted(objects)),
        frames=values.whole("frames"),
        mask_sha256=values.text("mask_sha256"),
        metrics=values.scalars("metrics"),
        object_metrics=objects,
        series={},
    )


def _spec(values: Fields) -> TrialSpec:
    def decimal(name: str) -> Decimal | None:
        text = values.text_or_none(name)
        return None if text is None else values.decimal(name)

    return TrialSpec(
        model=values.text("model"),
        runner_version=values.text("runner_version"),
        weights=values.text("weights"),
        weights_sha256=values.text("weights_sha256"),
        trained=values.truth("trained"),
        dataset=values.text("dataset"),
        protocol=values.text("protocol"),
        manifest_sha256=values.text("manifest_sha256"),
        sequences=values.texts("sequences"),
        max_frames=values.whole_or_none("max_frames"),
        policy=values.text_or_none("policy"),
        tau=decimal("tau"),
        tau2=decimal("tau2"),
        margins=values.text_or_none("margins"),
        seed=values.whole("seed"),
        precision=values.text("precision"),
        input_size=values.text_or_none("input_size"),
        kind=Kind(values.one_of("kind", [kind.value for kind in Kind])),
        repeat=values.whole("repeat"),
        switches=values.text_mapping("switches"),
        environment_key=values.text_or_none("environment_key"),
    )
