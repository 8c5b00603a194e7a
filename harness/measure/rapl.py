"""Energy of the CPU packages through Linux's powercap interface (RAPL: Intel, and AMD's Zen)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from vosbench.harness.measure.energy_counter import CounterSource
from vosbench.harness.measure.energy_readings import (
    MIN_WINDOW_S,
    EnergyMethod,
    EnergyScope,
    NoSource,
    PowerSource,
    UnavailableError,
)

POWERCAP = Path("/sys/class/powercap")

MOST_WATTS = 600.0
"""No package draws more; tells whether a counter can have wrapped twice in a window."""


@dataclass(frozen=True)
class RaplPackage:
    """One package's counter: its folder, and the joules at which it starts again from 0."""

    folder: Path
    range_j: float

    def energy_j(self) -> float:
        """The counter now; raises ``UnavailableError``."""
        return _read_uj(self.folder / "energy_uj") / 1e6


def _read_uj(path: Path) -> int:
    try:
        return int(path.read_text().strip())
    except PermissionError as error:
        raise UnavailableError(f"{path}: readable by root only; sudo chmod a+r it") from error
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{path}: {error}") from error


def packages(root: Path = POWERCAP) -> tuple[RaplPackage, ...]:
    """The packages' counters; raises ``UnavailableError`` if there is none or one can't be read.

    Subdomains (cores, DRAM) and ``psys`` are part of, or more than, a package and left out.
    """
    folders = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    found = []
    for folder in folders:
        name = folder / "name"
        if folder.name.count(":") == 1 and name.is_file():
            if not name.read_text().startswith("package"):
                continue
            package = RaplPackage(folder, _read_uj(folder / "max_energy_range_uj") / 1e6)
            package.energy_j()
            found.append(package)
    if not found:
        raise UnavailableError(f"no RAPL counter of a CPU package under {root}")
    return tuple(found)


def growth_with_wrap(
    start: Sequence[float], stop: Sequence[float], ranges_j: Sequence[float], duration_s: float
) -> float:
    """Joules of all packages together, each counter wrapping at most once.

    Raises:
        UnavailableError: if a counter stood still, or may have wrapped twice in ``duration_s``.
    """
    total_j = 0.0
    for first, last, range_j in zip(start, stop, ranges_j, strict=True):
        if duration_s * MOST_WATTS > range_j:
            raise UnavailableError(
                f"a window of {duration_s:.0f} s: the RAPL counter may have wrapped twice"
            )
        if first == last:
            raise UnavailableError(f"a RAPL counter stood still for {duration_s:.1f} s")
        total_j += last - first if last > first else last - first + range_j
    return total_j


def rapl_source(
    root: Path = POWERCAP,
    *,
    min_window_s: float = MIN_WINDOW_S,
    now_s: Callable[[], float] = time.monotonic,
) -> PowerSource:
    """An energy source over all CPU packages, or one that gives the reason why there is none."""
    try:
        found = packages(root)
    except UnavailableError as error:
        return NoSource(str(error), EnergyScope.CPU_PACKAGE)
    ranges_j = tuple(package.range_j for package in found)
    return CounterSource(
        opened=lambda: nullcontext(lambda: tuple(package.energy_j() for package in found)),
        between=lambda start, stop, s: growth_with_wrap(start, stop, ranges_j, s),
        method=EnergyMethod.RAPL_COUNTER,
        scope=EnergyScope.CPU_PACKAGE,
        min_window_s=min_window_s,
        now_s=now_s,
    )
