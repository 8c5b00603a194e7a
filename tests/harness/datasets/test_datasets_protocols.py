"""Which objects and frames each protocol counts, on sequences without files."""

from __future__ import annotations

from pathlib import Path

import pytest

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import protocols
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.protocols import DAVIS16, DAVIS17, OWN_CLIPS, YTVOS, Protocol, choose


def clip(
    objects: dict[int, int], annotated: tuple[int, ...], length: int = 6, **more: object
) -> Clip:
    names = tuple(f"{t:05d}" for t in range(length))
    paths = {t: Path(f"{t:05d}.png") for t in annotated}
    return Clip("mine", (8, 8), names, (), paths, objects, **more)  # type: ignore[arg-type]


def counted(protocol: Protocol, made: Clip) -> dict[int, tuple[int, ...]]:
    plan = protocol.plan(protocol.objects(made))
    assert plan.unscored is None
    return dict(plan.frames)


ALL = tuple(range(6))


@pytest.mark.parametrize(
    ("protocol", "objects", "annotated", "expected"),
    [
        (OWN_CLIPS, {1: 0, 2: 3}, ALL, {1: (1, 2, 3, 4), 2: (4,)}),
        (OWN_CLIPS, {1: 0, 2: 2}, (0, 2, 4), {1: (2, 4), 2: (4,)}),
        (OWN_CLIPS, {1: 0, 2: 5}, ALL, {1: (1, 2, 3, 4), 2: ()}),
        (OWN_CLIPS, {1: 2}, ALL, {1: (3, 4)}),
        (YTVOS, {1: 0, 2: 3}, (0, 3, 5), {1: (3, 5), 2: (5,)}),
        # Ids 1 to the largest of the first mask, whether it has them or not; late ones are none.
        (DAVIS17, {1: 0, 3: 0, 2: 4, 5: 4}, ALL, dict.fromkeys((1, 2, 3), (1, 2, 3, 4))),
        (DAVIS17, {4: 0}, (0, 2, 4, 5), dict.fromkeys((1, 2, 3, 4), (2, 4))),
        (DAVIS16, {1: 0, 3: 0, 2: 4}, ALL, {1: (1, 2, 3, 4)}),
    ],
)
def test_frames_that_count(
    protocol: Protocol,
    objects: dict[int, int],
    annotated: tuple[int, ...],
    expected: dict[int, tuple[int, ...]],
) -> None:
    assert counted(protocol, clip(objects, annotated)) == expected


def test_what_davis_gives_is_what_the_first_mask_shows() -> None:
    seen = DAVIS17.objects(clip({1: 0, 3: 0, 2: 4, 5: 4}, ALL))
    assert (seen.objects, seen.ungiven) == ({1: 0, 3: 0}, {2})
    assert DAVIS17.plan(seen).ignored == frozenset()
    assert OWN_CLIPS.plan(clip({1: 0}, ALL)).ignored == {255}


@pytest.mark.parametrize("protocol", [DAVIS16, DAVIS17])
def test_davis_needs_an_object_in_the_first_mask(protocol: Protocol) -> None:
    with pytest.raises(InputError, match="no object in the first annotation of mine"):
        protocol.objects(clip({1: 2}, ALL))


def test_black_and_white_is_no_object_of_davis_17() -> None:
    with pytest.raises(InputError, match="255 for void: score it by davis16-val or own-clips"):
        DAVIS17.objects(clip({1: 0}, ALL, merge_objects=True, binary=True))


@pytest.mark.parametrize(
    ("protocol", "made", "reason"),
    [
        (OWN_CLIPS, clip({1: 0}, (0,)), "1 of 6 frames annotated, and none of them counts by own"),
        (OWN_CLIPS, clip({1: 0}, (0, 5)), "2 of 6 frames annotated"),
        (DAVIS17, clip({1: 0}, (0, 1), 2), "2 of 2 frames annotated"),
        (YTVOS, clip({1: 0, 2: 3}, (0, 3), first_masks_only=True), "first masks alone"),
        (OWN_CLIPS, clip({1: 0, 2: 3}, (0, 3), first_masks_only=True), "first masks alone"),
    ],
)
def test_what_cannot_be_scored_says_why(protocol: Protocol, made: Clip, reason: str) -> None:
    plan = protocol.plan(protocol.objects(made))
    assert reason in str(plan.unscored)
    assert plan.objects_at == {}
    assert plan.object_ids == made.object_ids


def test_objects_that_were_cut_away_may_be_predicted() -> None:
    cut = clip({1: 0, 7: 4}, ALL).cut(4)
    assert OWN_CLIPS.plan(cut).ignored == {7, 255}
    assert counted(OWN_CLIPS, cut) == {1: (1, 2)}


def test_protocols_are_chosen_by_name_with_or_without_version() -> None:
    known = protocols.OF_LAYOUTS
    assert choose("mine", known, None) is OWN_CLIPS
    assert choose("mine", known, "davis17-val") is DAVIS17
    assert choose("mine", known, "davis17-val@1") is DAVIS17
    with pytest.raises(
        InputError,
        match="'davis17': --protocol takes own-clips@1, davis16",
    ):
        choose("mine", known, "davis17")
