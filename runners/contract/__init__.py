"""The contract suite: whether a runner keeps the promises of :mod:`vosbench.runners.interface`.

``vosbench check NAME`` runs it; an author of a plug-in can run it under pytest::

    import pytest
    from vosbench.harness.contract_clips import tiny_clips
    from vosbench.runners.contract import CHECKS, Subject

    @pytest.fixture(scope="module")
    def subject():
        return Subject.of("my-model", tiny_clips())

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_contract(check, subject):
        check(subject)

A check that doesn't apply is a skipped test.
"""

from vosbench.runners.contract.checks import CHECKS
from vosbench.runners.contract.clip import ContractClip
from vosbench.runners.contract.outcome import Check, Outcome, Status, run_checks
from vosbench.runners.contract.play import ContractBreach
from vosbench.runners.contract.subject import NotApplicable, Subject

__all__ = [
    "CHECKS",
    "Check",
    "ContractBreach",
    "ContractClip",
    "NotApplicable",
    "Outcome",
    "Status",
    "Subject",
    "run_checks",
]
