"""YouTube-VOS' meta.json: which objects a video has, their categories, their frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.layout import read_json, safe_name
from vosbench.harness.datasets.objects import VOID


@dataclass(frozen=True)
class MetaObject:
    """An object of meta.json: its id, its category ("" if unnamed), the frames that show it."""

    id: int
    category: str
    frames: tuple[str, ...]


Meta = Mapping[str, tuple[MetaObject, ...]]
"""Objects by video, ids ascending."""


def read_meta(path: Path) -> Meta:
    """Read meta.json; InputError if it is damaged, has ids outside 1..254 or unsafe names."""
    videos = read_json(path).get("videos")
    if not isinstance(videos, dict):
        raise InputError(f'{path}: holds no "videos": not a meta.json of YouTube-VOS')
    return {safe_name(name, path): _video(path, name, video) for name, video in videos.items()}


def categories(meta: Meta, but: Iterable[str] = ()) -> frozenset[str]:
    """Categories of the objects of all videos except ``but``."""
    left_out = set(but)
    return frozenset(
        item.category for name, items in meta.items() if name not in left_out for item in items
    )


def _video(path: Path, name: str, video: Any) -> tuple[MetaObject, ...]:
    objects = video.get("objects") if isinstance(video, dict) else None
    if not isinstance(objects, dict):
        raise InputError(f'{path}: video {name} holds no "objects"')
    return tuple(
        sorted((_object(path, name, key, value) for key, value in objects.items()), key=_by_id)
    )


def _object(path: Path, video: str, key: str, value: Any) -> MetaObject:
    where = f"{path}: object {key!r} of {video}"
    if not (key.isascii() and key.isdigit() and 1 <= int(key) < VOID):
        raise InputError(
            f"{where}: an object's id is a number from 1 to {VOID - 1}; {VOID} is void in masks"
        )
    frames = value.get("frames") if isinstance(value, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(f, str) for f in frames):
        raise InputError(f"{where}: lists no frames")
    category = value.get("category", "")
    return MetaObject(int(key), str(category), tuple(safe_name(f, path) for f in frames))


def _by_id(item: MetaObject) -> int:
    return item.id
