"""Figures, verdicts and the report; checks that are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from vosbench.harness.contract import prove as suite
from vosbench.harness.contract.prove_record import (
    Bench,
    Figure,
    NotDone,
    Proof,
    ProofOutcome,
    ProofVerdict,
)
from vosbench.harness.measure.judgements import InstrumentFinding, Trust

CPU = torch.device("cpu")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(CPU, tmp_path)


def check(*figures: Figure) -> Proof:
    return Proof("toy", "toys are kept", lambda _: figures)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ([Figure("a", 1, at_most=1)], ProofVerdict.PROVED),
        ([Figure("a", 1, at_most=1), Figure("b", 2, at_least=3)], ProofVerdict.FAILED),
        ([Figure("a", math.nan, at_most=1)], ProofVerdict.FAILED),
        ([Figure("only informs", 5)], ProofVerdict.FAILED),
        ([], ProofVerdict.FAILED),
    ],
)
def test_the_verdict_follows_from_the_figures(
    bench: Bench, figures: Sequence[Figure], verdict: ProofVerdict
) -> None:
    assert check(*figures).run(bench).verdict is verdict


def test_a_broken_bound_is_named(bench: Bench) -> None:
    outcome = check(Figure("gap", 0.5, "ms", at_most=0.1)).run(bench)
    assert outcome.detail == "gap 0.5 ms (≤ 0.1)"


def test_what_is_raised_becomes_the_outcome(bench: Bench) -> None:
    def broken(_: Bench) -> Sequence[Figure]:
        raise RuntimeError("first line\nsecond")

    def absent(_: Bench) -> Sequence[Figure]:
        raise NotDone("no card")

    failed = Proof("toy", "", broken).run(bench)
    assert (failed.verdict, failed.detail) == (ProofVerdict.FAILED, "RuntimeError: first line")
    assert "in broken" in failed.traceback
    left = Proof("toy", "", absent).run(bench)
    assert (left.verdict, left.detail) == (ProofVerdict.NOT_DONE, "no card")


def test_a_report_holds_every_outcome_and_can_be_read_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        InstrumentFinding("clock", Trust.TRUSTWORTHY, "steps of 50 ns"),
        InstrumentFinding("users", Trust.DOUBTFUL, "2 cores busy"),
        InstrumentFinding("counter", Trust.UNAVAILABLE, "no GPU"),
    ]
    monkeypatch.setattr(suite, "examine", lambda seconds: found)
    heard: list[ProofOutcome] = []
    toys = [check(Figure("gap", math.nan, at_most=1)), check(Figure("gap", 0.0, at_most=1))]
    report = suite.prove(CPU, checks=toys, heard=heard.append)
    assert [o.verdict.value for o in report.outcomes] == [
        "proved", "doubtful", "not done", "failed", "proved",
    ]  # fmt: skip
    assert heard == list(report.outcomes)
    assert [o.check for o in report.failed] == ["toy"]
    read = json.loads(report.to_json())
    assert read["outcomes"][3]["figures"][0]["value"] is None
    assert read["environment"]["comparability key"]
    page = report.to_markdown()
    assert "| toy: toys are kept | failed | gap nan (≤ 1) |" in page


def test_a_spent_budget_leaves_checks_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "examine", lambda seconds: [])
    toys = [check(Figure("gap", 0.0, at_most=1))]
    (outcome,) = suite.prove(CPU, checks=toys, budget_s=-1).outcomes
    assert outcome.verdict is ProofVerdict.NOT_DONE
    assert "--budget" in outcome.detail


def test_names_of_checks_are_unique() -> None:
    names = [each.name for each in suite.all_checks()]
    assert len(names) == len(set(names))
