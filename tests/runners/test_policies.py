from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.runners.policies import Every, Fusion, Learned, Random, TrueIoU
from vosbench.runners.policy import Decision, Evidence, GatePolicy, Path
from vosbench.runners.policy_registry import POLICIES, examples, make_policy

IOUS = {(4, 7): 0.8, (6, 7): 0.3}
SEEN = Evidence("clip", 7, 1, 4, p_gate=0.6, true_iou=lambda before, now: IOUS[before, now])
HALF, ONE = Decimal("0.5"), Decimal(1)


def reused(policy: GatePolicy, scores: list[float], name: str = "p_gate") -> list[bool]:
    """Which frames of an object are reused whose score, a field of the evidence, is given."""
    seen, told = replace(SEEN, frame=0, last_full=0, memory=None), []
    for t, score in enumerate(scores, start=1):
        seen = replace(seen, frame=t, **{name: score})
        answer = policy.decide(seen)
        decision = answer if isinstance(answer, Decision) else Decision(answer, seen.memory)
        told.append(decision.path is Path.REUSE)
        last_full = seen.last_full if told[-1] else t
        seen = replace(seen, last_full=last_full, memory=decision.memory)
    return told


@given(st.floats(0, 1), st.booleans())
def test_tau_one_never_reuses(p_gate: float, inclusive: bool) -> None:
    for name in ("learned", "copy", "fusion", "g-iou"):
        switches = {"comparison": "paper" if inclusive else "code"}
        evidence = replace(SEEN, p_gate=p_gate, true_iou=lambda *_: p_gate)
        assert make_policy(name, tau=ONE, switches=switches).decide(evidence) is Path.FULL


def test_paper_and_code_differ_where_the_gate_equals_the_threshold() -> None:
    evidence = replace(SEEN, p_gate=0.5)
    assert Learned(HALF).decide(evidence) is Path.FULL
    assert Learned(HALF, inclusive=True).decide(evidence) is Path.REUSE


def test_fusion_copies_above_its_second_threshold() -> None:
    policy = Fusion(Decimal("0.3"), Decimal("0.7"))
    decided = [policy.decide(replace(SEEN, p_gate=p)) for p in (0.2, 0.5, 0.9)]
    assert decided == [Path.FULL, Path.REUSE, Path.COPY]


def test_a_cap_bounds_the_age_of_what_is_reused() -> None:
    policy = make_policy("cap:2", tau=HALF)
    decided = [policy.decide(replace(SEEN, frame=t, last_full=4)) for t in (5, 6, 7)]
    assert decided == [Path.REUSE, Path.REUSE, Path.FULL]
    assert policy.decide(replace(SEEN, p_gate=0.4, frame=5, last_full=4)) is Path.FULL


def test_every_nth_frame_is_full() -> None:
    assert reused(Every(3), [0.0] * 7) == [True, True, False, True, True, False, True]
    assert reused(Every(1), [0.0] * 3) == [False] * 3


def test_the_cheap_path_is_the_models_own() -> None:
    """A model without reuse modules copies where others reuse."""
    for name in ("learned", "every:3", "always", "budget:0.5", "random:1", "g-iou"):
        answer = make_policy(name, tau=HALF).decide(
            replace(SEEN, frame=5, cheap=Path.COPY, true_iou=lambda *_: 0.9)
        )
        assert (answer.path if isinstance(answer, Decision) else answer) is Path.COPY, name


SCORES = st.one_of(
    st.lists(st.floats(0, 1), min_size=60, max_size=200),
    st.lists(st.sampled_from([0.2, 0.9]), min_size=60, max_size=200),
    st.integers(60, 200).map(lambda n: list(np.linspace(0, 1, n))),
    st.integers(60, 200).map(lambda n: list(np.linspace(1, 0, n))),
    st.integers(60, 200).map(lambda n: [0.5] * n),
)


@given(SCORES, st.sampled_from(["0", "0.1", "0.4", "0.75", "1"]))
def test_a_budget_is_met_whatever_the_scores_do(scores: list[float], rate: str) -> None:
    told = reused(make_policy(f"budget:{rate}"), scores)
    for frames in range(1, len(told) + 1):
        assert abs(sum(told[:frames]) - float(rate) * frames) <= 5


def test_a_budget_goes_to_the_frames_that_changed_least() -> None:
    rng = np.random.default_rng(0)
    scores = list(rng.random(400))
    told = np.array(reused(make_policy("budget:0.4"), scores))
    assert np.mean(np.array(scores)[told]) > np.mean(np.array(scores)[~told]) + 0.3
    turned = np.array(reused(make_policy("budget:0.4:delta"), scores, "delta"))
    assert np.mean(np.array(scores)[turned]) < np.mean(np.array(scores)[~turned]) - 0.3


def test_the_oracle_compares_with_the_last_full_frame_or_the_neighbour() -> None:
    tau = HALF
    assert TrueIoU(tau).decide(SEEN) is Path.REUSE  # frames 4 and 7
    assert TrueIoU(tau, adjacent=True).decide(SEEN) is Path.FULL  # frames 6 and 7


def test_the_oracle_computes_in_full_where_nothing_is_annotated() -> None:
    assert TrueIoU(Decimal(0)).decide(replace(SEEN, true_iou=lambda *_: None)) is Path.FULL


@given(st.sampled_from(["0", "0.25", "0.4", "1"]), st.integers(0, 3))
def test_the_random_control_keeps_its_rate_and_repeats(rate: str, seed: int) -> None:
    policy = Random(Decimal(rate), seed)
    decided = [policy.decide(replace(SEEN, frame=t)) for t in range(2000)]
    assert decided == [policy.decide(replace(SEEN, frame=t)) for t in range(2000)]
    rate_met = sum(path is Path.REUSE for path in decided) / len(decided)
    assert rate_met == pytest.approx(float(rate), abs=0.05)


@pytest.mark.parametrize(
    ("written", "tau", "says"),
    [
        ("lerned", ONE, "did you mean 'learned'"),
        ("copy", None, "--tau"),
        ("random", None, "random:RATE"),
        ("random:2", None, "from 0 to 1"),
        ("random:nan", None, "from 0 to 1"),
        ("cap", ONE, "cap:N, e.g. cap:2"),
        ("cap:0", ONE, "from 1 to"),
        ("cap:1.5", ONE, "from 1 to"),
        ("cap:2", None, "--tau"),
        ("every:0", None, "from 1 to"),
        ("budget:0.4:p-gate", None, "did you mean 'p_gate'"),
        ("budget:-1", None, "from 0 to 1"),
        ("copy:3", ONE, "takes no argument"),
    ],
)
def test_bad_requests_say_what_to_do(written: str, tau: Decimal | None, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_policy(written, tau=tau)


def test_a_second_threshold_lies_above_the_first() -> None:
    with pytest.raises(InputError, match="τ₂"):
        make_policy("fusion", tau=Decimal("0.8"), tau2=HALF)


def test_every_policy_decides_only_what_it_declares() -> None:
    for name, plugin in POLICIES.plugins().items():
        for text in examples(plugin.value.spec):
            policy = make_policy(text, tau=HALF)
            decided = set()
            for p in (0.0, 0.4, 0.6, 0.9):
                for t in range(5, 25):
                    image = torch.full((3, 2, 2), t % 7, dtype=torch.uint8)
                    seen = replace(
                        SEEN, p_gate=p, frame=t, delta=1 - p, image=image, full_image=image // 2,
                        masks=(torch.ones(2, 2, dtype=torch.bool),), true_iou=lambda *_, p=p: p,
                    )  # fmt: skip
                    answer = policy.decide(seen)
                    decided.add(answer.path if isinstance(answer, Decision) else answer)
            wanted = plugin.value.spec.paths
            # A picture of 2x2 grey pixels has no flow, and little change.
            assert (
                decided <= wanted if name in ("budget", "flow", "change") else decided == wanted
            ), text
