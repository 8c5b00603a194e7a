"""Checkpoints: read published and own ones safely, check them key by key, write own ones."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.baselines.files import open_regular
from vosbench.baselines.foreign import (
    Held,
    failed_checksum,
    find_weights,
    is_safetensors,
    load_torch,
    seems_to_be,
    without_prefixes,
)

BACKBONES = ("feature_extractor.", "vos.backbone.")
"""Prefixes of the frozen backbone's keys, in FRTM and TTVOS."""

_SHOWN = 3
_GATE_BIASES = ("convGS.4.bias", "gate.4.bias")


@dataclass(frozen=True)
class CheckpointFile:
    """What a file holds.

    Attributes:
        tensors: by the network's own keys.
        header: what an own checkpoint carries; empty for others.
        read_as: how the file was understood, one line; "" for a bare state dict.
    """

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str] = field(default_factory=dict)
    read_as: str = ""


def read_checkpoint(path: Path) -> CheckpointFile:
    """Read a safetensors file, or a torch file that holds a state dict, bare or in a container.

    Which of the two it is, its first bytes say. Nothing in the file is executed.

    Raises:
        InputError: missing, no regular file, damaged, something else, or weights that are no
            numbers; the line names the file and what it seems to be.
    """
    if not path.exists():
        raise InputError(f"no checkpoint at {path}: give --weights a file or random:SEED")
    with open_regular(path, None, "a checkpoint") as file:
        head = file.read(16)
        file.seek(0)
        found = _read_safetensors(path, file) if is_safetensors(head) else _read_torch(path, file)
    _require_values(path, found.tensors)
    return found


def _read_safetensors(path: Path, file: BinaryIO) -> CheckpointFile:
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            header = opened.metadata() or {}
    # It raises its own error for most lies of a header, and torch's for the others.
    except Exception as error:
        raise _unreadable(path, file) from error
    if not tensors:
        raise InputError(f"{path} holds no tensor: it seems to be a safetensors file of nothing")
    own, removed = without_prefixes(tensors)
    return CheckpointFile(own, header, _understood(Held("", own, ()), removed))


def _read_torch(path: Path, file: BinaryIO) -> CheckpointFile:
    try:
        content = load_torch(file)
        damaged = failed_checksum(file) if zipfile.is_zipfile(file) else None
    # A flipped byte can make the unpickler raise anything, MemoryError included.
    except Exception as error:
        raise _unreadable(path, file, _foreign_class(error)) from error
    if damaged is not None:
        raise InputError(
            f"{path} is damaged: the checksum of its entry {damaged!r} does not fit: "
            "fetch the file again"
        )
    found = find_weights(content)
    if found is None:
        seems = f"a {type(content).__name__}"
        if isinstance(content, Mapping):
            named = ", ".join(map(repr, list(content)[:_SHOWN]))
            seems = f"a dictionary that {f'names {named}' if content else 'is empty'}"
        raise InputError(
            f"{path} holds no state dict (tensors by key, bare or under 'model'): it seems to be "
            f"{seems}"
        )
    own, removed = without_prefixes(found.tensors)
    return CheckpointFile(own, read_as=_understood(found, removed))


def _unreadable(path: Path, file: BinaryIO, foreign: str = "") -> InputError:
    what = f"a torch file that holds {foreign} beside tensors" if foreign else seems_to_be(file)
    remedy = ": ask for its state dict alone" if foreign else ""
    return InputError(
        f"{path} is no checkpoint that can be read safely: it seems to be {what}{remedy}"
    )


def _foreign_class(error: Exception) -> str:
    """The class that torch refuses to build, by its message; "" where it refuses none."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"objects of the class {found.group(1)}" if found else ""


def _understood(held: Held, removed: tuple[str, ...]) -> str:
    """How a file was understood, in a line; "" where there was nothing to understand."""
    parts = [f"the weights under '{held.where}'"] if held.where else []
    if held.beside:
        parts.append(f"without {', '.join(map(repr, held.beside[:_SHOWN]))} beside them")
    if removed:
        parts.append(f"keys without the prefix '{''.join(removed)}'")
    return ", ".join(parts)


def _require_values(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse what holds no numbers: other layouts, and NaN, of which every mask would be empty."""
    for key, value in tensors.items():
        if value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
            raise InputError(f"{path}: {key} is no plain tensor: save the state dict of the model")
    broken = [key for key, value in tensors.items() if not _is_finite(value)]
    if broken:
        raise InputError(
            f"{path}: {len(broken)} of {len(tensors)} tensors hold NaN or infinity ({broken[0]}): "
            "the training that made it diverged, or the file is damaged: take another"
        )


def _is_finite(value: Tensor) -> bool:
    if not (value.is_floating_point() or value.is_complex()):
        return True
    # Numbers of 8 bits have no such test of their own.
    return bool(torch.isfinite(value.float() if value.element_size() == 1 else value).all())


def backbone_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone within a checkpoint, by the backbone's own keys; empty where it holds none."""
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in tensors.items()
        for prefix in BACKBONES
        if key.startswith(prefix)
    }


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write a safetensors file atomically; ``header`` holds architecture and provenance."""
    content = save({key: value.contiguous() for key, value in tensors.items()}, dict(header))
    with replacing(path) as partial:
        partial.write_bytes(content)


def load_into(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    optional: Iterable[str] = (),
    ignored: Iterable[str] = (),
) -> None:
    """Load a state dict, or say exactly what doesn't fit.

    Args:
        optional: prefixes of the module's keys that ``tensors`` may lack.
        ignored: prefixes of keys in ``tensors`` that the module has no use for.

    Raises:
        InputError: naming missing, unexpected and differently shaped keys.
    """
    own = module.state_dict()
    missing = [k for k in own if k not in tensors and not k.startswith(tuple(optional))]
    unexpected = [k for k in tensors if k not in own and not k.startswith(tuple(ignored))]
    reshaped = [k for k in own if k in tensors and tensors[k].shape != own[k].shape]
    problems = [
        f"{len(keys)} {what} ({', '.join(keys[:_SHOWN])}{', …' if len(keys) > _SHOWN else ''})"
        for what, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", reshaped),
        )
        if keys
    ]
    if problems:
        raise InputError(
            f"{source} belongs to another architecture: keys {'; '.join(problems)}; "
            "choose the model it was made for"
        )
    module.load_state_dict({k: v for k, v in tensors.items() if k in own}, strict=False)


def random_tensors(module: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw every tensor of a module from ``seed`` and its own key.

    Modules that share keys so share weights, whatever else they hold. Convolutions are normal
    with variance 1/fan-in, biases 0; batch norms and the gate's last bias stay as built.
    """
    drawn = {}
    for key, value in module.state_dict().items():
        if value.dim() < 2:
            keep = not key.endswith(".bias") or key in _GATE_BIASES
            drawn[key] = value if keep else torch.zeros_like(value)
            continue
        rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(key.encode())]))
        normal = rng.standard_normal(tuple(value.shape), dtype=np.float32)
        drawn[key] = torch.from_numpy(normal) / value[0].numel() ** 0.5
    return drawn


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Hex SHA-256 over keys, types, shapes and values; the order of keys doesn't matter."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].detach().cpu().contiguous()
        digest.update(json.dumps([key, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
