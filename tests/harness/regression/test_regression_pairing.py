"""Two models or checkpoints of one database, and repeats of one against each other."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from regression_samples import CLIPS, SERVER, accuracy, run, spec, timing

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.compare import compare
from vosbench.harness.regression.pairing import one_side
from vosbench.harness.regression.render_terminal import terminal
from vosbench.harness.regression.repeats import halves, noise_floors
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.store.measured import MeasuredTrial, Run
from vosbench.harness.terminal import Terminal

PLAIN = replace(spec(), model="frtm-fast", policy=None, tau=None, weights_sha256="01" * 32)
"""A model without thresholds."""
SWAPPED = spec(model="g-new", weights_sha256="02" * 32, weights="new.pt", margins="1.0,0.4")


def turns(
    base: list[MeasuredTrial], head: list[MeasuredTrial]
) -> tuple[list[MeasuredTrial], list[MeasuredTrial]]:
    """The same trials in the order base head, head base, ..."""
    began = 0.0
    for number, (one, other) in enumerate(zip(base, head, strict=True)):
        pair = ((base, one), (head, other))
        for side, trial in pair if number % 2 == 0 else reversed(pair):
            side[number] = replace(trial, started_at=began)
            began += 10.0
    return base, head


def sides(db: Run, base: str, head: str) -> tuple[Run, Run]:
    return one_side(db, base), one_side(db, head)


def test_a_slower_model_regresses_against_another() -> None:
    db = run(
        accuracy(), accuracy(SWAPPED), timing(), timing(SWAPPED, slower=0.2, seed=1), source="r.db"
    )
    comparison = compare(*sides(db, "g-frtm-fast", "g-new"), across=True)
    (point,) = comparison.points
    assert point.label == "g-frtm-fast → g-new τ=0.7 davis16 M(1.0,0.4)"
    assert point.findings[0].reason == "equal masks"
    assert point.findings[1].verdict is Verdict.REGRESSED
    assert comparison.new_points == ()
    faster = compare(*sides(db, "g-new", "g-frtm-fast"), across=True)
    assert faster.verdict is Verdict.IMPROVED


def test_a_model_without_thresholds_meets_every_threshold() -> None:
    gated = [accuracy(spec(tau), lower=0.1, salt="x") for tau in ("0.5", "0.7")]
    db = run(accuracy(PLAIN), gated)
    comparison = compare(*sides(db, "frtm-fast", "g-frtm-fast"), across=True)
    assert [point.label for point in comparison.points] == [
        "frtm-fast → g-frtm-fast τ=0.5 davis16",
        "frtm-fast → g-frtm-fast τ=0.7 davis16",
    ]
    assert comparison.verdict is Verdict.REGRESSED
    back = compare(*sides(db, "g-frtm-fast", "frtm-fast"), across=True)
    assert [point.label for point in back.points] == [
        "g-frtm-fast τ=0.5 → frtm-fast davis16",
        "g-frtm-fast τ=0.7 → frtm-fast davis16",
    ]


def test_a_threshold_that_head_lacks_is_an_error() -> None:
    db = run(accuracy(spec("0.5")), accuracy(spec("0.7")), accuracy(SWAPPED))
    comparison = compare(*sides(db, "g-frtm-fast", "g-new"), across=True)
    assert [point.verdict for point in comparison.points] == [Verdict.ERROR, Verdict.PASS]


def test_checkpoints_of_one_model_are_sides_though_their_margins_differ() -> None:
    new = spec(weights="new.pt", weights_sha256="99" * 32, margins="0.7,0.2")
    db = run(accuracy(), accuracy(new, lower=0.2, salt="new"))
    for base, head in (("model.pt", "runs/2/new.pt"), ("abababab", "99999999")):
        comparison = compare(*sides(db, base, head), across=True)
        assert comparison.verdict is Verdict.REGRESSED
        assert comparison.points[0].label == "g-frtm-fast τ=0.7 davis16 M(0.7,0.2)"


def test_checkpoints_are_paired_within_each_model() -> None:
    new = {"weights": "new.pt", "weights_sha256": "99" * 32}
    db = run(
        accuracy(),
        accuracy(spec(model="b")),
        accuracy(spec(**new)),
        accuracy(spec(model="b", **new)),
    )
    comparison = compare(*sides(db, "model.pt", "new.pt"), across=True)
    assert [p.label for p in comparison.points] == ["g-frtm-fast τ=0.7 davis16", "b τ=0.7 davis16"]


def test_names_of_nothing_or_of_several_weights_are_one_line() -> None:
    db = run(accuracy(), accuracy(spec(weights_sha256="99" * 32)), source="r.db")
    with pytest.raises(InputError, match=r"nothing of other in r.db: it has g-frtm-fast"):
        one_side(db, "other")
    with pytest.raises(InputError, match="write 999999999999 or abababababab"):
        one_side(db, "model.pt")
    assert len(one_side(db, "g-frtm-fast").trials) == 2


def test_halves_take_turns_and_hold_all_repeats() -> None:
    base, head = halves(run(timing(repeats=10), accuracy()))
    assert [trial.spec.repeat for trial in base.trials] == [0, 3, 4, 7, 8]
    assert [trial.spec.repeat for trial in head.trials] == [1, 2, 5, 6, 9]


def test_equal_repeats_pass_and_their_noise_is_shown() -> None:
    base, head = halves(run(timing(repeats=10, run_noise=0.005, noise=0.002)))
    comparison = compare(base, head)
    assert comparison.verdict is Verdict.PASS
    measured = comparison.points[0].findings[0].measured
    assert measured is not None
    assert measured.repeats == (5, 5)
    assert 0.0 < abs(measured.change) < measured.noise < 0.02
    out = io.StringIO()
    Terminal(file=out, width=80).print(terminal(comparison))
    assert f"A/A noise of FPS: {100 * measured.noise:.1f} %" in out.getvalue()


def test_halves_stay_on_one_machine_and_need_four_repeats() -> None:
    mixed = run(timing(repeats=6), timing(repeats=5, machine=SERVER, started_at=2000.5))
    base, head = halves(mixed)
    assert (len(base.trials), len(head.trials)) == (3, 3)
    with pytest.raises(InputError, match="--repeats 10 --interleave"):
        halves(run(timing(repeats=3), accuracy()))


def test_the_noise_floor_of_repeats_is_that_of_a_comparison() -> None:
    one = run(timing(repeats=5, run_noise=0.02, seed=3), timing(spec("0.5"), repeats=1))
    many, single = noise_floors(one)
    assert (many.label, many.repeats, single.repeats) == ("g-frtm-fast τ=0.7 davis16", 5, 1)
    assert np.isnan(single.noise)
    logs = [
        np.mean([np.log(clip.metrics["fps"]) for clip in trial.clips]) for trial in one.trials[:5]
    ]
    assert many.value == pytest.approx(np.exp(np.mean(logs)))
    error = np.std(logs, ddof=1) * np.sqrt(2 / 5)
    assert many.noise == pytest.approx(1 - np.exp(-error * 2.7764), rel=1e-3)
    assert noise_floors(run(accuracy())) == ()


def _shifted(trials: list[MeasuredTrial], shifts: list[float]) -> list[MeasuredTrial]:
    """Every repeat slower by its own share, as when the machine is."""
    return [
        replace(
            trial,
            clips=tuple(
                replace(clip, metrics={"fps": clip.metrics["fps"] * np.exp(-shift)})
                for clip in trial.clips
            ),
        )
        for trial, shift in zip(trials, shifts, strict=True)
    ]


def test_what_moves_both_sides_of_a_round_cancels() -> None:
    shifts = [0.0, 0.2, -0.1, 0.15, -0.2]
    base, head = turns(
        _shifted(timing(seed=1), shifts), _shifted(timing(SWAPPED, seed=2, slower=0.1), shifts)
    )
    together = compare(run(base), run(head), across=True).points[0].findings[0]
    assert together.verdict is Verdict.REGRESSED
    assert together.measured is not None and together.measured.paired
    assert len(together.clips) == len(CLIPS)
    # The same numbers in two blocks: no rounds to pair.
    blocks = [replace(trial, started_at=1e6 + place) for place, trial in enumerate(head)]
    apart = compare(run(base), run(blocks), across=True).points[0].findings[0]
    assert apart.verdict is Verdict.INCONCLUSIVE
    assert apart.measured is not None and not apart.measured.paired
