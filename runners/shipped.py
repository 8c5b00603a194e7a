"""The checkpoints that come with the package, by model and variant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import vosbench.baselines

SHIPPED = Path(vosbench.baselines.__path__[0]) / "weights"
DEMONSTRATION = "demonstration"
"""First word of the note of weights that stand in for published ones."""


def is_demonstration(header: Mapping[str, str]) -> bool:
    """Whether a checkpoint's header says that it stands in for published weights."""
    return header.get("note", "").startswith(DEMONSTRATION)


def shipped_path(model: str, variant: str | None) -> Path | None:
    """The package's own checkpoint for a model, or None; a plain model takes its gated one's."""
    suffix = f"@{variant}" if variant else ""
    for name in (model, f"g-{model}"):
        path = SHIPPED / f"{name}{suffix}.safetensors"
        if path.is_file():
            return path
    return None


def shipped_variants(model: str) -> tuple[str, ...]:
    """Names of a model's shipped weights, "default" for those without a variant.

    Those that stand in for published ones are called "demonstration" in brackets.
    """
    found = set()
    for name in (model, f"g-{model}"):
        for path in SHIPPED.glob(f"{name}*.safetensors"):
            base, _, variant = path.stem.partition("@")
            if base == name:
                remark = f" ({DEMONSTRATION})" if is_demonstration(_header(path)) else ""
                found.add((variant or "default") + remark)
    return tuple(sorted(found))


def _header(path: Path) -> Mapping[str, str]:
    """The header's own part of a safetensors file; read here so that listing imports no torch."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        written: Mapping[str, str] = json.loads(file.read(length)).get("__metadata__", {})
    return written
