"""Whether the model keeps the promises of VOSBench's runner interface."""

import pytest
from vosbench.harness.contract import CHECKS, Subject
from vosbench.harness.contract.clips import tiny_clips


@pytest.fixture(scope="module")
def subject():
    return Subject.of("example-histogram", tiny_clips())


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_contract(check, subject):
    check(subject)
