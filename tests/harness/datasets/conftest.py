"""Small datasets written to disk, and a cache and settings of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vosbench.harness.datasets.palette import write_labels

HEIGHT, WIDTH = 24, 32
Labels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_places(session_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)


def boxes(*ids: int, shift: int = 0) -> Labels:
    """A label map with a 6x6 square for each id, side by side."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for object_id in ids:
        left = 1 + 8 * ((object_id - 1) % 4) + shift
        labels[8:14, left : left + 6] = object_id
    return labels


def save_image(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=95)


@pytest.fixture
def davis_root(tmp_path: Path) -> Path:
    """DAVIS 2016 and 2017 with clips ``ant`` (2 objects) and ``bee`` (1), 5 frames each."""
    root = tmp_path / "davis"
    for seed, (name, ids) in enumerate({"ant": (1, 2), "bee": (1,)}.items()):
        for t in range(5):
            save_image(root / "JPEGImages/480p" / name / f"{t:05d}.jpg", 10 * seed + t)
            write_labels(
                root / "Annotations/480p" / name / f"{t:05d}.png", boxes(*ids, shift=t % 2)
            )
    for year in ("2016", "2017"):
        for split in ("train", "val", "test-dev"):
            listed = root / "ImageSets" / year / f"{split}.txt"
            listed.parent.mkdir(parents=True, exist_ok=True)
            listed.write_text("ant\nbee\n")
    return root


YtvosMaker = Callable[..., Path]


@pytest.fixture
def make_ytvos(tmp_path: Path) -> YtvosMaker:
    """Write a YouTube-VOS root: 11 frames in all, every fifth annotated, object 2 starts at 5."""

    def make(
        videos: Sequence[str] = ("v1", "v2"),
        split: str = "train",
        classes: Mapping[int, str] | None = None,
        first_masks_only: bool = False,
    ) -> Path:
        root = tmp_path / "ytvos"
        names = classes or {1: "cat", 2: "dog"}
        meta: dict[str, Any] = {}
        for number, video in enumerate(videos):
            for t in range(0, 11):
                folders = [f"{split}_all_frames"] + ([split] if t % 5 == 0 else [])
                for folder in folders:
                    save_image(root / folder / "JPEGImages" / video / f"{t:05d}.jpg", number)
            shown = {0: (1,), 5: (2,)} if first_masks_only else {0: (1,), 5: (1, 2), 10: (1, 2)}
            for t, ids in shown.items():
                path = root / split / "Annotations" / video / f"{t:05d}.png"
                write_labels(path, boxes(*ids))
            frames = {1: ["00000", "00005", "00010"], 2: ["00005", "00010"]}
            meta[video] = {
                "objects": {str(i): {"category": names[i], "frames": frames[i]} for i in (1, 2)}
            }
        (root / split / "meta.json").write_text(json.dumps({"videos": meta}))
        return root

    return make
