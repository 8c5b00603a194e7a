"""The checks, in the order in which they are worth reading."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from vosbench.harness.contract.clip import ContractClip, Labels
from vosbench.harness.contract.outcome import Check
from vosbench.harness.contract.play import ContractBreach, Played, play, start
from vosbench.harness.contract.sharing import shared_walk
from vosbench.harness.contract.subject import NotApplicable, Subject
from vosbench.runners.interface import Path


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractBreach(otherwise)


def _declared(subject: Subject) -> None:
    spec, weights = subject.model.spec, subject.model.build(subject.options).weights
    _demand(bool(spec.version), "the spec has no version")
    _demand(bool(spec.paths), "the spec declares no path")
    _demand(Path.INIT not in spec.paths, "INIT is every runner's path: leave it out of the spec")
    _demand(
        re.fullmatch("[0-9a-f]{64}", weights.sha256) is not None,
        f"weights.sha256 is {weights.sha256!r}, not 64 hexadecimal digits",
    )
    again = subject.model.build(subject.options).weights.sha256
    _demand(again == weights.sha256, "built twice, it has two weights.sha256: nothing could resume")


def _runs(subject: Subject) -> None:
    for clip in subject.clips:
        subject.walked(clip)


def _labels(subject: Subject) -> None:
    for clip in subject.clips:
        for p in subject.playable(clip).played:
            where = f"{clip.name}, frame {p.t}"
            _demand(p.labels.dtype == "uint8", f"{where}: labels are {p.labels.dtype}, not uint8")
            _demand(
                p.labels.shape == clip.size,
                f"{where}: labels are {p.labels.shape}, the frame is {clip.size}",
            )
            _demand(
                p.device.partition(":")[0] == subject.device.type,
                f"{where}: labels lie on {p.device}, the runner on {subject.device}",
            )
            strange = sorted(set(np.unique(p.labels).tolist()) - {0, *clip.known(p.t)})
            _demand(not strange, f"{where}: label {strange[:1]} is no object so far")


def _objects(subject: Subject) -> None:
    for clip in subject.clips:
        for p in subject.sound(clip).played:
            where = f"{clip.name}, frame {p.t}"
            told = tuple(sorted(o.id for o in p.objects))
            _demand(
                told == clip.known(p.t),
                f"{where}: the step tells of objects {told}, not {clip.known(p.t)}",
            )
            for o in p.objects:
                _demand(
                    (o.path is Path.INIT) == (o.id in clip.starting(p.t)),
                    f"{where}: object {o.id} has path '{o.path}'",
                )


def _first_frame(subject: Subject) -> None:
    for clip in subject.clips:
        wrong = np.count_nonzero(subject.sound(clip).played[0].labels != _given(clip, clip.start))
        _demand(wrong == 0, f"{clip.name}: {wrong} pixels of the first step aren't as given")


def _given(clip: ContractClip, t: int) -> Labels:
    return np.where(np.isin(clip.labels[t], clip.starting(t)), clip.labels[t], 0).astype(np.uint8)


def _late_objects(subject: Subject) -> None:
    late = subject.those(
        "has an object that comes later", lambda c: max(c.objects.values()) > c.start
    )
    for clip in late:
        played = {p.t: p for p in subject.walked(clip).played}
        for object_id, t in clip.objects.items():
            labels, mask = played[t].labels, clip.mask(t, object_id)
            _demand(
                bool((labels[mask] == object_id).all()),
                f"{clip.name}, frame {t}: object {object_id} doesn't own the pixels it was given",
            )
            _demand(
                not (labels[~mask] == object_id).any(),
                f"{clip.name}, frame {t}: object {object_id} has pixels it wasn't given",
            )


def _several_objects(subject: Subject) -> None:
    several = subject.those("starts with several objects", lambda c: len(c.starting(c.start)) > 1)
    for clip in several:
        first = subject.sound(clip)
        runner = start(subject.runner, clip, subject.device)
        turned = play(runner, clip, subject.device, order=lambda ids: ids[::-1])
        where = _by_id(turned.played, first.played)
        _demand(where is None, f"{clip.name}, {where}: the order in which masks come matters")


def _by_id(ours: tuple[Played, ...], theirs: tuple[Played, ...]) -> str | None:
    """The first frame that differs in more than the order in which objects are told of."""
    for a, b in zip(ours, theirs, strict=True):
        if not np.array_equal(a.labels, b.labels) or set(a.objects) != set(b.objects):
            return f"frame {a.t}"
    return None


def _vanishes(clip: ContractClip) -> bool:
    return any(
        first < t and not clip.mask(t, object_id).any()
        for object_id, first in clip.objects.items()
        for t in clip.labels
    )


def _odd(clip: ContractClip) -> bool:
    return any(side % 32 for side in clip.size)


def _runs_on(what: str, fits: Callable[[ContractClip], bool]) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        for clip in subject.those(what, fits):
            for p in subject.walked(clip).played:
                _demand(
                    p.labels.shape == clip.size,
                    f"{clip.name}, frame {p.t}: labels are {p.labels.shape}, not {clip.size}",
                )

    return check


def _paths(subject: Subject) -> None:
    declared = subject.model.spec.paths | {Path.INIT}
    for clip in subject.clips:
        for p in subject.sound(clip).played:
            for o in p.objects:
                _demand(
                    o.path in declared,
                    f"{clip.name}, frame {p.t}: path '{o.path}' isn't among those it declares",
                )


def _p_gate(subject: Subject) -> None:
    for clip in subject.clips:
        for p in subject.sound(clip).played:
            for o in p.objects:
                _demand(
                    o.p_gate is None or (math.isfinite(o.p_gate) and 0 <= o.p_gate <= 1),
                    f"{clip.name}, frame {p.t}: object {o.id} has p_gate {o.p_gate}, not 0..1",
                )


def _tau_one(subject: Subject) -> None:
    if not subject.model.spec.takes_tau:
        raise NotApplicable("it takes no threshold τ")
    runner = subject.built(tau=Decimal(1))
    for clip in subject.clips:
        for p in subject.play(clip, runner).played:
            for o in p.objects:
                _demand(
                    o.path in (Path.INIT, Path.FULL),
                    f"{clip.name}, frame {p.t}: object {o.id} has path '{o.path}' at τ = 1",
                )


def _reset(subject: Subject) -> None:
    for clip in subject.clips:
        subject.sound(clip)
    for clip in reversed(subject.clips):
        difference = subject.play(clip).same_as(subject.walked(clip))
        _demand(difference is None, f"{difference} when it is played again after other sequences")


def _repeats(subject: Subject) -> None:
    fresh = subject.built()
    for clip in subject.clips:
        recording = subject.sound(clip)
        difference = subject.play(clip, fresh).same_as(recording)
        _demand(difference is None, f"{difference} between two runners built alike")


def _undisturbed(subject: Subject) -> None:
    for clip in subject.clips:
        for line in subject.sound(clip).disturbed:
            raise ContractBreach(line)


def _spans(subject: Subject) -> None:
    for clip in subject.clips:
        for line in subject.sound(clip).span_faults:
            raise ContractBreach(f"{clip.name}: {line}")


CHECKS: tuple[Check, ...] = (
    Check("declared", "spec and weights are as the interface wants them", _declared),
    Check("runs", "every sequence is walked to its end", _runs),
    Check("labels", "labels are uint8, of the frame's size, with known ids", _labels),
    Check("objects", "every object is told of once; INIT in its first frame only", _objects),
    Check("first-frame", "the first step gives the masks that were given", _first_frame),
    Check("late-objects", "objects that come later own their pixels", _late_objects),
    Check("several-objects", "several objects, in whatever order they come", _several_objects),
    Check(
        "vanishing",
        "an object that vanishes ends nothing",
        _runs_on("has an object that vanishes", _vanishes),
    ),
    Check(
        "odd-sizes",
        "sides need not be multiples of the stride",
        _runs_on("has a side that 32 doesn't divide", _odd),
    ),
    Check("paths", "only declared paths are taken", _paths),
    Check("p-gate", "p_gate is a number from 0 to 1, or None", _p_gate),
    Check("tau-1", "τ = 1 never reuses", _tau_one),
    Check("reset", "a sequence gives the same again, whatever came between", _reset),
    Check("repeats", "two runners built alike give the same", _repeats),
    Check("undisturbed", "frames, masks and earlier labels stay as they are", _undisturbed),
    Check("spans", "stages are within a step and not nested", _spans),
    Check("shared-walk", "a shared walk equals separate runs: bit for bit on a CPU", shared_walk),
)
"""All checks, to be parametrised over in pytest with ``ids=str``."""
