"""Hashes of what an evaluation reads, kept in the cache by each file's size and time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, open_regular
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.decode import read_image
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.overlap import read_mask
from vosbench.harness.datasets.places import cache_dir, write_atomically

ContentHash = Callable[[Path, bool], str]
"""Hex hash of a file's content; the flag says whether it is a label map."""


def file_sha256(path: Path, _is_labels: bool = False) -> str:
    """Hex SHA-256 of a file's bytes; InputError if it cannot be read."""
    with open_regular(path, PICTURE_BYTES, "a frame or mask") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def pixel_sha256(path: Path, is_labels: bool = False) -> str:
    """Hex SHA-256 of a file's decoded pixels and their shape, whatever the encoder wrote."""
    pixels = read_labels(path) if is_labels else read_image(path)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def manifest_sha256(clips: Iterable[Clip], content_hash: ContentHash = file_sha256) -> str:
    """Hex SHA-256 over frames, annotations, sizes and object ids of ``clips``, in order.

    Where the files lie does not matter. Every file is decoded and checked the first time it is
    hashed; raises InputError if one is damaged or doesn't fit its clip.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for clip in clips:
            hashes = _clip_hashes(clip, content_hash, pool)
            entry = _entry(clip, hashes)
            digest.update(json.dumps(entry, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _entry(clip: Clip, hashes: Mapping[Path, str]) -> dict[str, Any]:
    # What sequences seldom have comes in only where it is: older hashes stay as they are.
    seldom = {"ungiven": sorted(clip.ungiven)} if clip.ungiven else {}
    return seldom | {
        "name": clip.name,
        "size": clip.size,
        "frames": [
            [name, hashes[path]]
            for name, path in zip(clip.frame_names, clip.image_paths, strict=True)
        ],
        "annotations": _annotations(clip, hashes),
        "objects": sorted(clip.objects.items()),
        "merge_objects": clip.merge_objects,
        "classes": sorted(clip.classes.items()),
        "unseen": None if clip.unseen is None else sorted(clip.unseen),
    }


def _annotations(clip: Clip, hashes: Mapping[Path, str]) -> list[list[int | str]]:
    """Frame and hash of each label map; of each object's mask, frame, object and hash."""
    files = sorted((t, i or 0, path) for path, (t, i) in clip.mask_files().items())
    return [[t, *([i] if i else []), hashes[path]] for t, i, path in files]


def _verify(clip: Clip, path: Path, t: int, object_id: int | None) -> None:
    if object_id is None or t == clip.objects.get(object_id):
        clip.masks(t)
    else:
        read_mask(path, clip.label_size or clip.size)


def _clip_hashes(
    clip: Clip, content_hash: ContentHash, pool: ThreadPoolExecutor
) -> dict[Path, str]:
    clip.require_images()
    cache_path = _cache_path(clip, content_hash)
    cached = {} if cache_path is None else _read_cache(cache_path)
    wanted = dict.fromkeys(clip.image_paths, False)
    masks = clip.mask_files()
    wanted |= dict.fromkeys(masks, True)
    stamps = {path: _stamp(path) for path in wanted}
    missing = [path for path, stamp in stamps.items() if cached.get(str(path), [])[:2] != stamp]
    frames = {path: t for t, path in enumerate(clip.image_paths)}

    def verified(path: Path) -> str:
        # What has a hash has been decoded: damaged data is found before anything runs.
        if wanted[path]:
            t, object_id = masks[path]
            _verify(clip, path, t, object_id)
        else:
            clip.image(frames[path])
        return content_hash(path, wanted[path])

    computed = pool.map(verified, missing)
    for path, content in zip(missing, computed, strict=True):
        cached[str(path)] = [*stamps[path], content]
    if missing and cache_path is not None:
        # A cache that cannot be written costs time, nothing else.
        with contextlib.suppress(OSError):
            write_atomically(cache_path, json.dumps(cached).encode())
    return {path: str(cached[str(path)][2]) for path in wanted}


def _cache_path(clip: Clip, content_hash: ContentHash) -> Path | None:
    # By the images' folder, the way of hashing and what was verified.
    verified = f"{clip.merge_objects} {clip.binary} {clip.scored_ids} {clip.others_are_background}"
    key = f"{clip.image_paths[0].parent.absolute()}\n{content_hash.__name__}\n{verified}"
    try:
        folder = cache_dir() / "hashes"
    except InputError:  # no home: nothing is remembered
        return None
    return folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.json"


def _read_cache(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _stamp(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return [stat.st_size, stat.st_mtime_ns]
