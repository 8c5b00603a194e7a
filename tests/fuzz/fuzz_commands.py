"""How a command ended, and what is wrong with that; a tiny sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    fault: str = ""


Command = Callable[..., Ended]


def defect(ended: Ended, allowed: tuple[int, ...]) -> str | None:
    """What is wrong with how a command ended, or None."""
    if ended.fault:
        return "\n".join(line[:200] for line in ended.fault.splitlines()[-4:])
    if ended.code not in allowed:
        return f"status {ended.code}: {ended.out[-200:]!r} {ended.err[-300:]!r}"
    if ended.code == 2 and not (
        ended.err.startswith("vosbench: ") and ended.err.count("\n") == 1 and len(ended.err) < 1000
    ):
        return f"not one line: {ended.err[:300]!r}"
    for line in (ended.out + ended.err).splitlines():
        if line.lstrip().startswith("::error") or "##[" in line or not line.isprintable():
            return f"reaches the terminal: {line[:200]!r}"
    return None


def write_clip(root: Path) -> Path:
    """Four tiny frames in the layout of DAVIS."""
    labels = np.zeros((24, 32), np.uint8)
    labels[6:12, 8:16] = 1
    for kind, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".png")):
        folder = root / kind / "a"
        folder.mkdir(parents=True)
        for t in range(4):
            picture = labels if kind == "Annotations" else np.full((24, 32, 3), 40 * t, np.uint8)
            Image.fromarray(picture).save(folder / f"{t:05d}{suffix}")
    return root
