"""The contract suite: whether a runner keeps the promises of :mod:`vosbench.runners.interface`.

``vosbench check NAME`` runs it; an author of a plug-in can run it under pytest::

    import pytest
    from vosbench.harness.contract.clips import tiny_clips
    from vosbench.harness.contract import CHECKS, Subject

    @pytest.fixture(scope="module")
    def subject():
        return Subject.of("my-model", tiny_clips())

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_contract(check, subject):
        check(subject)

A check that doesn't apply is a skipped test. The modules ``prove*`` hold this machine to promises
in the same way: ``vosbench doctor --prove``.
"""

from vosbench.harness.contract.checks import CHECKS
from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.outcome import Check, Outcome, Status, run_checks
from vosbench.harness.contract.play import ContractBreach
from vosbench.harness.contract.subject import NotApplicable, Subject

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
