"""``CONFIG.toml`` of a model that runs in another process."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path as FilePath

from vosbench.baselines.errors import InputError, suggestion
from vosbench.baselines.files import SETTINGS_BYTES, open_regular, read_regular, read_text
from vosbench.baselines.parsing import MOST, parse_toml
from vosbench.baselines.records import record
from vosbench.runners.interface import Path, RunnerSpec


@dataclass(frozen=True)
class Timeouts:
    """How long the child may take, in seconds: to load, in a first frame, in any other."""

    load_s: float = 300.0
    first_frame_s: float = 120.0
    step_s: float = 60.0


@dataclass(frozen=True)
class SubprocessConfig:
    """What the file says.

    Attributes:
        path: the file; commands run in its folder.
        command: program and arguments.
        files: code and weights, by glob pattern from the folder; their bytes are the weights hash.
        env: added to this process's environment.
        version: to be raised whenever results may change.
        trained, note: as in :class:`vosbench.runners.interface.WeightsInfo`.
    """

    path: FilePath
    command: tuple[str, ...]
    files: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    version: str = "1"
    multi_object: bool = True
    paths: tuple[str, ...] = ("full",)
    takes_tau: bool = False
    trained: bool = True
    note: str = ""

    @property
    def folder(self) -> FilePath:
        """Where the command runs, and what ``files`` are relative to."""
        return self.path.parent

    def spec(self) -> RunnerSpec:
        """The runner's spec; raises InputError for unknown paths."""
        known = [str(path) for path in Path if path is not Path.INIT]
        for path in self.paths:
            if path not in known:
                raise InputError(f"{self.path}: paths: unknown '{path}'{suggestion(path, known)}")
        return RunnerSpec(
            name="subprocess",
            version=self.version,
            summary=f"{shlex.join(self.command)}, in another process",
            multi_object=self.multi_object,
            takes_weights=False,
            paths=frozenset(Path(path) for path in self.paths),
            takes_tau=self.takes_tau,
            argument="CONFIG.toml",
        )

    def sha256(self) -> str:
        """Hash over the config file and all ``files``; raises InputError for a pattern of none."""
        digest = hashlib.sha256(read_regular(self.path, SETTINGS_BYTES, "a configuration"))
        for pattern in self.files:
            try:
                found = sorted(path for path in self.folder.glob(pattern) if path.is_file())
            except (NotImplementedError, ValueError, OSError) as error:
                raise InputError(f"{self.path}: files: '{pattern}' ({error})") from error
            if not found:
                raise InputError(f"{self.path}: files: nothing matches '{pattern}'")
            for path in found:
                with open_regular(path, None, "a file of the model") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
                name = path.relative_to(self.folder).as_posix()
                digest.update(f"\n{name}\0{content}".encode())
        return digest.hexdigest()


def read_config(path: FilePath) -> SubprocessConfig:
    """Read and check a config; raises InputError, one line, for whatever is wrong with it."""
    if not path.exists():
        raise InputError(f"{path}: no such file: write subprocess:CONFIG.toml")
    found = parse_toml(read_text(path, "a configuration", SETTINGS_BYTES), str(path))
    config = record(SubprocessConfig, {"command": [], **found}, str(path), path=path.resolve())
    if not config.command:
        raise InputError(f'{path}: no command: write e.g. command = ["python", "serve.py"]')
    for name, seconds in asdict(config.timeouts).items():
        if not 0 < seconds <= MOST:
            raise InputError(f"{path}: timeouts: {name} must be a number of seconds above 0")
    return config
