"""Series over commits, their steps, and the frame to plot."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from regression_samples import SERVER, accuracy, run, spec, timing

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.history import HISTORY_COLUMNS, history, history_frame
from vosbench.harness.regression.render_history import history_tables
from vosbench.harness.store.measured import Run
from vosbench.harness.terminal import Terminal
from vosbench.reports.history import _figure, draw_history

COMMITS = [f"{number:07x}" for number in range(10)]


def past(slower_from: int = 6) -> list[Run]:
    """Ten commits, each in a database of its own; FPS falls by a tenth at one of them."""
    return [
        run(
            accuracy(version=f"0.1+{commit}", started_at=1000.0 * place),
            timing(
                slower=0.1 if place >= slower_from else 0.0,
                seed=place,
                version=f"0.1+{commit}",
                started_at=1000.0 * place + 500.0,
            ),
        )
        for place, commit in enumerate(COMMITS)
    ]


def test_a_step_is_found_at_its_commit() -> None:
    jf, fps = history(past())
    assert jf.steps == ()
    assert jf.machine is None and fps.machine == "CPU of a laptop (11111111)"
    (step,) = fps.steps
    assert (step.index, step.version) == (6, "0.1+0000006")
    assert step.change == pytest.approx(-0.1, abs=0.01)
    assert [value.repeats for value in fps.values] == [5] * 10


def test_commits_go_in_the_order_given() -> None:
    (fps,) = history(past(), ["fps"], order=[c * 5 for c in reversed(COMMITS[3:])])
    assert [value.version[-1] for value in fps.values] == list("9876543")
    (step,) = fps.steps
    assert step.change == pytest.approx(0.11, abs=0.01)


def test_a_measurement_counts_once_and_machines_stay_apart() -> None:
    runs = past()
    assert history([*runs, *runs]) == history(runs)
    elsewhere = run(timing(machine=SERVER, version="0.1+0000003", slower=0.9))
    found = history([*runs, elsewhere], ["fps"])
    assert [len(one.values) for one in found] == [10, 1]


def test_other_frames_are_another_series() -> None:
    short = run(accuracy(spec(max_frames=5), lower=0.3, version="0.1+0000004"))
    found = history([*past(), short], ["jf_mean"])
    assert [len(one.values) for one in found] == [10, 1]
    assert "5 frames" in found[1].protocol


def test_a_terminal_shows_percent_and_the_size_of_a_step() -> None:
    file = io.StringIO()
    Terminal(file=file, width=80).print(history_tables(history(past())))
    lines = [line for line in file.getvalue().splitlines() if "0.1+" in line]
    assert len(lines) == len(COMMITS)
    assert [line.split()[-1] for line in lines].count("%)") == 1
    assert "(-10." in lines[6] or "(-9." in lines[6]
    assert all(" 77.75 " in line for line in lines)
    assert max(map(len, file.getvalue().splitlines())) <= 80


def test_a_plot_has_a_panel_a_metric_and_steps_where_they_were_found(tmp_path: Path) -> None:
    frame = history_frame(history(past()))
    drawn = _figure(frame)
    jf, fps = drawn.axes
    assert (jf.get_ylabel(), fps.get_ylabel()) == ("J&F (%)", "FPS (1/s)")
    dotted = [line.get_xdata()[0] for line in fps.lines if line.get_linestyle() == ":"]
    assert dotted == [5.5]
    assert [text.get_text().strip("%") for text in jf.texts] == []
    assert len(fps.texts) == 1
    assert draw_history(frame, tmp_path / "h.svg").stat().st_size > 0
    with pytest.raises(InputError, match="ends in"):
        draw_history(frame, tmp_path / "h.txt")


def test_frame_has_a_row_per_value() -> None:
    frame = history_frame(history(past()))
    assert tuple(frame.columns) == HISTORY_COLUMNS
    assert len(frame) == 20
    fps = frame[frame["metric"] == "fps"]
    assert fps["order"].tolist() == list(range(10))
    assert fps.loc[fps["is_step"], "version"].tolist() == ["0.1+0000006"]
    assert fps["level"].nunique() == 2
    assert str(frame["at"].dt.tz) == "UTC"
    empty = history_frame([])
    assert tuple(empty.columns) == HISTORY_COLUMNS and empty.empty


def test_points_are_means_over_clips() -> None:
    (jf,) = history([run(accuracy(version="0.1+a"))], ["jf_mean"])
    expected = sum((0.70 + 0.01 * place + 0.80) / 2 for place in range(12)) / 12
    assert jf.values[0].value == pytest.approx(expected)
