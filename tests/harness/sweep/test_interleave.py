"""The order of interleaved timing trials."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.sweep.interleave import interleaved
from vosbench.harness.trials import Kind, TrialSpec


def grid(
    models: tuple[str, ...],
    taus: tuple[str | None, ...] = ("0.5",),
    repeats: int = 3,
    datasets: tuple[str, ...] = ("motion",),
    weights: tuple[str, ...] = ("a",),
) -> list[TrialSpec]:
    """As :func:`vosbench.harness.sweep.plan.make_plan` lays it out: repeats in a block."""
    return [
        TrialSpec(
            model=model,
            runner_version="1",
            weights=weight,
            weights_sha256=weight,
            trained=True,
            dataset=dataset,
            protocol="p",
            manifest_sha256=dataset,
            sequences=("clip",),
            tau=None if tau is None else Decimal(tau),
            kind=kind,
            repeat=repeat,
        )
        for dataset in datasets
        for model in models
        for weight in weights
        for tau in taus
        for kind in Kind
        for repeat in range(repeats if kind is Kind.TIMING else 1)
    ]


def timed(specs: tuple[TrialSpec, ...]) -> list[TrialSpec]:
    return [spec for spec in specs if spec.kind is Kind.TIMING]


def test_two_models_alternate_and_every_second_round_runs_backwards() -> None:
    order = interleaved(grid(("base", "head")))
    assert [spec.kind for spec in order[:2]] == [Kind.ACCURACY] * 2
    assert "".join(spec.model[0] for spec in timed(order)) == "bhhbbh"
    assert [spec.repeat for spec in timed(order)] == [0, 0, 1, 1, 2, 2]


def test_two_checkpoints_alternate_setting_by_setting() -> None:
    order = timed(interleaved(grid(("net",), ("0.5", "0.7"), 2, weights=("a", "b"))))
    assert [f"{spec.weights}{spec.tau}" for spec in order] == [
        "a0.5", "b0.5", "a0.7", "b0.7", "b0.7", "a0.7", "b0.5", "a0.5"
    ]  # fmt: skip


def test_sides_stay_together_when_one_has_fewer_settings() -> None:
    gated = grid(("gated",), ("0.5", "0.7"), 1, ("motion", "davis16"))
    plain = grid(("plain",), (None,), 1, ("motion", "davis16"))
    order = timed(interleaved(plain + gated))
    assert [(spec.dataset, spec.model) for spec in order] == [
        ("motion", "plain"), ("motion", "gated"), ("motion", "gated"),
        ("davis16", "plain"), ("davis16", "gated"), ("davis16", "gated"),
    ]  # fmt: skip


@given(
    sides=st.integers(1, 3),
    taus=st.integers(1, 3),
    repeats=st.integers(1, 5),
    more=st.integers(0, 3),
)
def test_nothing_is_lost_and_more_repeats_go_on_in_the_same_order(
    sides: int, taus: int, repeats: int, more: int
) -> None:
    models = tuple(f"m{number}" for number in range(sides))
    thresholds = tuple(f"0.{number + 1}" for number in range(taus))
    few = grid(models, thresholds, repeats)
    order = interleaved(few)
    assert {spec.key for spec in order} == {spec.key for spec in few}
    longer = timed(interleaved(grid(models, thresholds, repeats + more)))
    assert longer[: len(timed(order))] == timed(order)
