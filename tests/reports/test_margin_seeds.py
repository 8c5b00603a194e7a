"""The margins figure over several seeds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from report_samples import TAUS, database, spec
from sqlalchemy import text

from vosbench.harness.store import (
    Selection,
    Storage,
    TrainingNotes,
    TrainingSpec,
    Worker,
    results,
)
from vosbench.harness.trials import Kind
from vosbench.reports.figures.make import figure_data, make_figure

SEEDS = (0, 1, 2)


def sha256(margins: str, seed: int) -> str:
    return hashlib.sha256(f"{margins}/{seed}".encode()).hexdigest()


@pytest.fixture
def seeded_db(tmp_path: Path) -> Path:
    """Two margins trained with three seeds each, and one that nobody knows a training of."""
    pairs = [("1,0", seed) for seed in SEEDS] + [("0.7,0.2", seed) for seed in SEEDS]
    specs = [
        spec(f"g-frtm-lite@m{margins.replace(',', '-')}", tau, margins=margins, trained=True,
             weights=f"{margins}-seed{seed}.safetensors", weights_sha256=sha256(margins, seed))
        for margins, seed in [*pairs, ("0.35,0.4", 0)]
        for tau in TAUS
    ]  # fmt: skip
    db = database(tmp_path / "results.db", specs)
    notes = TrainingNotes("motion", None, 3, "Some CPU", 1)
    with Storage.open(db) as storage:
        for margins, seed in pairs:
            recipe = f'{{"margins": "{margins}", "seed": {seed}}}'
            trained = TrainingSpec("g-frtm-lite", recipe, "ab", None, seed, margins)
            storage.trainings.begin(trained, notes, Worker.here("cpu"))
            storage.trainings.complete(
                trained.key,
                checkpoint_sha256=sha256(margins, seed),
                path="x",
                elapsed_s=1,
                curve=(),
            )
        # No two trainings come out alike.
        storage.database.write(
            lambda connection: connection.execute(
                text(
                    "UPDATE trial_metric SET value = value - 0.001 * (trial_id % 17) "
                    "WHERE name IN ('jf_mean', 'reuse_rate')"
                )
            )
        )
    return db


def test_seeds_become_a_mean_with_its_spread(seeded_db: Path, tmp_path: Path) -> None:
    data = figure_data("margins", seeded_db)
    names = ["M(1, 0), 3 seeds", "M(0.7, 0.2), 3 seeds", "M(0.35, 0.4)"]
    assert list(dict.fromkeys(data["curve"])) == names
    assert len(data) == 3 * len(TAUS)
    found = results(seeded_db, Selection(kinds=(Kind.ACCURACY,)))
    for _, point in data.iterrows():
        runs = found[(found["margins"] == point["margins"]) & (found["tau"] == point["tau"])]
        assert point["seeds"] == len(runs)
        assert point["jf_mean"] == pytest.approx(runs["jf_mean"].mean())
        assert point["jf_std"] == pytest.approx(runs["jf_mean"].std(), nan_ok=True)
        assert point["reuse_std"] == pytest.approx(runs["reuse_rate"].std(), nan_ok=True)
    assert (data[data["seeds"] > 1]["jf_std"] > 0).all()
    make_figure("margins", seeded_db, out=tmp_path / "margins.png")
    assert (tmp_path / "margins.png").stat().st_size > 10_000
