"""``compare --strips``: which clips are drawn, and what is said where something is missing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vosbench.harness.cli.session import Session
from vosbench.harness.cli.strips import lost_clips, write_strips
from vosbench.harness.datasets import registry
from vosbench.harness.regression.compare import compare
from vosbench.harness.regression.comparison import Comparison
from vosbench.harness.regression.pairing import one_side
from vosbench.harness.store.measured import read_run
from vosbench.harness.sweep.plan import Request, make_plan
from vosbench.harness.sweep.run_options import RunOptions
from vosbench.harness.terminal import Terminal
from vosbench.harness.trials import Extras

MODELS = ("g-frtm-lite+never", "g-frtm-lite+always")


def measured(db: Path, *, keep_masks: bool) -> Comparison:
    """Two tiny runs, compared whichever way some clip lost."""
    selection = registry.open("motion").select(("still", "fast"), 4)
    request = Request(MODELS, (selection,), weights=("random:0",))
    options = RunOptions(Extras(masks=keep_masks), threads=1)
    session = Session.begin(request, device="cpu", db=str(db), options=options)
    plan = make_plan(session.request)
    session.run(plan, "s", "c", Terminal(file=io.StringIO()))
    run = read_run(str(db))
    one, other = (one_side(run, name) for name in MODELS)
    found = [compare(*sides, across=True) for sides in ((one, other), (other, one))]
    return max(found, key=lambda each: len(lost_clips(each)))


def lines(comparison: Comparison, db: Path, out: Path, root: Path | None = None) -> Sequence[str]:
    return tuple(write_strips(comparison, str(db), out, root))


def test_lost_clips_are_drawn_and_what_lacks_is_said(tmp_path: Path) -> None:
    db, out = tmp_path / "r.db", tmp_path / "out"
    comparison = measured(db, keep_masks=True)
    lost = lost_clips(comparison)
    assert lost
    said = lines(comparison, db, out)
    assert [line.partition(" ")[0] for line in said] == ["wrote"] * len(lost)
    assert len(list(out.glob("*.png"))) == len(lost)
    assert all(lost[0].change.change <= each.change.change < 0 for each in lost)

    bare = tmp_path / "bare.db"
    (only,) = lines(measured(bare, keep_masks=False), bare, tmp_path / "none")
    assert "no label maps of both sides of" in only
    assert "--save-masks" in only
    assert not (tmp_path / "none").exists()


def test_equal_runs_and_missing_frames_are_one_line(tmp_path: Path) -> None:
    db = tmp_path / "r.db"
    comparison = measured(db, keep_masks=True)
    nothing = replace(comparison, points=())
    assert lines(nothing, db, tmp_path) == ("strips: no sequence lost accuracy, nothing to draw",)
    (point,) = comparison.points
    away = replace(point, point=replace(point.point, dataset="davis16"))
    for line in lines(replace(comparison, points=(away,)), db, tmp_path / "x", tmp_path):
        assert line.startswith("strips: ")
