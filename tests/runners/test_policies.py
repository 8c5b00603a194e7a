from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.runners.interface import Path, RunnerOptions
from vosbench.runners.policies import (
    POLICIES,
    Evidence,
    Fusion,
    Learned,
    Random,
    TrueIoU,
    make_policy,
)

SEEN = Evidence("clip", 7, 1, 0.6, 4, lambda before, now: {(4, 7): 0.8, (6, 7): 0.3}[before, now])


@given(st.floats(0, 1), st.booleans())
def test_tau_one_never_reuses(p_gate: float, inclusive: bool) -> None:
    for name in ("learned", "copy", "fusion", "g-iou"):
        switches = {"comparison": "paper" if inclusive else "code"}
        options = RunnerOptions(policy=name, tau=Decimal(1), switches=switches)
        evidence = replace(SEEN, p_gate=p_gate, true_iou=lambda *_: p_gate)
        assert make_policy(options).decide(evidence) is Path.FULL


def test_paper_and_code_differ_where_the_gate_equals_the_threshold() -> None:
    evidence = replace(SEEN, p_gate=0.5)
    assert Learned(Decimal("0.5")).decide(evidence) is Path.FULL
    assert Learned(Decimal("0.5"), inclusive=True).decide(evidence) is Path.REUSE


def test_fusion_copies_above_its_second_threshold() -> None:
    policy = Fusion(Decimal("0.3"), Decimal("0.7"))
    decided = [policy.decide(replace(SEEN, p_gate=p)) for p in (0.2, 0.5, 0.9)]
    assert decided == [Path.FULL, Path.REUSE, Path.COPY]


def test_a_cap_bounds_the_age_of_what_is_reused() -> None:
    policy = make_policy(RunnerOptions(policy="cap:2", tau=Decimal("0.5")))
    decided = [policy.decide(replace(SEEN, frame=t, last_full=4)) for t in (5, 6, 7)]
    assert decided == [Path.REUSE, Path.REUSE, Path.FULL]
    assert policy.decide(replace(SEEN, p_gate=0.4, frame=5, last_full=4)) is Path.FULL
    assert policy.name == "cap:2"


def test_the_oracle_compares_with_the_last_full_frame_or_the_neighbour() -> None:
    tau = Decimal("0.5")
    assert TrueIoU(tau).decide(SEEN) is Path.REUSE  # frames 4 and 7
    assert TrueIoU(tau, adjacent=True).decide(SEEN) is Path.FULL  # frames 6 and 7


def test_the_oracle_computes_in_full_where_nothing_is_annotated() -> None:
    assert TrueIoU(Decimal(0)).decide(replace(SEEN, true_iou=lambda *_: None)) is Path.FULL


@given(st.sampled_from(["0", "0.25", "0.4", "1"]), st.integers(0, 3))
def test_the_random_control_keeps_its_rate_and_repeats(rate: str, seed: int) -> None:
    policy = Random(Decimal(rate), seed)
    decided = [policy.decide(replace(SEEN, frame=t)) for t in range(2000)]
    assert decided == [policy.decide(replace(SEEN, frame=t)) for t in range(2000)]
    reused = sum(path is Path.REUSE for path in decided) / len(decided)
    assert reused == pytest.approx(float(rate), abs=0.05)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (RunnerOptions(policy="lerned", tau=Decimal(1)), "did you mean 'learned'"),
        (RunnerOptions(policy="copy"), "--tau"),
        (RunnerOptions(policy="random"), "random:RATE"),
        (RunnerOptions(policy="random:2"), "from 0 to 1"),
        (RunnerOptions(policy="cap", tau=Decimal(1)), "cap:N, e.g. cap:2"),
        (RunnerOptions(policy="cap:0", tau=Decimal(1)), "from 1 to"),
        (RunnerOptions(policy="cap:1.5", tau=Decimal(1)), "from 1 to"),
        (RunnerOptions(policy="cap:2"), "--tau"),
        (RunnerOptions(policy="copy:3", tau=Decimal(1)), "takes no argument"),
        (RunnerOptions(policy="fusion", tau=Decimal("0.8"), tau2=Decimal("0.5")), "τ₂"),
    ],
)
def test_bad_requests_say_what_to_do(options: RunnerOptions, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_policy(options)


def test_every_policy_decides_only_what_it_declares() -> None:
    for name, kind in POLICIES.items():
        text = f"{name}:{kind.example}" if kind.argument else name
        policy = make_policy(RunnerOptions(policy=text, tau=Decimal("0.5")))
        decided = {
            policy.decide(replace(SEEN, p_gate=p, frame=t, true_iou=lambda *_, p=p: p))
            for p in (0.0, 0.4, 0.6, 0.9)
            for t in range(20)
        }
        assert decided == kind.paths, name
