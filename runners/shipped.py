"""The checkpoints that come with the package, by model and variant."""

from __future__ import annotations

from pathlib import Path

import vosbench.baselines

SHIPPED = Path(vosbench.baselines.__path__[0]) / "weights"


def shipped_path(model: str, variant: str | None) -> Path | None:
    """The package's own checkpoint for a model, or None; a plain model takes its gated one's."""
    suffix = f"@{variant}" if variant else ""
    for name in (model, f"g-{model}"):
        path = SHIPPED / f"{name}{suffix}.safetensors"
        if path.is_file():
            return path
    return None


def shipped_variants(model: str) -> tuple[str, ...]:
    """Names of a model's shipped weights, "default" for those without a variant."""
    found = set()
    for name in (model, f"g-{model}"):
        for path in SHIPPED.glob(f"{name}*.safetensors"):
            base, _, variant = path.stem.partition("@")
            if base == name:
                found.add(variant or "default")
    return tuple(sorted(found))
