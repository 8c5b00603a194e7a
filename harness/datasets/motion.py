"""The built-in dataset ``motion``: procedural sequences with exact masks, made on first use.

``make_clip(kind, seed, size, frames)`` makes one in memory, for training and checks too.
"""

from __future__ import annotations

import io
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.layout import read_json
from vosbench.harness.datasets.manifest import pixel_sha256
from vosbench.harness.datasets.motion_kinds import KINDS, SceneStage
from vosbench.harness.datasets.motion_scene import Scene, render
from vosbench.harness.datasets.objects import present_ids
from vosbench.harness.datasets.palette import encode_labels
from vosbench.harness.datasets.places import cache_dir
from vosbench.harness.datasets.protocols import YTVOS, named

VERSION = 1
"""Raised whenever a pixel may change; part of the protocol's name and of the folder's."""
SIZE: Size = (240, 432)
FRAMES = 40
SEEDS: Mapping[str, int] = {
    "still": 500,
    "slow": 301,
    "fast": 502,
    "dart": 303,
    "pan": 504,
    "zoom": 305,
    "deform": 306,
    "occlusion": 307,
    "crossing": 508,
    "late": 309,
    "rotation": 310,
    "distractor": 311,
    "trio": 312,
}
"""The clips: one of each kind, its seed chosen by eye."""

# Without chroma subsampling, so that decoders that upsample differently agree.
_JPEG_QUALITY = 92


Kinds: TypeAlias = Mapping[str, Callable[[SceneStage], Scene]]


@dataclass(frozen=True)
class MotionFactory:
    """Opens a built-in dataset, making it first if the cache has none.

    Attributes:
        seeds, frames, kinds: as :func:`write_motion` takes them.
    """

    spec: DatasetSpec
    seeds: Mapping[str, int] = field(default_factory=lambda: SEEDS)
    frames: int = FRAMES
    kinds: Kinds = field(default_factory=lambda: KINDS)

    def __call__(self, _root: Path | None, _argument: str | None, /) -> Dataset:
        """Open it; it needs no folder."""
        folder = self.ensure()
        manifest = read_json(folder / "manifest.json")
        objects = {clip["name"]: clip["objects"] for clip in manifest["clips"]}

        def build(name: str) -> Clip:
            known = {int(i): first for i, first in objects[name].items()}
            return _clip(folder, name, known, self.frames)

        return Dataset(
            name=self.spec.name,
            protocol=named(YTVOS, self.spec.protocol),
            root=folder,
            sequences=tuple(objects),
            build=build,
            # JPEG and PNG writers differ between library versions; the pixels are what counts.
            content_hash=pixel_sha256,
        )

    def ensure(self) -> Path:
        """Folder of the dataset in the cache; made in a few seconds if it is not there.

        Several processes may make it at once: each writes a folder of its own, and the first to
        finish moves it into place.

        Raises:
            InputError: the cache cannot be written.
        """
        folder = cache_dir() / self.spec.protocol.replace("@", "-")
        if folder.exists():
            return folder
        temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        try:
            write_motion(temporary, self.seeds, SIZE, self.frames, self.kinds)
            temporary.rename(folder)
        except OSError as error:
            if not folder.exists():
                raise InputError(
                    f"{folder}: cannot be written ({error.strerror}): set XDG_CACHE_HOME to a "
                    "folder with 20 MB of room"
                ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return folder


def ensure_motion() -> Path:
    """Folder of ``motion``; see :meth:`MotionFactory.ensure`."""
    return MOTION.ensure()


def write_motion(
    folder: Path,
    seeds: Mapping[str, int] = SEEDS,
    size: Size = SIZE,
    frames: int = FRAMES,
    kinds: Kinds = KINDS,
) -> None:
    """Write clips (seed by kind) in the layout of DAVIS, with a manifest.json of pixel hashes."""
    entries = [
        _write_clip(folder, make_clip(kind, seed, size, frames, kinds))
        for kind, seed in seeds.items()
    ]
    lists = folder / "ImageSets"
    lists.mkdir()
    (lists / "val.txt").write_text("".join(f"{kind}\n" for kind in seeds))
    manifest = {"name": "motion", "version": VERSION, "size": size, "clips": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _write_clip(folder: Path, clip: SyntheticClip) -> dict[str, Any]:
    images = folder / "JPEGImages" / clip.kind
    annotations = folder / "Annotations" / clip.kind
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    hashes: dict[str, list[str]] = {"images": [], "annotations": []}
    for t, (image, labels) in enumerate(zip(clip.images, clip.labels, strict=True)):
        image_path, label_path = images / f"{t:05d}.jpg", annotations / f"{t:05d}.png"
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        image_path.write_bytes(buffer.getvalue())
        label_path.write_bytes(encode_labels(labels))
        hashes["images"].append(pixel_sha256(image_path))
        hashes["annotations"].append(pixel_sha256(label_path, is_labels=True))
    objects = {str(i): first for i, first in clip.objects.items()}
    return {"name": clip.kind, "seed": clip.seed, "objects": objects, "sha256": hashes}


def _clip(folder: Path, name: str, objects: Mapping[int, int], frames: int) -> Clip:
    names = tuple(f"{t:05d}" for t in range(frames))
    return Clip(
        name=name,
        size=SIZE,
        frame_names=names,
        image_paths=tuple(folder / "JPEGImages" / name / f"{n}.jpg" for n in names),
        annotation_paths={
            t: folder / "Annotations" / name / f"{n}.png" for t, n in enumerate(names)
        },
        objects=objects,
    )


MOTION = MotionFactory(
    DatasetSpec(
        name="motion",
        protocol=f"motion@{VERSION}",
        summary=f"built in: {len(SEEDS)} made-up sequences of {FRAMES} frames, {SIZE[1]}x{SIZE[0]}",
    )
)


@dataclass(frozen=True)
class SyntheticClip:
    """A procedural clip.

    Attributes:
        kind, seed: what made it.
        images: uint8 RGB (T, H, W, 3).
        labels: uint8 (T, H, W), 0 for background.
        objects: first frame by object id, ids ascending.
    """

    kind: str
    seed: int
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    objects: dict[int, int]


def make_clip(
    kind: str, seed: int, size: Size = (240, 432), frames: int = 40, kinds: Kinds = KINDS
) -> SyntheticClip:
    """Make a clip of one of the :data:`KINDS`, or of others; equal arguments make equal pixels.

    Raises:
        InputError: there is no such kind, or size or length are too small to show anything.
    """
    if kind not in kinds:
        raise InputError(f"no kind of sequence named {kind!r}: there are {', '.join(kinds)}")
    if min(size) < 32 or frames < 1:
        raise InputError(f"a sequence of {size} and {frames} frames: at least 32x32 and one frame")
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = kinds[kind](SceneStage(rng, size, frames, hue=float(rng.random())))
    rendered = [render(scene, t, rng) for t in range(frames)]
    labels = np.stack([label for _, label in rendered])
    objects: dict[int, int] = {}
    for t, label in enumerate(labels):
        for object_id in sorted(present_ids(label)):
            objects.setdefault(object_id, t)
    images = np.stack([image for image, _ in rendered])
    return SyntheticClip(kind, seed, images, labels, dict(sorted(objects.items())))
