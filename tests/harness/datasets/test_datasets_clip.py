"""A clip, and reading it ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.davis import DAVIS16_VAL, DAVIS17_VAL
from vosbench.harness.datasets.generic import scanned_clip
from vosbench.harness.datasets.objects import present_ids
from vosbench.harness.datasets.palette import write_labels
from vosbench.harness.datasets.prefetch import Prefetch


@pytest.fixture
def ant(davis_root: Path) -> Clip:
    return DAVIS17_VAL(davis_root, None).clip("ant")


def test_a_clip_knows_its_frames_and_objects(ant: Clip) -> None:
    assert (len(ant), ant.size, ant.object_ids) == (5, (24, 32), (1, 2))
    assert ant.frame_names[3] == "00003"
    assert ant.starting(0) == (1, 2)
    assert ant.starting(1) == ()
    assert ant.image(2).shape == (24, 32, 3)
    labels = ant.annotation(1)
    assert labels is not None
    assert present_ids(labels) == {1, 2}


def test_merged_objects_are_one(davis_root: Path) -> None:
    merged = DAVIS16_VAL(davis_root, None).clip("ant")
    separate = DAVIS17_VAL(davis_root, None).clip("ant")
    assert merged.object_ids == (1,)
    one, two = merged.annotation(2), separate.annotation(2)
    assert one is not None
    assert two is not None
    assert np.array_equal(one, two != 0)
    assert one.dtype == np.uint8


def test_grey_255_is_the_one_object(davis_root: Path) -> None:
    path = davis_root / "Annotations/480p/bee/00000.png"
    grey = np.zeros((24, 32), np.uint8)
    grey[3:9, 4:9] = 255
    Image.fromarray(grey).save(path)
    labels = DAVIS16_VAL(davis_root, None).clip("bee").annotation(0)
    assert labels is not None
    assert np.array_equal(labels, grey // 255)


def test_an_unknown_id_is_refused_where_all_ids_are_known(davis_root: Path, ant: Clip) -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[0, 0] = 7
    write_labels(davis_root / "Annotations/480p/ant/00003.png", labels)
    with pytest.raises(InputError, match=r"00003\.png: unknown object id 7; .* ant are 1, 2"):
        replace(ant, others_are_background=False).annotation(3)
    # The official evaluation of DAVIS looks for the first mask's ids only.
    background = ant.annotation(3)
    assert background is not None
    assert not background.any()


def test_an_object_missing_from_its_first_frame_is_refused(davis_root: Path, ant: Clip) -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[0, 0] = 1
    write_labels(davis_root / "Annotations/480p/ant/00000.png", labels)
    with pytest.raises(InputError, match=r"00000\.png: no pixel of object 2"):
        ant.annotation(0)


def test_an_object_needs_an_annotation_where_it_starts(ant: Clip) -> None:
    with pytest.raises(InputError, match="object 2 starts in frame 00003, which has no annotation"):
        replace(ant, objects={1: 0, 2: 3}, annotation_paths={0: ant.annotation_paths[0]})


def test_cutting_drops_what_comes_later(ant: Clip) -> None:
    late = replace(ant, objects={1: 0, 2: 3}, classes={1: "cat", 2: "dog"}, output_frames=(0, 4))
    cut = late.cut(3)
    assert len(cut) == 3
    assert cut.objects == {1: 0}
    assert cut.classes == {1: "cat"}
    assert sorted(cut.annotation_paths) == [0, 1, 2]
    assert cut.output_frames == (0,)
    assert late.cut(None) is late
    assert late.cut(99) is late
    with pytest.raises(InputError, match="max_frames is 0"):
        late.cut(0)


def test_a_frame_of_another_size_is_refused(davis_root: Path, ant: Clip) -> None:
    Image.new("RGB", (32, 23)).save(davis_root / "JPEGImages/480p/ant/00002.jpg")
    with pytest.raises(InputError, match=r"00002\.jpg: 32x23 .* 32x24"):
        ant.image(2)


def test_the_shared_clip_whose_mask_is_a_column_short(shared: Callable[[str], Path]) -> None:
    root = shared("judo")
    clip = scanned_clip("judo", root / "JPEGImages/judo", root / "Annotations/judo")
    with pytest.raises(InputError, match=r"00005\.png: 853x480 pixels.* 854x480"):
        clip.annotation(5)
    # Cut before that frame, the clip is sound.
    assert clip.cut(5).annotation(0) is not None


@pytest.mark.parametrize(("ahead", "threads"), [(1, 1), (2, 4), (8, 2), (50, 3)])
def test_prefetch_gives_every_frame_in_order(ant: Clip, ahead: int, threads: int) -> None:
    reader = Prefetch(ant, ahead=ahead, threads=threads)
    for _ in range(2):
        seen = list(reader)
        assert [frame.t for frame in seen] == [0, 1, 2, 3, 4]
        for t, image, annotation in seen:
            assert np.array_equal(image, ant.image(t))
            expected = ant.annotation(t)
            assert annotation is not None
            assert expected is not None
            assert np.array_equal(annotation, expected)
    assert reader.waited_s > 0
    assert len(reader) == 5


def test_prefetch_can_leave_annotations_out(ant: Clip) -> None:
    assert all(frame.annotation is None for frame in Prefetch(ant, annotations=False))


def test_prefetch_raises_at_the_damaged_frame(davis_root: Path, ant: Clip) -> None:
    (davis_root / "JPEGImages/480p/ant/00002.jpg").write_bytes(b"\xff\xd8")
    seen = []
    with pytest.raises(InputError, match=r"00002\.jpg"):
        seen.extend(frame.t for frame in Prefetch(ant))
    assert _decoders() == []


def test_prefetch_stops_its_threads_when_left_early(ant: Clip) -> None:
    reading = iter(Prefetch(ant))
    next(reading)
    assert _decoders() != []
    reading.close()  # type: ignore[attr-defined]
    assert _decoders() == []


def test_prefetch_reads_no_further_than_ahead(ant: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = Clip.image

    def counted(self: Clip, t: int) -> np.ndarray:
        asked.append(t)
        return original(self, t)

    monkeypatch.setattr(Clip, "image", counted)
    reading = iter(Prefetch(ant, ahead=2, threads=1))
    next(reading)
    # Time enough for a reader that does not stop by itself.
    time.sleep(0.2)
    assert set(asked) <= {0, 1}
    reading.close()  # type: ignore[attr-defined]


def test_prefetch_refuses_to_read_nothing_ahead(ant: Clip) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Prefetch(ant, ahead=0)


def _decoders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("vosbench-decode")]
