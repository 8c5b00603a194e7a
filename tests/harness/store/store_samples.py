"""Trials, workers and clips to put into a store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np

from vosbench.harness.store import (
    ClaimedTrial,
    CurveValue,
    Storage,
    TrainingNotes,
    Trainings,
    TrainingSpec,
    Worker,
)
from vosbench.harness.trials import ClipResult, Kind, TrialSpec

CLIPS = ("dog", "camel", "blackswan")
AGGREGATES: Mapping[str, float] = {"jf_mean": 0.75, "j_mean": 0.7, "f_mean": 0.8, "energy_j": 1.5}


def spec(tau: str | None = "0.3", **changes: object) -> TrialSpec:
    """A trial of three clips at one τ."""
    base = TrialSpec(
        model="g-frtm-fast",
        runner_version="1",
        weights="random:0",
        weights_sha256="ab" * 32,
        trained=False,
        dataset="davis16",
        protocol="davis16-val@1",
        manifest_sha256="cd" * 32,
        sequences=CLIPS,
        policy="learned",
        tau=None if tau is None else Decimal(tau),
        switches={"margin": "paper", "gate": "softmax"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def grid(count: int, **changes: object) -> list[TrialSpec]:
    """That many trials, told apart by their seed."""
    return [spec(seed=seed, **changes) for seed in range(count)]


def timing(**changes: object) -> TrialSpec:
    """A timing trial."""
    return spec(kind=Kind.TIMING, **changes)


def worker(name: str = "cpu", **changes: object) -> Worker:
    """A worker of this process."""
    return replace(Worker.here(name), **changes)  # type: ignore[arg-type]


def clip(sequence: str, *, salt: str = "") -> ClipResult:
    """Five frames, two objects; the second one's recall isn't known."""
    generator = np.random.default_rng(len(sequence))
    return ClipResult(
        sequence=sequence,
        object_ids=(1, 3),
        frames=5,
        mask_sha256=hashlib.sha256(f"{sequence}{salt}".encode()).hexdigest(),
        metrics={"reuse_rate": 0.4, "init_ms": 12.5},
        object_metrics={
            1: {"j_mean": 0.7, "j_recall": 1.0},
            3: {"j_mean": 0.5, "j_recall": float("nan")},
        },
        series={
            "j": generator.random((3, 2)),
            "p_gate": generator.random((5, 2)).astype(np.float32),
            "path": np.full((5, 2), 2, dtype=np.uint8),
        },
    )


def take(storage: Storage, study: int, **options: object) -> ClaimedTrial:
    """Claim one trial; there must be one."""
    claimed = storage.claim(study, worker(), limit=1, **options)  # type: ignore[arg-type]
    assert claimed is not None
    return claimed.trials[0]


def run(storage: Storage, trial: ClaimedTrial) -> None:
    """Do all of a trial's work that isn't done."""
    for sequence in trial.spec.sequences:
        if sequence not in set(storage.kept(trial)):
            storage.record(trial, clip(sequence))
    storage.complete(trial, AGGREGATES)


NOTES = TrainingNotes("pictures ecssd", "first.safetensors", steps=40, device="Some CPU", threads=2)
CURVE = (CurveValue(20, "loss", 0.5), CurveValue(40, "loss", 0.25), CurveValue(40, "bce", 0.2))


def training(**changes: object) -> TrainingSpec:
    """A training of a gated network."""
    base = TrainingSpec("g-frtm-lite", '{"seed": 3}', "cd" * 32, "ef" * 32, 3, "0.7,0.2")
    return replace(base, **changes)  # type: ignore[arg-type]


def train(trainings: Trainings, spec: TrainingSpec, by: Worker) -> None:
    """Begin a training and bring it to its end."""
    trainings.begin(spec, NOTES, by)
    trainings.complete(
        spec.key, checkpoint_sha256="12" * 32, path="/w/net.safetensors", elapsed_s=90, curve=CURVE
    )
