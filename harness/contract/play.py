"""Playing a clip as the harness does, and keeping what the runner said and did meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.baselines.text import error_text
from vosbench.harness.contract.clip import ContractClip
from vosbench.runners.interface import ClipInfo, Frame, ObjectStep, Spans, Step
from vosbench.runners.plugins import in_this_folder

if TYPE_CHECKING:
    from vosbench.runners.interface import Runner


class ContractBreach(AssertionError):  # noqa: N818 - said of the runner, not raised by it
    """A promise of the interface that the runner doesn't keep; the message is one line."""


class Steps(Protocol):
    """The part of a runner, or of a walk's member, that is called frame by frame."""

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None: ...

    def step(self, frame: Frame, spans: Spans) -> Step: ...


@dataclass(frozen=True)
class Played:
    """One frame's result, copied when it came.

    Attributes:
        labels: as given, whatever their type and shape.
        device: where they lay.
    """

    t: int
    labels: NDArray[np.generic]
    objects: tuple[ObjectStep, ...]
    device: str


@dataclass(frozen=True)
class Recording:
    """A clip played to its end.

    Attributes:
        played: one entry per frame from the first object's frame on.
        disturbed: inputs and earlier results that the runner changed, one line each.
        span_faults: misuse of the spans, one line each.
    """

    clip: ContractClip
    played: tuple[Played, ...]
    disturbed: tuple[str, ...]
    span_faults: tuple[str, ...]

    def same_as(self, other: Recording) -> str | None:
        """Where the two differ first, or None."""
        for ours, theirs in zip(self.played, other.played, strict=True):
            if not np.array_equal(ours.labels, theirs.labels):
                count = np.count_nonzero(ours.labels != theirs.labels)
                return f"{self.clip.name}, frame {ours.t}: {count} pixels differ"
            if ours.objects != theirs.objects:
                return f"{self.clip.name}, frame {ours.t}: {ours.objects} against {theirs.objects}"
        return None


@dataclass
class WatchedSpans:
    """Spans that note when a stage is opened inside another or outside a step."""

    faults: list[str] = field(default_factory=list)
    inside: bool = False
    _open: str | None = None

    def __call__(self, stage: str) -> AbstractContextManager[None]:
        return self._span(stage)

    @contextmanager
    def _span(self, stage: str) -> Iterator[None]:
        if not self.inside:
            self.faults.append(f"stage {stage!r} outside a step")
        if self._open is not None:
            self.faults.append(f"stage {stage!r} inside stage {self._open!r}")
        self._open = stage
        try:
            yield
        finally:
            self._open = None

    def leave(self) -> None:
        """The step is over: no stage may be open."""
        if self._open is not None:
            self.faults.append(f"stage {self._open!r} is open when the step returns")
        self.inside = False


def clip_info(clip: ContractClip, device: torch.device, *, truth: bool) -> ClipInfo:
    """What a runner may know of a clip; annotations for oracles only."""

    def annotated(t: int, object_id: int) -> torch.Tensor | None:
        return torch.from_numpy(clip.mask(t, object_id)).to(device) if t in clip.labels else None

    height, width = clip.size
    return ClipInfo(
        clip.name,
        height,
        width,
        len(clip),
        truth=annotated if truth else None,
        frame_names=clip.frame_names,
        merged=clip.merged,
    )


def play(
    steps: Steps,
    clip: ContractClip,
    device: torch.device,
    order: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda ids: ids,
) -> Recording:
    """Play a clip that was started already.

    Args:
        order: in which order the objects of one frame are handed over.

    Raises:
        ContractBreach: something was raised, or a result is no Step with a tensor; chained.
    """
    spans = WatchedSpans()
    played: list[Played] = []
    given: list[torch.Tensor] = []
    disturbed: list[str] = []
    for t in range(clip.start, len(clip)):
        image = torch.from_numpy(clip.frames[t].copy()).permute(2, 0, 1).contiguous().to(device)
        ids = order(clip.starting(t))
        masks = {i: torch.from_numpy(clip.mask(t, i)).to(device) for i in ids}
        with _located(clip, t):
            step = _step(steps, Frame(t, image), masks, spans)
            labels = step.labels.detach().cpu().numpy().copy()
            played.append(Played(t, labels, tuple(step.objects), str(step.labels.device)))
        given.append(step.labels)
        if not np.array_equal(image.permute(1, 2, 0).cpu().numpy(), clip.frames[t]):
            disturbed.append(f"{clip.name}, frame {t}: it changed the frame's pixels")
        disturbed += [
            f"{clip.name}, frame {t}: it changed the given mask of object {i}"
            for i, mask in masks.items()
            if not np.array_equal(mask.cpu().numpy(), clip.mask(t, i))
        ]
    disturbed += [
        f"{clip.name}: the labels of frame {p.t} were changed after they had been returned"
        for p, labels in zip(played, given, strict=True)
        if not np.array_equal(labels.detach().cpu().numpy(), p.labels)
    ]
    return Recording(clip, tuple(played), tuple(disturbed), tuple(spans.faults))


def start(runner: Runner, clip: ContractClip, device: torch.device) -> Runner:
    """Start a clip on a loaded runner; raises ContractBreach if that fails."""
    with _located(clip, None):
        runner.start(clip_info(clip, device, truth=runner.spec.needs_truth))
    return runner


def _step(
    steps: Steps, frame: Frame, masks: Mapping[int, torch.Tensor], spans: WatchedSpans
) -> Step:
    if masks:
        steps.add_objects(frame, masks)
    spans.inside = True
    step: object = steps.step(frame, spans)
    spans.leave()
    if not isinstance(step, Step):
        raise ContractBreach(f"step() gives {type(step).__name__}, not Step")
    labels: object = step.labels
    if not isinstance(labels, torch.Tensor):
        raise ContractBreach(f"labels are {type(labels).__name__}, not a tensor")
    return step


@contextmanager
def _located(clip: ContractClip, t: int | None) -> Iterator[None]:
    """Say where it happened, whatever it is."""
    where = f"{clip.name}, start()" if t is None else f"{clip.name}, frame {t}"
    try:
        with in_this_folder():
            yield
    except KeyboardInterrupt:
        raise
    except ContractBreach as breach:
        raise ContractBreach(f"{where}: {breach}") from breach
    except BaseException as error:  # a model may well call sys.exit(), and worse
        raise ContractBreach(f"{where}: {error_text(error)}") from error
