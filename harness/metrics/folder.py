"""Scores a folder of predicted PNGs, decoding and counting in several workers.

Most of the work is in libraries that release Python's lock, so a few threads share it well, and
start at once. Many frames are worth the second that processes take to start, which share nothing.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.harness.metrics.clips import ScoringClip, plan_clip
from vosbench.harness.metrics.label_png import read_label_png
from vosbench.harness.metrics.plan import ScoringPlan
from vosbench.harness.metrics.scorer import ObjectScores, SequenceScorer, SequenceScores

PROCESS_FRAMES = 2000
"""Frames for each worker from which on workers are processes."""
_FRAMES_WORTH = 50
"""Frames that a further worker is worth having for."""
CHUNK_FRAMES = 24
"""Frames a worker takes at once: enough to outweigh the message, few enough to share a clip."""


@dataclass(frozen=True)
class _Chunk:
    """Some frames of a clip: (index, annotation, prediction) each."""

    clip: str
    plan: ScoringPlan
    frames: tuple[tuple[int, Path, Path], ...]


def evaluate_folder(
    results_dir: Path,
    clips: Sequence[ScoringClip],
    *,
    workers: int | None = None,
    on_frames: Callable[[int], None] | None = None,
) -> tuple[SequenceScores, ...]:
    """Scores of ``results_dir/<clip>/<frame>.png`` for all clips, in their order.

    Memory is bounded by one frame a worker, whatever the length of the clips.

    Args:
        results_dir: the predictions; only frames that count are read.
        clips: what to score.
        workers: threads, or processes where there are frames enough; 1 scores in this thread,
            None takes as many as pay off, at most one for each CPU core that this process may use.
        on_frames: told, as the work goes on, how many more frames are scored.

    Raises:
        InputError: a prediction or annotation is missing, unreadable, of another size, no label
            map, or has ids that the annotation lacks; the first one in the order of the clips.
    """
    if not results_dir.is_dir():
        raise InputError(f"no folder {results_dir}: name the folder that holds <clip>/<frame>.png")
    if not clips:
        raise InputError("no clips to score: name at least one sequence")
    tell = on_frames or (lambda _: None)
    frames = sum(len(clip.annotation_paths) for clip in clips)
    count = workers or max(1, min(_cores(), frames // _FRAMES_WORTH))
    if count == 1:
        chunks = [list(_chunks(results_dir, clip, plan_clip(clip))) for clip in clips]
        return tuple(_join([_told(score_chunk(c), tell) for c in clip]) for clip in chunks)
    executor = _executor(count, frames)
    try:
        plans = executor.map(plan_clip, clips, chunksize=max(1, len(clips) // (4 * count)))
        pending = [
            [executor.submit(score_chunk, c) for c in _chunks(results_dir, *pair)]
            for pair in zip(clips, plans, strict=True)
        ]
        return tuple(_join([_told(_result(f), tell) for f in clip]) for clip in pending)
    finally:
        executor.shutdown(cancel_futures=True)


def score_chunk(chunk: _Chunk) -> SequenceScores:
    """Scores of the chunk's frames, from disk; runs in a worker."""
    scorer = SequenceScorer(chunk.clip, chunk.plan)
    for index, truth_path, predicted_path in chunk.frames:
        scorer.add(
            index,
            read_label_png(truth_path),
            read_label_png(predicted_path),
            truth_source=truth_path,
            source=predicted_path,
        )
    return scorer.result()


def _chunks(results_dir: Path, clip: ScoringClip, plan: ScoringPlan) -> Iterator[_Chunk]:
    indices = list(plan.objects_at)
    paths = _predicted_paths(results_dir / clip.name, clip, indices)
    # A clip in which nothing counts still has its objects in the result.
    for start in range(0, max(1, len(indices)), CHUNK_FRAMES):
        part = indices[start : start + CHUNK_FRAMES]
        frames = tuple((i, clip.annotation_paths[i], paths[i]) for i in part)
        yield _Chunk(clip.name, plan.restricted(part), frames)


def _predicted_paths(folder: Path, clip: ScoringClip, indices: Iterable[int]) -> dict[int, Path]:
    """Prediction of each frame that counts; all must be there before anything is computed."""
    try:
        present = {entry.name for entry in os.scandir(folder)}
    except OSError:
        raise InputError(
            f"no folder {folder}: the results need one for every sequence, with a PNG a frame"
        ) from None
    names = {i: f"{clip.frame_names[i]}.png" for i in indices}
    missing = [name for name in names.values() if name not in present]
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} of {len(names)} frames to score, first {missing[0]}: "
            "predict every frame"
        )
    return {i: folder / name for i, name in names.items()}


def _join(parts: Sequence[SequenceScores]) -> SequenceScores:
    """One clip's scores from those of its chunks, which are in order."""
    return SequenceScores(
        parts[0].name,
        tuple(
            ObjectScores(
                same[0].object_id,
                np.concatenate([o.frames for o in same]),
                np.concatenate([o.j for o in same]),
                np.concatenate([o.f for o in same]),
            )
            for same in zip(*(part.objects for part in parts), strict=True)
        ),
    )


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
