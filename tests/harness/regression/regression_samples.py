"""Runs to compare: measured trials of a small grid, with as much noise as a test asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from vosbench.harness.store import State
from vosbench.harness.store.measured import Machine, MeasuredTrial, Run
from vosbench.harness.trials import ClipResult, Kind, TrialSpec

CLIPS = tuple(f"clip{number:02}" for number in range(12))
LAPTOP = Machine("11" * 32, "CPU of a laptop", {"device": "CPU of a laptop", "threads": 2})
SERVER = Machine("22" * 32, "GPU of a server", {"device": "GPU of a server", "threads": 8})
TAUS = ("0.5", "0.7")


def spec(tau: str = "0.7", **changes: object) -> TrialSpec:
    """An accuracy trial over all clips."""
    base = TrialSpec(
        model="g-frtm-fast",
        runner_version="1",
        weights="model.pt",
        weights_sha256="ab" * 32,
        trained=True,
        dataset="davis16",
        protocol="davis16-val@1",
        manifest_sha256="cd" * 32,
        sequences=CLIPS,
        policy="learned",
        tau=Decimal(tau),
        switches={"margin": "paper"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def accuracy(
    of: TrialSpec | None = None,
    *,
    lower: float | Sequence[float] = 0.0,
    salt: str = "",
    version: str = "0.1+aaaaaaa",
    started_at: float = 1000.0,
) -> MeasuredTrial:
    """An accuracy trial; every clip's J&F is lower by so much, its masks differ by ``salt``."""
    of = spec() if of is None else of
    lowered = np.broadcast_to(np.asarray(lower, dtype=float), (len(of.sequences),)).tolist()
    clips = tuple(
        ClipResult(
            sequence=name,
            object_ids=(1,),
            frames=10,
            mask_sha256=hashlib.sha256(f"{name}{salt}".encode()).hexdigest(),
            metrics={"reuse_rate": 0.4},
            object_metrics={
                1: {
                    "j_mean": 0.70 + 0.01 * place - lowered[place],
                    "f_mean": 0.80 - lowered[place],
                    "j_decay": float("nan"),
                    "reuse_rate": 0.4,
                }
            },
            series={},
        )
        for place, name in enumerate(of.sequences)
    )
    return MeasuredTrial(
        of, State.COMPLETE, None, version, started_at, None, {"reuse_rate": 0.4}, clips
    )


def timing(
    of: TrialSpec | None = None,
    *,
    repeats: int = 5,
    slower: float = 0.0,
    noise: float = 0.01,
    run_noise: float = 0.0,
    seed: int = 0,
    machine: Machine | None = LAPTOP,
    version: str = "0.1+aaaaaaa",
    started_at: float = 2000.0,
) -> list[MeasuredTrial]:
    """Timing trials; FPS is lower by the share ``slower``, noise is of log-times."""
    of = spec() if of is None else of
    generator = np.random.default_rng(seed)
    key = None if machine is None else machine.key
    trials = []
    for repeat in range(repeats):
        shift = run_noise * generator.standard_normal()
        clips = tuple(
            ClipResult(
                sequence=name,
                object_ids=(1,),
                frames=10,
                mask_sha256="ee" * 32,
                metrics={
                    "fps": (20.0 + place)
                    * (1.0 - slower)
                    * float(np.exp(shift + noise * generator.standard_normal()))
                },
                object_metrics={1: {}},
                series={},
            )
            for place, name in enumerate(of.sequences)
        )
        timed = replace(of, kind=Kind.TIMING, repeat=repeat, environment_key=key)
        memory = {"peak_memory_mib": 100.0, "energy_net_j_per_frame": 2.0 / (1.0 - slower)}
        trials.append(
            MeasuredTrial(
                timed, State.COMPLETE, None, version, started_at + repeat, machine, memory, clips
            )
        )
    return trials


def run(*trials: MeasuredTrial | Sequence[MeasuredTrial], source: str = "base") -> Run:
    """Trials, single or in lists, as one run."""
    flat: list[MeasuredTrial] = []
    for item in trials:
        flat.extend([item] if isinstance(item, MeasuredTrial) else item)
    return Run(source, tuple(flat))


def later(run_: Run, by_s: float = 1e6, source: str = "head") -> Run:
    """The same numbers, measured again."""
    trials = (replace(t, started_at=(t.started_at or 0.0) + by_s) for t in run_.trials)
    return Run(source, tuple(trials))
