"""The static site: its data are the store's, it needs no network, and it replaces only itself."""

from __future__ import annotations

import base64
import re
import tomllib
import zlib
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

from tests.harness.regression.regression_samples import accuracy
from tests.harness.regression.regression_samples import spec as bundled
from vosbench.baselines.errors import InputError
from vosbench.harness.regression.importing import import_run
from vosbench.harness.store import (
    Command,
    Selection,
    Storage,
    Worker,
    objects,
    results,
    sequences,
    series,
)
from vosbench.harness.store.measured import Run
from vosbench.harness.trials import PATH_CODES, ClipResult
from vosbench.reports.frames import measured
from vosbench.reports.overlay import Pixels
from vosbench.reports.published import published_table
from vosbench.reports.site import Making, RunClip, make, write_site
from vosbench.reports.site.front import published
from vosbench.reports.site.script import packed, plain, read_script, rounded
from vosbench.reports.site.timelines import STEPS

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "reports" / "site" / "static"
HOSTILE = "<img src=x onerror=alert(1)></script>"


def near(value: Any) -> Any:
    """A number as it is shown, to six digits."""
    return value if value is None else pytest.approx(value, rel=1e-5)


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
    shown = unpacked(read_script(site / "data" / "runs.js"))
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
        keys = list(results(results_db)["key"])
        assert [keys[run] for run in shown["run"]] == list(expected["key"])
        for column in ("jf_mean", "reuse_rate", "fps", "frames"):
            assert list(shown[column]) == [near(plain(value)) for value in expected[column]]


def test_objects_that_share_a_clip_have_their_scores(results_db: Path, site: Path) -> None:
    stored = objects(results_db)
    several = stored[stored["sequence"] == "slow"]
    keys = list(unpacked(read_script(site / "data" / "runs.js"))["key"])
    seen = 0
    for key, expected in several.groupby("key"):
        row = keys.index(key)
        everyone = unpacked(read_script(site / "data" / "runs" / f"{row // 100}.js")["objects"])
        shown = everyone[everyone["run"] == row]
        seen += len(shown)
        assert list(shown["sequence"]) == ["slow", "slow"]  # the other clips have one object
        assert list(shown["object_id"]) == [1, 2]
        for column in shown.columns.intersection(expected.columns):
            assert list(shown[column]) == [plain(value) for value in expected[column]]
    assert seen == len(several) > 0


def test_trainings_have_their_curves(site: Path) -> None:
    done, lost = read_script(site / "data" / "trainings.js")
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
    keys = list(results(results_db)["key"])
    for chunk in clip_file["series"]:
        data = read_script(site / "data" / "series" / f"1-{chunk}.js")
        for row, run in data["runs"].items():
            assert run["objects"] == [1, 2]
            array = stored[keys[int(row)], "slow"].astype(float)
            if name not in run:
                assert np.isnan(array).all()
                continue
            for at, place in enumerate(run[name]):
                seen += 1
                read = np.array([np.nan if v is None else v for v in data["arrays"][place]])
                part = 1 if name == "path" else STEPS
                assert np.allclose(read / part, array[:, at], atol=0.6 / STEPS, equal_nan=True)
    assert seen > 20


def test_machines_are_never_averaged(tmp_path: Path) -> None:
    world = World(machines={"key-a": 1.0, "key-b": 3.0})
    db = database(tmp_path / "two.db", [spec(tau="0.4"), spec(tau="0.7")], world)
    data = write_site(db, tmp_path / "site").index.parent / "data"
    stored = measured(db, Selection())
    settings = unpacked(read_script(data / "settings.js"))
    models = unpacked(read_script(data / "models.js"))
    assert sorted(settings["fps"]) == [near(value) for value in sorted(stored["fps"])]
    assert list(settings["environment_key"]) == list(stored["environment_key"])
    assert list(models["environment_key"]) == ["key-a", "key-b"]
    for _, row in models.iterrows():
        own = stored[stored["environment_key"] == row["environment_key"]]
        assert row["fps_best"] == near(own["fps"].max())
        assert (row["threads"], row["precision"], row["repeats"]) == (2, "float32", 2)
    assert "fps" in read_script(data / "site.js")["timing"]


def test_untrained_runs_say_so_in_every_table(site: Path) -> None:
    for name in ("runs", "settings", "models"):
        frame = unpacked(read_script(site / "data" / f"{name}.js"))
        lite = frame[frame["base"] == "g-frtm-lite"]
        assert set(lite.loc[lite["weights"] == "random:0", "trained"]) == {"untrained"}, name
    curves = unpacked(read_script(site / "data" / "settings.js"))
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
        assert re.fullmatch(r'vosbenchData\("[\w/-]+","[A-Za-z0-9+/=]+"\);\n', file.read_text()), (
            file
        )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["site"]
    for file in STATIC.glob("js/*.js"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text
        )
    shown = unpacked(read_script(folder / "data" / "runs.js"))
    assert set(shown["weights"]) == {HOSTILE}


def test_masks_lie_over_their_frames(tmp_path: Path) -> None:
    db = masked_database(tmp_path / "masked.db")
    asked: list[RunClip] = []

    def footage(one: RunClip) -> Grey:
        asked.append(one)
        return Grey()

    made = write_site(db, tmp_path / "site", how=Making(footage, strips=1))
    assert made.strips == 2
    assert {one.sequence for one in asked} == {"still", "fast"}
    assert asked[0].manifest_sha256 == "cd" * 32
    data = read_script(tmp_path / "site" / "data" / "clips" / "0.js")
    (shown,) = data["sets"]
    assert (shown["frames"], shown["size"], shown["runs"]) == (list(range(16)), [24, 32], [0])
    assert all((tmp_path / "site" / f"{shown['image']}{t}.jpg").is_file() for t in range(16))
    assert data["remarks"] == ["masks of 1 of 2 runs that kept them"]
    drawn = read_script(tmp_path / "site" / "data" / "masks" / "0-0.js")
    labels = np.frombuffer(zlib.decompress(base64.b64decode(drawn["labels"])), np.uint8)
    expected = np.zeros((16, 24, 32), np.uint8)
    expected[:, 4:12, 6:20] = 1
    assert np.array_equal(labels.reshape(16, 24, 32), expected)
    codes = series(db, "path")[results(db)["key"][0], "still"]
    names = {code: name for name, code in PATH_CODES.items()}
    assert drawn["paths"] == [[names[int(code)]] for code in codes[:, 0]]
    truth = read_script(tmp_path / "site" / f"{shown['annotation']}.js")
    assert truth["known"] == list(range(16))


def test_masks_without_frames_say_so(tmp_path: Path) -> None:
    write_site(masked_database(tmp_path / "masked.db"), tmp_path / "site")
    data = read_script(tmp_path / "site" / "data" / "clips" / "0.js")
    (shown,) = data["sets"]
    assert (shown["image"], shown["annotation"], shown["runs"]) == (None, None, [0, 1])
    assert data["remarks"] == [
        "masks without their frames: the frames of motion were not looked for"
    ]


def test_runs_of_other_frames_are_a_set_of_their_own(tmp_path: Path) -> None:
    db = masked_database(tmp_path / "masked.db")
    masked_database(db, max_frames=16)
    write_site(db, tmp_path / "site")
    sets = read_script(tmp_path / "site" / "data" / "clips" / "0.js")["sets"]
    assert [(one["cut"], one["runs"]) for one in sets] == [(None, [0, 1]), (16, [2, 3])]


def test_a_site_stays_below_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = database(tmp_path / "many.db", [spec(seed=seed) for seed in range(130)], World(repeats=0))
    whole = write_site(db, tmp_path / "whole")
    assert not whole.remarks
    both = read_script(tmp_path / "whole" / "data" / "clips" / "0.js")["series"]
    before = sum(file.stat().st_size for file in (tmp_path / "whole/data/runs").iterdir())
    monkeypatch.setattr(make, "MOST_MB", (before + 100) / 0.95e6)  # room for one file of timelines
    cut = write_site(db, tmp_path / "cut")
    assert cut.size < whole.size
    assert "oldest runs" in cut.remarks[0]
    kept = read_script(tmp_path / "cut" / "data" / "clips" / "0.js")["series"]
    assert (both, kept) == ([0, 1], [1])


def test_videos_stand_beside_their_runs(tmp_path: Path) -> None:
    db = masked_database(tmp_path / "masked.db")
    key = results(db)["key"][1]
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("1-still.mp4", f"{key[:10]}-still.gif", "1-nowhere.mp4", "dog.mp4", "note.txt"):
        (videos / name).write_bytes(name.encode())
    made = write_site(db, tmp_path / "site", how=Making(videos=videos))
    shown = read_script(tmp_path / "site" / "data" / "clips" / "0.js")["videos"]
    assert [one["run"] for one in shown] == [0, 1]
    texts = [(tmp_path / "site" / one["file"]).read_text() for one in shown]
    assert texts == ["1-still.mp4", f"{key[:10]}-still.gif"]
    assert "1-nowhere.mp4, dog.mp4" in made.remarks[0]
    with pytest.raises(InputError, match="no such folder"):
        write_site(db, tmp_path / "site", how=Making(videos=tmp_path / "none"))


def test_the_front_page_has_best_worst_and_failed(tmp_path: Path) -> None:
    db = database(tmp_path / "results.db", [spec(tau="0.4"), spec(tau="0.7"), spec("frtm-fast")])
    with Storage.open(db) as storage:
        study = storage.add_plan("lost", Command("vosbench run …"), [spec(tau="0.9")])
        (trial,) = storage.claim(study, Worker.here("test")).trials
        storage.fail(trial, "no memory", "Traceback …", deterministic=True)
    data = read_script(write_site(db, tmp_path / "site").index.parent / "data" / "site.js")
    stored = measured(db, Selection())
    (one,) = data["headline"]
    by_curve = stored.groupby("curve")["jf_mean"].max()
    assert [row["jf_mean"] for row in one["best"]] == sorted(by_curve, reverse=True)
    worst = sequences(db, Selection(keys=[one["best"][0]["key"]])).nsmallest(5, "jf_mean")
    assert [row["sequence"] for row in one["worst"]] == list(worst["sequence"])
    assert one["published"] is None  # the paper has no number on motion
    assert data["failures"]["count"] == 1
    assert data["failures"]["first"][0]["error"] == "no memory"


def test_imported_results_say_whose_they_are(tmp_path: Path) -> None:
    db = database(tmp_path / "results.db", [spec(tau="0.4")])
    scored = {"jf_mean": 0.654, "reuse_rate": 0.25}
    foreign = replace(accuracy(bundled("0.7", model="others")), aggregates=scored)
    with Storage.open(db) as storage:
        import_run(storage, Run(HOSTILE, (foreign,)), "theirs")
    folder = write_site(db, tmp_path / "site").index.parent
    shown = unpacked(read_script(folder / "data" / "runs.js"))
    whose = dict(zip(shown["key"], shown["owner"], strict=True))
    assert whose.pop(foreign.spec.key) == HOSTILE
    assert whose and set(whose.values()) == {None}
    data = read_script(folder / "data" / "site.js")
    assert data["summary"]["owners"] == {HOSTILE: 1}
    best = {row["key"]: row["owner"] for one in data["headline"] for row in one["best"]}
    assert best.pop(foreign.spec.key) == HOSTILE
    assert best and set(best.values()) == {None}


def test_published_rows_are_the_papers() -> None:
    whole = published("davis16", 20)
    assert whole is not None
    assert whole["whole"] is True and published("davis16", 4)["whole"] is False  # type: ignore[index]
    ours = {row["method"]: row["score"] for row in whole["rows"]}
    assert ours and all(row["model"] for row in whole["rows"])
    printed = {p.method: p.value for p in published_table(1) if p.column == "dv16_jf"}
    assert all(printed[method] is not None for method in ours)


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


def test_what_is_looked_at_has_six_digits() -> None:
    frame = pd.DataFrame({"a": [1 / 3, np.nan, 0.0, -12345678.9, 2e-9 / 3], "b": list("vwxyz")})
    assert [plain(value) for value in rounded(frame)["a"]] == [
        0.333333, None, 0.0, -12345700.0, 6.66667e-10,
    ]  # fmt: skip
    assert list(rounded(frame)["b"]) == list("vwxyz")
