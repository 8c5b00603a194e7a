"""Bundles: chosen trials of a database as a file for others, and what is refused of a stranger's.

A bundle is a portable file (:mod:`vosbench.harness.regression.portable`): JSON, read with bounds,
that names nothing to be run or opened. It says whose the results are, and carries hashes: over
its whole content, of each trial's settings (the key) and of each sequence's masks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import read_text
from vosbench.baselines.parsing import MOST, parse_json
from vosbench.baselines.text import plain_name
from vosbench.harness.regression.importing import Imported, import_run
from vosbench.harness.regression.portable import content_sha256, run_of, save_run
from vosbench.harness.store import Selection, State, Storage
from vosbench.harness.store.database import Source
from vosbench.harness.store.measured import MeasuredTrial, Run, read_run
from vosbench.harness.trials import ClipResult

MOST_OBJECT_ID = 254
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 1024


def write_bundle(source: Source, where: Selection, path: Path, by: str) -> int:
    """Write the complete trials that ``where`` chooses, as ``by``'s; returns how many.

    Raises InputError for no complete trial, and for a file that can't be written.
    """
    run = read_run(source, where)
    complete = tuple(trial for trial in run.trials if trial.state is State.COMPLETE)
    save_run(replace(run, trials=complete), path, plain_name(by, "--owner"))
    return len(complete)


def load_bundle(path: Path) -> Run:
    """Read and check a bundle; its source says whose it is.

    Raises InputError, one line, for whatever is wrong with it.
    """
    values = parse_json(read_text(path, "a bundle"), str(path), strict=True)
    run = run_of(values, path)
    _check_hash(values.get("sha256"), content_sha256(values), f"{path}: its content")
    by = values.get("by")
    if not isinstance(by, str) or len(by) > _LONGEST_NAME:
        raise InputError(f"{path}: by is to be the name of whose results they are")
    keys: set[str] = set()
    for index, (trial, written) in enumerate(zip(run.trials, values["trials"], strict=True)):
        place = f"{path}: trials[{index}]"
        _check_hash(written.get("key"), trial.spec.key, f"{place}: its settings")
        if trial.spec.key in keys:
            raise InputError(f"{place} comes twice")
        keys.add(trial.spec.key)
        _check_trial(trial, place)
    return Run(plain_name(by, f"{path}: by") or path.name, run.trials)


def import_bundle(storage: Storage, path: Path, study: str) -> Imported:
    """Store a bundle's trials as its owner's, which nothing executes: all of them or none.

    Raises InputError as :func:`load_bundle` does, and where a trial is complete here with other
    masks.
    """
    run = load_bundle(path)
    keys = [trial.spec.key for trial in run.trials]
    here = {trial.spec.key: trial for trial in _present(storage, keys)}
    for trial in run.trials:
        own = here.get(trial.spec.key)
        if own is not None and _masks(own) != _masks(trial):
            raise InputError(
                f"{path}: {trial.spec.model} on {trial.spec.dataset} has other masks than here "
                f"(trial {trial.spec.key[:12]}): one setting can't have two results, so nothing "
                "was imported"
            )
    return import_run(storage, run, study)


_CHUNK = 500


def _present(storage: Storage, keys: list[str]) -> list[MeasuredTrial]:
    found: list[MeasuredTrial] = []
    for start in range(0, len(keys), _CHUNK):
        where = Selection(keys=tuple(keys[start : start + _CHUNK]), states=(State.COMPLETE,))
        found += read_run(storage.database, where).trials
    return found


def _masks(trial: MeasuredTrial) -> Mapping[str, str]:
    return {clip.sequence: clip.mask_sha256 for clip in trial.clips}


def _check_hash(written: object, found: str, what: str) -> None:
    if written != found:
        raise InputError(f"{what} has another hash than the bundle says: damaged or altered")


def _check_trial(trial: MeasuredTrial, place: str) -> None:
    spec = trial.spec
    texts = [("model", spec.model), ("dataset", spec.dataset), ("protocol", spec.protocol)]
    texts += [("weights", spec.weights), ("precision", spec.precision)]
    texts += [("version", trial.version or "")]
    for name, text in [*texts, *(("sequence", name) for name in spec.sequences)]:
        if len(text) > _LONGEST_NAME:
            raise InputError(f"{place}: {name} is longer than {_LONGEST_NAME} characters")
        plain_name(text, f"{place}: {name}")
    for name in spec.sequences:
        if name.startswith("/") or "\\" in name or {"", ".", ".."} & {*name.split("/")}:
            raise InputError(f"{place}: sequence {name!r} is a path, not a name")
    for hashed in (
        spec.weights_sha256,
        spec.manifest_sha256,
        *(c.mask_sha256 for c in trial.clips),
    ):
        if not _SHA256.fullmatch(hashed):
            raise InputError(f"{place}: {hashed[:80]!r} is no SHA-256")
    counts: list[Any] = [spec.seed, spec.repeat, spec.max_frames or 0]
    if any(count > MOST for count in [*counts, *(clip.frames for clip in trial.clips)]):
        raise InputError(f"{place}: a number is above {MOST}")
    for clip in trial.clips:
        _check_clip(clip, f"{place}: {clip.sequence}")


def _check_clip(clip: ClipResult, place: str) -> None:
    if any(not 1 <= number <= MOST_OBJECT_ID for number in clip.object_ids):
        raise InputError(f"{place}: object ids are from 1 to {MOST_OBJECT_ID}")
