"""A thousand hostile inputs: each ends in one line and status 2, or is filed as a failed trial.

Everything runs in this process, and nothing is timed; a hang is caught by the suite's own limit.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hostile
import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.harness.cli import main
from vosbench.harness.store import State, Storage


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    fault: str = ""


Command = Callable[..., Ended]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["vosbench", *arguments])
        code, fault = 0, ""
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 99
        except BaseException:
            code, fault = 99, traceback.format_exc()
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err, fault)

    return run


def defect(ended: Ended, allowed: tuple[int, ...]) -> str | None:
    """What is wrong with how a command ended, or None."""
    if ended.fault:
        return "\n".join(line[:200] for line in ended.fault.splitlines()[-4:])
    if ended.code not in allowed:
        return f"status {ended.code}: {ended.out[-200:]!r} {ended.err[-300:]!r}"
    if ended.code == 2 and not (
        ended.err.startswith("vosbench: ") and ended.err.count("\n") == 1 and len(ended.err) < 1000
    ):
        return f"not one line: {ended.err[:300]!r}"
    for line in (ended.out + ended.err).splitlines():
        if line.lstrip().startswith("::error") or "##[" in line or not line.isprintable():
            return f"reaches the terminal: {line[:200]!r}"
    return None


def write_clip(root: Path) -> Path:
    """Four tiny frames in the layout of DAVIS."""
    labels = np.zeros((24, 32), np.uint8)
    labels[6:12, 8:16] = 1
    for kind, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".png")):
        folder = root / kind / "a"
        folder.mkdir(parents=True)
        for t in range(4):
            picture = labels if kind == "Annotations" else np.full((24, 32, 3), 40 * t, np.uint8)
            Image.fromarray(picture).save(folder / f"{t:05d}{suffix}")
    return root


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "data")


@pytest.fixture
def places(tmp_path: Path, clip: Path) -> dict[str, str]:
    Storage.open(str(tmp_path / "r.db")).close()
    results = clip / "Annotations"
    return {
        "model": f"masks:{results}",
        "dataset": f"davis-layout:{clip}",
        "results": str(results),
        "db": str(tmp_path / "r.db"),
    }


def report(found: list[tuple[object, str]]) -> None:
    shown = "\n".join(f"{str(what)[-200:]!r}: {why}" for what, why in found[:12])
    if found:
        pytest.fail(f"{len(found)} faults\n{shown}", pytrace=False)


def test_command_line_values(command: Command, places: dict[str, str]) -> None:
    found = []
    for line in hostile.options(places):
        why = defect(command(*line), (0, 1, 2, 12, 13, 14))
        if why is not None:
            found.append((line, why))
    report(found)


def test_json(command: Command, places: dict[str, str], tmp_path: Path) -> None:
    found = []
    root = write_clip(tmp_path / "ytvos" / "valid")
    file, meta = tmp_path / "f.json", root / "meta.json"
    for text in hostile.json_texts():
        file.write_bytes(text)
        meta.write_bytes(text)
        for line in (
            ["baseline", "load", str(file), "--db", places["db"]],
            ["train", "g-frtm-lite", "--motion", "1", "--recipe", str(file), "--write-recipe", "o"],
            ["data", "check", f"ytvos-layout:{root}"],
        ):
            why = defect(command(*line), (0, 1, 2))
            if why is not None:
                found.append(((line[:2], text[:80]), why))
    report(found)


def test_toml(command: Command, tmp_path: Path) -> None:
    found = []
    file = tmp_path / "m.toml"
    for text in hostile.toml_texts():
        file.write_bytes(text)
        why = defect(command("check", f"subprocess:{file}"), (1, 2))
        if why is not None:
            found.append((text[:80], why))
    report(found)


@pytest.mark.parametrize("kind", ["JPEGImages", "Annotations"])
def test_pictures(command: Command, clip: Path, kind: str) -> None:
    found = []
    place = next((clip / kind / "a").glob("00001.*"))
    for data in hostile.pictures():
        place.write_bytes(data)
        why = defect(command("data", "check", f"davis-layout:{clip}"), (0, 1, 2))
        if why is not None:
            found.append((data[:40], why))
    report(found)


def test_predictions(command: Command, clip: Path, tmp_path: Path) -> None:
    found = []
    results = write_clip(tmp_path / "results") / "Annotations"
    place = results / "a" / "00001.png"
    for data in hostile.pictures():
        place.write_bytes(data)
        why = defect(command("eval", str(results), "--dataset", f"davis-layout:{clip}"), (0, 2))
        if why is not None:
            found.append((data[:40], why))
    report(found)


def test_checkpoints(command: Command, tmp_path: Path) -> None:
    found = []
    for number, (suffix, data) in enumerate(hostile.checkpoints()):
        file = tmp_path / f"w{suffix}"
        file.write_bytes(data)
        try:
            read_checkpoint(file)
        except InputError:
            pass
        except BaseException:
            found.append(((number, data[:40]), traceback.format_exc()[-400:]))
        why = defect(command("check", "ttvos-lite", "--weights", str(file)), (2,))
        if why is not None:
            found.append(((number, suffix, data[:40]), why))
    report(found)


def test_plugins(
    command: Command, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hostile.plugins()
    folder = tmp_path / "site"
    info = folder / "hostile_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-models\nVersion: 1.0\n")
    entries = [f"{name} = hostile_models:M{n}\n" for n, (name, _) in enumerate(made)]
    (info / "entry_points.txt").write_text("[vosbench.runners]\n" + "".join(entries))
    (folder / "hostile_models.py").write_text(hostile.PLUGINS + "".join(line for _, line in made))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "hostile_models", raising=False)
    names = [name for name, _ in made]
    ended = command(
        "run", "--models", ",".join(names), "--dataset", places["dataset"], "--db", "p.db",
        "--study", "s",
    )  # fmt: skip
    assert defect(ended, (1,)) is None
    with Storage.open(str(tmp_path / "p.db")) as storage:
        trials = storage.trials(storage.study_id("s"))
    assert {trial.spec.model for trial in trials} == set(names)
    assert {trial.state for trial in trials} <= {State.FAILED, State.STALE}
    assert all(trial.error for trial in trials)


def test_the_counts(places: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    counts = {
        "command-line values": len(hostile.options(places)),
        "JSON": 3 * len(hostile.json_texts()),
        "TOML": len(hostile.toml_texts()),
        "images": 3 * len(hostile.pictures()),
        "checkpoints": len(hostile.checkpoints()),
        "plug-ins": len(hostile.plugins()),
    }
    with capsys.disabled():
        print("\nhostile inputs:", ", ".join(f"{name} {n}" for name, n in counts.items()))
        print("in all:", sum(counts.values()))
    assert min(counts.values()) >= 50
    assert sum(counts.values()) >= 1000
