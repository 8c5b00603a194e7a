"""How the result database scales: five million frame records, then what readers wait for.

``python benchmarks/store_scale.py [--frames N] [--db FILE-OR-URL] [--repeats N]``
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from vosbench.harness.store import (
    Claim,
    Command,
    Selection,
    Storage,
    Worker,
    objects,
    results,
    sequences,
    series,
)
from vosbench.harness.store.recording import complete, record
from vosbench.harness.trials import ClipResult, TrialSpec

CLIPS = tuple(f"clip-{number:02d}" for number in range(20))
FRAMES = 70
TAUS = tuple(Decimal(number) / 10 for number in range(1, 11))
METRICS = ("jf_mean", "j_mean", "j_recall", "j_decay", "f_mean", "f_recall", "f_decay")
METRICS += ("reuse_rate", "fps", "ms_per_frame", "p50_ms", "p95_ms", "init_ms")


def plan(trials: int) -> list[TrialSpec]:
    """Sweeps of ten τ, told apart by their seed."""
    base = TrialSpec(
        model="g-frtm-fast",
        runner_version="1",
        weights="random:0",
        weights_sha256="0" * 64,
        trained=False,
        dataset="davis16",
        protocol="davis16-val@1",
        manifest_sha256="0" * 64,
        sequences=CLIPS,
        policy="learned",
    )
    return [
        replace(base, tau=TAUS[index % len(TAUS)], seed=index // len(TAUS))
        for index in range(trials)
    ]


def measured(sequence: str, generator: np.random.Generator) -> ClipResult:
    """A clip with one object, as noisy as a real one, so that it compresses no better."""
    values = dict(zip(METRICS, generator.random(len(METRICS)).tolist(), strict=True))
    p_gate = generator.random((FRAMES, 1))
    return ClipResult(
        sequence=sequence,
        object_ids=(1,),
        frames=FRAMES,
        mask_sha256=hashlib.sha256(p_gate.tobytes()).hexdigest(),
        metrics=values,
        object_metrics={1: values},
        series={
            "j": generator.random((FRAMES - 2, 1)),
            "f": generator.random((FRAMES - 2, 1)),
            "p_gate": p_gate.astype(np.float32),
            "path": np.where(p_gate > 0.5, 3, 2).astype(np.uint8),
            "frame_ms": generator.normal(20.0, 1.0, FRAMES),
        },
    )


def fill(storage: Storage, frames: int) -> int:
    """Store whole sweeps of at least ``frames`` frames; returns the number of trials."""
    sweep_frames = len(TAUS) * len(CLIPS) * FRAMES
    trials = len(TAUS) * -(-frames // sweep_frames)
    generator = np.random.default_rng(0)
    study = storage.add_plan("scale", Command(""), plan(trials), lambda spec: str(spec.seed))
    worker = Worker.here("scale")
    while (claim := storage.claim(study, worker)) is not None:
        storage.database.write(lambda connection, claim=claim: _run(connection, claim, generator))
    return trials


def _run(connection: Connection, claim: Claim, generator: np.random.Generator) -> None:
    # A transaction for each clip, as in a real sweep, would only make this take longer.
    for trial in claim.trials:
        for name in CLIPS:
            record(connection, trial, measured(name, generator))
        aggregates = dict(zip(METRICS, generator.random(len(METRICS)).tolist(), strict=True))
        complete(connection, trial, aggregates)


def median_s(work: Callable[[], object], repeats: int) -> float:
    """Median duration of ``work``, which opens the database each time."""
    durations_s = []
    for _ in range(repeats):
        began_s = time.perf_counter()
        work()
        durations_s.append(time.perf_counter() - began_s)
    return statistics.median(durations_s)


@contextmanager
def place(given: str | None) -> Iterator[str]:
    """The database that was named, or one that goes away afterwards."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "results.db")


def main() -> None:
    """Fill a database, then time its readers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=5_000_000)
    parser.add_argument("--db", help="default: a temporary SQLite file")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with place(options.db) as db:
        began_s = time.perf_counter()
        with Storage.open(db) as storage:
            trials = fill(storage, options.frames)
        frames = trials * len(CLIPS) * FRAMES
        print(f"{frames:,} frames, {trials * len(CLIPS):,} sequences, {trials:,} trials")
        print(f"written in {time.perf_counter() - began_s:.0f} s")
        if "://" not in db:
            size = Path(db).stat().st_size
            sweeps = trials / len(TAUS)
            print(
                f"{size / 1e6:.0f} MB: {size / 1e6 / sweeps:.2f} MB per sweep of {len(TAUS)} "
                f"trials x {len(CLIPS)} clips x {FRAMES} frames, {size / frames:.0f} B per frame"
            )
        one = Selection(keys=[plan(1)[0].key])
        sweep = Selection(keys=[spec.key for spec in plan(len(TAUS))])
        readers: dict[str, Callable[[], object]] = {
            "results, all trials": lambda: results(db),
            "results, one trial": lambda: results(db, one),
            "sequences, one sweep": lambda: sequences(db, sweep),
            "sequences, all trials": lambda: sequences(db),
            "objects, one sweep": lambda: objects(db, sweep),
            "series p_gate, one sweep": lambda: series(db, "p_gate", sweep),
        }
        for name, work in readers.items():
            print(f"{name:26} {median_s(work, options.repeats):7.3f} s")


if __name__ == "__main__":
    main()
