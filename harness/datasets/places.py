"""Where the cache and the user's settings lie, and writing files whole or not at all."""

from __future__ import annotations

from pathlib import Path

from vosbench.baselines.atomic import replacing
from vosbench.baselines.parsing import user_folder


def cache_dir() -> Path:
    """Folder of what can be made again, ``$XDG_CACHE_HOME/vosbench`` or ``~/.cache/vosbench``."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "vosbench"


def config_dir() -> Path:
    """Folder of the user's settings, ``$XDG_CONFIG_HOME/vosbench`` or ``~/.config/vosbench``."""
    return user_folder("XDG_CONFIG_HOME", ".config") / "vosbench"


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
