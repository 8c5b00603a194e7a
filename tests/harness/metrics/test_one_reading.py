"""``run masks:``, ``eval`` and a plain reference agree on sequences of every awkward kind.

Sequences have ids with gaps, void, objects that come late, vanish and return, annotations on some
frames only, and masks in all encodings. The reference below knows nothing of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from PIL import Image
from plain_scoring import plain_f, plain_j

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.evaluate.accuracy import Evaluation, SoloWalk, evaluate_clip
from vosbench.harness.metrics import TruthCache, evaluate_folder
from vosbench.runners.interface import Precision, RunnerOptions
from vosbench.runners.registry import resolve

Labels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
SIZE = (14, 19)
VOID = 255
OWN, YTVOS, DAVIS16, DAVIS17 = "own-clips", "ytvos", "davis16-val", "davis17-val"
ENCODINGS = ("palette", "narrow palette", "grey", "grey and alpha", "16 bits")


@dataclass(frozen=True)
class Sequence:
    """Raw samples: annotations by frame, and a prediction of every frame."""

    truth: Mapping[int, Labels]
    predicted: tuple[Labels, ...]

    def __len__(self) -> int:
        return len(self.predicted)


Scores = dict[int, dict[int, tuple[float, float]]]
"""J and F by object and frame."""


def reference(sequence: Sequence, protocol: str) -> Scores | str:
    """What counts, by the words of docs/data.md; text for what can't be scored or is refused."""
    annotated = sorted(sequence.truth)
    binary = set().union(*map(samples, sequence.truth.values())) == {VOID}
    merge = binary or protocol == DAVIS16
    truth = {t: clean(labels, merge=binary) for t, labels in sequence.truth.items()}
    first = {i: t for t in reversed(annotated) for i in samples(truth[t])}
    at_once = {i for i, t in first.items() if t == annotated[0]}
    if not first or (protocol == DAVIS17 and binary):
        return "refused"
    if protocol in (DAVIS16, DAVIS17):
        if not at_once:
            return "refused"
        ids = [1] if merge else range(1, max(at_once) + 1)
        frames = dict.fromkeys(ids, annotated[1:-1])
    else:
        end = len(sequence) - (protocol == OWN)
        frames = {i: [t for t in annotated if start < t < end] for i, start in first.items()}
    new = {t: {i for i in first if first[i] == t} for t in annotated}
    counted = {t for ts in frames.values() for t in ts}
    if not counted or all(samples(truth[t]) == new[t] for t in annotated):
        return "unscored"
    allowed = {*frames, VOID} - ({VOID} if protocol == DAVIS17 else set())
    if not merge and any(samples(sequence.predicted[t]) - allowed for t in counted):
        return "refused"
    if merge:
        truth = {t: (labels > 0).astype(np.uint8) for t, labels in truth.items()}
    scores: Scores = {i: {} for i in frames}
    for i, ts in frames.items():
        for t in ts:
            pair = truth[t] == i, clean(sequence.predicted[t], merge=merge) == i
            scores[i][t] = plain_j(*pair), plain_f(*pair)
    return scores


def samples(labels: Labels) -> set[int]:
    return {int(i) for i in np.unique(labels) if i}


def clean(predicted: Labels, *, merge: bool) -> Labels:
    """A prediction without void; merged, 255 is the object where it is all there is."""
    if merge and samples(predicted) <= {VOID}:
        return (predicted > 0).astype(np.uint8)
    kept = np.where(predicted == VOID, 0, predicted).astype(np.uint8)
    return (kept > 0).astype(np.uint8) if merge else kept


def encode(path: Path, labels: Labels, encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image, more = Image.fromarray(labels), {}
    if encoding == "grey and alpha":
        image = Image.merge("LA", (image, Image.new("L", image.size, 255)))
    elif encoding == "16 bits":
        image = Image.fromarray(labels.astype(np.uint16))
    elif encoding == "narrow palette" and labels.max() < 16:
        bits = 1 if labels.max() < 2 else 2 if labels.max() < 4 else 4
        image.putpalette([(37 * i) % 256 for i in range(3 << bits)])
        more = {"bits": bits}
    elif "palette" in encoding:
        image.putpalette([(37 * i) % 256 for i in range(768)])
    image.save(path, **more)


def write(folder: Path, sequence: Sequence, encoding: str) -> None:
    for t, predicted in enumerate(sequence.predicted):
        frame = folder / f"data/JPEGImages/mine/frame{t}.png"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], (t, 0, 0)).save(frame)
        encode(folder / f"results/mine/frame{t}.png", predicted, encoding)
    for t, labels in sequence.truth.items():
        encode(folder / f"data/Annotations/mine/frame{t}.png", labels, encoding)


def by_eval(dataset: Dataset, results: Path) -> Scores | str:
    clip = dataset.clip("mine")
    plan = dataset.plan(clip)
    if plan.unscored is not None:
        return "unscored"
    (scores,) = evaluate_folder(results, [(clip, plan)], workers=1)
    return {
        o.object_id: {int(t): (j, f) for t, j, f in zip(o.frames, o.j, o.f, strict=True)}
        for o in scores.objects
    }


def by_run(dataset: Dataset, results: Path) -> Scores | str:
    runner = resolve(f"masks:{results}").build(RunnerOptions())
    runner.load(torch.device("cpu"), Precision.FLOAT32)
    how = Evaluation(dataset, torch.device("cpu"), TruthCache())
    clip = dataset.clip("mine")
    (result,) = evaluate_clip(lambda info: SoloWalk(runner, info), 1, clip, how, lambda: None)
    if "j" not in result.series:
        return "unscored"
    frames = result.series["scored_frames"]
    return {
        i: {
            int(t): (float(result.series["j"][n, k]), float(result.series["f"][n, k]))
            for n, t in enumerate(frames)
            if not np.isnan(result.series["j"][n, k])
        }
        for k, i in enumerate(result.object_ids)
    }


def refused(work: Callable[[], Scores | str]) -> Scores | str:
    try:
        return work()
    except InputError as error:
        assert "\n" not in str(error)
        return "refused"


@st.composite
def label_maps(draw: st.DrawFn, values: tuple[int, ...], at_least: int = 0) -> Labels:
    labels = np.zeros(SIZE, np.uint8)
    for _ in range(draw(st.integers(at_least, 3))):
        top, left = draw(st.integers(0, 12)), draw(st.integers(0, 17))
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        labels[top : top + height, left : left + width] = draw(st.sampled_from(values))
    return labels


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    length = draw(st.integers(1, 7))
    values = draw(st.sampled_from([(1,), (1, 2), (1, 2, VOID), (1, 3, 7), (2, 5, VOID), (VOID,)]))
    annotated = draw(st.sets(st.integers(0, length - 1), min_size=1))
    if draw(st.integers(0, 2)):
        annotated = set(range(length))
    start = draw(st.integers(0, 2))
    truth = {t: draw(label_maps(values, start * (t == 0))) for t in sorted(annotated)}
    inside = draw(st.sampled_from([values, (*values, VOID), (1, 2, 3)]))
    predicted = tuple(draw(label_maps(inside)) for _ in range(length))
    if draw(st.booleans()):
        predicted = tuple(truth.get(t, p) for t, p in enumerate(predicted))
    return Sequence(truth, predicted)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences(), st.sampled_from(ENCODINGS))
@pytest.mark.parametrize("protocol", [OWN, YTVOS, DAVIS16, DAVIS17])
def test_run_eval_and_reference_agree(
    protocol: str, tmp_path_factory: pytest.TempPathFactory, sequence: Sequence, encoding: str
) -> None:
    folder = tmp_path_factory.mktemp("one")
    write(folder, sequence, encoding)

    def opened() -> Dataset:
        return registry.open(f"davis-layout:{folder / 'data'}", None, protocol)

    expected = reference(sequence, protocol)
    event(expected if isinstance(expected, str) else "scored")
    evaluated = refused(lambda: by_eval(opened(), folder / "results"))
    ran = refused(lambda: by_run(opened(), folder / "results"))
    if isinstance(expected, str):
        assert (evaluated, ran) == (expected, expected)
        return
    for got in (evaluated, ran):
        assert not isinstance(got, str)
        assert {i: list(f) for i, f in got.items()} == {i: list(f) for i, f in expected.items()}
        for i, frames in expected.items():
            for t, numbers in frames.items():
                assert got[i][t] == pytest.approx(numbers, abs=1e-9), (i, t)
