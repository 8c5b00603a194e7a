"""``vosbench train`` on a toy budget: it learns, resumes after a kill, and lands in the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from cli_outcome import Vosbench

from vosbench.harness.store import Storage

TOY = (
    "--set", "data.height=64", "--set", "data.width=112", "--set", "data.frames=5",
    "--set", "clips=6", "--set", "reuse.gaps=[1,2]", "--steps", "24,12", "--batch", "4",
    "--set", "segmentation.learning_rate=3e-3", "--set", "reuse.stage.learning_rate=3e-3",
    "--threads", "1", "--log-every", "1", "--save-every", "4", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with noisy pictures of a bright disk each; the cache is made beside them."""
    root = tmp_path_factory.mktemp("toys")
    for name in ("images", "masks"):
        (root / "pictures" / name).mkdir(parents=True)
    for index in range(24):  # of which three are held out, by a hash of their names
        rng = np.random.default_rng(index)
        image = rng.integers(0, 90, (60, 80, 3)).astype(np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        centre = tuple(int(v) for v in rng.integers((30, 22), (50, 38)))
        cv2.circle(mask, centre, int(rng.integers(10, 20)), 255, -1)
        image[mask > 0] = rng.integers(120, 255, 3)
        cv2.imwrite(str(root / f"pictures/images/b{index:02d}.jpg"), image)
        cv2.imwrite(str(root / f"pictures/masks/b{index:02d}.png"), mask)
    return root


@pytest.fixture(autouse=True)
def shared_cache(toys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Encoded clips are kept for all tests here; trainings find those of tests before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(toys / "cache"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def command(toys: Path) -> tuple[str, ...]:
    return ("train", "g-frtm-lite", "--pictures", str(toys / "pictures"), *TOY)


def listed(vosbench: Vosbench, db: str = "results.db") -> list[dict[str, Any]]:
    outcome = vosbench("trainings", "--json", "--db", db)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_loss_falls_and_a_killed_run_ends_like_an_undisturbed_one(
    vosbench: Vosbench, command: tuple[str, ...], tmp_path: Path
) -> None:
    whole = vosbench(*command, "--out", "whole.safetensors", "--folder", "whole")
    assert whole.code == 0, whole.err
    assert "segmentation 24/36" in whole.err  # validated at the end of each stage
    (row,) = listed(vosbench)
    assert (row["state"], row["steps_done"], row["seed"]) == ("complete", 36, 0)
    kept = json.loads((tmp_path / "whole/recipe.json").read_text())
    assert kept["data"]["pictures"][0]["weight"] == 1 and kept["recipe"]["clips"] == 6
    assert (row["margins"], row["data"]) == ("1,0", "pictures pictures")
    assert row["recipe"]["segmentation"]["learning_rate"] == 3e-3
    curve = json.loads(vosbench("trainings", "show", row["key"][:9], "--json").out)["curve"]
    values = [value for _, series, value in curve if series == "bce"]
    assert len(values) == 24
    assert np.mean(values[-6:]) < 0.7 * np.mean(values[:6])
    second = {name for step, name, _ in curve if step > 24}
    assert second >= {"delta", "gate", "reuse", "validation/full", "validation/gate"}

    process = subprocess.Popen(
        [sys.executable, "-c", "from vosbench.harness.cli import main; main()", *command,
         "--out", "killed.safetensors", "--folder", "killed", "--db", "killed.db"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (tmp_path / "killed/state.pt").exists():
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (stopped,) = listed(vosbench, "killed.db")
    assert (stopped["state"], stopped["checkpoint_sha256"]) == ("stopped", None)
    assert not (tmp_path / "killed.safetensors").exists()
    resumed = vosbench(
        *command, "--out", "killed.safetensors", "--folder", "killed", "--db", "killed.db"
    )
    assert resumed.code == 0, resumed.err
    (done,) = listed(vosbench, "killed.db")
    assert done["key"] == row["key"]
    assert done["checkpoint_sha256"] == row["checkpoint_sha256"]
    again = json.loads(vosbench("trainings", "show", "", "--json", "--db", "killed.db").out)
    assert [p for p in again["curve"] if not p[1].startswith("speed/")] == [
        p for p in curve if not p[1].startswith("speed/")
    ]
    shares = [value for _, series, value in curve if series == "speed/waiting"]
    rates = [value for _, series, value in curve if series == "speed/clips per s"]
    assert len(shares) == len(rates) == 36
    assert all(0 < share < 1 for share in shares) and min(rates) > 0

    with Storage.open("results.db") as storage:
        assert storage.integrity_check() == ()
    shown = vosbench("trainings", "show", row["key"])
    assert "state: complete, 36 of 36 steps" in shown.out
    assert "validation: mean IoU" in shown.out
    table = vosbench("trainings").out
    assert "M(1,0)" in table and max(map(len, table.splitlines())) <= 80


def test_the_same_command_again_does_nothing(
    vosbench: Vosbench, toys: Path, tmp_path: Path
) -> None:
    command = ("train", "frtm-lite", "--pictures", str(toys / "pictures"), "--steps", "3")
    command += (*TOY[:8], "--batch", "2")
    first = vosbench(*command, "--out", "a.safetensors")
    assert first.code == 0, first.err
    written = (tmp_path / "a.safetensors").read_bytes()
    again = vosbench(*command, "--out", "a.safetensors")
    assert (again.code, again.err) == (0, "")
    assert "nothing to do" in again.out
    elsewhere = vosbench(*command, "--out", "b.safetensors")
    assert "nothing to do" in elsewhere.out
    assert (tmp_path / "b.safetensors").read_bytes() == written
    (tmp_path / "a.safetensors").unlink()
    assert vosbench(*command, "--out", "a.safetensors").code == 0  # from the state that is kept
    (row,) = listed(vosbench)
    assert (row["state"], row["margins"]) == ("complete", None)
    second = ("train", "g-frtm-lite", *command[2:], "--start", "a.safetensors")
    second += ("--set", "reuse.gaps=[1]")
    assert vosbench(*second, "--out", "c.safetensors").code == 0
    assert [r["start"] for r in listed(vosbench)] == [None, "a.safetensors"]


def test_margins_are_a_stage_of_a_sweep(vosbench: Vosbench, toys: Path, tmp_path: Path) -> None:
    toy = [*TOY[:8], "--steps", "3,3", "--batch", "2", "--set", "reuse.gaps=[1]"]
    pictures = ("--pictures", str(toys / "pictures"))
    wrote = vosbench("train", "g-frtm-lite", *pictures, *toy, "--write-recipe", "r.json")
    assert wrote.code == 0, wrote.err
    sweep = ("run", "--models", "g-frtm-lite", "--margins", "1.0,0;0.35,0.4", "--train", "r.json")
    sweep += ("--train-seeds", "0,1", "--tau", "1", "--sequences", "late", "--max-frames", "2")
    first = vosbench(*sweep)
    assert first.code == 0, first.err
    assert "training 4 of 4: g-frtm-lite@m0.35-0.4, seed 1" in first.err
    rows = json.loads(vosbench("results", "--json").out)
    assert [(r["model"], r["margins"], r["state"]) for r in rows] == [
        (f"g-frtm-lite@{name}", margins, "complete")
        for name, margins in (("m1.0-0.0", "1,0"), ("m0.35-0.4", "0.35,0.4"))
        for _ in range(2)
    ]
    trained = listed(vosbench)
    assert [r["weights_sha256"] for r in rows] == [t["checkpoint_sha256"] for t in trained]
    assert len({r["weights_sha256"] for r in rows}) == 4
    assert rows[0]["weights"].startswith("g-frtm-lite@m1.0-0.0-seed0-")
    assert all(row["weights_sha256"][:8] in first.out for row in rows)
    again = vosbench(*sweep)
    assert (again.code, again.err) == (0, "")  # nothing was trained or walked
    assert json.loads(vosbench("results", "--json").out) == rows
