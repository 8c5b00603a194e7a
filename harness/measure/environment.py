"""What a timing depends on besides the model: the record, and the key that makes it comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class StableEnvironment:
    """What must agree before two timings may be compared; its hash is the comparability key.

    Attributes:
        device_kind: ``cpu`` or ``cuda``.
        device_name: the GPU's name, or the CPU's model.
        driver, cuda, cudnn: versions; None on the CPU.
        torch: version with its build tag.
        precision: arithmetic of the network, see ``vosbench.runners.interface.Precision``.
        float32_matmul: torch's setting (``highest``, ``high``, ``medium``).
        tf32_matmul, tf32_cudnn, cudnn_benchmark: torch's flags.
        threads: torch's threads inside an operation.
        cpu_model: also on a GPU, which the CPU feeds.
        power_limit_w: enforced board limit; None where unknown.
        locked_clocks: the clocks that were fixed, in words; None where nobody knows.
    """

    device_kind: str
    device_name: str
    driver: str | None
    cuda: str | None
    cudnn: str | None
    torch: str
    precision: str
    float32_matmul: str
    tf32_matmul: bool
    tf32_cudnn: bool
    cudnn_benchmark: bool
    threads: int
    cpu_model: str
    power_limit_w: float | None
    locked_clocks: str | None


@dataclass(frozen=True)
class EnvironmentNotes:
    """What is worth knowing about a run but does not make it incomparable; None means unknown.

    Attributes:
        sm_clock_mhz, memory_clock_mhz, temperature_c: of the GPU, when the record was taken.
        throttle_reasons: why its clocks were lowered.
        other_processes: ids of other processes computing on the GPU.
        load_average: of the machine, over the last minute.
        governor: the CPU's frequency governor.
        cores: those this process may run on.
        git_commit, git_dirty: of the checkout that vosbench runs from, if it is one.
        python, platform: versions.
        packages: (name, version) of what results depend on.
        unknown: (field, reason) for each None, those of the stable part too.
    """

    sm_clock_mhz: int | None
    memory_clock_mhz: int | None
    temperature_c: int | None
    throttle_reasons: tuple[str, ...] | None
    other_processes: tuple[int, ...] | None
    load_average: float | None
    governor: str | None
    cores: tuple[int, ...]
    git_commit: str | None
    git_dirty: bool | None
    python: str
    platform: str
    packages: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MachineEnvironment:
    """The environment of a run: what compares, and what explains."""

    stable: StableEnvironment
    notes: EnvironmentNotes

    @property
    def key(self) -> str:
        """Hex SHA-256 of the stable part: timings of different keys are never compared."""
        text = json.dumps(asdict(self.stable), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The record as JSON, with its key."""
        record = {"key": self.key, "stable": asdict(self.stable), "notes": asdict(self.notes)}
        return json.dumps(record, indent=2, sort_keys=True)


def differences(
    one: MachineEnvironment, other: MachineEnvironment
) -> tuple[tuple[str, object, object], ...]:
    """(field, value, value) wherever the stable parts disagree: why two keys are not the same."""
    ours, theirs = asdict(one.stable), asdict(other.stable)
    return tuple((name, ours[name], theirs[name]) for name in ours if ours[name] != theirs[name])
