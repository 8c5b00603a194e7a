"""Where the cache and the user's settings lie, and writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from vosbench.baselines.atomic import replacing


def cache_dir() -> Path:
    """Folder of what can be made again, ``$XDG_CACHE_HOME/vosbench`` or ``~/.cache/vosbench``."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def config_dir() -> Path:
    """Folder of the user's settings, ``$XDG_CONFIG_HOME/vosbench`` or ``~/.config/vosbench``."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def _xdg(variable: str, default: str) -> Path:
    named = os.environ.get(variable, "")
    # The XDG specification has relative paths ignored.
    base = Path(named) if Path(named).is_absolute() else Path.home() / default
    return base / "vosbench"


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
