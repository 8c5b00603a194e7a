"""Data as people have it: each kind of trouble through the commands, with the right numbers."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_outcome import Outcome, Vosbench
from PIL import Image

from vosbench.harness.store import objects

Labels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
HEIGHT, WIDTH = 40, 60


def boxes(**places: int) -> Labels:
    """A label map with a 10x10 box for each ``_ID=left``; ``_255`` is void."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, left in places.items():
        labels[10:20, left : left + 10] = int(name[1:])
    return labels


def save(path: Path, labels: Labels, palette: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if palette:
        image.putpalette([(91 * i) % 256 for i in range(768)])
    image.save(path)


def sequence(
    folder: Path,
    truth: dict[int, Labels],
    predicted: list[Labels],
    name: str = "mine",
    frame: str = "{:05d}",
) -> None:
    """A sequence in the layout of DAVIS, and its predictions in ``results``."""
    for t, labels in enumerate(predicted):
        path = folder / "JPEGImages" / name / f"{frame.format(t)}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (t, 90, 90)).save(path)
        save(folder / "results" / name / f"{frame.format(t)}.png", labels)
    for t, labels in truth.items():
        save(folder / "Annotations" / name / f"{frame.format(t)}.png", labels)


def both(vosbench: Vosbench, folder: Path, *more: str) -> tuple[dict[str, float], dict[str, float]]:
    """J&F by ``eval`` and the row of ``run --models masks:``."""
    asked = ("--dataset", f"davis-layout:{folder}", *more)
    found = vosbench("eval", folder / "results", *asked, "--json", "--csv-dir", folder / "csv")
    assert found.code == 0, found.err
    ran = vosbench("run", "--models", f"masks:{folder / 'results'}", *asked)
    assert ran.code == 0, ran.err
    (row,) = json.loads(vosbench("results", "--json").out)
    evaluated = json.loads(found.out)["global"]
    assert row["jf_mean"] == pytest.approx(evaluated["JF_mean"], abs=1e-9)
    return evaluated, row


def test_void_is_background_in_run_as_in_eval(vosbench: Vosbench, tmp_path: Path) -> None:
    truth = [boxes(_1=5, _2=30, _255=45) for _ in range(6)]
    predicted = [boxes(_1=5, _2=30) for _ in range(6)]
    sequence(tmp_path, dict(enumerate(truth)), predicted)
    assert both(vosbench, tmp_path, "--protocol", "davis17-val")[0]["JF_mean"] == 1
    # Of its own prediction 255 is an id above the largest, where the official evaluation exits.
    save(tmp_path / "results/mine/00002.png", truth[2])
    asked = ("--dataset", f"davis-layout:{tmp_path}", "--protocol", "davis17-val")
    for command in (
        ("eval", tmp_path / "results"),
        ("run", "--models", f"masks:{tmp_path / 'results'}"),
    ):
        assert "255" in vosbench(*command, *asked).err


def test_an_object_that_is_never_found_counts_from_its_first_frame_on(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    truth = {t: boxes(_1=5) if t < 12 else boxes(_1=5, _2=30) for t in range(20)}
    sequence(tmp_path, truth, [boxes(_1=5) for _ in range(20)])
    assert both(vosbench, tmp_path)[0]["JF_mean"] == 0.5


def test_ids_with_gaps_and_late_ids_by_the_rule_of_davis(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    truth = {t: boxes(_1=5, _3=20) if t < 3 else boxes(_1=5, _3=20, _2=40) for t in range(6)}
    sequence(tmp_path, truth, [boxes(_1=5, _3=20) for _ in range(6)])
    evaluated, _ = both(vosbench, tmp_path, "--protocol", "davis17-val")
    # Object 2 is rightly absent in frames 1 and 2, and missed in 3 and 4.
    assert evaluated["J_mean"] == pytest.approx((1 + 1 + 0.5) / 3)


def test_sparse_annotations_and_names_without_zeros(vosbench: Vosbench, tmp_path: Path) -> None:
    moving = [boxes(_1=t) for t in range(30)]
    sequence(tmp_path, {t: moving[t] for t in range(0, 30, 3)}, moving, frame="frame{}")
    assert both(vosbench, tmp_path)[0]["JF_mean"] == 1
    told = vosbench("data", "check", f"davis-layout:{tmp_path}")
    assert told.code == 0, told.err
    assert "sort by their numbers" in told.out
    assert "30 frames frame0 … frame29" in told.out


def test_one_first_mask_has_no_score_and_says_why(vosbench: Vosbench, tmp_path: Path) -> None:
    sequence(tmp_path, {0: boxes(_1=5)}, [boxes(_1=5) for _ in range(4)])
    asked = ("--dataset", f"davis-layout:{tmp_path}")
    ran = vosbench("run", "--models", f"masks:{tmp_path / 'results'}", "--save-masks", *asked)
    assert ran.code == 0, ran.err
    assert "first masks alone" in " ".join(ran.out.split())
    (row,) = json.loads(vosbench("results", "--json").out)
    assert row["jf_mean"] is None
    assert row["state"] == "complete"
    assert row["unscored"] == "mine: its annotations are the objects' first masks alone"
    drawn = vosbench("render", str(row["trial_id"]), "mine", "--out", tmp_path / "mine.gif")
    assert drawn.code == 0, drawn.err
    told = vosbench("eval", tmp_path / "results", *asked)
    assert told.code == 2
    assert "can't be scored here: mine: its annotations are" in told.err
    checked = vosbench("data", "check", f"davis-layout:{tmp_path}")
    assert "by own-clips@1: has no score" in checked.out


def test_a_part_of_a_set_has_no_official_name(vosbench: Vosbench, tmp_path: Path) -> None:
    for name in ("easy", "hard"):
        still = [boxes(_1=5) for _ in range(4)]
        sequence(tmp_path, dict(enumerate(still)), still, name)
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind).rename(tmp_path / "480p")
        (tmp_path / kind).mkdir()
        (tmp_path / "480p").rename(tmp_path / kind / "480p")
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("\ufeffeasy\r\nhard\r\n", encoding="utf-8")
    asked = ("eval", tmp_path / "results", "--dataset", "davis17", "--data-root", tmp_path)
    assert vosbench(*asked, "--sequences", "easy").code == 0
    written = {p.name for p in (tmp_path / "results").glob("*.csv")}
    assert written == {"global_results-val-subset.csv", "per-sequence_results-val-subset.csv"}
    assert vosbench(*asked).code == 0
    assert (tmp_path / "results/global_results-val.csv").exists()


def test_folders_with_what_systems_leave_behind(vosbench: Vosbench, tmp_path: Path) -> None:
    still = [boxes(_1=5) for _ in range(4)]
    sequence(tmp_path, dict(enumerate(still)), still, unicodedata.normalize("NFD", "café #1"))
    for folder in ("JPEGImages", "Annotations", "results"):
        for left in ("@eaDir", "__MACOSX"):
            (tmp_path / folder / left).mkdir()
            (tmp_path / folder / left / "._00000.png").write_bytes(b"junk")
        (place,) = (p for p in (tmp_path / folder).iterdir() if p.name.startswith("caf"))
        for left in ("._00000.png", ".DS_Store", "Thumbs.db"):
            (place / left).write_bytes(b"junk")
        (place / "@eaDir").mkdir()
    chosen = unicodedata.normalize("NFC", "café #1")
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets/val.txt").write_text(f"# mine\n{chosen}\n", encoding="utf-8")
    evaluated, row = both(vosbench, tmp_path, "--sequences", chosen)
    assert evaluated["JF_mean"] == 1
    assert row["sequences"] == [chosen]


def test_masks_of_another_size_are_scored_but_not_run(vosbench: Vosbench, tmp_path: Path) -> None:
    still = [boxes(_1=5) for _ in range(4)]
    sequence(tmp_path, dict(enumerate(still)), still)
    for t in range(4):
        for kind in ("Annotations", "results"):
            save(tmp_path / kind / f"mine/{t:05d}.png", still[0].repeat(2, 0).repeat(2, 1))
    asked = ("--dataset", f"davis-layout:{tmp_path}")
    told = vosbench("eval", tmp_path / "results", *asked, "--json")
    assert json.loads(told.out)["global"]["JF_mean"] == 1
    ran = vosbench("run", "--models", "frtm-lite", *asked)
    assert ran.code == 2
    assert "frames of 60x40 and annotations of 120x80" in ran.err
    checked = vosbench("data", "check", f"davis-layout:{tmp_path}")
    assert checked.code == 1
    assert "60x40, masks 120x80" in checked.out


def test_turned_frames_black_and_white_masks_and_void_are_named(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    still = [(boxes(_1=5) > 0).astype(np.uint8) * 255 for _ in range(4)]
    sequence(tmp_path, dict(enumerate(still)), still, "binary")
    sequence(tmp_path, {t: boxes(_1=5, _255=30) for t in range(4)}, still, "void")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "JPEGImages/void/00002.jpg", exif=exif)
    told = vosbench("data", "check", f"davis-layout:{tmp_path}", "--json")
    report = json.loads(told.out)
    binary, void = report["outlooks"]
    assert binary["objects"] == {"1": "00000"}
    assert binary["remarks"] == ["its masks hold 0 and 255 alone: 255 is one object"]
    assert void["void_share"] == pytest.approx(100 / (HEIGHT * WIDTH))
    assert "1 of 4 frames have an orientation tag (6), first 00002" in void["remarks"][0]
    assert void["scored"]["own-clips@1"] == "2 frames of 1 objects count"
    assert "255 for void" in binary["scored"]["davis17-val@1"]


def test_a_prediction_that_shows_nothing_is_said_with_the_result(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    still = [boxes(_1=5) for _ in range(4)]
    sequence(tmp_path, dict(enumerate(still)), [boxes() for _ in range(4)])
    _, row = both(vosbench, tmp_path)
    assert row["remarks"] == "predicted nowhere in every frame after the first: mine 1"


def test_protocols_are_never_taken_for_each_other(vosbench: Vosbench, tmp_path: Path) -> None:
    still = [boxes(_1=5) for _ in range(5)]
    sequence(tmp_path, dict(enumerate(still)), still)
    model = ("run", "--models", f"masks:{tmp_path / 'results'}", "--study", "one")
    asked: Outcome | None = None
    for protocol in ("own-clips", "ytvos", "davis17-val"):
        asked = vosbench(*model, "--dataset", f"davis-layout:{tmp_path}", "--protocol", protocol)
        assert asked.code == 0, asked.err
    rows = json.loads(vosbench("results", "--json").out)
    assert [row["protocol"] for row in rows] == ["own-clips@1", "ytvos@1", "davis17-val@1"]
    assert "ytvos@1" in vosbench("results").out
    refused = vosbench(*model, "--dataset", f"davis-layout:{tmp_path}", "--protocol", "davis17")
    assert refused.code == 2
    assert "--protocol takes own-clips@1, davis16-val@1, davis17-val@1, ytvos@1" in refused.err


@pytest.mark.shared
@pytest.mark.parametrize(
    "case",
    [("davis17_lagged", "davis17", None), ("davis16_osvos", "davis16", ("dog", "goat"))],
)
def test_run_replays_what_eval_scores(
    vosbench: Vosbench,
    shared: Callable[[str], Path],
    tmp_path: Path,
    case: tuple[str, str, tuple[str, ...] | None],
) -> None:
    """On the shared results; frames that a folder lacks are made blank."""
    name, dataset, sequences = case
    metrics = shared(f"metrics/{name}")
    root = metrics if dataset == "davis17" else shared("davis16")
    results = metrics / "results" if dataset == "davis17" else metrics
    expected = json.loads((metrics / "expected.json").read_text())["objects"]
    names = sequences or sorted({key.rpartition("_")[0] for key in expected})
    listed = tmp_path / "root/ImageSets" / f"20{dataset[-2:]}" / "val.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("\n".join(names))
    (tmp_path / "root/Annotations").mkdir()
    (tmp_path / "root/Annotations/480p").symlink_to(root / "Annotations/480p")
    for sequence_name in names:
        for mask in (root / "Annotations/480p" / sequence_name).glob("*.png"):
            frame = tmp_path / f"root/JPEGImages/480p/{sequence_name}/{mask.stem}.jpg"
            replayed = tmp_path / f"results/{sequence_name}/{mask.name}"
            for place in (frame, replayed):
                place.parent.mkdir(parents=True, exist_ok=True)
            given = results / sequence_name / mask.name
            with Image.open(mask) as image:
                Image.new("RGB", image.size).save(frame)
                blank = Image.new("L", image.size)
            blank.save(replayed) if not given.exists() else replayed.symlink_to(given)
    asked = ("--dataset", dataset, "--data-root", tmp_path / "root")
    ran = vosbench("run", "--models", f"masks:{tmp_path / 'results'}", *asked)
    assert ran.code == 0, ran.err
    rows = objects("results.db").to_dict("records")
    assert {f"{row['sequence']}_{row['object_id']}" for row in rows} == {
        key for key in expected if key.rpartition("_")[0] in names
    }
    for row in rows:
        numbers = expected[f"{row['sequence']}_{row['object_id']}"]
        assert row["j_mean"] == pytest.approx(numbers["J_mean"], abs=1e-9)
        assert row["f_mean"] == pytest.approx(numbers["F_mean"], abs=1e-9)


def nested_archive(root: Path, split: str, annotated: tuple[int, ...]) -> None:
    """One YouTube-VOS video as the archive unpacks: ``split/split/…``; its results beside it."""
    place = root / split / split
    for t in range(0, 30, 5):
        save(root / "results" / "v1" / f"{t:05d}.png", boxes(_1=5))
        frame = place / "JPEGImages" / "v1" / f"{t:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (t, 90, 90)).save(frame)
    for t in annotated:
        save(place / "Annotations" / "v1" / f"{t:05d}.png", boxes(_1=5))
    item = {"category": "cat", "frames": [f"{t:05d}" for t in range(0, 30, 5)]}
    (place / "meta.json").write_text(json.dumps({"videos": {"v1": {"objects": {"1": item}}}}))


def test_an_archive_of_youtube_vos_in_a_folder_of_its_own_name(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    nested_archive(tmp_path, "train", tuple(range(0, 30, 5)))
    nested_archive(tmp_path, "valid", (0,))
    model = ("run", "--models", f"masks:{tmp_path / 'results'}")
    for split, score in (("train", 1.0), ("valid", None)):
        asked = ("--dataset", f"ytvos19-{split}", "--data-root", tmp_path)
        ran = vosbench(*model, *asked)
        assert ran.code == 0, ran.err
        row = json.loads(vosbench("results", "--dataset", asked[1], "--json").out)[0]
        assert (row["state"], row["sequences"], row["jf_mean"]) == ("complete", ["v1"], score)
        told = vosbench("eval", tmp_path / "results", *asked, "--json")
        if score is None:
            assert (told.code, "not public" in told.err) == (2, True)
        else:
            assert json.loads(told.out)["global"]["JF_mean"] == score
        checked = vosbench("data", "check", asked[1], "--data-root", tmp_path)
        assert checked.code == 0, checked.out + checked.err
        assert "v1" in checked.out


def test_commas_in_folders_and_in_names(vosbench: Vosbench, tmp_path: Path) -> None:
    folder = tmp_path / "clips, mine"
    still = [boxes(_1=5) for _ in range(4)]
    for name in ("cat, dog", "cat", "bird"):
        sequence(folder, dict(enumerate(still)), still, name)
    assert (
        both(vosbench, folder)[0]["JF_mean"] == 1
    )  # masks:DIR and davis-layout:DIR, one comma each
    (row,) = json.loads(vosbench("results", "--json").out)
    assert sorted(row["sequences"]) == ["bird", "cat", "cat, dog"]
    assert row["model"] == f"masks:{folder / 'results'}"
    chosen = ("--sequences", "cat, dog", "--sequences", "bird")
    asked = ("--dataset", f"davis-layout:{folder}")
    told = vosbench("eval", folder / "results", *asked, *chosen, "--json")
    assert set(json.loads(told.out)["objects"]) == {"cat, dog_1", "bird_1"}
    model = ("run", "--models", f"masks:{folder / 'results'}", "--db", "part.db")
    assert vosbench(*model, *asked, *chosen).code == 0
    (row,) = json.loads(vosbench("results", "--db", "part.db", "--json").out)
    assert sorted(row["sequences"]) == ["bird", "cat, dog"]
    found = vosbench("results", "--dataset", asked[1], "--json")
    assert len(json.loads(found.out)) == 1
    plain = vosbench("eval", folder / "results", *asked, "--sequences", "bird,cat", "--json")
    assert set(json.loads(plain.out)["objects"]) == {"bird_1", "cat_1"}
    checked = vosbench("data", "check", f"davis-layout:{folder}")
    assert (checked.code, "cat, dog" in checked.out) == (0, True)
