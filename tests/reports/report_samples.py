"""Databases with made-up results of plausible shapes, written through the real store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.store import (
    Command,
    CurveValue,
    Storage,
    TrainingNotes,
    Trainings,
    TrainingSpec,
    Worker,
)
from vosbench.harness.trials import PATH_CODES, ClipResult, Kind, TrialSpec

CLIPS = ("still", "slow", "fast")
OBJECTS = {"still": (1,), "slow": (1, 2), "fast": (1,)}
MOTION = {"still": 0.03, "slow": 0.12, "fast": 0.35}
TAUS = tuple(Decimal(text) for text in ("0.1", "0.4", "0.7", "1.0"))
STAGES = {
    "full": {"f8": 16.0, "f16+f32": 14.0, "target classify": 2.0, "refiner deep": 12.0,
             "refiner shallow": 8.0, "upsample": 5.0},
    "reuse": {"f8": 16.0, "matching": 1.5, "gate": 0.3, "delta": 0.4, "refiner deep": 6.0,
              "refiner shallow": 8.0, "upsample": 5.0},
    "copy": {"f8": 16.0, "matching": 1.5, "gate": 0.3},
    "init": {"f8": 16.0, "f16+f32": 14.0, "target initialise": 300.0},
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """What the database holds.

    Attributes:
        frames: length of a clip.
        machines: environment keys that timed everything, with how fast they are.
        repeats: timing repetitions.
    """

    frames: int = 16
    machines: Mapping[str, float] = None  # type: ignore[assignment]
    repeats: int = 2


def spec(
    model: str = "g-frtm-fast", tau: str | Decimal | None = "0.7", **changes: object
) -> TrialSpec:
    """A trial on the three clips, untrained and gated unless changed."""
    policy = model.partition("+")[2] or ("learned" if model.startswith("g-") else None)
    takes_tau = policy is not None and policy.partition(":")[0] not in {"random", "always", "never"}
    base = TrialSpec(
        model=model,
        runner_version="1",
        weights="random:0",
        weights_sha256=hashlib.sha256(model.partition("+")[0].encode()).hexdigest(),
        trained=False,
        dataset="motion",
        protocol="motion@1",
        manifest_sha256="cd" * 32,
        sequences=CLIPS,
        policy=policy,
        tau=Decimal(tau) if takes_tau and tau is not None else None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def decide(trial: TrialSpec, p_gate: float, iou: float, draw: float) -> str:
    """The path that a policy takes; a stand-in for the real ones."""
    policy = (trial.policy or "").partition(":")
    tau = 2.0 if trial.tau is None or trial.tau >= 1 else float(trial.tau)
    if policy[0] == "random":
        return "reuse" if draw < float(policy[2]) else "full"
    if policy[0] in {"always", "never"}:
        return "reuse" if policy[0] == "always" else "full"
    if policy[0] == "g-iou":
        return "reuse" if iou > tau else "full"
    if policy[0] == "copy":
        return "copy" if p_gate > tau else "full"
    if policy[0] == "fusion" and p_gate > (1 + tau) / 2:
        return "copy"
    return "reuse" if policy[0] and p_gate > tau else "full"


def clip(trial: TrialSpec, sequence: str, world: World, *, trace: bool = False) -> ClipResult:
    """One clip's result: motion lowers the IoU, the gate follows it, reuse and copies cost J&F."""
    seed = int(hashlib.sha256(f"{sequence}".encode()).hexdigest()[:8], 16)
    generator = np.random.default_rng(seed)
    ids, frames = OBJECTS[sequence], world.frames
    shape = (frames, len(ids))
    motion = np.abs(generator.normal(MOTION[sequence], 0.3 * MOTION[sequence], shape))
    adjacent = np.clip(1 - motion, 0, 1)
    full_iou = adjacent.copy()
    p_gate = np.full(shape, np.nan, dtype=np.float32)
    path = np.zeros(shape, dtype=np.uint8)
    quality = np.full(shape, 0.93 - 0.15 * MOTION[sequence])
    noise, draws = generator.normal(0, 0.07, shape), generator.random(shape)
    # What a network is good at follows from its weights.
    own = np.random.default_rng(int(trial.weights_sha256[:8], 16))
    quality -= own.uniform(0, 0.06)
    noise = (1 + own.uniform(0, 1)) * noise - own.uniform(-0.1, 0.1)
    slip = own.uniform(0.6, 1.6)
    for k in range(len(ids)):
        gap = 0.0
        for t in range(frames):
            gap += motion[t, k]
            full_iou[t, k] = max(0.0, 1 - gap)
            if trial.policy:
                p_gate[t, k] = np.clip(0.9 * full_iou[t, k] + noise[t, k], 0.01, 0.99)
            taken = "init" if t == 0 else decide(trial, p_gate[t, k], full_iou[t, k], draws[t, k])
            if taken in {"full", "init"}:
                gap = 0.0
            path[t, k] = PATH_CODES[taken]
            loss = {"reuse": 0.25, "copy": 0.8}.get(taken, 0.0)
            quality[t, k] -= slip * loss * (1 - full_iou[t, k])
    adjacent[0], full_iou[0], p_gate[0] = np.nan, np.nan, np.nan
    observed = {"path": path, "p_gate": p_gate, "adjacent_iou": adjacent, "full_iou": full_iou}
    if trace:
        observed |= _trace(path, p_gate)
    return _clip_result(trial, sequence, observed, np.clip(quality[1:-1], 0, 1))


def _clip_result(
    trial: TrialSpec,
    sequence: str,
    observed: Mapping[str, NDArray[np.generic]],
    jf: NDArray[np.float64],
) -> ClipResult:
    """The scalars that the evaluation makes of the series."""
    path, ids = observed["path"], OBJECTS[sequence]
    reused = np.isin(path[1:], [PATH_CODES["reuse"], PATH_CODES["copy"]]).mean(axis=0)
    return ClipResult(
        sequence=sequence,
        object_ids=ids,
        frames=len(path),
        mask_sha256=hashlib.sha256(f"{trial.key}{sequence}".encode()).hexdigest(),
        metrics={
            "jf_mean": float(jf.mean()),
            "j_mean": float(jf.mean()),
            "f_mean": float(jf.mean()),
            "reuse_rate": float(reused.mean()),
        },
        object_metrics={
            number: {
                "j_mean": float(jf[:, k].mean()),
                "f_mean": float(jf[:, k].mean()),
                "reuse_rate": float(reused[k]),
                "adjacent_iou": float(np.nanmean(observed["adjacent_iou"][:, k])),
            }
            for k, number in enumerate(ids)
        },
        series={**observed, "j": jf, "f": jf},
    )


def timed(accuracy: ClipResult, speed: float) -> ClipResult:
    """The same clip's timing: the stages of the paths that were taken, ``speed`` times as fast."""
    names = {code: name for name, code in PATH_CODES.items()}
    path = accuracy.series["path"]
    stages: dict[str, NDArray[np.float64]] = {}
    for costs in STAGES.values():
        for stage in costs:
            stages[stage] = np.zeros(len(path))
    for t, row in enumerate(path):
        for code in row:
            for stage, ms in STAGES[names[int(code)]].items():
                stages[stage][t] += ms / speed / len(row)
    frame_ms = sum(stages.values())
    fps = 1e3 * (len(path) - 1) / float(frame_ms[1:].sum())
    return replace(
        accuracy,
        metrics={"fps": fps, "ms_per_frame": 1e3 / fps, "init_ms": float(frame_ms[0])},
        object_metrics={},
        series={
            "path": path,
            "frame_ms": 0.97 * frame_ms,
            "init_ms": np.where(np.arange(len(path)) == 0, frame_ms, 0.0),
            **{f"stage/{name}": values for name, values in stages.items()},
        },
    )


def _trace(path: NDArray[np.uint8], p_gate: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Pictures of three frames in which a disk moves."""
    frames = np.arange(4, 8)
    rows, columns = np.mgrid[0:54, 0:96]
    labels = np.zeros((len(frames), 54, 96), dtype=np.uint8)
    coarse = np.zeros((len(frames), path.shape[1], 14, 24), dtype=np.float16)
    delta = np.full_like(coarse, np.nan)
    for index, t in enumerate(frames):
        for k in range(path.shape[1]):
            centre = 20 + 3 * index + 40 * k
            labels[index][(rows - 27) ** 2 + (columns - centre) ** 2 < 150] = k + 1
            mask = (labels[index] == k + 1)[::4, ::4]
            coarse[index, k] = 4.0 * mask - 2
            if path[t, k] == PATH_CODES["reuse"]:
                delta[index, k] = np.roll(mask, 1, 1) * 1.5 - mask * 1.5
    image = np.stack([rows * 4, columns * 2, 128 + 0 * rows], axis=-1).astype(np.uint8)
    return {
        "trace_frames": frames,
        "trace_image": np.repeat(image[None], len(frames), axis=0),
        "trace_labels": np.roll(labels, 1, axis=2),
        "trace_truth": labels,
        "trace_score": coarse,
        "trace_delta": delta,
        "trace_r8": 1 + coarse / 4 + 0.2 * np.nan_to_num(delta),
    }


def aggregates(clips: Sequence[ClipResult]) -> dict[str, float]:
    """Means over clips, as a trial has them."""
    names = sorted(clips[0].metrics)
    return {name: float(np.mean([clip.metrics[name] for clip in clips])) for name in names}


def fill(
    storage: Storage, specs: Sequence[TrialSpec], world: World, trace: Sequence[str] = ()
) -> None:
    """Store accuracy and timing of every setting; ``trace`` lists keys of traced trials."""
    machines = world.machines or {"machine-a": 1.0}
    for key in machines:
        storage.add_environment(key, f"CPU {key}", {"threads": 2})
    accuracy = {
        trial.key: [clip(trial, s, world, trace=trial.key in trace) for s in trial.sequences]
        for trial in specs
    }
    speeds = {sha: np.random.default_rng(int(sha[:8], 16)).uniform(0.7, 1.4)
              for sha in {trial.weights_sha256 for trial in specs}}  # fmt: skip
    _record(storage, "accuracy", [(trial, accuracy[trial.key]) for trial in specs], None)
    for key, speed in machines.items():
        work = []
        for trial in specs:
            for repeat in range(world.repeats):
                copy = replace(trial, kind=Kind.TIMING, repeat=repeat, environment_key=key)
                clips = [
                    timed(c, speed * speeds[trial.weights_sha256] * (1 + 0.01 * repeat))
                    for c in accuracy[trial.key]
                ]
                work.append((copy, clips))
        _record(storage, f"timing {key}", work, key)


def _record(
    storage: Storage,
    study_name: str,
    work: Sequence[tuple[TrialSpec, Sequence[ClipResult]]],
    environment_key: str | None,
) -> None:
    done = {trial.key: clips for trial, clips in work}
    study = storage.add_plan(study_name, Command("vosbench run …"), [trial for trial, _ in work])
    worker = replace(Worker.here("test"), environment_key=environment_key)
    while (claim := storage.claim(study, worker)) is not None:
        for claimed in claim.trials:
            clips = done[claimed.spec.key]
            for one in clips:
                storage.record(claimed, one)
            totals = aggregates(clips)
            if claimed.spec.kind is Kind.TIMING:
                totals |= {"energy_net_j_per_frame": 30 / totals["fps"]}
            else:
                totals |= {"reuse_rate_published": (totals["reuse_rate"] * 15 + 1) / 16}
            storage.complete(claimed, totals)


def study() -> list[TrialSpec]:
    """Every model that a figure wants, at every τ."""
    trained = {"weights": "demo", "trained": True}
    models = ("g-frtm-fast", "g-frtm-fast+copy", "g-frtm-fast+fusion", "g-frtm-fast+g-iou")
    specs = [spec(model, tau, **trained) for model in models for tau in TAUS]
    specs += [spec(f"g-frtm-fast+random:{rate}", **trained) for rate in ("0.3", "0.6")]
    specs += [spec("g-frtm-lite", tau) for tau in TAUS]
    specs += [spec(model, None) for model in ("frtm-fast", "frtm-lite", "frtm-fastr")]
    for margins in ("1,0", "0.7,0.2", "0.35,0.4"):
        sha256 = hashlib.sha256(margins.encode()).hexdigest()
        name = f"g-frtm-lite@m{margins.replace(',', '-')}"
        specs += [
            spec(name, tau, margins=margins, weights_sha256=sha256, **trained) for tau in TAUS
        ]
    return specs


def database(path: Path, specs: Sequence[TrialSpec] | None = None, world: World = World()) -> Path:
    """A database at ``path`` with ``specs`` (by default :func:`study`), the first one traced."""
    specs = study() if specs is None else specs
    traced = [
        trial.key for trial in specs if trial.model == "g-frtm-fast" and trial.tau == Decimal("0.7")
    ]
    with Storage.open(path) as storage:
        storage.add_checkpoint(
            spec().weights_sha256, "demo", "g-frtm-fast",
            {"note": "demonstration weights, trained on made-up clips"}, trained=True,
        )  # fmt: skip
        fill(storage, specs, world, traced)
        train(storage)
    return path


def train(storage: Storage) -> None:
    """Two trainings: one that came to its end with the demonstration weights, one that failed."""
    trainings = Trainings(storage.database)
    recipe = '{"model": "g-frtm-fast", "reuse": {"gate": {"rate": 0.4}}}'
    done = TrainingSpec("g-frtm-fast", recipe, "cd" * 32, None, 0, "1,0")
    lost = TrainingSpec("g-frtm-fast", recipe, "cd" * 32, "ef" * 32, 1)
    notes = TrainingNotes("pictures of ours", None, 40, "CPU machine-a", 2)
    for one in (done, lost):
        trainings.begin(one, notes, Worker.here("test", version="1"))
    curve = [CurveValue(step, "bce", 1 / (1 + step)) for step in range(0, 41, 2)]
    curve += [CurveValue(step, "validation/full", step / 50) for step in (20, 40)]
    trainings.complete(
        done.key,
        checkpoint_sha256=spec().weights_sha256,
        path="demo.safetensors",
        elapsed_s=90.0,
        curve=curve,
    )
    trainings.fail(lost.key, "the loss is no number", "Traceback …")
