"""Whether the model keeps the promises of VOSBench's runner interface."""

import pytest
from vosbench.harness.contract_clips import tiny_clips
from vosbench.runners.contract import CHECKS, Subject


@pytest.fixture(scope="module")
def subject():
    return Subject.of("example-histogram", tiny_clips())


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_contract(check, subject):
    check(subject)
