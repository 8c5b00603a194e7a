"""What folder layouts share: lists, names, the files of a sequence in the order of frames.

Names are compared in Unicode's composed form (NFC), whichever form a file system or a list has.
What systems leave behind in folders (``.DS_Store``, ``._*``, ``__MACOSX``, ``@eaDir``,
``Thumbs.db``) is not there.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import read_text
from vosbench.baselines.parsing import parse_json

_LEFT_BEHIND = frozenset({"__macosx", "@eadir", "thumbs.db", "desktop.ini"})


def composed(name: str) -> str:
    """A name as it is compared: in NFC."""
    return unicodedata.normalize("NFC", name)


def natural(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sorts names as people count: numbers in them by value, ``frame2`` before ``frame10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(p) if k % 2 else p for k, p in enumerate(parts)), name


def entries(folder: Path) -> dict[str, Path]:
    """What lies in a folder, by name in NFC and in natural order; what systems left is left out.

    Raises:
        InputError: no such folder, or two names that differ in their Unicode form only.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are all it takes
    except OSError:
        raise InputError(f"{folder}: no such folder: is it incomplete or misspelt?") from None
    kept = [n for n in names if not n.startswith(".") and n.lower() not in _LEFT_BEHIND]
    found = {composed(n): folder / n for n in kept}
    if len(found) < len(kept):
        double = next(n for n in kept if found[composed(n)].name != n)
        raise InputError(f"{folder / double}: there twice, in two Unicode forms: keep one of them")
    return {name: found[name] for name in sorted(found, key=natural)}


def child(folder: Path, name: str) -> Path:
    """The file or folder of that name, in whichever Unicode form; it need not exist."""
    path = folder / name
    if name.isascii() or path.exists() or not folder.is_dir():
        return path
    return entries(folder).get(composed(name), path)


def safe_name(name: str, source: Path) -> str:
    """``name``, in NFC, if it is the plain name of a file or folder.

    Raises:
        InputError: it would lead out of the data root (``../``, an absolute path, a separator).
    """
    bad = name in {"", ".", ".."} or any(mark in name for mark in "/\\\0") or ":" in name[1:2]
    if bad:
        raise InputError(
            f"{source}: the name {name!r} could leave the data root; names hold no path: correct it"
        )
    return composed(name)


def read_list(path: Path) -> tuple[str, ...]:
    """Sequence names from a list file, one a line.

    Blank lines and comments don't count; a comment is ``#`` and a space, for names may hold a
    ``#``.
    """
    lines = (line.strip() for line in _text(path).splitlines())
    names = [safe_name(line, path) for line in lines if line and not re.match(r"#(\s|$)", line)]
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
    content = parse_json(_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a JSON object")
    return content


def subfolders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in ``folder``, in natural order; links to folders count."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: is the data root the right one?")
    return tuple(name for name, path in entries(folder).items() if path.is_dir())


def listed_or_all(listed: Path | None, folder: Path) -> tuple[str, ...]:
    """The names of a list, where there is one, else of the folders in ``folder``.

    Raises:
        InputError: there is none.
    """
    names = read_list(listed) if listed is not None and listed.exists() else subfolders(folder)
    if not names:
        raise InputError(f"{folder}: no sequences (a folder each): is the data root right?")
    return names


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split: ``root`` holds it or is it."""
    return root / split if (root / split).is_dir() else root


def frame_files(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Files of a sequence by frame name (the name without its suffix), in the order of frames.

    Numbers in names sort by value, so that frame 100000 follows 99999 and frame10 frame9.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: the sequence is incomplete or misspelt")
    files = [p for name, p in entries(folder).items() if Path(name).suffix.lower() in suffixes]
    found = {composed(path.stem): path for path in files}
    if len(found) < len(files):
        raise InputError(f"{folder}: two files of one frame name: keep one of them")
    return {name: found[name] for name in sorted(found, key=natural)}


def first_existing(candidates: Collection[Path]) -> Path:
    """The first of ``candidates`` that exists; InputError naming the first if none does."""
    for candidate in candidates:
        if candidate.exists():
            return candidate
    first, *others = candidates
    instead = f" (nor {', '.join(map(str, others))})" if others else ""
    raise InputError(f"{first}: not there{instead}: is the data root the right one?")


def _text(path: Path) -> str:
    try:
        return read_text(path, "a list")
    except InputError as error:
        hint = "" if path.exists() else ": is the data root the right one?"
        raise InputError(f"{error}{hint}") from None
