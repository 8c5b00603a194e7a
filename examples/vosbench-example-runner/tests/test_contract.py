"""Whether what this package brings keeps the promises of VOSBench's interfaces."""

import numpy as np
import pytest
from vosbench.harness.contract import CHECKS, Subject
from vosbench.harness.contract.clips import tiny_clips
from vosbench.harness.contract.policies import POLICY_CHECKS, PolicySubject

from vosbench_example_metric import centre_distance


@pytest.fixture(scope="module", params=["example-histogram", "example-gated"])
def subject(request):
    return Subject.of(request.param, tiny_clips())


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_model(check, subject):
    check(subject)


@pytest.mark.parametrize("check", POLICY_CHECKS, ids=str)
def test_policy(check):
    check(PolicySubject.of("example-steady"))


def test_metric():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 2:5] = True
    assert centre_distance([(mask, mask), (mask, np.roll(mask, (3, 4), (0, 1)))]) == 2.5
    assert np.isnan(centre_distance([(mask, ~mask & mask)]))
