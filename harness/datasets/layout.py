"""What the folder layouts of DAVIS and YouTube-VOS share: lists, frame files, safe names."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError


def safe_name(name: str, source: Path) -> str:
    """``name`` if it is the plain name of a file or folder.

    Raises:
        InputError: it would lead out of the data root (``../``, an absolute path, a separator).
    """
    bad = name in {"", ".", ".."} or any(mark in name for mark in "/\\\0") or ":" in name[1:2]
    if bad:
        raise InputError(
            f"{source}: the name {name!r} could leave the data root; names hold no path: correct it"
        )
    return name


def read_list(path: Path) -> tuple[str, ...]:
    """Sequence names from a list file, one a line; blank lines and comments (#) don't count."""
    lines = (line.strip() for line in _text(path).splitlines())
    names = [safe_name(line, path) for line in lines if line and not line.startswith("#")]
    if not names:
        raise InputError(f"{path}: the list names no sequence")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InputError(f"{path}: {doubles[0]} is listed twice: list a sequence once")
    return tuple(names)


def read_frame_list(path: Path) -> tuple[str, ...]:
    """Sequence names from a DAVIS list of frames: lines ``/JPEGImages/480p/NAME/00000.jpg ...``."""
    names: dict[str, None] = {}
    for line in filter(None, map(str.strip, _text(path).splitlines())):
        parts = line.split()[0].split("/")
        if len(parts) < 2:
            raise InputError(f"{path}: not a list of frames: {line!r}")
        names[safe_name(parts[-2], path)] = None
    if not names:
        raise InputError(f"{path}: the list names no sequence")
    return tuple(names)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; InputError if there is none."""
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: no valid JSON ({error}): fetch the file again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a JSON object")
    return content


def subfolders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in ``folder``, sorted; links to folders count."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: is the data root the right one?")
    return tuple(
        sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    )


def frame_files(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Files of a clip by frame name (the name without its suffix), in the order of frames.

    Names that are numbers sort by value, so that frame 100000 follows 99999.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: the sequence is incomplete or misspelt")
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    if len({path.stem for path in files}) < len(files):
        raise InputError(f"{folder}: two files of one frame name: keep one of them")
    return {path.stem: path for path in sorted(files, key=_frame_order)}


def first_existing(candidates: Collection[Path]) -> Path:
    """The first of ``candidates`` that exists; InputError naming the first if none does."""
    for candidate in candidates:
        if candidate.exists():
            return candidate
    first, *others = candidates
    instead = f" (nor {', '.join(map(str, others))})" if others else ""
    raise InputError(f"{first}: not there{instead}: is the data root the right one?")


def _frame_order(path: Path) -> tuple[int, int, str]:
    stem = path.stem
    return (0, int(stem), stem) if stem.isascii() and stem.isdigit() else (1, 0, stem)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: is the data root the right one?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
