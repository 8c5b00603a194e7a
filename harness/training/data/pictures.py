"""Folders of images with masks, such as saliency datasets: ``images/`` and ``masks/``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, read_regular
from vosbench.harness.datasets.layout import entries


class Picture(NamedTuple):
    """An image, uint8 RGB (H, W, 3), and the object in it, bool (H, W)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class PictureFolder:
    """Images and masks that share their stems, in the order of the names."""

    root: Path
    files: tuple[tuple[Path, Path], ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Picture:
        """Read a picture; InputError if a file is damaged or the sizes differ."""
        image_path, mask_path = self.files[index]
        image = _decoded(image_path, cv2.IMREAD_COLOR)
        mask = _decoded(mask_path, cv2.IMREAD_GRAYSCALE)
        if image.shape[:2] != mask.shape:
            raise InputError(f"{image_path} and {mask_path} differ in size")
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return Picture(np.asarray(rgb, np.uint8), np.asarray(mask > 127))

    @property
    def sha256(self) -> str:
        """Hash of the selected files' names and bytes."""
        digest = hashlib.sha256()
        known: dict[Path, bytes] = {}
        for pair in self.files:
            for path in pair:
                if path not in known:
                    content = read_regular(path, PICTURE_BYTES, "a picture")
                    known[path] = hashlib.sha256(content).digest()
                digest.update(path.name.encode())
                digest.update(known[path])
        return digest.hexdigest()

    def split(self, held_out: float) -> tuple[PictureFolder, PictureFolder]:
        """Part the pictures by a hash of their names: → (training, held out)."""

        def is_held_out(pair: tuple[Path, Path]) -> bool:
            digest = hashlib.sha256(pair[0].stem.encode()).digest()
            return int.from_bytes(digest[:4], "big") < held_out * 2**32

        held = tuple(pair for pair in self.files if is_held_out(pair))
        kept = tuple(pair for pair in self.files if not is_held_out(pair))
        return replace(self, files=kept), replace(self, files=held)


def _decoded(path: Path, flags: int) -> NDArray[np.uint8]:
    data = np.frombuffer(read_regular(path, PICTURE_BYTES, "a picture"), np.uint8)
    try:
        pixels = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # more pixels than OpenCV takes
        pixels = None
    if pixels is None:
        raise InputError(f"{path} can't be read as an image: replace or remove it")
    return np.asarray(pixels, np.uint8)


MOST_REPEATS = 30


def blended(parts: Sequence[tuple[float, PictureFolder]]) -> PictureFolder:
    """Several folders as one, from which each is drawn about in proportion to its weight.

    Pictures of a weightier folder stand in the list more often, up to :data:`MOST_REPEATS` times,
    and the order is that of a hash, so that pictures of all folders follow each other.
    """
    if len(parts) == 1:
        return parts[0][1]
    shares = [weight / max(len(folder), 1) for weight, folder in parts]
    least = min(shares)
    keyed = [
        (hashlib.sha256(f"{turn}/{pair[0].name}".encode()).digest(), pair)
        for (_, folder), share in zip(parts, shares, strict=True)
        for turn in range(min(MOST_REPEATS, round(share / least)))
        for pair in folder.files
    ]
    return PictureFolder(parts[0][1].root, tuple(pair for _, pair in sorted(keyed)))


def open_pictures(root: Path) -> PictureFolder:
    """Open a folder with ``images/`` and ``masks/``; InputError says what is missing.

    Where there is no such folder but its parent is one, the last part of the name is that of a
    set: the pictures whose names begin with it.
    """
    if not root.exists() and (root.parent / "images").is_dir():
        whole = open_pictures(root.parent)
        files = tuple(pair for pair in whole.files if pair[0].name.startswith(root.name))
        if not files:
            raise InputError(f"{root.parent} has no picture whose name begins with {root.name}")
        return PictureFolder(root, files)
    for folder in (root / "images", root / "masks"):
        if not folder.is_dir():
            raise InputError(f"{root} holds no folder '{folder.name}': images/ and masks/ needed")
    masks = {path.stem: path for path in entries(root / "masks").values()}
    images = sorted(path for path in entries(root / "images").values() if path.stem in masks)
    if not images:
        raise InputError(f"{root} has no image whose mask has the same name")
    return PictureFolder(root, tuple((path, masks[path.stem]) for path in images))
