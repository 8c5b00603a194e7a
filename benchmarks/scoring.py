"""How fast J and F are computed, against the plain definition in the same run.

    python benchmarks/scoring.py --annotations DAVIS/Annotations/480p --results RESULTS_DIR

Scores every clip that both folders hold, by the DAVIS 2016 protocol (objects merged). Annotations
and predictions are first written as palette PNGs to a temporary folder, so that the decoding
measured is that of the usual result files. Prints the plain reference (one process, one round) and
medians over rounds of the scorer with one thread, more threads, and processes, from PNGs, and of a
further prediction against annotations that are kept in memory. The last column scales to DAVIS
2016 val.
Close other programs first: with a core taken, two workers are no faster than one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.protocols import DAVIS16
from vosbench.harness.metrics import (
    SequenceScorer,
    SequenceScores,
    TruthCache,
    evaluate_folder,
    folder,
)

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "harness" / "metrics"))
from plain_scoring import plain_folder  # noqa: E402

YARDSTICK_FRAMES = 1376
"""Frames of the 20 sequences of DAVIS 2016 val, for which the project states its aims."""


@dataclass(frozen=True)
class Decoded:
    """One clip in memory: annotations and predictions, uint8 (H, W) a frame."""

    clip: Clip
    truth: tuple[NDArray[np.uint8], ...]
    predicted: tuple[NDArray[np.uint8], ...]


def write_palette(source: Path, target: Path) -> None:
    """Copy a mask as 8-bit palette PNG with ids 0 and 1."""
    target.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray((read_labels(source) > 0).astype(np.uint8))
    # A whole palette, as DAVIS has it: Pillow writes fewer bits a pixel for a shorter one.
    image.putpalette([0, 0, 0, 128, 0, 0] * 128)
    image.save(target)


def prepare(annotations: Path, results: Path, folder: Path) -> list[Clip]:
    """Write both sides as palette PNGs into ``folder``; the clips of both."""
    clips = []
    for place in sorted(p for p in results.iterdir() if (annotations / p.name).is_dir()):
        names = tuple(file.stem for file in sorted((annotations / place.name).glob("*.png")))
        for name in names:
            write_palette(
                annotations / place.name / f"{name}.png", folder / f"truth/{place.name}/{name}.png"
            )
            write_palette(place / f"{name}.png", folder / f"results/{place.name}/{name}.png")
        paths = {i: folder / f"truth/{place.name}/{name}.png" for i, name in enumerate(names)}
        size = read_labels(paths[0]).shape
        clips.append(DAVIS16.objects(Clip(place.name, size, names, (), paths, {1: 0})))
    return clips


def plain(clips: list[Clip], results: Path) -> float:
    """Mean of J and F by the plain reference."""
    values = []
    for clip in clips:
        predicted = [results / clip.name / f"{name}.png" for name in clip.frame_names]
        truth = [clip.annotation_paths[i] for i in range(len(predicted))]
        values.append(np.mean(plain_folder(truth, predicted, merge=True)[1]))
    return float(np.mean(values))


def mean_jf(sequences: tuple[SequenceScores, ...]) -> float:
    """Mean of J and F over objects."""
    return float(np.mean([(o.j.mean() + o.f.mean()) / 2 for s in sequences for o in s.objects]))


def in_memory(clips: list[Decoded], cache: TruthCache) -> float:
    """Mean of J and F of decoded predictions, annotations by way of the cache."""
    scores = []
    for decoded in clips:
        scorer = SequenceScorer(decoded.clip.name, DAVIS16.plan(decoded.clip), cache)
        for index, (truth, predicted) in enumerate(
            zip(decoded.truth, decoded.predicted, strict=True)
        ):
            scorer.add(index, truth, predicted)
        scores.append(scorer.result())
    return mean_jf(tuple(scores))


def median_s(work: Callable[[], float], rounds: int, expected: float | None) -> float:
    """Median seconds of ``work`` over ``rounds``; its value must be the expected one."""
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - begin)
        if expected is not None and abs(value - expected) > 1e-12:
            raise SystemExit(f"fast and plain scores differ: {value!r} and {expected!r}")
    return statistics.median(seconds)


def measure(clips: list[Clip], results: Path, rounds: int, workers: int) -> None:
    """Time all ways and print a line for each."""
    frames = sum(len(clip.frame_names) for clip in clips)
    planned = [(clip, DAVIS16.plan(clip)) for clip in clips]
    print(f"{len(clips)} sequences, {frames} frames, median of {rounds} rounds (plain: of one)")
    begin = time.perf_counter()
    expected = plain(clips, results)
    plain_s = time.perf_counter() - begin

    def show(name: str, seconds: float) -> None:
        whole = seconds * YARDSTICK_FRAMES / frames
        print(
            f"{name:44} {seconds:7.2f} s  {1000 * seconds / frames:6.2f} ms/frame  "
            f"{plain_s / seconds:6.1f}x plain  {whole:6.2f} s at {YARDSTICK_FRAMES} frames"
        )

    show("plain reference, from PNGs, 1 process", plain_s)
    kinds = [("1 thread", 1, frames)]
    kinds += [(f"{workers} threads", workers, frames), (f"{workers} processes", workers, 0)]
    for name, count, process_frames in kinds:
        folder.PROCESS_FRAMES = process_frames

        def from_files(count: int = count) -> float:
            return mean_jf(evaluate_folder(results, planned, workers=count))

        show(f"from PNGs, {name}", median_s(from_files, rounds, expected))
    decoded = [
        Decoded(
            clip,
            tuple(read_labels(path) for _, path in sorted(clip.annotation_paths.items())),
            tuple(read_labels(results / clip.name / f"{n}.png") for n in clip.frame_names),
        )
        for clip in clips
    ]
    cv2.setNumThreads(1)
    cache = TruthCache()
    show(
        "in memory, 1 thread, first prediction",
        median_s(lambda: in_memory(decoded, cache), 1, expected),
    )
    later = median_s(lambda: in_memory(decoded, cache), rounds, expected)
    show("in memory, 1 thread, further predictions", later)
    print(f"annotations kept: {cache.held_bytes / 2**20:.1f} MiB for {len(cache)} frames")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotations", type=Path, required=True, help="folder of <clip>/*.png")
    parser.add_argument("--results", type=Path, required=True, help="folder of <clip>/*.png")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        clips = prepare(options.annotations, options.results, Path(place))
        if not clips:
            parser.error("the two folders have no clip in common")
        measure(clips, Path(place) / "results", options.rounds, options.workers)


if __name__ == "__main__":
    main()
