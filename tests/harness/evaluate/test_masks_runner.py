"""``masks:DIR``: other people's PNGs come out as they are, or one line says what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path as FilePath

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.motion import write_motion
from vosbench.harness.evaluate.accuracy import clip_info
from vosbench.harness.store import Storage
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    Path,
    Precision,
    Runner,
    RunnerOptions,
    Step,
    no_spans,
)
from vosbench.runners.registry import resolve

HEIGHT, WIDTH, FRAMES = 24, 33, 3
CPU = torch.device("cpu")
IMAGE = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)


def predicted(t: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[2 : 8 + t, 3:9] = 1
    labels[12:20, 10 : 20 + t] = 254
    return labels


@pytest.fixture
def folder(tmp_path: FilePath) -> FilePath:
    """Predictions of the clip ``dog``, of the objects 1 and 254."""
    made = tmp_path / "my+results@v1:final"
    (made / "dog").mkdir(parents=True)
    for t in range(FRAMES):
        Image.fromarray(predicted(t)).save(made / "dog" / f"{t:05d}.png")
    return made


def load(folder: FilePath) -> Runner:
    runner = resolve(f"masks:{folder}").build(RunnerOptions())
    runner.load(CPU, Precision.FLOAT32)
    return runner


def info(**known: object) -> ClipInfo:
    names = tuple(f"{t:05d}" for t in range(FRAMES))
    settings = {"frame_names": names, **known}
    return ClipInfo("dog", HEIGHT, WIDTH, FRAMES, **settings)  # type: ignore[arg-type]


def replay(runner: Runner, clip: ClipInfo, ids: tuple[int, ...] = (1, 254)) -> list[Step]:
    runner.start(clip)
    first = Frame(0, IMAGE)
    runner.add_objects(first, {i: torch.from_numpy(predicted(0) == i) for i in ids})
    return [runner.step(Frame(t, IMAGE), no_spans) for t in range(FRAMES)]


@pytest.mark.parametrize("names", [("00000", "00001", "00002"), ()])
def test_masks_come_out_as_they_are(folder: FilePath, names: tuple[str, ...]) -> None:
    steps = replay(load(folder), info(frame_names=names))
    for t, step in enumerate(steps):
        assert np.array_equal(step.labels.numpy(), predicted(t))
        assert [o.id for o in step.objects] == [1, 254]
        assert {o.path for o in step.objects} == {Path.INIT if t == 0 else Path.FULL}


def test_the_first_frame_needs_no_file(folder: FilePath) -> None:
    (folder / "dog" / "00000.png").unlink()
    steps = replay(load(folder), info())
    assert np.array_equal(steps[0].labels.numpy(), predicted(0))


def test_a_late_object_gets_its_given_mask(folder: FilePath) -> None:
    runner = load(folder)
    runner.start(info())
    runner.add_objects(Frame(0, IMAGE), {1: torch.from_numpy(predicted(0) == 1)})
    runner.step(Frame(0, IMAGE), no_spans)
    given = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    given[3:14, 5:15] = True
    runner.add_objects(Frame(1, IMAGE), {254: given})
    step = runner.step(Frame(1, IMAGE), no_spans)
    # What is predicted stays as it is, for that is what eval counts: the mask takes what is free.
    free = torch.from_numpy(predicted(1) != 1)
    assert torch.equal(step.labels == 254, given & free)
    assert torch.equal(step.labels == 1, ~free)
    assert [(o.id, o.path) for o in step.objects] == [(1, Path.FULL), (254, Path.INIT)]


def test_ids_that_do_not_count_are_background(folder: FilePath) -> None:
    counted = {"ungiven": frozenset({1}), "ignored": frozenset({254, 255})}
    steps = replay(load(folder), info(**counted), ids=(3,))
    assert np.array_equal(steps[2].labels.numpy(), np.where(predicted(2) == 1, 1, 0))
    assert [o.id for o in steps[2].objects] == [3]


def test_merged_objects_are_one(folder: FilePath) -> None:
    steps = replay(load(folder), info(merged=True), ids=(1,))
    assert np.array_equal(steps[2].labels.numpy(), (predicted(2) > 0).astype(np.uint8))


def test_the_weights_hash_is_that_of_the_files(folder: FilePath, tmp_path: FilePath) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    before = load(folder).weights
    assert before.name == folder.name
    assert load(copied).weights.sha256 == before.sha256
    (copied / "dog" / "00002.png").rename(copied / "dog" / "00003.png")
    assert load(copied).weights.sha256 != before.sha256
    Image.fromarray(predicted(1)).save(folder / "dog" / "00002.png")
    assert load(folder).weights.sha256 != before.sha256


def spoil_size(clip: FilePath) -> None:
    Image.fromarray(predicted(1)[:-1]).save(clip / "00001.png")


def spoil_ids(clip: FilePath) -> None:
    Image.fromarray(predicted(1) // 2).save(clip / "00001.png")


def spoil_colours(clip: FilePath) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(clip / "00001.png")


def spoil_bytes(clip: FilePath) -> None:
    data = (clip / "00001.png").read_bytes()
    (clip / "00001.png").write_bytes(data[: len(data) // 2])


def spoil_names(clip: FilePath) -> None:
    (clip / "00001.png").rename(clip / "frame1.png")


def spoil_clip(clip: FilePath) -> None:
    clip.rename(clip.with_name("hound"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_size, r"00001.png: 33x23 pixels, the frame has 33x24"),
        (spoil_ids, r"00001.png: label 127 is no object so far; the objects of dog are 1, 254"),
        (spoil_colours, r"00001.png: holds colours, not object ids"),
        (spoil_bytes, r"00001.png: can't be read as PNG"),
        (spoil_names, r"dog lacks 1 of 2 frames to score, first 00001.png"),
        (spoil_clip, r"dog: no such folder: the results need one for every sequence"),
    ],
)
def test_defects_are_one_line(
    folder: FilePath, spoil: Callable[[FilePath], None], says: str
) -> None:
    spoil(folder / "dog")
    with pytest.raises(InputError, match=says) as caught:
        replay(load(folder), info())
    assert "\n" not in str(caught.value)


def test_the_number_of_files_counts_where_frames_have_no_names(folder: FilePath) -> None:
    (folder / "dog" / "00001.png").unlink()
    with pytest.raises(InputError, match="2 PNGs for 3 frames"):
        replay(load(folder), info(frame_names=()))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("masks", "masks needs an argument: write masks:DIR"),
        ("masks:", "masks needs an argument: write masks:DIR"),
        ("masks:no/such/folder", "no/such/folder: no such folder"),
        ("frtm-lite:folder", "frtm-lite takes nothing after a colon"),
        ("maks:folder", "unknown model 'maks'; did you mean 'masks'"),
    ],
)
def test_names_with_arguments(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve(name)


def test_an_empty_folder_has_no_weights(tmp_path: FilePath) -> None:
    with pytest.raises(InputError, match=r"no <sequence>/<frame>\.png in it"):
        load(tmp_path)


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> FilePath:
    """Two small clips in the layout of DAVIS."""
    folder = tmp_path_factory.mktemp("data") / "small"
    write_motion(folder, {"late": 309, "fast": 502}, (64, 96), 6)
    return folder


def test_annotations_handed_in_as_results_score_full_marks(
    motion: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "sub" / "perfect"
    shutil.copytree(motion / "Annotations", results)
    names = ["run", "--models", "masks:sub/../sub/perfect", "--db", "r.db", "--study", "s"]
    invoked = CliRunner().invoke(app, [*names, "--dataset", f"davis-layout:{motion}"])
    assert invoked.exit_code == 0, invoked.output
    with Storage.open("r.db") as storage:
        (trial,) = storage.trials(storage.study("s"))
        clips = storage.recorded(trial.id)
    assert trial.spec.weights == "perfect"
    means = [m["j_mean"] for clip in clips for m in clip.object_metrics.values()]
    assert means == [1.0, 1.0, 1.0]


def test_clips_tell_runners_their_frame_names(motion: FilePath) -> None:
    clip = registry.open(f"davis-layout:{motion}").clip("late").cut(2)
    told = clip_info(clip, None, CPU)
    assert (told.frame_names, told.frames, told.merged) == (("00000", "00001"), 2, False)
