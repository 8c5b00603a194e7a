"""What a network saw in some frames: the pictures behind figures 5, 10 and 11 of the paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vosbench.harness.evaluate.annotations import Labels
    from vosbench.runners.interface import Step

_WIDTH = 320
_MAPS = ("score", "delta", "r8")


@dataclass
class Trace:
    """Traced frames of one lane, in order; a fork copies the lists."""

    frames: list[int] = field(default_factory=list)
    pictures: list[tuple[NDArray[np.uint8], Labels, Labels]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def fork(self) -> Trace:
        """The same frames so far."""
        return Trace(list(self.frames), list(self.pictures), list(self.steps))

    def note(
        self, t: int, image: NDArray[np.uint8], labels: Labels, truth: Labels | None, step: Step
    ) -> None:
        """Keep frame ``t``, small: image (H, W, 3), labels and annotation (H, W)."""
        height, width = labels.shape
        size = (min(_WIDTH, width), max(1, round(height * min(_WIDTH, width) / width)))
        annotated = np.zeros_like(labels) if truth is None else truth
        small = [
            np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
            for picture, how in (
                (image, cv2.INTER_AREA),
                (labels, cv2.INTER_NEAREST),
                (annotated, cv2.INTER_NEAREST),
            )
        ]
        self.frames.append(t)
        self.pictures.append((small[0], small[1], small[2]))
        self.steps.append(step)

    def series(self, object_ids: tuple[int, ...]) -> dict[str, NDArray[np.generic]]:
        """Arrays as in the store: ``trace_frames`` (N,), pictures (N, h, w[, 3]), and the maps
        S or Ŝ, Δ and mean |R8| or |R̂8| (N, K, h16, w16), NaN where there is none.

        Empty if no network told anything of a traced frame.
        """
        told = [o.trace for step in self.steps for o in step.objects if o.trace is not None]
        if not told:
            return {}
        shape = (len(self.frames), len(object_ids), *told[0].score.shape)
        maps = {name: np.full(shape, np.nan, np.float16) for name in _MAPS}
        for n, step in enumerate(self.steps):
            for o in step.objects:
                for name in _MAPS:
                    value = None if o.trace is None else getattr(o.trace, name)
                    if value is not None:
                        maps[name][n, object_ids.index(o.id)] = value.float().cpu().numpy()
        named = ("trace_image", "trace_labels", "trace_truth")
        pictures = zip(*self.pictures, strict=True)
        return {
            "trace_frames": np.array(self.frames, np.int32),
            **{name: np.stack(column) for name, column in zip(named, pictures, strict=True)},
            **{f"trace_{name}": values for name, values in maps.items()},
        }
