"""Where the cache and the user's settings lie; writing files whole or not at all; leftovers."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from vosbench.baselines.atomic import replacing
from vosbench.baselines.parsing import user_folder

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")
"""How files and folders are called while they are written."""
_STILL_WRITTEN_S = 3600.0


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


def leftover_files(folder: Path | None = None, *, now_s: float | None = None) -> tuple[Path, ...]:
    """What programs that were killed while writing left in the cache, an hour ago or more.

    Args:
        folder: where to look; default: this user's cache.
        now_s: seconds since 1970; default: now.
    """
    folder = folder or cache_dir()
    now_s = time.time() if now_s is None else now_s
    if not folder.is_dir():
        return ()
    return tuple(
        path
        for path in sorted(folder.iterdir())
        if _TEMPORARY.fullmatch(path.name) and now_s - path.stat().st_mtime > _STILL_WRITTEN_S
    )


def delete_files(paths: tuple[Path, ...]) -> None:
    """Delete files and folders; those that are gone already are no matter."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
