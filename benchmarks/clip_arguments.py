"""What the benchmarks read from their arguments: clips in folders, as DAVIS lays them out."""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.harness.datasets.decode import read_image
from vosbench.harness.datasets.labels import read_labels
from vosbench.runners.network_runner import NetworkRunner

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Frames:
    """A clip in memory: images, uint8 RGB (3, H, W), and labels, uint8 (H, W), a frame."""

    name: str
    images: tuple[torch.Tensor, ...]
    labels: tuple[Labels, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.images[0].shape[-2:]
        return int(height), int(width)


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """``--images`` and ``--annotations``: folders that hold a folder of files per clip."""
    parser.add_argument("--images", type=Path, required=True, help="folder of <clip>/*.jpg")
    parser.add_argument("--annotations", type=Path, required=True, help="folder of <clip>/*.png")


def read_frames(images: Path, annotations: Path, name: str, limit: int | None = None) -> Frames:
    """Decode the first frames of a clip; raises SystemExit where there is none."""
    files = sorted((images / name).glob("*.jpg"))[:limit]
    if not files:
        raise SystemExit(f"no *.jpg in {images / name}: give folders that hold the clip {name}")
    return Frames(
        name,
        tuple(torch.from_numpy(read_image(f)).permute(2, 0, 1).contiguous() for f in files),
        tuple(
            (read_labels(annotations / name / f"{f.stem}.png") > 0).astype(np.uint8) for f in files
        ),
    )


def sharpen_random_head(runner: NetworkRunner) -> None:
    """Scale an untrained head, so that masks are not empty and the target model learns."""
    if not runner.weights.trained:
        with torch.no_grad():
            for key, tensor in runner.network.named_parameters():
                if key == "refiner.project.conv2.weight":
                    tensor.mul_(50)


def machine() -> str:
    """This machine and its state, for the head of a table."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; load average {load}"
    )
