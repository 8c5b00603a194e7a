"""Anyone's own clips, and the names, folders and plug-ins by which datasets are found."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import davis, generic, registry, roots, youtube_vos
from vosbench.harness.datasets import motion as builtin
from vosbench.harness.datasets.dataset import DatasetSpec
from vosbench.harness.datasets.generic import DAVIS_LAYOUT, YTVOS_LAYOUT
from vosbench.harness.datasets.palette import write_labels
from vosbench.runners.plugins import _entries

GROUP = "vosbench.datasets"


def _save(folder: Path, kind: str, name: str, frames: dict[int, list[int]], count: int = 4) -> None:
    images = folder / "JPEGImages" / name
    masks = folder / "Annotations" / name
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t in range(count):
        Image.new("RGB", (16, 12), (t, 0, 0)).save(images / f"{t}.png")
    for t, ids in frames.items():
        labels = np.zeros((12, 16), np.uint8)
        for column, object_id in enumerate(ids):
            labels[:, column] = object_id
        if kind == "grey":
            Image.fromarray(labels).save(masks / f"{t}.png")
        else:
            write_labels(masks / f"{t}.png", labels)


def test_objects_and_their_starts_are_read_from_annotations(tmp_path: Path) -> None:
    _save(tmp_path, "palette", "mine", {0: [3], 2: [3, 5], 3: [5]})
    dataset = DAVIS_LAYOUT(None, str(tmp_path))
    clip = dataset.clip("mine")
    assert dataset.protocol.name == "own-clips@1"
    assert clip.objects == {3: 0, 5: 2}
    assert not clip.merge_objects
    assert not clip.first_masks_only


def test_frames_sort_by_number_not_by_letter(tmp_path: Path) -> None:
    _save(tmp_path, "palette", "mine", {0: [1], 10: [1]}, count=12)
    clip = YTVOS_LAYOUT(None, str(tmp_path)).clip("mine")
    assert clip.frame_names == tuple(map(str, range(12)))
    assert sorted(clip.annotation_paths) == [0, 10]


def test_annotations_that_only_introduce_objects_are_recognised(tmp_path: Path) -> None:
    _save(tmp_path, "palette", "mine", {0: [1], 2: [2]})
    assert YTVOS_LAYOUT(None, str(tmp_path)).clip("mine").first_masks_only


def test_black_and_white_masks_are_one_object(tmp_path: Path) -> None:
    _save(tmp_path, "grey", "mine", {0: [255], 1: [255, 255]})
    clip = DAVIS_LAYOUT(None, str(tmp_path)).clip("mine")
    assert clip.objects == {1: 0}
    labels = clip.annotation(1)
    assert labels is not None
    assert labels[0, :3].tolist() == [1, 1, 0]


def test_a_480p_folder_and_a_list_are_used_where_they_are(tmp_path: Path) -> None:
    _save(tmp_path / "raw", "palette", "a", {0: [1]})
    _save(tmp_path / "raw", "palette", "b", {0: [1]})
    root = tmp_path / "root"
    for kind in ("JPEGImages", "Annotations"):
        (root / kind).mkdir(parents=True)
        (tmp_path / "raw" / kind).rename(root / kind / "480p")
    assert DAVIS_LAYOUT(None, str(root)).sequences == ("a", "b")
    (root / "ImageSets").mkdir()
    (root / "ImageSets/val.txt").write_text("b\n")
    assert DAVIS_LAYOUT(None, str(root)).sequences == ("b",)


def test_meta_json_is_used_where_it_is(make_ytvos) -> None:
    root = make_ytvos()
    clip = YTVOS_LAYOUT(None, str(root / "train")).clip("v1")
    assert clip.objects == {1: 0, 2: 1}
    assert clip.classes[2] == "dog"


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write davis-layout:DIR"):
        DAVIS_LAYOUT(None, None)
    with pytest.raises(InputError, match="no such folder"):
        DAVIS_LAYOUT(None, str(tmp_path / "none"))
    with pytest.raises(InputError, match="JPEGImages"):
        DAVIS_LAYOUT(None, str(tmp_path))
    _save(tmp_path, "palette", "mine", {})
    with pytest.raises(InputError, match="nothing to track"):
        DAVIS_LAYOUT(None, str(tmp_path)).clip("mine")
    Image.new("RGB", (16, 12)).save(tmp_path / "JPEGImages/mine/0.jpg")
    with pytest.raises(InputError, match="two files of one frame"):
        DAVIS_LAYOUT(None, str(tmp_path)).clip("mine")


BUILT_IN = {
    "davis16": davis.DAVIS16_VAL,
    "davis16-train": davis.DAVIS16_TRAIN,
    "davis17": davis.DAVIS17_VAL,
    "davis17-train": davis.DAVIS17_TRAIN,
    "davis17-test-dev": davis.DAVIS17_TEST_DEV,
    "ytvos18-train": youtube_vos.YTVOS18_TRAIN,
    "ytvos18-train-all-frames": youtube_vos.YTVOS18_TRAIN_ALL,
    "ytvos18-valid": youtube_vos.YTVOS18_VALID,
    "ytvos18-valid-all-frames": youtube_vos.YTVOS18_VALID_ALL,
    "ytvos18-heldout": youtube_vos.YTVOS18_HELDOUT,
    "ytvos18-heldout-all-frames": youtube_vos.YTVOS18_HELDOUT_ALL,
    "ytvos19-train": youtube_vos.YTVOS19_TRAIN,
    "ytvos19-train-all-frames": youtube_vos.YTVOS19_TRAIN_ALL,
    "ytvos19-valid": youtube_vos.YTVOS19_VALID,
    "ytvos19-valid-all-frames": youtube_vos.YTVOS19_VALID_ALL,
    "ytvos19-heldout": youtube_vos.YTVOS19_HELDOUT,
    "ytvos19-heldout-all-frames": youtube_vos.YTVOS19_HELDOUT_ALL,
    "davis-layout": generic.DAVIS_LAYOUT,
    "ytvos-layout": generic.YTVOS_LAYOUT,
    "motion": builtin.MOTION,
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_is_registered(name: str) -> None:
    assert registry.factory(name) is BUILT_IN[name]
    assert BUILT_IN[name].spec.name == name


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module of plug-ins, and a group that holds davis16, two namesakes and two broken ones."""
    module = types.ModuleType("fake_datasets")
    module.named_wrong = davis.DAVIS16_TRAIN  # type: ignore[attr-defined]
    module.nonsense = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_datasets", module)
    entries = (
        EntryPoint("davis16", "vosbench.harness.datasets.davis:DAVIS16_VAL", GROUP),
        EntryPoint("gone", "no_such_module:X", GROUP),
        EntryPoint("odd", "fake_datasets:nonsense", GROUP),
        EntryPoint("alias", "fake_datasets:named_wrong", GROUP),
        EntryPoint("both", "fake_datasets:named_wrong", GROUP),
        EntryPoint("both", "fake_datasets:nonsense", GROUP),
    )

    def found(group: str, name: str | None = None) -> tuple[EntryPoint, ...]:
        assert group == GROUP
        return tuple(e for e in entries if name in (None, e.name))

    monkeypatch.setattr("vosbench.runners.plugins.entry_points", found)
    _entries.cache_clear()
    yield module
    _entries.cache_clear()


def test_broken_plug_ins_are_listed_and_break_nothing(plugins, davis_root: Path) -> None:
    listed = {item.name: item for item in registry.listings()}
    assert listed["davis16"].problem is None
    assert listed["davis16"].spec == davis.DAVIS16_VAL.spec
    assert "no_such_module" in str(listed["gone"].problem)
    assert "no dataset factory" in str(listed["odd"].problem)
    assert "calls itself davis16-train" in str(listed["alias"].problem)
    assert "taken by several" in str(listed["both"].problem)
    assert registry.open("davis16", davis_root).name == "davis16"
    for name in ("gone", "odd", "alias", "both"):
        with pytest.raises(InputError, match=name):
            registry.open(name, davis_root)


def test_names_that_do_not_fit(plugins, davis_root: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'davis16'"):
        registry.open("davis61", davis_root)
    with pytest.raises(InputError, match="davis16 takes nothing after a colon"):
        registry.open("davis16:x", davis_root)


def test_an_own_folder_opens_by_name(tmp_path: Path) -> None:
    _save(tmp_path, "palette", "mine", {0: [1]})
    dataset = registry.open(f"davis-layout:{tmp_path}")
    assert dataset.name == f"davis-layout:{tmp_path}"
    assert dataset.sequences == ("mine",)


def test_a_root_is_named_or_in_the_variable_or_remembered(
    davis_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = davis.DAVIS16_VAL.spec
    with pytest.raises(
        InputError, match="--data-root DIR, set VOSBENCH_DATA, or run `vosbench data"
    ):
        roots.find_root(spec)
    assert roots.find_root(spec, davis_root) == davis_root
    monkeypatch.setenv("VOSBENCH_DATA", str(davis_root))
    assert roots.find_root(spec) == davis_root
    everything = tmp_path / "data"
    everything.mkdir()
    (everything / "DAVIS").symlink_to(davis_root)
    monkeypatch.setenv("VOSBENCH_DATA", str(everything))
    assert roots.find_root(spec) == everything / "DAVIS"
    assert roots.find_root(spec, everything) == everything / "DAVIS"
    monkeypatch.setenv("VOSBENCH_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"VOSBENCH_DATA=.* does not hold it"):
        roots.find_root(spec)
    assert roots.remember_root(spec, davis_root) == davis_root
    assert roots.find_root(spec) == davis_root
    # The splits of a year share a folder.
    assert roots.find_root(davis.DAVIS16_TRAIN.spec) == davis_root


def test_a_folder_of_something_else_is_not_remembered(tmp_path: Path, davis_root: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="ytvos18-valid"):
            roots.remember_root(youtube_vos.YTVOS18_VALID.spec, folder)
    with pytest.raises(InputError, match="needs no folder"):
        roots.remember_root(DatasetSpec("motion", "motion@1", ""), davis_root)
    assert roots.remembered_roots() == {}


def test_remembered_folders_add_up(davis_root: Path, tmp_path: Path) -> None:
    registry.add_root("davis16", davis_root)
    registry.add_root("davis17", davis_root)
    stored = json.loads((tmp_path / "config/vosbench/data.json").read_text())
    assert stored == {"davis16": str(davis_root), "davis17": str(davis_root)}


@pytest.mark.parametrize("content", ["{", "[]", '{"davis16": 3}'])
def test_a_damaged_settings_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config/vosbench/data.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(InputError, match=r"data\.json"):
        roots.find_root(davis.DAVIS16_VAL.spec)
