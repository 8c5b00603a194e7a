"""Archives for servers: what each holds, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.export import LAYOUTS, export_archive, layout_of
from vosbench.harness.datasets.registry import DATASETS

SIZE = (6, 8)


def clip(**more: object) -> Clip:
    """Four frames, two annotated; object 5 begins in frame 2."""
    return Clip(
        name="dog",
        size=SIZE,
        frame_names=tuple(f"{t:05d}" for t in range(4)),
        image_paths=(),
        annotation_paths={0: Path("0.png"), 2: Path("2.png")},
        objects={1: 0, 5: 2},
        **more,  # type: ignore[arg-type]
    )


def labels(t: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    found = np.zeros(SIZE, np.uint8)
    found[:2, : t + 1] = 1
    found[4:] = 5
    return found


def archive(dataset: str, of: Clip, tmp_path: Path) -> dict[str, Image.Image]:
    given = [(of, t, labels(t)) for t in range(4)]
    done = export_archive(layout_of(dataset), [of], given, tmp_path / "s.zip")
    with zipfile.ZipFile(done.path) as found:
        return {n: Image.open(io.BytesIO(found.read(n))) for n in found.namelist()}


@pytest.mark.parametrize("dataset", ["davis17-test-dev", "mose", "mosev2", "lvos", "lvos-v1"])
def test_folders_lie_at_the_root_with_every_frame(dataset: str, tmp_path: Path) -> None:
    found = archive(dataset, clip(), tmp_path)
    assert list(found) == [f"dog/{t:05d}.png" for t in range(4)]
    for t, image in enumerate(found.values()):
        assert image.mode == "P"
        assert np.array_equal(np.array(image), labels(t))


def test_youtube_vos_wants_the_listed_frames(tmp_path: Path) -> None:
    found = archive("ytvos19-valid", clip(output_frames=(1, 3)), tmp_path)
    assert list(found) == ["Annotations/dog/00001.png", "Annotations/dog/00003.png"]


def test_sav_has_a_folder_for_each_object(tmp_path: Path) -> None:
    found = archive("sav", clip(object_names={1: "000", 5: "001"}), tmp_path)
    assert set(found) == {f"dog/{o}/{t}.png" for o in ("000", "001") for t in ("00000", "00002")}
    assert np.array_equal(np.array(found["dog/001/00002.png"]), 255 * (labels(2) == 5))


@pytest.mark.parametrize("dataset", ["mose", "sav"])
def test_a_frame_that_lacks_and_a_strange_object_are_refused(dataset: str, tmp_path: Path) -> None:
    layout, of = layout_of(dataset), clip()
    with pytest.raises(InputError, match="no prediction for dog"):
        export_archive(layout, [of], [(of, t, labels(t)) for t in (0, 1)], tmp_path / "s.zip")
    with pytest.raises(InputError, match="predicts object 8"):
        export_archive(layout, [of], [(of, 0, labels(0) + np.uint8(8))], tmp_path / "s.zip")
    assert not list(tmp_path.iterdir())


def test_only_known_servers_are_served() -> None:
    with pytest.raises(InputError, match="motion has no server"):
        layout_of("motion")
    assert set(LAYOUTS) <= set(DATASETS.names())
