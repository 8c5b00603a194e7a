"""Comparisons of whole runs: pairing, accuracy first, machines, what is missing, the output."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from regression_samples import CLIPS, SERVER, TAUS, accuracy, later, run, spec, timing

from vosbench.harness.regression.compare import compare
from vosbench.harness.regression.comparison import Comparison, Finding
from vosbench.harness.regression.render_json import as_json
from vosbench.harness.regression.render_junit import junit
from vosbench.harness.regression.render_markdown import markdown
from vosbench.harness.regression.render_terminal import terminal
from vosbench.harness.regression.thresholds import tolerances
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.store import State
from vosbench.harness.store.measured import MeasuredTrial, Run
from vosbench.harness.terminal import Terminal

BASE = run(
    [accuracy(spec(tau)) for tau in TAUS],
    [trial for place, tau in enumerate(TAUS) for trial in timing(spec(tau), seed=place)],
)


def head(*trials: object) -> Run:
    """A run measured later, by other weights."""
    return later(run(*trials))  # type: ignore[arg-type]


def only(comparison: Comparison) -> Finding:
    """The one finding of a comparison."""
    (point,) = comparison.points
    (finding,) = point.findings
    return finding


def test_equal_runs_pass() -> None:
    comparison = compare(BASE, later(BASE))
    assert comparison.verdict is Verdict.PASS
    assert [point.label for point in comparison.points] == [
        f"g-frtm-fast τ={tau} davis16" for tau in TAUS
    ]
    jf, fps = comparison.points[0].findings
    assert (jf.reason, jf.measured) == ("equal masks", None)
    assert fps.measured is not None and fps.measured.repeats == (5, 5)
    assert comparison.reason == "pass: of 2 grid points 2 pass"


def both(base: Run, *anew: MeasuredTrial) -> Run:
    """What a database holds after base was measured again in parts."""
    return Run("head", (*base.trials, *anew))


def test_accuracy_that_nobody_had_to_measure_again_is_equal() -> None:
    again = timing(spec(TAUS[0]), seed=3, started_at=9000.0)
    points = compare(BASE, both(BASE, *again)).points
    jf, fps = points[0].findings
    assert (jf.verdict, jf.reason) == (Verdict.PASS, "equal: the same measurement")
    assert fps.verdict is Verdict.PASS
    # Where nothing at all is new, nothing passes.
    assert {finding.verdict for finding in points[1].findings} == {Verdict.ERROR}


@pytest.mark.parametrize("change", [{"weights_sha256": "77" * 32}, {"runner_version": "2"}])
def test_accuracy_of_what_changed_since_is_missing(change: dict[str, object]) -> None:
    again = timing(spec(TAUS[0], **change), seed=3, started_at=9000.0)
    jf = compare(BASE, both(BASE, *again)).points[0].findings[0]
    assert (jf.verdict, jf.reason) == (Verdict.ERROR, "not measured in head")


def test_what_is_probable_is_said_in_words() -> None:
    base = run([accuracy()], [])
    probable = [0.002 + 0.001 * (place % 5) for place in range(len(CLIPS))]
    comparison = compare(base, head([accuracy(lower=probable, salt="x")], []))
    finding = only(comparison)
    assert (finding.verdict, finding.leaning) == (Verdict.INCONCLUSIVE, "probably worse")
    assert "1 inconclusive (1 probably worse)" in comparison.reason
    for render in (as_json, junit, markdown):
        assert "probably worse" in render(comparison)
    gained = [-lost for lost in probable]
    finding = only(compare(base, head([accuracy(lower=gained, salt="z")], [])))
    assert (finding.verdict, finding.leaning) == (Verdict.PASS, "probably better")
    assert finding.reason == "not worse than 0.30 points"
    scattered = [0.01 * (-1) ** place for place in range(len(CLIPS))]
    unsure = only(compare(base, head([accuracy(lower=scattered, salt="y")], [])))
    assert (unsure.verdict, unsure.leaning) == (Verdict.INCONCLUSIVE, "")


def test_a_point_is_named_once_and_a_pass_has_its_reason() -> None:
    slowed = head(
        [accuracy(spec(tau)) for tau in TAUS],
        [
            t
            for place, tau in enumerate(TAUS)
            for t in timing(spec(tau), seed=9 + place, slower=0.3)
        ],
    )
    file = io.StringIO()
    Terminal(file=file, width=80).print(terminal(compare(BASE, slowed)))
    text = file.getvalue()
    for tau in TAUS:
        assert text.count(f"g-frtm-fast τ={tau} davis16") == 1
        assert markdown(compare(BASE, slowed)).count(f"| g-frtm-fast τ={tau} davis16 |") == 1
    assert text.count("equal masks") == 2
    assert all(len(line) <= 80 for line in text.splitlines() if "→" in line)


def test_slower_runner_is_found_and_only_where_it_is_slower() -> None:
    slowed = head(
        [accuracy(spec(tau)) for tau in TAUS],
        timing(spec(TAUS[0]), seed=7),
        timing(spec(TAUS[1]), seed=8, slower=0.10),
    )
    comparison = compare(BASE, slowed)
    assert comparison.verdict is Verdict.REGRESSED
    quiet, slow = comparison.points
    assert (quiet.verdict, slow.verdict) == (Verdict.PASS, Verdict.REGRESSED)
    measured = slow.findings[1].measured
    assert measured is not None
    assert measured.change == pytest.approx(-0.10, abs=0.01)
    assert measured.low < measured.change < measured.high < -0.05
    assert measured.head == pytest.approx(0.9 * measured.base, rel=0.02)


def test_other_machine_is_incomparable() -> None:
    moved = head([accuracy(spec(tau)) for tau in TAUS], timing(spec(TAUS[0]), machine=SERVER),
                 timing(spec(TAUS[1]), machine=SERVER))  # fmt: skip
    comparison = compare(BASE, moved)
    assert comparison.verdict is Verdict.INCOMPARABLE
    jf, fps = comparison.points[0].findings
    assert jf.verdict is Verdict.PASS
    assert "CPU of a laptop" in fps.reason and "GPU of a server" in fps.reason


def test_timings_meet_on_the_machine_that_both_sides_have() -> None:
    base = run(timing(machine=SERVER), timing(seed=1))
    comparison = compare(base, head(timing(seed=2)))
    assert only(comparison).verdict is Verdict.PASS


def test_unknown_machine_is_incomparable() -> None:
    base = run(timing(machine=None))
    assert compare(base, later(base)).verdict is Verdict.INCOMPARABLE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol": "davis16-val@2"}, "protocol davis16-val@1 became davis16-val@2"),
        ({"manifest_sha256": "ff" * 32}, "manifest cdcdcdcdcdcd became ffffffffffff"),
        ({"sequences": CLIPS[:3]}, "other sequences: 12 in base, 3 in head"),
        ({"max_frames": 20}, "frames were cut at none, now at 20"),
    ],
)
def test_other_protocol_or_data_is_incomparable(change: dict[str, object], reason: str) -> None:
    comparison = compare(run(accuracy()), head(accuracy(spec(**change))))
    assert comparison.verdict is Verdict.INCOMPARABLE
    assert reason in only(comparison).reason


def test_new_weights_and_versions_are_what_is_compared() -> None:
    new = spec(weights_sha256="99" * 32, weights="new.pt", runner_version="2")
    comparison = compare(run(accuracy()), head(accuracy(new, version="0.1+bbbbbbb")))
    assert comparison.verdict is Verdict.PASS
    assert (comparison.base_versions, comparison.head_versions) == (
        ("0.1+aaaaaaa",),
        ("0.1+bbbbbbb",),
    )


def test_lower_accuracy_regresses_and_names_the_clips() -> None:
    lower = np.linspace(0.05, 0.16, len(CLIPS))
    comparison = compare(run(accuracy()), head(accuracy(lower=lower, salt="other")))
    finding = only(comparison)
    assert finding.verdict is Verdict.REGRESSED
    assert [clip.sequence for clip in finding.clips] == list(reversed(CLIPS))
    assert finding.clips[0].change == pytest.approx(-0.16)
    assert finding.measured is not None
    assert finding.measured.change == pytest.approx(-lower.mean())


def test_one_clip_that_collapsed_is_inconclusive_and_named() -> None:
    lower = [0.0] * 11 + [0.4]
    finding = only(compare(run(accuracy()), head(accuracy(lower=lower, salt="other"))))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.clips[0].sequence == CLIPS[-1]


def test_other_masks_of_equal_score_pass() -> None:
    finding = only(compare(run(accuracy()), head(accuracy(salt="other"))))
    assert (finding.verdict, finding.reason) == (Verdict.PASS, "within 0.30 points")


def test_the_same_measurement_twice_is_an_error() -> None:
    comparison = compare(BASE, replace(BASE, source="again"))
    assert comparison.verdict is Verdict.ERROR
    assert "same measurements" in comparison.reason


def test_nothing_measured_is_an_error() -> None:
    assert compare(run(), BASE).verdict is Verdict.ERROR
    comparison = compare(BASE, run(source="empty.db"))
    assert comparison.verdict is Verdict.ERROR
    assert comparison.reason == "nothing measured in head: no trial in empty.db"
    assert all(point.verdict is Verdict.ERROR for point in comparison.points)


def test_a_point_that_failed_in_head_is_an_error_with_its_reason() -> None:
    failed = replace(accuracy(), state=State.FAILED, error="CUDA out of memory", clips=())
    comparison = compare(run(accuracy()), head(failed))
    assert only(comparison).verdict is Verdict.ERROR
    assert only(comparison).reason == "not measured in head: failed, CUDA out of memory"


def test_a_lost_score_is_an_error() -> None:
    broken = accuracy(salt="other")
    clip = broken.clips[2]
    values = {1: {**clip.object_metrics[1], "j_mean": float("nan")}}
    clips = (*broken.clips[:2], replace(clip, object_metrics=values), *broken.clips[3:])
    finding = only(compare(run(accuracy()), head(replace(broken, clips=clips))))
    assert finding.verdict is Verdict.ERROR
    assert finding.reason == "J&F of object 1 in clip02 is missing in head"


def test_only_what_somebody_asked_for_must_be_measured() -> None:
    base, new = run(accuracy()), head(accuracy())
    assert compare(base, new).verdict is Verdict.PASS
    comparison = compare(base, new, tolerances({"fps": "min:5%"}))
    assert comparison.verdict is Verdict.ERROR
    assert comparison.points[0].findings[1].reason == "not measured on either side"


def test_new_points_are_listed_and_judged_by_nobody() -> None:
    comparison = compare(run(accuracy()), head(accuracy(), accuracy(spec("0.9"))))
    assert comparison.new_points == ("g-frtm-fast τ=0.9 davis16",)
    assert comparison.verdict is Verdict.PASS


def test_the_latest_weights_of_head_count() -> None:
    older = accuracy(spec(weights_sha256="77" * 32), lower=0.3, salt="old", started_at=10.0)
    newer = accuracy(spec(weights_sha256="88" * 32), started_at=20.0)
    assert compare(run(accuracy()), head(newer, older)).verdict is Verdict.PASS


def test_energy_and_memory_are_compared_over_all_clips() -> None:
    chosen = tolerances({"energy_net_j_per_frame": "5%", "peak_memory_mib": "1%"})
    comparison = compare(run(timing()), head(timing(slower=0.2, seed=3)), chosen)
    found = {finding.metric.name: finding for finding in comparison.points[0].findings}
    assert found["energy_net_j_per_frame"].verdict is Verdict.REGRESSED
    assert found["energy_net_j_per_frame"].measured is not None
    assert found["energy_net_j_per_frame"].measured.change == pytest.approx(0.25)
    assert found["peak_memory_mib"].verdict is Verdict.PASS


def test_clips_without_a_time_on_either_side_are_left_out() -> None:
    def untimed(run_: Run, clip: int) -> Run:
        def strip(trial: MeasuredTrial) -> MeasuredTrial:
            clips = list(trial.clips)
            clips[clip] = replace(clips[clip], metrics={"fps": float("nan")})
            return replace(trial, clips=tuple(clips))

        return Run(run_.source, tuple(strip(trial) for trial in run_.trials))

    base, new = run(timing()), head(timing(seed=1))
    finding = only(compare(untimed(base, 3), untimed(new, 3)))
    assert finding.verdict is Verdict.PASS
    assert finding.measured is not None and finding.measured.units == len(CLIPS) - 1
    broken = only(compare(untimed(base, 3), new))
    assert (broken.verdict, broken.reason) == (
        Verdict.ERROR,
        "a value is missing or not positive in base",
    )


def test_switches_tell_equal_labels_apart() -> None:
    code = accuracy(spec(switches={"margin": "code"}))
    comparison = compare(run(accuracy(), code), head(accuracy(), code))
    assert [point.label for point in comparison.points] == [
        "g-frtm-fast τ=0.7 davis16 learned margin=paper",
        "g-frtm-fast τ=0.7 davis16 learned margin=code",
    ]


MIXED = compare(
    BASE,
    head(
        accuracy(spec(TAUS[0], trained=False), lower=0.1, salt="x"),
        timing(spec(TAUS[0]), slower=0.3),
        accuracy(spec("0.9")),
    ),
)


def test_terminal_fits_80_columns_and_says_why() -> None:
    out = io.StringIO()
    Terminal(file=out, width=80).print(terminal(MIXED))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text.split("tolerances")[0]
    for part in (
        "regressed",
        "worse beyond 0.30 points",
        "sequences:",
        "not measured in head",
        "untrai",
    ):
        assert part in text


def test_junit_counts_what_it_holds() -> None:
    suite = ET.fromstring(junit(MIXED)).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases)) == "4"
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "2"
    assert suite.get("errors") == str(len(suite.findall("testcase/error"))) == "2"
    failure = suite.find("testcase/failure")
    assert failure is not None and (failure.text or "").count("clip0") >= 2


def test_junit_of_nothing_is_an_error_and_odd_signs_are_no_matter() -> None:
    failed = replace(accuracy(), state=State.FAILED, error="bad \x00 <tag> & ]]>", clips=())
    text = junit(compare(run(accuracy()), head(failed)))
    error = ET.fromstring(text).find(".//error")
    assert error is not None and "<tag> & ]]>" in (error.get("message") or "")
    nothing = ET.fromstring(junit(compare(run(), BASE)))
    assert nothing.find(".//testcase/error") is not None


def test_markdown_keeps_its_table_whole() -> None:
    failed = replace(accuracy(), state=State.FAILED, error="a | b\nc <b>", clips=())
    text = markdown(compare(run(accuracy()), head(failed)))
    (row,) = (line for line in text.splitlines() if line.startswith("| g-frtm"))
    assert row.replace("\\|", "").count("|") == 6
    assert "<b>" not in row
    assert "<details>" in markdown(MIXED) and markdown(MIXED).startswith("### ❌")


def test_json_holds_all_and_no_nan() -> None:
    def refuse(name: str) -> float:
        raise AssertionError(name)

    values = json.loads(as_json(MIXED), parse_constant=refuse)
    assert (values["verdict"], values["exit_code"]) == ("regressed", 10)
    assert [point["verdict"] for point in values["points"]] == ["regressed", "error"]
    assert values["points"][0]["setting"]["tau"] == "0.5"
    assert len(values["points"][0]["findings"][0]["clips"]) == len(CLIPS)
