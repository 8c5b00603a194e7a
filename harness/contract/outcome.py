"""A check, and how it came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vosbench.baselines.text import error_text
from vosbench.harness.contract.play import ContractBreach
from vosbench.harness.contract.subject import NotApplicable, Subject

if TYPE_CHECKING:
    from vosbench.harness.contract.policies import PolicySubject


class Status(StrEnum):
    """How a check came out; ``SKIPPED`` where it doesn't apply."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One promise of the interface; its name is its id in pytest.

    Attributes:
        promise: what a model or policy that passes does.
        run: raises ContractBreach, NotApplicable, or whatever the runner raises.
    """

    name: str
    promise: str
    run: Callable[[Any], None]

    def __call__(self, subject: Subject | PolicySubject) -> None:
        """Run the check."""
        self.run(subject)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """A check's result.

    Attributes:
        line: what is wrong, or why it was skipped; else the promise.
        error: what was raised, if it failed.
    """

    check: Check
    status: Status
    line: str
    error: BaseException | None = None


def run_checks(checks: Iterable[Check], subject: Subject | PolicySubject) -> Iterator[Outcome]:
    """Run checks one after the other; whatever a model or policy raises is an outcome."""
    for check in checks:
        try:
            check(subject)
        except NotApplicable as reason:
            yield Outcome(check, Status.SKIPPED, str(reason))
        except ContractBreach as breach:
            yield Outcome(check, Status.FAILED, str(breach), breach)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # it may raise anything
            yield Outcome(check, Status.FAILED, error_text(error), error)
        else:
            yield Outcome(check, Status.PASSED, check.promise)
