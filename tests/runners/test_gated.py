"""A gate around models that know of none: what the model inside sees, and what is carried."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.runners.carry import Carrier
from vosbench.runners.gated import gated, gated_spec
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
    no_spans,
)
from vosbench.runners.policy_registry import make_policy
from vosbench.runners.registry import base_name, resolve
from vosbench.runners.scores import change, flow

SIZE = (96, 128)


class Inside:
    """Gives back the masks that it was given, and notes what it was called with."""

    def __init__(self, *, paths: frozenset[Path] = frozenset({Path.FULL})) -> None:
        self.spec = RunnerSpec("inside", "7", "", takes_weights=False, paths=paths)
        self.weights = WeightsInfo("none", "0" * 64, trained=False)
        self.seen: list[tuple[str, int]] = []
        self._masks: dict[int, torch.Tensor] = {}
        self._new: set[int] = set()

    def load(self, device: torch.device, precision: Precision) -> None: ...

    def start(self, clip: ClipInfo) -> None:
        self._masks = {}

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        self.seen.append(("add", frame.index))
        self._masks |= masks
        self._new = set(masks)

    def step(self, frame: Frame, spans: Spans) -> Step:
        self.seen.append(("step", frame.index))
        labels = torch.zeros(SIZE, dtype=torch.uint8)
        for i, mask in self._masks.items():
            labels[mask] = i
        paths = {i: Path.INIT if i in self._new else Path.FULL for i in self._masks}
        self._new = set()
        return Step(labels, tuple(ObjectStep(i, path) for i, path in paths.items()))


def texture(seed: int, cells: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 255, (cells, cells), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def picture(shift: int = 0) -> torch.Tensor:
    """A textured square before a textured ground, moved to the right; uint8 (3, H, W)."""
    image = texture(1, 12, SIZE)
    image[30:70, 20 + shift : 60 + shift] = texture(0, 5, (40, 40))
    return torch.from_numpy(np.repeat(image[None], 3, axis=0))


def square(shift: int = 0) -> torch.Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[30:70, 20 + shift : 60 + shift] = True
    return mask


def walk(
    policy: str, frames: int = 7, shift: int = 3, late: int | None = None
) -> tuple[Inside, list[Step]]:
    inside = Inside()
    runner = gated(inside, make_policy(policy))
    runner.start(ClipInfo("c", *SIZE, frames))
    steps = []
    for t in range(frames):
        frame = Frame(t, picture(shift * t))
        if t == 0:
            runner.add_objects(frame, {1: square()})
        if t == late:
            corner = torch.zeros(SIZE, dtype=torch.bool)
            corner[:9, :9] = True
            runner.add_objects(frame, {2: corner})
        steps.append(runner.step(frame, no_spans))
    return inside, steps


def paths(steps: list[Step]) -> str:
    return " ".join("".join(o.path[0] for o in step.objects) for step in steps)


def test_the_model_sees_full_frames_only_numbered_on() -> None:
    inside, steps = walk("every:3")
    assert paths(steps) == "i r r f r r f"
    assert inside.seen == [("add", 0), ("step", 0), ("step", 1), ("step", 2)]


def test_an_object_that_begins_makes_its_frame_a_full_one() -> None:
    inside, steps = walk("every:3", late=2)
    assert paths(steps) == "i r fi rr rr ff rr"
    assert inside.seen == [("add", 0), ("step", 0), ("add", 1), ("step", 1), ("step", 2)]


def test_labels_follow_what_moves_and_copies_do_not() -> None:
    *_, carried = walk("every:5", frames=5)[1]
    *_, copied = walk("copying:every:5", frames=5)[1]
    truth = square(12)

    def iou(step: Step) -> float:
        mask = step.labels == 1
        return float((mask & truth).sum() / (mask | truth).sum())

    assert iou(copied) == pytest.approx(28 / 52)
    assert iou(carried) > iou(copied) + 0.15
    assert copied.objects[0].path is Path.COPY


def test_still_labels_stay_bit_for_bit() -> None:
    _, steps = walk("always", shift=0)
    assert all(step.labels.equal(steps[0].labels) for step in steps)


def test_what_leaves_the_frame_is_not_smeared_along_its_border() -> None:
    carrier = Carrier(picture(60))
    for shift in range(63, 90, 3):
        carrier.advance(torch.cat([picture()[:, :, : shift - 60], picture(60)], -1)[:, :, :128])
    carried = carrier.carried(square(60))
    truth = torch.zeros(SIZE, dtype=torch.bool)
    truth[30:70, 107:] = True
    assert float((carried & truth).sum() / (carried | truth).sum()) > 0.85


def test_odd_sizes_and_large_frames_keep_their_size() -> None:
    image = torch.from_numpy(
        np.random.default_rng(0).integers(0, 255, (3, 1011, 1503), dtype=np.uint8)
    )
    carrier = Carrier(image)
    carrier.advance(image)
    mask = torch.rand(1011, 1503) > 0.5
    assert carrier.carried(mask).equal(mask)


@pytest.mark.parametrize("policy", ["change:20", "flow:0.04"])
def test_policies_that_look_run_full_frames_once_it_moves(policy: str) -> None:
    assert paths(walk(policy, shift=0)[1]) == "i r r r r r r"
    moving = paths(walk(policy, shift=3)[1])
    assert "f" in moving
    assert moving.count("f") > paths(walk(policy, shift=1)[1]).count("f")


@pytest.mark.parametrize("score", ["change", "flow", "age", "pixels"])
def test_a_budget_is_kept_by_every_score(score: str) -> None:
    told = paths(walk(f"budget:0.5:{score}", frames=21, shift=1)[1])
    assert 8 <= told.count("r") <= 12


def test_of_several_objects_the_most_changed_one_counts() -> None:
    from vosbench.runners.policy import Evidence

    still = torch.zeros(SIZE, dtype=torch.bool)
    still[:8, :8] = True

    def seen(*masks: torch.Tensor) -> Evidence:
        return Evidence("c", 1, 1, 0, image=picture(6), full_image=picture(), masks=masks)

    for score in (change, flow):
        assert score(seen(still, square())) == score(seen(square())) > 3 * score(seen(still))
        assert score(seen(torch.zeros_like(still))) > 0


def test_models_that_decide_by_themselves_are_refused() -> None:
    with pytest.raises(InputError, match="decides by itself"):
        gated(Inside(paths=frozenset({Path.FULL, Path.REUSE})), make_policy("every:2"))
    with pytest.raises(InputError, match="stored predictions"):
        gated_spec(resolve("masks:.").factory.spec)
    with pytest.raises(InputError, match="without τ"):
        make_policy("copying:learned")


def test_a_wrapped_model_is_another_one() -> None:
    model = resolve("frtm-lite+every:3")
    assert model.wrapped
    assert model.spec.version != resolve("frtm-lite").spec.version
    assert not resolve("g-frtm-lite+every:3").wrapped


def test_a_plus_in_a_path_begins_no_policy() -> None:
    assert base_name("subprocess:/a+b/model.toml") == "subprocess:/a+b/model.toml"
    assert base_name("subprocess:/a+b/model.toml+every:3") == "subprocess:/a+b/model.toml"
    assert base_name("g-frtm-lite+budget:0.4:age") == "g-frtm-lite"
