"""Use from Python: a model on frames, and grids as frames of results.

::

    from vosbench.harness.api import frames_of, load_model

    model = load_model("g-frtm-lite", tau=0.7)
    for frame in model.segment(frames_of("video.mp4"), "first_mask.png"):
        print(frame.index, frame.labels.shape, frame.paths, frame.p_gate)

Importing this module imports neither torch nor pandas.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from vosbench.runners.interface import Runner, WeightsInfo

Image = NDArray[np.uint8]
"""uint8 RGB (H, W, 3)."""
Given = str | Path | NDArray[np.uint8] | NDArray[np.bool_]
"""Masks: a PNG of object ids, ids as uint8 (H, W), or one object's mask as bool (H, W)."""


@dataclass(frozen=True)
class Segmented:
    """One frame's result.

    Attributes:
        index: of the frame, from 0.
        labels: object ids, uint8 (H, W), 0 for background.
        paths: how each object's mask came about: "init", "full", "reuse" or "copy".
        p_gate: probability of each object's gate; None where no gate was evaluated.
    """

    index: int
    labels: NDArray[np.uint8]
    paths: Mapping[int, str]
    p_gate: Mapping[int, float | None]


@dataclass(frozen=True)
class LoadedModel:
    """A model under its policy, on its device; one sequence at a time."""

    name: str
    weights: WeightsInfo
    device: torch.device
    _runner: Runner = field(repr=False)

    def segment(
        self, frames: Iterable[Image], masks: Given | Mapping[int, Given]
    ) -> Iterator[Segmented]:
        """Walk through frames; each comes back as soon as it is segmented.

        Args:
            frames: all of one size, in order; see :func:`frames_of`.
            masks: of the objects that begin in the first frame; or, by index, of those that begin
                in some frames. Frames before the first mask come back without objects.

        Raises:
            InputError: a mask or frame that can't be read, is of another size or shape, or holds
                an object that has begun before.
        """
        import torch

        from vosbench.harness.evaluate.inputs import frame_of
        from vosbench.runners.interface import ClipInfo, no_spans

        given = dict(masks) if isinstance(masks, Mapping) else {0: masks}
        size: tuple[int, int] | None = None
        known: set[int] = set()
        for index, image in enumerate(frames):
            _check_frame(index, image, size)
            if size is None:
                size = (image.shape[0], image.shape[1])
                count = len(frames) if isinstance(frames, Sequence | Frames) else 0
                self._runner.start(ClipInfo("frames", *size, count))
            frame = frame_of(index, np.array(image), self.device)
            if index in given:
                new = _objects(given[index], size, index, known)
                known |= set(new)
                held = {i: torch.from_numpy(mask).to(self.device) for i, mask in new.items()}
                self._runner.add_objects(frame, held)
            if not known:
                yield Segmented(index, np.zeros(size, np.uint8), {}, {})
                continue
            step = self._runner.step(frame, no_spans)
            paths = {o.id: str(o.path) for o in step.objects}
            gates = {o.id: o.p_gate for o in step.objects}
            yield Segmented(index, step.labels.cpu().numpy(), paths, gates)


@dataclass(frozen=True)
class Frames:
    """The frames of a folder or video file; can be walked more than once."""

    source: Path
    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """Number of frames; of a video as its header says."""
        if self.files:
            return len(self.files)
        import cv2

        return int(cv2.VideoCapture(str(self.source)).get(cv2.CAP_PROP_FRAME_COUNT))

    def __iter__(self) -> Iterator[Image]:
        """Frames in order, uint8 RGB (H, W, 3)."""
        from vosbench.harness.datasets.decode import read_image

        if self.files:
            yield from map(read_image, self.files)
            return
        import cv2

        video = cv2.VideoCapture(str(self.source))
        while True:
            more, image = video.read()
            if not more:
                return
            yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def frames_of(source: str | Path) -> Frames:
    """The frames of a folder of pictures, by their names' numbers, or of a video file.

    Raises InputError for a folder without pictures, and for a file that is no video.
    """
    from vosbench.harness.datasets.decode import IMAGE_SUFFIXES
    from vosbench.harness.datasets.layout import frame_files

    path = Path(source).expanduser()
    if path.is_dir():
        files = tuple(frame_files(path, IMAGE_SUFFIXES).values())
        if not files:
            raise InputError(f"{path}: no pictures in it: it wants .jpg or .png files")
        return Frames(path, files)
    if not path.is_file():
        raise InputError(f"{path}: no such folder or file")
    import cv2

    if not cv2.VideoCapture(str(path)).read()[0]:
        raise InputError(f"{path}: no video that OpenCV can read: make a folder of pictures of it")
    return Frames(path)


def load_model(
    name: str,
    *,
    tau: float | str | Decimal | None = None,
    tau2: float | str | Decimal | None = None,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "float32",
    seed: int = 0,
    switches: Mapping[str, str] | None = None,
) -> LoadedModel:
    """A model by the name that ``vosbench run`` knows it by, ready for frames.

    Raises InputError as ``vosbench run`` does, and for oracles, which need annotations.
    """
    from vosbench.harness.cli.session import choose_device
    from vosbench.runners.interface import Precision, RunnerOptions
    from vosbench.runners.registry import resolve
    from vosbench.runners.switches import checked_switches

    model = resolve(name)
    if model.spec.needs_truth:
        raise InputError(f"{name} decides by annotated masks, which frames don't have")
    if precision not in tuple(Precision):
        raise InputError(f"precision {precision!r}: write one of {', '.join(Precision)}")
    options = RunnerOptions(
        weights, tau=_decimal(tau), seed=seed, switches=checked_switches(switches or {})
    )
    runner = model.steered(options, _decimal(tau2))
    chosen = choose_device(device)
    runner.load(chosen, Precision(precision))
    return LoadedModel(name, runner.weights, chosen, runner)


def run_grid(
    models: str | Sequence[str],
    dataset: str = "motion",
    *,
    tau: str | Sequence[float | str] = (),
    weights: Sequence[str] = (),
    sequences: Sequence[str] | None = None,
    max_frames: int | None = None,
    data_root: str | Path | None = None,
    db: str | Path = "results.db",
    study: str = "python",
    device: str = "auto",
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy of models over thresholds, as ``vosbench run`` measures it, one row per trial.

    What the database holds already isn't run again. A trial that fails has its state and error in
    its row.

    Args:
        tau: thresholds; ranges as text, ``"0.1:1:0.1"``.
        db: a file or URL; see docs/results.md for the columns.

    Raises:
        InputError: as ``vosbench run``, before anything is stored.
    """
    from vosbench.harness.cli.session import Session
    from vosbench.harness.datasets import registry
    from vosbench.harness.store import Selection, results
    from vosbench.harness.sweep.grid import parse_taus
    from vosbench.harness.sweep.plan import Request, make_plan
    from vosbench.harness.terminal import Terminal
    from vosbench.harness.text import parse_names

    opened = registry.open(dataset, None if data_root is None else Path(data_root))
    request = Request(
        models=parse_names([models] if isinstance(models, str) else models),
        selections=(opened.select(sequences, max_frames),),
        taus=parse_taus([tau] if isinstance(tau, str) else map(str, tau)),
        weights=tuple(weights),
        seed=seed,
    )
    session = Session.begin(request, device=device, db=str(db))
    plan = make_plan(session.request)
    said = shlex.join(["run_grid", *request.models, dataset])
    session.run(plan, study, said, Terminal(stderr=True))
    found = results(str(db), Selection(keys=[spec.key for spec in plan.specs]))
    return found.reset_index(drop=True)


def _decimal(number: float | str | Decimal | None) -> Decimal | None:
    from vosbench.harness.sweep.grid import parse_taus

    if number is None:
        return None
    (value,) = parse_taus([str(number)])
    return value


def _check_frame(index: int, image: Image, size: tuple[int, int] | None) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"frame {index} is {image.dtype} {image.shape}: give uint8 (H, W, 3)")
    if size is not None and image.shape[:2] != size:
        raise InputError(f"frame {index} is {image.shape[:2]}, the first one is {size}")


def _objects(
    given: Given, size: tuple[int, int], index: int, known: set[int]
) -> dict[int, NDArray[np.bool_]]:
    from vosbench.harness.datasets.labels import read_labels

    labels = read_labels(Path(given), size) if isinstance(given, str | Path) else given
    if labels.shape != size or labels.dtype not in (np.bool_, np.uint8):
        raise InputError(
            f"the mask of frame {index} is {labels.dtype} {labels.shape}: give ids as uint8, or "
            f"one object as bool, {size}"
        )
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        raise InputError(f"the mask of frame {index} has no object: it is all background")
    again = sorted(known & set(ids))
    if again:
        raise InputError(f"the mask of frame {index} begins object {again[0]} a second time")
    return {i: labels == i for i in ids}
