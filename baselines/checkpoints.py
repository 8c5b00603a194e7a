"""Checkpoints: read published and own ones safely, check them key by key, write own ones."""

from __future__ import annotations

import hashlib
import json
import pickle
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError

BACKBONES = ("feature_extractor.", "vos.backbone.")
"""Prefixes of the frozen backbone's keys, in FRTM and TTVOS."""

_SHOWN = 3
_GATE_BIASES = ("convGS.4.bias", "gate.4.bias")


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by key, and the header an own checkpoint carries (empty for published ones)."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str] = field(default_factory=dict)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read ``.safetensors``, or a torch file holding a state dict, bare or under ``model``.

    Torch files are read with ``weights_only``: nothing in them is executed. Raises InputError for
    a missing, unreadable or foreign file.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}: give --weights a file or random:SEED")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return Checkpoint(tensors, file.metadata() or {})
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is no checkpoint that can be read safely: {reason}") from error
    for wrapper in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise InputError(f"{path} holds no state dict (tensors by key, bare or under 'model')")
    return Checkpoint({str(key): value for key, value in content.items()})


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
