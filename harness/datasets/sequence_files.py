"""The files of one sequence where frames and annotations lie in a folder each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.davis import indexed_annotations
from vosbench.harness.datasets.decode import IMAGE_SUFFIXES, Size, image_size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, label_size
from vosbench.harness.datasets.layout import child, frame_files


@dataclass(frozen=True)
class SequenceFiles:
    """The files of a sequence.

    Attributes:
        name: the sequence's.
        frame_names: in order.
        image_paths: one a frame; none where there are annotations alone, to score with.
        annotation_paths: label maps by frame index.
    """

    name: str
    frame_names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    annotation_paths: Mapping[int, Path]

    @property
    def index(self) -> Mapping[str, int]:
        """Frame indices by name."""
        return {name: t for t, name in enumerate(self.frame_names)}

    def sizes(self) -> tuple[Size, Size | None]:
        """The frames' size, and that of the annotations where it is another."""
        labels = label_size(next(iter(self.annotation_paths.values())))
        size = image_size(self.image_paths[0]) if self.image_paths else labels
        return size, None if labels == size else labels

    def clip(self, objects: Mapping[int, int], **rules: Any) -> Clip:
        """The clip of these files, by its objects' first frames and what else :class:`Clip` has."""
        size, other = self.sizes()
        return Clip(
            name=self.name,
            size=size,
            frame_names=self.frame_names,
            image_paths=self.image_paths,
            annotation_paths=self.annotation_paths,
            objects=objects,
            label_size=other,
            **rules,
        )


def sequence_files(images: Path, annotations: Path, name: str) -> SequenceFiles:
    """Find the files of sequence ``name``; where ``images`` isn't there, annotations are enough.

    Raises:
        InputError: no frames, no annotation, or annotations without their frames.
    """
    folder = child(annotations, name)
    labels = frame_files(folder, LABEL_SUFFIXES)
    if not labels:
        raise InputError(f"{folder}: no annotation (.png)")
    photographed = images.is_dir()
    frames = frame_files(child(images, name), IMAGE_SUFFIXES) if photographed else labels
    if not frames:
        raise InputError(f"{child(images, name)}: no frames (.jpg or .png)")
    return SequenceFiles(
        name,
        tuple(frames),
        tuple(frames.values()) if photographed else (),
        indexed_annotations(frames, labels, folder),
    )
