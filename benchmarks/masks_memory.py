"""How much memory --save-masks takes on long sequences: masks are compressed frame by frame.

    python benchmarks/masks_memory.py --frames 300,1000,3000 --settings 1,8

Each line is a process of its own. It walks a sequence from files, scores it and packs its masks, as
`vosbench run --save-masks` does before it writes them to the database, which is left out here. In
the place of a network stands an object with a ragged edge that wanders, differently in every
setting, so that every setting holds masks of its own. Beside the peak stand the bytes that would be
held without compression, and the packed ones that a database would store.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from clip_arguments import machine
from PIL import Image

from vosbench.harness.datasets import registry
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.evaluate.accuracy import Evaluation, evaluate_clip
from vosbench.harness.metrics import TruthCache
from vosbench.harness.store.arrays import unpack
from vosbench.runners.interface import ClipInfo, Frame, ObjectStep, Spans, Step
from vosbench.runners.interface import Path as Decision

_PICTURES = 30
"""Different frames; the others are links to them."""


class Wandering:
    """A walk in which no two settings ever agree."""

    passes_computed = 0
    passes_saved = 0

    def __init__(self, clip: ClipInfo, settings: int) -> None:
        self._settings = settings
        self._mask = torch.zeros(clip.height, clip.width, dtype=torch.uint8)

    def add_objects(self, _frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        self._mask = masks[1].to(torch.uint8)

    def step(self, frame: Frame, _spans: Spans) -> tuple[Step, ...]:
        path = Decision.INIT if frame.index == 0 else Decision.FULL
        told = (ObjectStep(1, path),)
        settings = range(1, self._settings + 1)
        return tuple(Step(self._moved(frame.index, each), told) for each in settings)

    def _moved(self, t: int, setting: int) -> torch.Tensor:
        return torch.roll(self._mask, (t, t * setting), (0, 1))


def write_sequence(root: Path, frames: int, width: int, height: int) -> None:
    """A folder in the layout of DAVIS."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    angle = np.arctan2(rows - height / 2, columns - width / 2)
    far = np.hypot(rows - height / 2, columns - width / 2)
    ragged = height / 4 + 6 * np.sin(9 * angle) + random.normal(0, 1.5, (height, width))
    mask = Image.fromarray((far < ragged).astype(np.uint8), mode="L")
    for folder in ("JPEGImages", "Annotations"):
        (root / folder / "long").mkdir(parents=True)
    for t in range(frames):
        image, label = (root / f / "long" / f"{t:05d}" for f in ("JPEGImages", "Annotations"))
        if t < _PICTURES:
            pixels = random.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
            Image.fromarray(pixels).resize((width, height)).save(image.with_suffix(".jpg"))
            mask.save(label.with_suffix(".png"))
            continue
        for path in (image.with_suffix(".jpg"), label.with_suffix(".png")):
            path.hardlink_to(path.with_stem(f"{t % _PICTURES:05d}"))


def measure(root: Path, settings: int) -> None:
    """Walk and print the peak."""
    dataset = registry.open(f"davis-layout:{root}")
    clip: Clip = dataset.clip("long")
    how = Evaluation(dataset, torch.device("cpu"), TruthCache(), keep_masks=True)
    results = evaluate_clip(
        lambda info: Wandering(info, settings), settings, clip, how, lambda: None
    )
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stored_mib = sum(len(r.packed["labels"].data) for r in results) / 2**20
    height, width = clip.size
    held_mib = settings * len(clip) * height * width / 2**20
    print(
        f"{len(clip):7d} {settings:9d} {peak_mib:9.0f} {held_mib:13.0f} {stored_mib:10.1f}",
        flush=True,
    )
    if len(clip) <= 300:  # the peak is known by now
        assert len({r.mask_sha256 for r in results}) == settings
        assert unpack(results[0].packed["labels"]).shape == (len(clip), height, width)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", default="300,1000,3000")
    parser.add_argument("--settings", default="1,8", help="how many τ share the walk")
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure, int(options.settings))
        return
    width, height = (int(part) for part in options.size.split("x"))
    print(f"{datetime.date.today()}, {machine()}, {width}x{height}; MiB")
    print(" frames  settings  peak RSS  uncompressed     stored", flush=True)
    for frames in (int(part) for part in options.frames.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            write_sequence(Path(folder), frames, width, height)
            for settings in options.settings.split(","):
                command = [sys.executable, __file__, "--measure", folder, "--settings", settings]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
