"""What a checkpoint file holds, whoever wrote it: which container, which prefixes, or what else.

Nothing in a file is ever executed: torch files are read with ``weights_only``, and the few classes
that training scripts leave beside the weights are replaced by stand-ins that do nothing.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

CONTAINERS = (
    "model",
    "state_dict",
    "model_state_dict",
    "net",
    "network",
    "module",
    "weights",
    "ema",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
)
"""Names under which training scripts keep the weights; plain ones before their moving averages."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DataParallel, Lightning and torch.compile put before a network's own keys."""

_BESIDE = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
)
"""Classes that lie beside the weights: numbers of NumPy, options, paths."""

_STARTS = (
    (b"version https://git-lfs", "a Git-LFS pointer, not the file itself: run `git lfs pull`"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
)
_PAGE = "an HTML page, which a download answers that needs a login: fetch the file again"
_HEAD = 4096
_DEEPEST = 4
"""How far containers lie within each other, at most."""
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""torch's number at the head of files of before 1.6, as pickle writes it."""


class _StandIn:
    """Takes the place of a class beside the weights; it keeps nothing and does nothing."""

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def load_torch(file: BinaryIO) -> Any:
    """The content of a torch file, tensors on the CPU, other classes as stand-ins.

    Raises whatever torch does for a damaged file, which may be anything.
    """
    # torch takes (class, name) pairs, which its hints don't say.
    known: list[Any] = [(_StandIn, name) for name in _BESIDE]
    with torch.serialization.safe_globals(known), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        return torch.load(file, map_location="cpu", weights_only=True)


def is_safetensors(head: bytes) -> bool:
    """Whether a file's first bytes are those of the safetensors format."""
    return len(head) > 8 and head[8:9] == b"{"


def seems_to_be(file: BinaryIO) -> str:
    """What a file that could not be read as a checkpoint seems to be, from its bytes."""
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return _archive(file)
    known = (what for start, what in _STARTS if head.startswith(start))
    return next(known, None) or _by_marks(head)


def _by_marks(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    marks = (
        (not head, "an empty file"),
        (head[257:262] == b"ustar", "a tar archive: unpack it first"),
        (is_safetensors(head), "a safetensors file that is damaged or cut off"),
        (_TORCH_MAGIC in head[:32], "a torch file of an old kind that is damaged or cut off"),
        (head[:1] == b"\x80", "a pickle of something else than tensors, or a damaged one"),
        (b"<html" in start[:512] or start.startswith(b"<!doctype html"), _PAGE),
        (start.startswith((b"<?xml", b"{", b"[")), "a text file (XML or JSON)"),
        (_is_text(head), "a text file"),
    )
    return next((what for holds, what in marks if holds), "damaged, cut off, or something else")


def _is_text(head: bytes) -> bool:
    readable = sum(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    return readable > 0.95 * len(head)


def failed_checksum(file: BinaryIO) -> str | None:
    """The first entry of a torch file whose bytes are not those that were written, if any.

    torch itself reads a flipped bit as another weight. Archives without checksums pass.
    """
    with zipfile.ZipFile(file) as archive:
        if not any(entry.CRC for entry in archive.infolist()):
            return None  # torch.serialization.set_crc32_options(False)
        return archive.testzip()


@dataclass(frozen=True)
class Held:
    """Weights found in a file.

    Attributes:
        where: the container that they lie in, "" for a bare state dict.
        tensors: by key, as they are written.
        beside: other names at the same place, among them further weights.
    """

    where: str
    tensors: Mapping[str, Tensor]
    beside: tuple[str, ...]


def find_weights(content: object, depth: int = 0) -> Held | None:
    """The weights in what a torch file held; None where there are none."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return None
    inner = {name: find_weights(content.get(name), depth + 1) for name in CONTAINERS}
    for name, held in inner.items():
        if held is not None:
            others = tuple(n for n, other in inner.items() if other is not None and n != name)
            where = f"{name}.{held.where}" if held.where else name
            return Held(where, held.tensors, others or held.beside)
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    beside = tuple(str(key) for key, value in content.items() if not isinstance(value, Tensor))
    return Held("", tensors, beside) if tensors else None


def without_prefixes(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Keys as the network itself has them, and the prefixes that were taken off, outer first."""
    inner = {key.replace("._orig_mod.", "."): value for key, value in tensors.items()}
    compiled = len(inner) == len(tensors) and inner.keys() != tensors.keys()
    found = inner if compiled else dict(tensors)
    removed: tuple[str, ...] = ()
    while prefix := _common_prefix(found):
        shorter = {key.removeprefix(prefix): value for key, value in found.items()}
        if len(shorter) < len(found):
            break  # two keys would become one
        found, removed = shorter, (*removed, prefix)
    return found, removed if not compiled else (*removed, "_orig_mod.")


def _common_prefix(tensors: Mapping[str, Tensor]) -> str | None:
    """A known prefix that most keys have: counters and losses may lie beside the network."""
    for prefix in PREFIXES:
        if 2 * sum(key.startswith(prefix) for key in tensors) > len(tensors):
            return prefix
    return None


def _archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return "a zip archive or torch file that is damaged or cut off"
    if any(name.endswith("data.pkl") for name in names):
        return "a torch file that is damaged or holds other things than tensors"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (.npz)"
    return f"a zip archive of something else ({names[0]!r}, …)" if names else "an empty zip archive"
