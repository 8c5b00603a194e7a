"""The contract suite passes sound runners and catches each way to break a promise."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path as FilePath

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.contract import CHECKS, ContractClip, Outcome, Status, Subject, run_checks
from vosbench.harness.contract.clips import of_dataset, tiny_clips
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.motion import write_motion
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerOptions,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)
from vosbench.runners.policies import Learned
from vosbench.runners.policy import GatePolicy, Need
from vosbench.runners.registry import Model

SPEC = RunnerSpec(
    "keeper", "1", "keeps the given masks", paths=frozenset({Path.FULL, Path.REUSE}), takes_tau=True
)


class Keeper:
    """A sound runner: every object stays where it was given; the gate is on in odd frames."""

    spec = SPEC

    def __init__(self, options: RunnerOptions) -> None:
        assert options.tau is not None
        self.tau = options.tau
        self.weights = WeightsInfo("none", "0" * 64, trained=True)

    def load(self, device: torch.device, precision: Precision) -> None:
        self.device = device

    def start(self, clip: ClipInfo) -> None:
        self.clip = clip
        self.labels = torch.zeros(clip.height, clip.width, dtype=torch.uint8)
        self.known: list[int] = []
        self.new: list[int] = []

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        for object_id, mask in sorted(masks.items()):
            self.labels[mask] = object_id
            self.new.append(object_id)

    def step(self, frame: Frame, spans: Spans) -> Step:
        with spans("matching"):
            told = tuple(self.tell(i, frame.index) for i in self.known)
        told += tuple(ObjectStep(i, Path.INIT) for i in self.new)
        self.known, self.new = self.known + self.new, []
        return Step(self.labels.clone(), told)

    def tell(self, object_id: int, t: int) -> ObjectStep:
        p_gate = 0.7 if t % 2 else 0.2
        return ObjectStep(object_id, Path.REUSE if p_gate > self.tau else Path.FULL, p_gate)


def clips() -> tuple[ContractClip, ...]:
    """A late object; the ids 3 and 254 together; one that vanishes; odd sides in all of them."""
    frames = np.random.default_rng(0).integers(0, 256, (4, 21, 30, 3), dtype=np.uint8)
    late, several, gone = (np.zeros((4, 21, 30), np.uint8) for _ in range(3))
    late[:, 2:9, 2:9] = 1
    late[2:, 6:14, 6:20] = 2
    several[:, 1:8, 1:8], several[:, 10:18, 4:25] = 254, 3
    gone[:2, 5:15, 5:15] = 1
    named = {"late": late, "several": several, "gone": gone}
    return tuple(ContractClip.of(name, frames, labels) for name, labels in named.items())


def outcomes(
    kind: Callable[[RunnerOptions], object], policy: str | None = None, **spec: object
) -> dict[str, Outcome]:
    model = Model("keeper", replace(SPEC, **spec), kind, policy=policy)  # type: ignore[arg-type]
    options = RunnerOptions(tau=Decimal("0.5"))
    played = clips()
    subject = Subject(model, played, options, torch.device("cpu"), Precision.FLOAT32)
    return {outcome.check.name: outcome for outcome in run_checks(CHECKS, subject)}


def failed(found: Mapping[str, Outcome]) -> set[str]:
    return {name for name, outcome in found.items() if outcome.status is Status.FAILED}


def test_a_sound_runner_passes_all_that_applies() -> None:
    found = outcomes(Keeper)
    assert not failed(found)
    assert {n for n, o in found.items() if o.status is Status.SKIPPED} == {"shared-walk"}


class Crashes(Keeper):
    def step(self, frame: Frame, spans: Spans) -> Step:
        if self.clip.name == "several" and frame.index == 2:
            raise ZeroDivisionError("three\nlines\nof it")
        return super().step(frame, spans)


class Exits(Keeper):
    def step(self, frame: Frame, spans: Spans) -> Step:
        raise SystemExit("model says goodbye")


class GivesNothing(Keeper):
    def step(self, frame: Frame, spans: Spans) -> Step:
        return None  # type: ignore[return-value]


class Changed(Keeper):
    """Another labels tensor."""

    def change(self, labels: torch.Tensor, t: int) -> torch.Tensor:
        raise NotImplementedError

    def step(self, frame: Frame, spans: Spans) -> Step:
        step = super().step(frame, spans)
        return replace(step, labels=self.change(step.labels, frame.index))


class FloatLabels(Changed):
    def change(self, labels: torch.Tensor, t: int) -> torch.Tensor:
        return labels.float()


class Smaller(Changed):
    def change(self, labels: torch.Tensor, t: int) -> torch.Tensor:
        return labels[1:]


class StrangeId(Changed):
    def change(self, labels: torch.Tensor, t: int) -> torch.Tensor:
        return labels.masked_fill(labels == 0, 9) if t == 3 else labels


class ForgetsFirst(Changed):
    def change(self, labels: torch.Tensor, t: int) -> torch.Tensor:
        return labels * 0 if t == 0 else labels


class OldOwnsPixels(Keeper):
    """Objects that come later get the free pixels only."""

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        free = self.labels == 0
        super().add_objects(frame, {i: mask & free for i, mask in masks.items()})


class LastWins(Keeper):
    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        for object_id, mask in masks.items():
            near = torch.nn.functional.max_pool2d(mask[None].float(), 7, 1, 3)[0] > 0
            self.labels[near if frame.index == 0 else mask] = object_id
            self.new.append(object_id)


class Told(Keeper):
    """Another report."""

    def change(self, told: tuple[ObjectStep, ...], t: int) -> tuple[ObjectStep, ...]:
        raise NotImplementedError

    def step(self, frame: Frame, spans: Spans) -> Step:
        step = super().step(frame, spans)
        return replace(step, objects=self.change(step.objects, frame.index))


class TellsNotAll(Told):
    def change(self, told: tuple[ObjectStep, ...], t: int) -> tuple[ObjectStep, ...]:
        return told[1:]


class NeverInit(Told):
    def change(self, told: tuple[ObjectStep, ...], t: int) -> tuple[ObjectStep, ...]:
        return tuple(replace(o, path=Path.FULL) for o in told)


class Copies(Told):
    def change(self, told: tuple[ObjectStep, ...], t: int) -> tuple[ObjectStep, ...]:
        copied = (replace(o, path=Path.COPY) if o.path is Path.REUSE else o for o in told)
        return tuple(copied)


class NanGate(Told):
    def change(self, told: tuple[ObjectStep, ...], t: int) -> tuple[ObjectStep, ...]:
        return tuple(replace(o, p_gate=float("nan")) for o in told)


class AlwaysReuses(Keeper):
    def tell(self, object_id: int, t: int) -> ObjectStep:
        return ObjectStep(object_id, Path.REUSE, 1.0)


class NoReset(Keeper):
    """Counts frames of all clips together."""

    count = 0

    def step(self, frame: Frame, spans: Spans) -> Step:
        self.count += 1
        if self.count == 19:
            self.labels[0, 0] = self.known[0]
        return super().step(frame, spans)


class Random(Keeper):
    def __init__(self, options: RunnerOptions) -> None:
        super().__init__(options)
        self.shift = np.random.default_rng().random()

    def tell(self, object_id: int, t: int) -> ObjectStep:
        return ObjectStep(object_id, Path.FULL, self.shift)


class TwoHashes(Keeper):
    def __init__(self, options: RunnerOptions) -> None:
        super().__init__(options)
        digits = np.random.default_rng().integers(0, 10, 64)
        self.weights = replace(self.weights, sha256="".join(map(str, digits)))


class ChangesFrame(Keeper):
    def step(self, frame: Frame, spans: Spans) -> Step:
        frame.image[0] = 0
        return super().step(frame, spans)


class ChangesMasks(Keeper):
    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        super().add_objects(frame, masks)
        for mask in masks.values():
            mask.zero_()


class OneBuffer(Keeper):
    """Gives the same tensor again and again, and writes into it."""

    def step(self, frame: Frame, spans: Spans) -> Step:
        step = super().step(frame, spans)
        if frame.index == 3:
            self.labels[0, 29] = self.known[0]
        return replace(step, labels=self.labels)


class NestsSpans(Keeper):
    def step(self, frame: Frame, spans: Spans) -> Step:
        with spans("refiner"):
            return super().step(frame, spans)


@pytest.mark.parametrize(
    ("kind", "caught", "says"),
    [
        (Crashes, "runs", "several, frame 2: ZeroDivisionError: three"),
        (Exits, "runs", "late, frame 0: SystemExit: model says goodbye"),
        (GivesNothing, "runs", "step() gives NoneType, not Step"),
        (FloatLabels, "labels", "late, frame 0: labels are float32, not uint8"),
        (Smaller, "labels", "labels are (20, 30), the frame is (21, 30)"),
        (StrangeId, "labels", "late, frame 3: label [9] is no object so far"),
        (ForgetsFirst, "first-frame", "late: 49 pixels of the first step aren't as given"),
        (OldOwnsPixels, "late-objects", "late, frame 2: object 2 doesn't own the pixels"),
        (LastWins, "several-objects", "several, frame 0: the order in which masks come matters"),
        (TellsNotAll, "objects", "late, frame 0: the step tells of objects (), not (1,)"),
        (NeverInit, "objects", "late, frame 0: object 1 has path 'full'"),
        (Copies, "paths", "late, frame 1: path 'copy' isn't among those it declares"),
        (NanGate, "p-gate", "late, frame 0: object 1 has p_gate nan, not 0..1"),
        (AlwaysReuses, "tau-1", "late, frame 1: object 1 has path 'reuse' at τ = 1"),
        (NoReset, "reset", "gone, frame 2: 1 pixels differ when it is played again"),
        (Random, "repeats", "between two runners built alike"),
        (TwoHashes, "declared", "built twice, it has two weights.sha256"),
        (ChangesFrame, "undisturbed", "late, frame 0: it changed the frame's pixels"),
        (ChangesMasks, "undisturbed", "late, frame 0: it changed the given mask of object 1"),
        (OneBuffer, "undisturbed", "late: the labels of frame 0 were changed"),
        (NestsSpans, "spans", "late: stage 'matching' inside stage 'refiner'"),
    ],
)
def test_each_fault_is_caught_by_name(kind: type[Keeper], caught: str, says: str) -> None:
    found = outcomes(kind)
    assert caught in failed(found)
    assert says in found[caught].line
    assert "\n" not in found[caught].line


def test_one_fault_doesnt_fail_every_check() -> None:
    found = outcomes(Crashes)
    assert failed(found) == {"runs", "odd-sizes", "tau-1"}
    assert "the check 'runs' fails on several" in found["reset"].line


class Sharing(Keeper):
    """Shares walks; ``spoilt`` spoils what the second policy of several gets."""

    spoilt = False

    def sharing_key(self) -> str:
        return "keeper"

    def walk(self, clip: ClipInfo, policies: tuple[GatePolicy, ...]) -> SharedKeepers:
        return SharedKeepers(clip, policies, self.spoilt)


class SharedKeepers:
    passes_computed = passes_saved = 0

    def __init__(self, clip: ClipInfo, policies: tuple[GatePolicy, ...], spoilt: bool) -> None:
        taus = [p.tau if isinstance(p, Learned) else Decimal(1) for p in policies]
        self.members = [Keeper(RunnerOptions(tau=tau)) for tau in taus]
        self.spoilt = spoilt
        for member in self.members:
            member.start(clip)

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        for member in self.members:
            member.add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        steps = [member.step(frame, lambda stage: nullcontext()) for member in self.members]
        if self.spoilt and len(steps) > 1 and frame.index == 3:
            steps[1].labels[0, 0] = self.members[0].known[0]
        return tuple(steps)


class Spoilt(Sharing):
    spoilt = True


def test_a_shared_walk_must_equal_separate_runs() -> None:
    told = frozenset({Need.P_GATE})
    assert not failed(outcomes(Sharing, "learned", tells=told))
    found = outcomes(Spoilt, "learned", tells=told)
    assert failed(found) == {"shared-walk"}
    assert "late, frame 3: 1 pixels differ from a run by itself" in found["shared-walk"].line


def test_policies_need_a_shared_walk() -> None:
    found = outcomes(Keeper, tells=frozenset({Need.P_GATE}))
    assert "no method 'walk'" in found["declared"].line


def test_single_object_runners_get_merged_clips() -> None:
    merged = [clip.as_one_object() for clip in clips()]
    assert all(clip.objects == {1: 0} and clip.merged for clip in merged)
    assert set(np.unique(merged[1].labels[0]).tolist()) == {0, 1}
    assert not merged[0].labels[3][13, 19], "the late object is left out"


def test_the_built_in_clips_show_all_that_is_checked() -> None:
    late, trio, occlusion, deform = tiny_clips()
    assert late.objects == {1: 0, 2: 2}
    assert trio.objects == {1: 0, 7: 0, 254: 0}
    sizes = [int((labels > 0).sum()) for labels in occlusion.labels.values()]
    assert min(sizes) == 0 < sizes[-1]
    assert all(side % 2 for side in deform.size)


def test_unknown_models_and_missing_clips_are_bad_input() -> None:
    with pytest.raises(InputError, match="did you mean 'frtm-lite'"):
        Subject.of("ftrm-lite", tiny_clips())
    invoked = CliRunner().invoke(app, ["check", "frtm-lite", "--no-built-in"])
    assert isinstance(invoked.exception, InputError)
    assert "give --dataset" in str(invoked.exception)


def test_clips_of_a_dataset_are_played_too(tmp_path: FilePath) -> None:
    write_motion(tmp_path / "small", {"late": 309, "fast": 502}, (64, 96), 6)
    clip = registry.open(f"davis-layout:{tmp_path / 'small'}").clip("late")
    played = of_dataset(clip, 4)
    assert (len(played), played.objects, played.frame_names[-1]) == (4, {1: 0, 2: 2}, "00003")
    assert set(np.unique(played.labels[2]).tolist()) == {0, 1, 2}
    assert np.array_equal(played.frames[3], clip.image(3))
    dataset = ["--dataset", f"davis-layout:{tmp_path / 'small'}", "--sequences", "late"]
    own = f"masks:{tmp_path / 'small' / 'Annotations'}"
    invoked = CliRunner().invoke(app, ["check", own, "--no-built-in", *dataset])
    assert invoked.exit_code == 0, invoked.output
    invoked = CliRunner().invoke(app, ["check", own, *dataset])
    assert invoked.exit_code == 1, "it has no masks of the built-in clips"
    assert "tiny-late, start(): InputError" in invoked.output


@pytest.mark.slow
@pytest.mark.parametrize("name", ["g-frtm-lite+fusion", "g-ttvos-lite"])
def test_built_in_models_keep_the_contract(name: str) -> None:
    invoked = CliRunner().invoke(app, ["check", name, "--weights", "random:0", "--json"])
    checks = json.loads(invoked.stdout)["checks"]
    assert [c for c in checks if c["status"] == "failed"] == []
    assert len([c for c in checks if c["status"] == "passed"]) >= 16
    assert invoked.exit_code == 0
