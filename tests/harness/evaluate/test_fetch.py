"""Steps on the CPU: one wait for all lanes, and the same steps."""

from __future__ import annotations

import torch

from vosbench.harness.evaluate.fetch import fetched
from vosbench.harness.measure.launches import Waits
from vosbench.runners.interface import Step


def step(label: int, width: int = 4) -> Step:
    return Step(
        torch.full((3, width), label, dtype=torch.uint8), (), finite=torch.tensor(label < 2)
    )


def test_lanes_are_fetched_in_one_wait_each_for_labels_and_finite() -> None:
    one, two, three = step(1), step(2), step(3)
    with Waits() as waits:
        found = fetched([one, two, one, three])
    assert waits.count == 2
    assert found[0] is found[2]
    assert [int(each.labels[0, 0]) for each in found] == [1, 2, 1, 3]
    assert [bool(each.finite) for each in found] == [True, False, True, False]


def test_what_is_unlike_the_others_stays_for_the_check_to_refuse() -> None:
    odd = [step(1), step(2, width=5)]
    assert [a.labels is b.labels for a, b in zip(fetched(odd), odd, strict=True)] == [True, True]
    silent = Step(torch.zeros(3, 4, dtype=torch.uint8), ())
    (only,) = fetched([silent])
    assert only.finite is None and only.labels.equal(silent.labels)
