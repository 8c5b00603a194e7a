"""The static site: its data are the store's, it needs no network, and it replaces only itself."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_samples import World, _record, clip, database, spec

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Command, Selection, Storage, objects, results, sequences, series
from vosbench.harness.trials import ClipResult
from vosbench.reports.frames import measured
from vosbench.reports.overlay import Pixels
from vosbench.reports.site import RunClip, write_site
from vosbench.reports.site.script import float_list, packed, plain
from vosbench.reports.site.strips import spread

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "reports" / "site" / "static"
HOSTILE = "<img src=x onerror=alert(1)></script>"


def read_script(path: Path) -> Any:
    """The data that a file of the site hands to its page."""
    _, _, rest = path.read_text(encoding="ascii").partition(",")
    return json.loads(rest.rpartition(")")[0])


def unpacked(data: Mapping[str, Any]) -> pd.DataFrame:
    columns = {
        name: column["values"]
        if "values" in column
        else [None if code is None else column["words"][code] for code in column["codes"]]
        for name, column in data["columns"].items()
    }
    return pd.DataFrame(columns, dtype=object)


class Grey:
    """Frames of the made-up clips."""

    def image(self, t: int, /) -> Pixels:
        return np.full((24, 32, 3), 90, dtype=np.uint8)

    def annotation(self, t: int, /) -> Pixels | None:
        return np.eye(24, 32, dtype=np.uint8)


def with_labels(result: ClipResult) -> ClipResult:
    labels = np.zeros((result.frames, 24, 32), dtype=np.uint8)
    labels[:, 4:12, 6:20] = 1
    return replace(result, series={**result.series, "labels": labels})


def masked_database(path: Path, **changes: object) -> Path:
    """Two runs with saved masks; of one object in each clip."""
    names = changes.pop("sequences", ("still", "fast"))
    specs = [spec(tau=tau, sequences=names, **changes) for tau in ("0.4", "0.7")]
    with Storage.open(path) as storage:
        work = [
            (one, [
                replace(with_labels(clip(one, real, World())), sequence=name)
                for name, real in zip(names, ("still", "fast"), strict=True)
            ])
            for one in specs
        ]  # fmt: skip
        _record(storage, "masked", work, None)
    return path


@pytest.fixture(scope="module")
def site(results_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(results_db, tmp_path_factory.mktemp("site") / "site").index.parent


def test_runs_are_those_of_the_store(results_db: Path, site: Path) -> None:
    stored = results(results_db)
    shown = unpacked(read_script(site / "data" / "site.js")["runs"])
    assert len(shown) == len(stored)
    for name in stored:
        if name not in {"trained", "switches"}:
            assert [plain(value) for value in stored[name]] == list(shown[name]), name
    words = ["trained" if trained else "untrained" for trained in stored["trained"]]
    assert list(shown["trained"]) == words


def test_clips_and_their_runs_are_those_of_the_store(results_db: Path, site: Path) -> None:
    stored = sequences(results_db)
    clips = unpacked(read_script(site / "data" / "site.js")["clips"])
    assert list(clips["sequence"]) == ["still", "slow", "fast"]
    for number, name in enumerate(clips["sequence"]):
        shown = unpacked(read_script(site / "data" / "clips" / f"{number}.js")["rows"])
        expected = stored[stored["sequence"] == name]
        assert list(shown["key"]) == list(expected["key"])
        for column in ("jf_mean", "reuse_rate", "fps", "frames", "mask_sha256"):
            assert list(shown[column]) == [plain(value) for value in expected[column]]


def test_objects_that_share_a_clip_have_their_scores(results_db: Path, site: Path) -> None:
    stored = objects(results_db)
    several = stored[stored["sequence"] == "slow"]
    keys = list(unpacked(read_script(site / "data" / "site.js")["runs"])["key"])
    seen = 0
    for key, expected in several.groupby("key"):
        details = read_script(site / "data" / "runs" / f"{keys.index(key) // 100}.js")[key]
        shown = unpacked(details["objects"])
        seen += len(shown)
        assert list(shown["sequence"]) == ["slow", "slow"]  # the other clips have one object
        assert list(shown["object_id"]) == [1, 2]
        for column in shown.columns.intersection(expected.columns):
            assert list(shown[column]) == [plain(value) for value in expected[column]]
    assert seen == len(several) > 0


def test_trainings_have_their_curves(site: Path) -> None:
    done, lost = read_script(site / "data" / "site.js")["trainings"]
    assert (done["state"], done["gate"], done["minutes"]) == ("complete", "M(1,0)", 1.5)
    assert (lost["state"], lost["gate"], lost["seed"]) == ("failed", "rate 0.4", 1)
    assert lost["error"] == "the loss is no number"
    curves = read_script(site / "data" / "trainings" / "0.js")
    assert curves["validation"] == {"steps": [20, 40], "series": {"full": [0.4, 0.8]}}
    assert curves["losses"]["series"]["bce"][:2] == [1.0, 1 / 3]
    assert read_script(site / "data" / "trainings" / "1.js")["losses"]["steps"] == []


@pytest.mark.parametrize("name", ["p_gate", "adjacent_iou", "full_iou", "path"])
def test_timelines_are_those_of_the_store(results_db: Path, site: Path, name: str) -> None:
    stored = series(results_db, name, sequences=["slow"])
    clip_file = read_script(site / "data" / "clips" / "1.js")
    seen = 0
    for key, file in clip_file["series"].items():
        data = read_script(site / f"{file}.js")
        run = data["runs"][key]
        assert run["objects"] == [1, 2]
        array = stored[key, "slow"]
        if name not in run:
            assert np.isnan(array.astype(float)).all()
            continue
        for at, place in enumerate(run[name]):
            seen += 1
            read = np.array([np.nan if v is None else v for v in data["arrays"][place]])
            assert np.array_equal(read.astype(array.dtype), array[:, at], equal_nan=name != "path")
    assert seen > 20


def test_machines_are_never_averaged(tmp_path: Path) -> None:
    world = World(machines={"key-a": 1.0, "key-b": 3.0})
    db = database(tmp_path / "two.db", [spec(tau="0.4"), spec(tau="0.7")], world)
    data = read_script(write_site(db, tmp_path / "site").index.parent / "data" / "site.js")
    stored = measured(db, Selection())
    settings, models = unpacked(data["settings"]), unpacked(data["models"])
    assert sorted(settings["fps"]) == sorted(stored["fps"])
    assert list(settings["environment_key"]) == list(stored["environment_key"])
    assert list(models["environment_key"]) == ["key-a", "key-b"]
    for _, row in models.iterrows():
        own = stored[stored["environment_key"] == row["environment_key"]]
        assert row["fps_best"] == own["fps"].max()
    assert "fps" in data["timing"]


def test_untrained_runs_say_so_in_every_table(site: Path) -> None:
    data = read_script(site / "data" / "site.js")
    for name in ("runs", "settings", "models"):
        frame = unpacked(data[name])
        lite = frame[frame["base"] == "g-frtm-lite"]
        assert set(lite.loc[lite["weights"] == "random:0", "trained"]) == {"untrained"}, name
    curves = unpacked(data["settings"])
    untrained = curves[curves["trained"] == "untrained"]
    assert untrained["curve"].str.contains("untrained").all()


def test_the_same_database_gives_the_same_bytes(results_db: Path, site: Path) -> None:
    again = site.parent / "again"
    write_site(results_db, again)
    for file in (path for path in site.rglob("*") if path.is_file()):
        assert file.read_bytes() == (again / file.relative_to(site)).read_bytes(), file


def test_pages_refer_to_local_files_only(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'(?:src|href)="([^"#]+)"', page)
    files = [address for address in found if not address.startswith("data:,")]
    assert len(files) > 10
    assert all((site / file).is_file() for file in files)
    namespace = "http://www.w3.org/2000/svg"
    for file in [*STATIC.glob("js/*.js"), STATIC / "site.css", STATIC / "index.html"]:
        text = file.read_text(encoding="utf-8").replace(namespace, "")
        assert not re.search(r"https?:|\bfetch\(|XMLHttpRequest|@import", text), file


def test_text_never_becomes_markup(tmp_path: Path) -> None:
    db = masked_database(
        tmp_path / "hostile.db", weights=HOSTILE, sequences=(HOSTILE, "../../fast")
    )
    folder = write_site(db, tmp_path / "out" / "site").index.parent
    for file in folder.glob("data/**/*.js"):
        assert "<" not in file.read_text(encoding="ascii")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["site"]
    for file in STATIC.glob("js/*.js"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text
        )
    shown = unpacked(read_script(folder / "data" / "site.js")["runs"])
    assert set(shown["weights"]) == {HOSTILE}


def test_masks_lie_over_their_frames(tmp_path: Path) -> None:
    db = masked_database(tmp_path / "masked.db")
    asked: list[RunClip] = []

    def footage(one: RunClip) -> Grey:
        asked.append(one)
        return Grey()

    made = write_site(db, tmp_path / "site", footage_of=footage, strips=1)
    assert made.strips == 2
    assert {one.sequence for one in asked} == {"still", "fast"}
    assert asked[0].manifest_sha256 == "cd" * 32
    data = read_script(tmp_path / "site" / "data" / "clips" / "0.js")
    annotation, run = data["strips"]
    assert annotation["key"] is None
    assert [tile["frame"] for tile in run["tiles"]] == list(spread(16, 6))
    assert all((tmp_path / "site" / tile["file"]).is_file() for tile in run["tiles"])
    assert data["remarks"] == ["strips of 1 of 2 runs with saved masks"]


def test_without_frames_masks_lie_on_grey_and_it_is_said(tmp_path: Path) -> None:
    write_site(masked_database(tmp_path / "masked.db"), tmp_path / "site")
    data = read_script(tmp_path / "site" / "data" / "clips" / "0.js")
    assert [strip["key"] is None for strip in data["strips"]] == [False, False]
    assert data["remarks"] == [
        "masks without their frames: the frames of motion were not looked for"
    ]


def test_a_site_is_replaced_as_a_whole(tmp_path: Path) -> None:
    db, out = masked_database(tmp_path / "masked.db"), tmp_path / "site"
    write_site(db, out)
    stale = out / "data" / "clips" / "7.js"
    stale.write_text("")
    write_site(db, out, Selection(models=["g-frtm-fast"]))
    assert not stale.exists()
    assert read_script(out / "data" / "site.js")["filters"] == {"models": ["g-frtm-fast"]}
    assert sorted(path.name for path in tmp_path.glob("*")) == ["masked.db", "site"]


def test_bad_input_changes_nothing(tmp_path: Path, results_db: Path) -> None:
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="holds other files"):
        write_site(results_db, foreign)
    with pytest.raises(InputError, match="is a file"):
        write_site(results_db, tmp_path / "file")
    with pytest.raises(InputError, match="no trial matches"):
        write_site(results_db, tmp_path / "site", Selection(models=["nobody"]))
    with pytest.raises(InputError, match=r"missing\.db"):
        write_site(tmp_path / "missing.db", tmp_path / "site")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home"]


def test_unfinished_runs_alone_make_a_site(tmp_path: Path) -> None:
    with Storage.open(tmp_path / "open.db") as storage:
        storage.add_plan("later", Command("vosbench run …"), [spec()])
    made = write_site(tmp_path / "open.db", tmp_path / "site")
    assert (made.runs, made.clips) == (1, 0)


def test_every_static_file_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = project["tool"]["setuptools"]["package-data"]["vosbench.reports.site"]
    for file in (path for path in STATIC.rglob("*") if path.is_file()):
        name = file.relative_to(STATIC.parent).as_posix()
        assert any(fnmatch(name, g) and name.count("/") == g.count("/") for g in globs), name
        own = "vendor" not in name
        assert not own or len(file.read_text(encoding="utf-8").splitlines()) <= 400


def test_columns_come_back_as_they_were() -> None:
    frame = pd.DataFrame(
        {
            "word": ["a", "a", "a", "b", None],
            "key": list("vwxyz"),
            "number": [0.1, float("nan"), 3.0, float("inf"), -1e-300],
            "tau": [Decimal("0.30"), None, Decimal("1"), None, None],
        }
    )
    data = packed(frame)
    assert data["columns"]["word"] == {"words": ["a", "b"], "codes": [0, 0, 0, 1, None]}
    back = unpacked(data)
    assert list(back["number"]) == [0.1, None, 3.0, None, -1e-300]
    assert list(back["tau"]) == [0.3, None, 1.0, None, None]
    assert list(back["key"]) == list("vwxyz")


def test_single_precision_keeps_its_digits() -> None:
    values = np.array([0.1, 1 / 3, 1e-7, np.nan, 1.0], dtype=np.float32)
    listed = float_list(values)
    assert listed[3] is None
    known = [value for value in listed if value is not None]
    assert np.array_equal(np.array(known, np.float32), values[np.isfinite(values)])
    assert listed[0] == 0.1
