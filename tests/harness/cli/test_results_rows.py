"""The table of results: what tells measurements apart is seen; order, choice, intervals."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from cli_outcome import Vosbench

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.merged import merge_kinds
from vosbench.harness.cli.results_table import results_table, sequence_names, sorted_rows
from vosbench.harness.terminal import Terminal

NAN = math.nan


def row(**changes: Any) -> dict[str, Any]:
    """A complete accuracy trial."""
    usual = {
        "trial_id": 1, "key": "k", "model": "frtm", "trained": True, "weights": "own",
        "weights_sha256": "w" * 64, "precision": "float32", "dataset": "davis16",
        "state": "complete", "policy": None, "margins": None,
        "protocol": "davis16-val@1", "sequences": ("dog", "goat"), "max_frames": None, "seed": 0,
        "manifest_sha256": "m" * 64, "input_size": None, "switches": {}, "runner_version": "1",
        "kind": "accuracy", "repeat": 0, "tau": None, "tau2": None, "reuse_rate": 0.5,
        "jf_mean": 0.8, "j_mean": 0.7, "f_mean": 0.9, "fps": NAN, "ms_per_frame": NAN,
        "environment_key": "e" * 64, "device": "CPU", "unscored": None, "remarks": None,
    }  # fmt: skip
    return usual | changes


def timed(fps: float, **changes: Any) -> dict[str, Any]:
    unknown = dict.fromkeys(("reuse_rate", "jf_mean", "j_mean", "f_mean"), NAN)
    return row(kind="timing", fps=fps, ms_per_frame=1000 / fps, **unknown) | changes


def shown(rows: Sequence[dict[str, Any]], **how: Any) -> list[str]:
    file = io.StringIO()
    Terminal(file=file, width=80).print(results_table(rows, **how))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    "difference",
    [
        {"dataset": "davis17"},
        {"protocol": "davis16-val@2"},
        {"max_frames": 10},
        {"sequences": ("dog",)},
        {"sequences": ("dog", "bear")},
        {"sequences": tuple(f"a-long-name-{n}" for n in range(9))},
        {"manifest_sha256": "n" * 64},
        {"weights_sha256": "v" * 64},
        {"precision": "bf16"},
        {"seed": 1},
        {"switches": {"bilinear": "paper"}},
        {"input_size": "240x432"},
        {"runner_version": "2"},
        {"kind": "timing", "fps": 3.0},
    ],
    ids=lambda each: next(iter(each)),
)
def test_rows_of_different_measurements_look_different(difference: dict[str, Any]) -> None:
    one, other = row(), row(**difference)
    lines = [line for line in shown([one, other]) if "frtm" in line]
    assert len(set(lines)) == 2


def test_times_of_two_machines_look_different() -> None:
    both = [timed(4.0), timed(4.0, environment_key="f" * 64)]
    lines = [line for line in shown(merge_kinds(both)) if "frtm" in line]
    assert len(set(lines)) == 2
    assert "CPU eeeeee" in lines[0]


def test_what_all_rows_share_is_said_once() -> None:
    text = "\n".join(shown([row(max_frames=4), row(model="ttvos", max_frames=4)]))
    assert "Measured on davis16: 2 sequences, the first 4 frames of each." in text
    assert "frames " not in text.splitlines()[1]


def test_sets_of_as_many_sequences_have_letters_and_are_listed() -> None:
    sets = [tuple(f"{start}equence-{n}" for n in range(3)) for start in "st"]
    names = sequence_names([row(sequences=each) for each in sets])
    assert list(names.values()) == ["3 A", "3 B"]
    text = "\n".join(shown([row(sequences=each) for each in sets]))
    assert "3 B: tequence-0, tequence-1, tequence-2." in text


def test_repeats_are_one_row_with_their_range() -> None:
    repeats = [timed(fps, repeat=place) for place, fps in enumerate((4.0, 5.0, 7.0))]
    (merged,) = merge_kinds([row(), *repeats])
    assert (merged["fps"], merged["fps_low"], merged["fps_high"]) == (5.0, 4.0, 7.0)
    text = "\n".join(shown([merged]))
    assert "5.0 (4.0–7.0)" in text
    assert "slowest and the fastest" in text
    (alone,) = merge_kinds(repeats[:1])
    assert "(" not in "".join(line for line in shown([alone]) if "frtm" in line)


def streamed(rate: float, p99_ms: float) -> dict[str, Any]:
    ready = {"latency_p50_ms": 10.2, "latency_p90_ms": 20.0, "latency_p99_ms": p99_ms}
    decoding = {name.replace("latency", "latency_decoding"): 2 * ms for name, ms in ready.items()}
    late = {"latency_late_share": 0.125, "latency_decoding_late_share": 0.25}
    return {"stream_fps": rate, **ready, **decoding, **late}


def test_latencies_stand_beside_accuracy_with_and_without_decoding() -> None:
    unknown = dict.fromkeys(streamed(30, 1), NAN)
    (one,) = merge_kinds(
        [
            row(**unknown),
            timed(20, repeat=0, **unknown),  # timed before anybody asked for a stream
            timed(20, repeat=1, **streamed(30, 30.0)),
            timed(22, repeat=2, **streamed(30, 40.0)),
        ]
    )
    assert (one["kind"], one["jf_mean"], one["latency_p99_ms"]) == ("both", 0.8, 35.0)
    file = io.StringIO()
    Terminal(file=file, width=120).print(results_table([one], width=120))
    text = file.getvalue()
    assert "10/20/35" in text
    assert "20/40/70" in text
    assert all(f" {percent}" in text for percent in ("12.5", "25.0"))
    assert "at 30 frames/s" in text


def test_latencies_at_several_rates_are_not_averaged() -> None:
    rows = [timed(20, repeat=n, **streamed(rate, 30.0)) for n, rate in enumerate((30, 60))]
    (one,) = merge_kinds(rows)
    assert math.isnan(one["latency_p99_ms"])
    assert "latency" not in "\n".join(shown([one]))


def test_times_that_were_disturbed_are_marked() -> None:
    repeats = [timed(4.0, repeat=0, busy=False), timed(5.0, repeat=1, busy=True)]
    text = "\n".join(shown(merge_kinds([row(), *repeats])))
    assert "4.5† (4.0–5.0)" in text
    assert "† others used the device meanwhile." in text
    assert "†" not in "\n".join(shown(merge_kinds([row(), repeats[0]])))


def test_settings_that_differ_in_the_cut_are_not_merged() -> None:
    rows = merge_kinds([row(), row(runner_version="2"), timed(4.0, max_frames=3)])
    assert len(rows) == 3


def test_limits_stand_beside_means() -> None:
    text = "\n".join(shown([row(jf_low=0.7, jf_high=0.85, reuse_low=NAN, reuse_high=NAN)]))
    assert "80.0 (70.0–85.0)" in text
    assert "95 %" in text


def test_a_table_too_wide_drops_what_is_said_twice() -> None:
    wide = row(
        jf_low=0.1, jf_high=0.2, reuse_low=0.1, reuse_high=0.2, fps=3.0, fps_low=2.0, fps_high=4.0,
        repeats=3, model="a-rather-long-name", tau=0.5,
    )  # fmt: skip
    lines = shown([wide, wide | {"max_frames": 3}])
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["model", "frames", "τ", "reuse", "J&F", "FPS"]


def test_the_best_come_first_and_what_is_unknown_last() -> None:
    rows = [row(jf_mean=value, ms_per_frame=ms) for value, ms in ((0.1, 5), (NAN, 1), (0.9, 9))]
    assert [each["jf_mean"] for each in sorted_rows(rows, "J&F")[:2]] == [0.9, 0.1]
    assert [each["jf_mean"] for each in sorted_rows(rows, "-jf_mean")[:2]] == [0.1, 0.9]
    assert math.isnan(sorted_rows(rows, "-jf_mean")[2]["jf_mean"])
    assert [each["ms_per_frame"] for each in sorted_rows(rows, "ms")] == [1, 5, 9]
    with pytest.raises(InputError, match="'jf_maen'"):
        sorted_rows(rows, "jf_maen")


def test_columns_are_those_asked_for() -> None:
    lines = shown([row()], columns=["F", "dataset", "trial_id"])
    assert lines[1].split() == ["F", "data", "id"]
    assert lines[3].split() == ["90.0", "davis16", "1"]


def test_columns_asked_for_give_way_before_a_name_falls_to_pieces() -> None:
    limits = {"jf_low": 0.1, "jf_high": 0.9, "reuse_low": 0.2, "reuse_high": 0.7}
    wide = row(model="g-frtm-lite+random:0.4", weights="a-long-name.safetensors", **limits)
    lines = shown([wide], columns=["model", "weights", "dataset", "reuse", "J&F"])
    assert lines[3].split()[:2] == ["g-frtm-lite+random:0.4", "a-long-name.safetensors"]
    assert lines[3].split()[-2:] == ["50.0", "80.0"] and not lines[4].strip()


def test_the_command_sorts_cuts_and_chooses(vosbench: Vosbench) -> None:
    ran = vosbench(
        "run", "--models", "g-frtm-lite+always,frtm-lite", "--weights", "random:0",
        "--sequences", "still,fast", "--max-frames", "3",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Measured on motion: 2 sequences, the first 3 frames of each." in ran.out
    chosen = ("--sort", "reuse", "--top", "1", "--columns", "model,reuse")
    first = vosbench("results", *chosen)
    assert "g-frtm-lite+always" in first.out
    assert "\n frtm-lite" not in first.out
    (told,) = json.loads(vosbench("results", *chosen, "--json").out)
    assert told == {"model": "g-frtm-lite+always", "reuse_rate": 1.0}
    written = vosbench("results", *chosen, "--csv", "r.csv")
    assert written.code == 0
    plain = vosbench("results", *chosen, "--csv", "-").out
    assert plain == "model,reuse_rate\ng-frtm-lite+always,1.0\n"
    assert plain == vosbench("results", *chosen, "--csv").out  # as the flag it was
    lost = vosbench("results", "--csv", "no/such/folder.csv")
    assert (lost.code, "can't write no/such/folder.csv" in lost.err) == (2, True)
    nothing = vosbench("results", "--models", "none")
    assert (nothing.code, "nothing in results.db matches" in nothing.err) == (2, True)
