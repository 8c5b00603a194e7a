"""What ``vosbench doctor --prove`` asks, as tests; they need a card, and no data but ours."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from vosbench.harness.contract.prove import all_checks
from vosbench.harness.contract.prove_record import Bench, Proof, ProofVerdict
from vosbench.harness.contract.prove_tracks import MODEL, sequences
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU here: `make test-gpu` is for a machine with one"
)
CARD = torch.device("cuda", 0)


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.name)
def test_a_promise_is_kept(check: Proof, tmp_path: Path) -> None:
    outcome = check.run(Bench(CARD, tmp_path))
    if outcome.verdict is ProofVerdict.NOT_DONE:
        pytest.skip(outcome.detail)
    assert outcome.verdict is ProofVerdict.PROVED, outcome.detail


@pytest.mark.parametrize("model", [MODEL, "g-ttvos-lite", "g-frtm-half"])
def test_a_frame_waits_for_the_card_twice_at_most(model: str) -> None:
    """As the driver counts it: for P_gate, and for how many pixels each object has."""
    runner = resolve(model).build(RunnerOptions())
    assert isinstance(runner, NetworkRunner)
    runner.load(CARD, Precision.FLOAT32)
    clip = sequences(frames=4)[1]
    walk = runner.walk(ClipInfo(clip.name, *clip.size, len(clip)), (Never(),))
    frames = [torch.from_numpy(f).permute(2, 0, 1).contiguous().to(CARD) for f in clip.frames]
    masks = {i: torch.from_numpy(clip.mask(0, i)).to(CARD) for i in clip.starting(0)}
    walk.add_objects(Frame(0, frames[0]), masks)
    walk.step(Frame(0, frames[0]), no_spans)
    walk.step(Frame(1, frames[1]), no_spans)  # what is made once is made
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as waits:
            warnings.simplefilter("always")
            walk.step(Frame(2, frames[2]), no_spans)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len([w for w in waits if "synchroniz" in str(w.message)]) <= 2
