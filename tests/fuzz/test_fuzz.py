"""A thousand hostile inputs: each ends in one line and status 2, or is filed as a failed trial.

Everything runs in this process, and nothing is timed; a hang is caught by the suite's own limit.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import hostile
import pytest
from fuzz_commands import Command, defect, write_clip

from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.harness.store import State, results


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
    trials = results(tmp_path / "p.db")
    assert set(trials["model"]) == set(names)
    assert set(trials["state"]) <= {State.FAILED, State.STALE}
    assert trials["error"].map(bool).all()


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
