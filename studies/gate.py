"""How well P_gate knows what it is asked: IoU(t − n, t) for gaps n, on sequences with masks.

    python studies/gate.py g-frtm-half --data-root DAVIS --out gate.csv

Every frame up to k is computed in full, then all are reused: the gate is read 1, 2, 4, … frames
after k, for every k (every ``--stride``-th). Its correlation with the true IoU is pooled over all
sequences; beside it stands what the age alone knows, −log n.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer

from vosbench.harness.datasets import registry as datasets
from vosbench.harness.datasets.clip import Clip
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.policies import Never
from vosbench.runners.policy import Path as Way
from vosbench.runners.registry import resolve

GAPS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Reading:
    """The gate at frame ``t``, ``n`` frames after the last full one."""

    sequence: str
    t: int
    n: int
    p_gate: float
    iou: float


@dataclass
class _Chain:
    """A run of reused frames after the full frame ``k``."""

    k: int
    state: Any


def readings(runner: Any, clip: Clip, stride: int) -> Iterator[Reading]:
    """Walk a sequence of one object once; every chain of reused frames goes along."""
    info = ClipInfo(clip.name, *clip.size, len(clip), frame_names=clip.frame_names, merged=True)
    walk = runner.walk(info, (Never(),))
    tracker, chains, masks = walk.tracker, list[_Chain](), dict[int, np.ndarray]()
    for t in range(len(clip)):
        image = torch.from_numpy(clip.image(t)).permute(2, 0, 1).contiguous()
        annotation = clip.annotation(t)
        if annotation is not None:
            masks[t] = annotation > 0
        with torch.inference_mode():
            features = tracker.features(image, no_spans) if chains else None
            for chain in chains:
                match = tracker.match(features, chain.state, no_spans)
                if t - chain.k in GAPS and annotation is not None and chain.k in masks:
                    p = float(match.p_gate)
                    yield Reading(clip.name, t, t - chain.k, p, _iou(masks[chain.k], masks[t]))
                segment = tracker.segment(match, Way.REUSE, no_spans)
                mask = tracker.compete(segment.probability[None]).masks[0]
                chain.state = tracker.settle(segment, mask, no_spans)
        chains = [chain for chain in chains if t - chain.k < GAPS[-1]]
        if t == 0:
            walk.add_objects(Frame(0, image), {1: torch.from_numpy(masks[0])})
        walk.step(Frame(t, image), no_spans)
        if t % stride == 0:
            chains.append(_Chain(t, walk.states(0)[1]))


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return 1.0 if union == 0 else int((a & b).sum()) / union


def summary(rows: pd.DataFrame) -> pd.Series:
    """Pooled correlations with the true IoU: of P_gate, of the age, and of both together."""
    age = -np.log(rows["n"])
    both = np.column_stack((rows["p_gate"], age, np.ones(len(rows))))
    fitted = both @ np.linalg.lstsq(both, rows["iou"], rcond=None)[0]
    return pd.Series(
        {
            "readings": len(rows),
            "sequences": rows["sequence"].nunique(),
            "P_gate": np.corrcoef(rows["p_gate"], rows["iou"])[0, 1],
            "age": np.corrcoef(age, rows["iou"])[0, 1],
            "both": np.corrcoef(fitted, rows["iou"])[0, 1],
        }
    )


def main(
    model: str,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the dataset.")] = None,
    dataset: Annotated[str, typer.Option(help="Sequences whose objects are merged.")] = "davis16",
    sequences: Annotated[str | None, typer.Option(help="Some of them, by comma.")] = None,
    weights: Annotated[str | None, typer.Option(help="Checkpoint; default: shipped.")] = None,
    frames: Annotated[int | None, typer.Option(min=2, help="Only the first ones.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Full frames from one chain to the next.")] = 1,
    out: Annotated[Path, typer.Option(help="All readings.")] = Path("gate.csv"),
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
) -> None:
    """Read the gate at known gaps, and print its correlations."""
    if threads is not None:
        torch.set_num_threads(threads)
    runner = resolve(model).build(RunnerOptions(weights=weights))
    runner.load(torch.device("cpu"), Precision.FLOAT32)
    opened = datasets.open(dataset, data_root)
    names = opened.sequences if sequences is None else sequences.split(",")
    found: list[Reading] = []
    for name in names:
        found += readings(runner, opened.clip(name).cut(frames), stride)
        typer.echo(f"{name}: {len(found)} readings so far", err=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["sequence", "t", "n", "p_gate", "iou"])
        writer.writeheader()
        writer.writerows(asdict(reading) for reading in found)
    rows = pd.DataFrame(found)
    typer.echo(summary(rows).to_string(float_format="%.3f"))
    means = rows.groupby("n")[["iou", "p_gate"]].mean()
    typer.echo(means.to_string(float_format="%.3f"))


if __name__ == "__main__":
    typer.run(main)
