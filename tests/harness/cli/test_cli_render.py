"""``vosbench render``: a video of a stored result, and what is said where something lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_outcome import Vosbench
from PIL import Image, ImageSequence

CLIPS = "still,crossing"
TRIED = ("g-frtm-lite+never", "g-frtm-lite+always")


def ran(vosbench: Vosbench, *more: object, models: str = ",".join(TRIED)) -> None:
    outcome = vosbench(
        "run", "--models", models, "--weights", "random:0", "--sequences", CLIPS,
        "--max-frames", "4", "--threads", "1", "--device", "cpu", *more,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as gif:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]


def test_a_trial_is_found_by_id_key_and_model(vosbench: Vosbench, tmp_path: Path) -> None:
    ran(vosbench, "--save-masks")
    rows = {row["model"]: row for row in json.loads(vosbench("results", "--json").out)}
    names = [
        (rows[TRIED[1]]["trial_id"], "by-id.gif"),
        (rows[TRIED[1]]["key"][:12], "by-key.gif"),
        (TRIED[1], "by-model.gif"),
    ]
    for name, out in names:
        outcome = vosbench("render", name, "still", "--out", out)
        assert outcome.code == 0, outcome.err
        assert "4 frames of still" in outcome.out
    files = {(tmp_path / out).read_bytes() for _, out in names}
    assert len(files) == 1
    always = frames(tmp_path / "by-id.gif")
    assert vosbench("render", TRIED[0], "still", "--out", "never.gif").code == 0
    never = frames(tmp_path / "never.gif")
    assert len(always) == len(never) == 4
    edge = (200, 3)
    assert np.array_equal(always[0][edge], never[0][edge])  # the given frame
    for t in range(1, 4):
        assert not np.array_equal(always[t][edge], never[t][edge])

    outcome = vosbench("render", TRIED[1], "crossing", "--out", "two.mp4", "--fps", "5")
    assert outcome.code == 0, outcome.err
    av = pytest.importorskip("av", reason="no PyAV: pip install av")
    with av.open("two.mp4") as container:
        shapes = [frame.to_ndarray(format="rgb24").shape for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 5
    assert len(shapes) == 4
    assert shapes[0][0] > always[0].shape[0]  # a panel for each of the two objects


def test_what_is_missing_is_one_line(vosbench: Vosbench, tmp_path: Path) -> None:
    ran(vosbench)

    def said(*arguments: object, out: str = "x.gif") -> str:
        outcome = vosbench("render", *arguments, "--out", out)
        assert outcome.code == 2
        assert len(outcome.err.strip().splitlines()) == 1, outcome.err
        assert not list(tmp_path.glob("*.gif"))
        return outcome.err

    assert "--save-masks" in said(TRIED[0], "still")
    assert "did you mean 'still'" in said(1, "stil")
    assert "did you mean 'g-frtm-lite+never'" in said("g-frtm-lite+nevr", "still")
    assert "results --each" in said("99", "still")
    assert ".mp4 or .gif" in said(TRIED[0], "still", out="x.avi")
    assert "frames per second" in said(TRIED[0], "still", "--fps", "0")
    assert "no results" in said(TRIED[0], "still", "--db", "none.db")


def test_several_trials_of_a_model_are_listed(vosbench: Vosbench) -> None:
    ran(vosbench, "--save-masks", "--tau", "0.3,0.6", models="g-frtm-lite")
    outcome = vosbench("render", "g-frtm-lite", "still", "--out", "x.gif")
    assert outcome.code == 2
    assert "τ = 0.3" in outcome.err
    assert "τ = 0.6" in outcome.err
    chosen = vosbench("render", "g-frtm-lite", "still", "--tau", "0.60", "--out", "x.gif")
    assert chosen.code == 0, chosen.err
    listed = vosbench("results", "--each").out
    assert listed.split()[0] == "id"


def test_other_frames_than_those_measured_are_refused(vosbench: Vosbench, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def clip(size: tuple[int, int]) -> None:
        for folder in ("JPEGImages", "Annotations"):
            (tmp_path / "own" / folder / "a").mkdir(parents=True, exist_ok=True)
        for t in range(3):
            frame = Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8))
            frame.save(tmp_path / "own" / "JPEGImages" / "a" / f"{t:05d}.jpg")
            mask = np.zeros(size, np.uint8)
            mask[20:60, 20:60] = 1
            Image.fromarray(mask).save(tmp_path / "own" / "Annotations" / "a" / f"{t:05d}.png")

    clip((96, 128))
    outcome = vosbench(
        "run", "--models", TRIED[0], "--weights", "random:0", "--threads", "1", "--save-masks",
        "--dataset", f"davis-layout:{tmp_path / 'own'}",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    image = next((tmp_path / "own" / "JPEGImages" / "a").iterdir())
    Image.fromarray(np.full((96, 128, 3), 7, np.uint8)).save(image)  # as large, but another one
    for change in (lambda: None, lambda: clip((80, 128))):
        change()
        refused = vosbench("render", 1, "a", "--out", "x.gif")
        assert refused.code == 2
        assert "other frames of a" in refused.err
