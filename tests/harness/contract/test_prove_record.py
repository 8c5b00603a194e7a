"""Figures, verdicts and the report; checks that are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
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
    ProofReport,
    ProofVerdict,
    TookTooLong,
)
from vosbench.harness.contract.prove_report import LINE, account, markdown
from vosbench.harness.measure.judgements import InstrumentFinding, Trust
from vosbench.harness.measure.occupancy import CpuUse

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
    page = markdown(report)
    lines = page.splitlines()
    assert lines[2].startswith("**1 failed, 1 doubtful, 2 proved, 1 not done**: 5 checks in ")
    first = lines.index("| --- | --- | --- | ---: |") + 1
    assert lines[first].startswith("| toy | **failed** | gap nan (≤ 1) |")
    assert "- counter: no GPU" in lines
    assert "| gap | **nan** | ≤ 1 |" in lines


def test_figures_of_a_group_are_a_row_and_a_check_is_a_short_line() -> None:
    figures = [
        Figure(name, value, at_most=0.02, group=group)
        for group in ("float32, full", "float32, reuse")
        for name, value in (("S", 0.001), ("R8", 0.019 if "reuse" in group else 0.0))
    ]
    many = [*figures, *(replace(each, group="bf16, full") for each in figures[:2])]
    outcome = ProofOutcome("network x", "it computes", ProofVerdict.PROVED, tuple(many))
    said = account(outcome)
    assert said == "6 figures hold; nearest to its bound: float32, reuse: R8 0.019 (≤ 0.02)"
    broken = tuple(replace(each, value=1.0) for each in many)
    details = "; ".join(map(str, broken))
    failed = ProofOutcome("network y", "it computes", ProofVerdict.FAILED, broken, details)
    assert len(account(failed)) <= LINE
    lines = markdown(ProofReport("2026-01-01T00", "CPU", {}, (outcome,))).splitlines()
    at = lines.index("| | S | R8 | bound |")
    assert lines[at + 2 : at + 5] == [
        "| float32, full | 0.001 | 0 | ≤ 0.02 |",
        "| float32, reuse | 0.001 | 0.019 | ≤ 0.02 |",
        "| bf16, full | 0.001 | 0 | ≤ 0.02 |",
    ]
    assert max(map(len, lines)) <= 120
    apart = (replace(figures[0], name="labels", at_most=0.5), *figures[:2])
    page = markdown(ProofReport("2026", "CPU", {}, (replace(outcome, figures=apart),)))
    assert "| 0.001 | 0.001 | 0 | ≤ 0.02; labels ≤ 0.5 |" in page


@pytest.mark.parametrize(
    ("busy", "timed", "verdict"),
    [
        (2.0, True, ProofVerdict.DOUBTFUL),
        (0.1, True, ProofVerdict.FAILED),
        (2.0, False, ProofVerdict.FAILED),
    ],
)
def test_what_others_may_have_disturbed_is_doubtful(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, busy: float, timed: bool, verdict: ProofVerdict
) -> None:
    monkeypatch.setattr(CpuUse, "others_since", lambda *_: busy)
    outcome = check(Figure("A/A", 0.3, at_most=0.25, timed=timed)).run(bench)
    assert outcome.verdict is verdict
    assert ("other processes kept 2.0 cores busy" in outcome.detail) == (busy > 1 and timed)
    both = check(Figure("A/A", 0.3, at_most=0.25, timed=True), Figure("b", 2, at_most=1))
    assert both.run(bench).verdict is ProofVerdict.FAILED
    assert check(Figure("A/A", 0.2, at_most=0.25, timed=True)).run(bench).verdict is (
        ProofVerdict.PROVED
    )

    def late(_: Bench) -> Sequence[Figure]:
        raise TookTooLong("not done after 240 s")

    ended = Proof("toy", "", late).run(bench).verdict
    assert ended is (ProofVerdict.DOUBTFUL if busy > 1 else ProofVerdict.FAILED)


def test_a_spent_budget_leaves_checks_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "examine", lambda seconds: [])
    toys = [check(Figure("gap", 0.0, at_most=1))]
    (outcome,) = suite.prove(CPU, checks=toys, budget_s=-1).outcomes
    assert outcome.verdict is ProofVerdict.NOT_DONE
    assert "--budget" in outcome.detail


def test_names_of_checks_are_unique() -> None:
    names = [each.name for each in suite.all_checks()]
    assert len(names) == len(set(names))
