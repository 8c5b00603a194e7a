"""MOSEv2, LVOS, VOST and SA-V: the official tools' figures, and run, eval and plain rules agree."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plain_families as plain
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from plain_families import Frames

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import main
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.evaluate.accuracy import Evaluation, SoloWalk, evaluate_clip
from vosbench.harness.evaluate.summary import aggregate
from vosbench.harness.metrics import TruthCache, evaluate_folder, scores_json
from vosbench.harness.metrics.measures import MEASURES
from vosbench.runners.interface import Precision, RunnerOptions
from vosbench.runners.registry import resolve

Shared = Callable[[str], Path]
FAMILIES = ("mosev2", "lvos", "vost", "sav", "sav/davis_style")
SIZE = (12, 140)  # its tolerance is between one and two pixels


def scored(root: Path, dataset: str, results: Path) -> dict[str, Any]:
    """What ``vosbench eval --json`` prints."""
    opened = registry.open(dataset, root)
    clips = {clip.name: clip for clip in opened.clips}
    scores = evaluate_folder(results, [(c, opened.plan(c)) for c in clips.values()], workers=1)
    names = {o.object_id: o for s in scores for o in s.objects}
    assert names
    return scores_json(
        scores, lambda s: clips[s].unseen, lambda s, i: f"{s}_{clips[s].object_name(i)}"
    ) | {
        "frames": {
            f"{s.name}_{clips[s.name].object_name(o.object_id)}": [
                clips[s.name].frame_names[t] for t in o.frames
            ]
            for s in scores
            for o in s.objects
        }
    }


def expected_of(place: Path) -> tuple[Mapping[str, Any], float]:
    """The official figures, and what ours are multiplied by to be in their unit."""
    if "sav" not in place.parts:
        return json.loads((place / "expected.json").read_text()), 1.0
    style = "davis_style" if place.name == "davis_style" else "sav"
    root = place.parent if place.name == "davis_style" else place
    return json.loads((root / "expected.json").read_text())[style], 100.0


@pytest.mark.parametrize("family", FAMILIES)
def test_figures_are_those_of_the_official_tool(family: str, shared: Shared) -> None:
    place = shared(f"metrics/{family}")
    expected, unit = expected_of(place)
    found = scored(place, family.partition("/")[0], place / "results")
    assert found["global"].keys() == expected["global"].keys()
    for name, value in expected["global"].items():
        assert found["global"][name] * unit == pytest.approx(value, abs=1e-9), name
    for sequence, content in expected["sequences"].items():
        for key, official in content["objects"].items():
            ours, where = found["objects"][f"{sequence}_{key}"], f"{sequence}_{key}"
            frames = official.get("frames", content.get("frames"))
            assert found["frames"][where] == frames
            for name in official.keys() & ours.keys():
                value = None if ours[name] is None else ours[name] * unit
                assert value == pytest.approx(official[name], abs=1e-9), (where, name)
            for name, values in official["per_frame"].items():
                series = ours["truth_empty_frames" if name == "gt_empty" else f"{name}_frames"]
                assert series == pytest.approx(list(map(float, values)), abs=1e-9), (where, name)


def test_eval_prints_them(
    shared: Shared, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shared("metrics/vost")
    given = ["vosbench", "eval", str(place / "results"), "--dataset", "vost"]
    given += ["--data-root", str(place)]
    monkeypatch.setattr(sys, "argv", [*given, "--json"])
    main()
    found = json.loads(capsys.readouterr().out)
    expected = json.loads((place / "expected.json").read_text())["global"]
    assert found["global"] == pytest.approx(expected, abs=1e-9)
    assert found["protocol"] == "vost@1"
    monkeypatch.setattr(sys, "argv", given)
    main()
    table = capsys.readouterr().out
    assert "J_tr" in table
    assert " F " not in table
    assert not list(place.glob("results/*.csv"))


@dataclass(frozen=True)
class Sequence:
    """Masks by frame and id in truth and prediction."""

    truth: Frames
    predicted: Frames

    def __len__(self) -> int:
        return len(self.truth)


def labels_of(frame: Mapping[int, plain.Mask]) -> np.ndarray[Any, Any]:
    labels = np.zeros(SIZE, np.uint8)
    for object_id, mask in frame.items():
        labels[mask] = object_id
    return labels


def as_label_maps(frames: Frames) -> Frames:
    """What is left of masks that are painted over each other in the order of their ids."""
    ids = sorted({i for frame in frames for i in frame})
    painted = [labels_of(dict(sorted(frame.items()))) for frame in frames]
    return [{i: labels == i for i in ids} for labels in painted]


@st.composite
def masks(draw: st.DrawFn, ids: tuple[int, ...], length: int) -> Frames:
    """Objects that come late, vanish, return, and may never be there."""
    frames: Frames = [{} for _ in range(length)]
    for object_id in ids:
        present = draw(st.lists(st.booleans(), min_size=length, max_size=length))
        for t in range(length):
            mask = np.zeros(SIZE, np.bool_)
            if present[t]:
                top, left = draw(st.integers(0, 10)), draw(st.integers(0, 138))
                height, width = draw(st.integers(1, 9)), draw(st.integers(1, 40))
                mask[top : top + height, left : left + width] = True
            frames[t][object_id] = mask
    return frames


@st.composite
def sequences(draw: st.DrawFn, strange: bool = True) -> Sequence:
    length = draw(st.integers(4, 8))
    ids = draw(st.sampled_from([(1,), (1, 2), (1, 3), (2, 5)]))
    truth = draw(masks(ids, length))
    more = (*ids, 9) if strange and draw(st.booleans()) else ids
    predicted = draw(masks(more, length))
    if draw(st.booleans()):
        predicted = [dict(p) | t for t, p in zip(truth, predicted, strict=True)]
    return Sequence(truth, predicted)


def write_mask(path: Path, labels: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette([(37 * i) % 256 for i in range(768)])
    image.save(path)


def write_frames(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for t, name in enumerate(names):
        Image.new("RGB", SIZE[::-1], (t, 0, 0)).save(folder / f"{name}.jpg")


def write_maps(root: Path, sequence: Sequence, names: list[str]) -> None:
    write_frames(root / "JPEGImages/one", names)
    for name, truth, predicted in zip(names, sequence.truth, sequence.predicted, strict=True):
        write_mask(root / f"Annotations/one/{name}.png", labels_of(truth))
        write_mask(root / f"results/one/{name}.png", labels_of(predicted))


def by_eval(root: Path, dataset: str) -> plain.Figures:
    found: plain.Figures = scored(root, dataset, root / "results")["global"]
    return found


def by_run(root: Path, dataset: str) -> plain.Figures:
    runner = resolve(f"masks:{root / 'results'}").build(RunnerOptions())
    runner.load(torch.device("cpu"), Precision.FLOAT32)
    opened: Dataset = registry.open(dataset, root)
    how = Evaluation(opened, torch.device("cpu"), TruthCache())
    clips = []
    for clip in opened.clips:
        (result,) = evaluate_clip(
            lambda info: SoloWalk(runner, info), 1, clip, how, lambda: None, early=True
        )
        clips.append(result)
    total = aggregate(opened, clips)
    official = MEASURES[opened.protocol.measures].official
    return {
        title: None if np.isnan(total[name]) else total[name] for name, title in official.items()
    }


def agree(root: Path, dataset: str, expected: plain.Figures) -> None:
    for found in (by_eval(root, dataset), by_run(root, dataset)):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-9), name


everywhere = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@everywhere
@given(sequences())
def test_mosev2_by_the_words_of_its_rule(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence
) -> None:
    root = tmp_path_factory.mktemp("mosev2")
    names = [f"{t:05d}" for t in range(len(sequence))]
    write_maps(root, sequence, names)
    ids = sorted(sequence.truth[0])
    # Truth of first masks alone can't be scored, and what nobody sees can't be tracked.
    drawn = as_label_maps(sequence.truth)
    assume(any(mask.any() for frame in drawn for mask in frame.values()))
    video = {"length": len(sequence), "height": 12, "width": 140, "objects": list(map(str, ids))}
    (root / "meta.json").write_text(json.dumps({"videos": {"one": video}}))
    agree(root, "mosev2", plain.mosev2(drawn, as_label_maps(sequence.predicted), ids))


@everywhere
@given(sequences(), st.data())
def test_vost_by_the_words_of_its_rule(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("vost")
    names = [f"frame{6 * t + 12}" for t in range(len(sequence))]
    write_maps(root, sequence, names)
    drawn = as_label_maps(sequence.truth)
    between = data.draw(st.sets(st.integers(1, len(names) - 2), min_size=1))
    annotated = [0, *sorted(between), len(names) - 1]
    assume(any(mask.any() for mask in drawn[0].values()))
    for t, name in enumerate(names):
        path = root / f"Annotations/one/{name}.png"
        rim = labels_of(sequence.truth[t])
        rim[0, :3] = np.where(rim[0, :3] == 0, 255, rim[0, :3])
        write_mask(path, rim)
        if t not in annotated:
            path.unlink()
    (root / "ImageSets").mkdir()
    (root / "ImageSets/val.txt").write_text("one\n")
    predicted = as_label_maps(sequence.predicted)
    agree(root, "vost", plain.vost(drawn, predicted, annotated))


@everywhere
@given(st.integers(14, 22), st.data())
def test_lvos_by_the_words_of_its_rule(
    tmp_path_factory: pytest.TempPathFactory, length: int, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("lvos")
    sequence = Sequence(data.draw(masks((1, 4), length)), data.draw(masks((1, 4, 9), length)))
    for frame in sequence.truth:  # an object is there in its first frame
        frame[1][5, 3], frame[4][9, 9] = True, True
        frame[4][5, 3] = False  # where 4 lies over 1, the label map shows 4
    names = [f"{5 * t + 1:08d}" for t in range(length)]
    write_maps(root, sequence, names)
    start = data.draw(st.integers(0, 4))
    ranges, counted = {}, {}
    for object_id, first, last in ((1, 0, length - 1), (4, start, length - 3)):
        begin, end = 5 * first + 1, 5 * last + 1
        open_end = data.draw(st.booleans())
        steps = len(range(begin, end, 5))
        count = steps + 1 if open_end else steps
        ranges[str(object_id)] = {
            "frame_range": {"start": str(begin), "end": end, "frame_nums": count}
        }
        counted[object_id] = list(range(first + 1, last if open_end else last - 1))
    (root / "valid_meta.json").write_text(json.dumps({"videos": {"one": {"objects": ranges}}}))
    unseen = data.draw(st.booleans())
    (root / "unseen_videos.txt").write_text("one\n" if unseen else "other\n")
    drawn, predicted = as_label_maps(sequence.truth), as_label_maps(sequence.predicted)
    agree(root, "lvos", plain.lvos(drawn, predicted, counted, {1, 4} if unseen else set()))


@everywhere
@given(sequences(strange=False), st.data())
def test_sav_by_the_words_of_its_rule_with_objects_that_overlap(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("sav")
    every = [f"{t:05d}" for t in range(4 * len(sequence) - 3)]
    write_frames(root / "JPEGImages_24fps/one", every)
    ids = sorted(sequence.truth[0])
    own: dict[int, list[int]] = {}
    for place, object_id in enumerate(ids):
        first = data.draw(st.integers(0, len(sequence) - 3))
        own[object_id] = list(range(first, len(sequence)))
        shown = [sequence.truth[t][object_id].any() for t in own[object_id]]
        assume(any(shown[1:-1]))
        for t in range(len(sequence)):
            name = f"{place:03d}/{every[4 * t]}.png"
            if t in own[object_id]:
                write_mask(root / "Annotations_6fps/one" / name, sequence.truth[t][object_id])
            write_mask(root / "results/one" / name, sequence.predicted[t][object_id])
    (root / "sav_val.txt").write_text("one\n")
    agree(root, "sav", plain.sav(sequence.truth, sequence.predicted, own))


@pytest.mark.parametrize(
    ("family", "harm", "said"),
    [
        ("mosev2", lambda p: (p / "results/synthA01/00003.png").unlink(), "lacks 1 of 32 frames"),
        ("mosev2", lambda p: shutil.rmtree(p / "results/synthB02"), "no such folder"),
        ("mosev2", lambda p: (p / "Annotations/synthB02/00004.png").unlink(), "27 frames, where"),
        ("lvos", lambda p: (p / "results/sYnth0aA/00000046.png").unlink(), "lacks 1 of 30"),
        (
            "lvos",
            lambda p: (p / "valid_meta.json").write_text(
                (p / "valid_meta.json").read_text().replace('"32"', '"40"')
            ),
            "40 frames from 1 to 156",
        ),
        ("lvos", lambda p: (p / "Annotations/sYnth0aA/00000046.png").unlink(), "frame 00000046"),
        ("vost", lambda p: (p / "results/9002_bend_blob/frame00030.png").unlink(), "lacks 1 of 26"),
        ("sav", lambda p: shutil.rmtree(p / "results/sav_900001"), "no such folder"),
        ("sav", lambda p: (p / "results/sav_900001/001/00008.png").unlink(), "lacks 1 of"),
        (
            "sav",
            lambda p: write_mask(
                p / "results/sav_900001/001/00008.png", np.arange(9).reshape(3, 3)
            ),
            "00008.png",
        ),
    ],
)
def test_damage_on_which_the_official_tools_go_wrong_is_refused_in_one_line(
    family: str, harm: Callable[[Path], object], said: str, shared: Shared, tmp_path: Path
) -> None:
    place = tmp_path / family
    shutil.copytree(shared(f"metrics/{family}"), place)
    harm(place)
    with pytest.raises(InputError) as caught:
        scored(place, family, place / "results")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_show_what_only_a_family_has(
    shared: Shared,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "VOST"
    shutil.copytree(shared("metrics/vost"), root)
    for sequence in (root / "Annotations").iterdir():
        names = sorted(path.stem for path in sequence.iterdir())
        with Image.open(sequence / f"{names[0]}.png") as first:
            size = first.size
        (root / "JPEGImages" / sequence.name).mkdir(parents=True)
        for name in names:
            Image.new("RGB", size).save(root / "JPEGImages" / sequence.name / f"{name}.jpg")
    chosen = ["--models", f"masks:{root / 'results'}", "--dataset", "vost"]
    run = ["vosbench", "run", *chosen, "--data-root", str(root), "--db", str(tmp_path / "r.db")]
    monkeypatch.setattr(sys, "argv", run)
    main()
    assert "J_tr" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["vosbench", "results", "--db", run[-1], "--json"])
    main()
    (row,) = json.loads(capsys.readouterr().out)
    expected = json.loads((root / "expected.json").read_text())["global"]
    assert row["j_mean"] == pytest.approx(expected["J-Mean"], abs=1e-9)
    assert row["j_tr_mean"] == pytest.approx(expected["J_last-Mean"], abs=1e-9)
    assert row["f_mean"] is None
    assert row["jf_mean"] is None
    assert row["protocol"] == "vost@1"
