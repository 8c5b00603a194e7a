"""Scores a folder of predicted PNGs, decoding and counting in several workers.

Most of the work is in libraries that release Python's lock, so a few threads share it well, and
start at once. Many frames are worth the second that processes take to start, which share nothing.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.datasets.predictions import (
    Files,
    object_prediction_files,
    prediction_files,
    read_prediction,
)
from vosbench.harness.metrics.scorer import ObjectScores, SequenceScorer, SequenceScores

PROCESS_FRAMES = 2000
"""Frames for each worker from which on workers are processes."""
_FRAMES_WORTH = 50
"""Frames that a further worker is worth having for."""
CHUNK_FRAMES = 24
"""Frames a worker takes at once: enough to outweigh the message, few enough to share a clip."""


@dataclass(frozen=True)
class Chunk:
    """Some frames of a clip: (index, prediction) each."""

    clip: Clip
    plan: ScoringPlan
    frames: tuple[tuple[int, Files], ...]


def evaluate_folder(
    results_dir: Path,
    clips: Sequence[tuple[Clip, ScoringPlan]],
    *,
    workers: int | None = None,
    on_frames: Callable[[int], None] | None = None,
) -> tuple[SequenceScores, ...]:
    """Scores of ``results_dir/<sequence>/<frame>.png`` for all clips, in their order.

    Memory is bounded by one frame a worker, whatever the length of the clips.

    Args:
        results_dir: the predictions; only frames that count are read.
        clips: what to score: clips, each with the frames that count.
        workers: threads, or processes where there are frames enough; 1 scores in this thread,
            None takes as many as pay off, at most one for each CPU core that this process may use.
        on_frames: told, as the work goes on, how many more frames are scored.

    Raises:
        InputError: a prediction or annotation is missing, unreadable, of another size, no label
            map, or has ids that the annotation lacks; the first one in the order of the clips.
    """
    if not results_dir.is_dir():
        raise InputError(
            f"no folder {results_dir}: name the folder that holds <sequence>/<frame>.png"
        )
    if not clips:
        raise InputError("no sequences to score: name at least one")
    tell = on_frames or (lambda _: None)
    frames = sum(len(plan.objects_at) for _, plan in clips)
    count = workers or max(1, min(_cores(), frames // _FRAMES_WORTH))
    if count == 1:
        parts = [list(chunks(results_dir, clip, plan)) for clip, plan in clips]
        return tuple(_join([_told(score_chunk(c), tell) for c in part]) for part in parts)
    executor = _executor(count, frames)
    try:
        pending = [
            [executor.submit(score_chunk, c) for c in chunks(results_dir, clip, plan)]
            for clip, plan in clips
        ]
        return tuple(_join([_told(_result(f), tell) for f in clip]) for clip in pending)
    finally:
        executor.shutdown(cancel_futures=True)


def score_chunk(chunk: Chunk) -> SequenceScores:
    """Scores of the chunk's frames, from disk; runs in a worker."""
    clip = chunk.clip
    scorer = SequenceScorer(clip.name, chunk.plan)
    for t, predicted in chunk.frames:

        def truth(t: int = t) -> Masks:
            masks = clip.masks(t)
            assert masks is not None, "a plan names annotated frames only"
            return masks

        truth_source = clip.annotation_paths[t]
        masks = read_prediction(predicted, clip.label_size or clip.size)
        source = predicted if isinstance(predicted, Path) else None
        scorer.add(t, truth, masks, truth_source=truth_source, source=source)
    return scorer.result()


def chunks(results_dir: Path, clip: Clip, plan: ScoringPlan) -> Iterator[Chunk]:
    """The files of a clip's predictions, frame by frame; raises InputError if any is missing."""
    indices = list(plan.objects_at)
    names = {t: clip.frame_names[t] for t in indices}
    paths: Mapping[str, Files]
    if clip.mask_paths:
        wanted = {i: [clip.frame_names[t] for t in ts] for i, ts in plan.frames.items()}
        objects = {i: clip.object_name(i) for i in plan.object_ids}
        paths = object_prediction_files(results_dir, clip.name, objects, wanted)
    else:
        paths = prediction_files(results_dir, clip.name, list(names.values()))
    # A clip in which nothing counts still has its objects in the result.
    for start in range(0, max(1, len(indices)), CHUNK_FRAMES):
        part = indices[start : start + CHUNK_FRAMES]
        yield Chunk(clip, plan.restricted(part), tuple((t, paths[names[t]]) for t in part))


def _join(parts: Sequence[SequenceScores]) -> SequenceScores:
    """One clip's scores from those of its chunks, which are in order."""
    objects = tuple(
        ObjectScores(
            same[0].object_id,
            np.concatenate([o.frames for o in same]),
            {name: np.concatenate([o.series[name] for o in same]) for name in same[0].series},
        )
        for same in zip(*(part.objects for part in parts), strict=True)
    )
    return replace(parts[0], objects=objects).counted()


def _told(scores: SequenceScores, tell: Callable[[int], None]) -> SequenceScores:
    tell(len({int(t) for o in scores.objects for t in o.frames}))
    return scores


def _result(future: Future[SequenceScores]) -> SequenceScores:
    return future.result()


def _begin_worker() -> None:
    """One thread a worker: the processes are the parallelism."""
    cv2.setNumThreads(1)


def _cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _executor(count: int, frames: int) -> Executor:
    if frames < PROCESS_FRAMES * count:
        return ThreadPoolExecutor(count)
    # Spawned, not forked: the parent may have threads and a device open.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_begin_worker)
