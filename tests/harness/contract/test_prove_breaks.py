"""Each check, with what it checks whole, and then broken: it must see the difference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from store_samples import grid, worker

from vosbench.harness.contract import prove_networks as networks
from vosbench.harness.contract import prove_programs as programs
from vosbench.harness.contract import prove_speed as speed
from vosbench.harness.contract import prove_tracks as tracks
from vosbench.harness.contract.play import ContractBreach, Played, Recording
from vosbench.harness.contract.prove_networks import NumberFormat, Observer, SeenFrames
from vosbench.harness.contract.prove_record import Bench, Figure, NotDone
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.store import Command, Storage
from vosbench.runners.frtm import FrtmTracker
from vosbench.runners.half import HalfTracker
from vosbench.runners.interface import Frame, ObjectStep, Precision, no_spans
from vosbench.runners.interface import Path as Taken
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.tracking import SharedWalk
from vosbench.runners.ttvos import TtvosTracker

CPU = torch.device("cpu")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(CPU, tmp_path)


def broken(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures if not figure.holds]


@pytest.fixture(scope="module")
def small() -> NetworkRunner:
    return networks.build("g-frtm-lite")


FLOAT32 = (NumberFormat(Precision.FLOAT32, 1e-4, 1e-3),)
SCENE = tracks.sequences((48, 64), 4)[0]


def conformance(runner: NetworkRunner) -> list[Figure]:
    return networks.conformance(runner, CPU, FLOAT32, SCENE, reference=Precision.FLOAT32)


def test_networks_agree_until_weights_are_lost_on_the_way(
    small: NetworkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken(conformance(small)) == []
    make, made = NetworkRunner.tracker, iter(range(2))

    def lossy(self: NetworkRunner, device: torch.device, precision: Precision) -> Any:
        tracker = make(self, device, precision)
        if next(made) == 1:  # the reference is whole, what comes after is not
            for name, tensor in tracker.network.named_parameters():  # type: ignore[attr-defined]
                if name.startswith("refiner."):
                    tensor.data *= 1.001
        return tracker

    monkeypatch.setattr(NetworkRunner, "tracker", lossy)
    names = broken(conformance(small))
    assert "R8" in names
    assert "error above float64's" not in names


def test_a_fit_that_stops_early_is_seen_and_told_from_the_network(
    small: NetworkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, fits = FrtmTracker.fitted, iter(range(99))

    def hasty(self: FrtmTracker, f16: torch.Tensor, masks: torch.Tensor) -> Any:
        if next(fits) >= 2:  # the reference walked down two paths
            config = self.network.config
            target = replace(config.target, joint_steps=config.target.joint_steps[:1])
            self.network.config = replace(config, target=target)
        return fitted(self, f16, masks)

    monkeypatch.setattr(FrtmTracker, "fitted", hasty)
    figures = conformance(small)
    assert broken(figures) == ["error above float64's"]


def test_networks_that_are_called_compiled_and_are_not_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parts count by themselves: tests/runners/test_compiled.py."""
    observer = Observer(networks.build("ttvos-lite"), CPU, Precision.FLOAT32_COMPILED)
    assert broken(observer.parts("parts")) == ["ran"]
    for uncompiled, expected in ((0, []), (1, ["uncompiled"])):
        found = [SimpleNamespace(calls=3, uncompiled=each) for each in (0, uncompiled)]
        monkeypatch.setattr(networks, "compiled_parts", lambda _, found=found: found)
        assert broken(observer.parts("parts")) == expected


def test_what_only_a_gpu_has_is_not_asked_of_a_cpu(small: NetworkRunner) -> None:
    gpu = (NumberFormat(Precision.FLOAT64, 1e-6, 1e-3, gpu=True),)
    given = networks.conformance(small, CPU, gpu, SCENE, reference=Precision.FLOAT32)
    assert given == []


def test_differences_are_relative_to_the_largest_value() -> None:
    labels = np.zeros((1, 2, 2), np.uint8)
    other = labels.copy()
    other[0, 0, 0] = 1
    one = SeenFrames(labels, {"S": np.array([0.0, 10.0])}, np.array([0.5]))
    two = SeenFrames(other, {"S": np.array([1.0, 10.0])}, np.array([0.75]))
    assert networks.differences(two, one) == {"S": 0.1, "P_gate": 0.25, "labels": 0.25}


def recording(shift: int = 0, taken: Taken = Taken.FULL) -> Recording:
    """Perfect masks of a tiny sequence, or such that are off by some columns."""
    (clip, _) = tracks.sequences((48, 64), 4)
    first = ObjectStep(1, Taken.INIT, None)
    played = tuple(
        Played(
            t,
            np.roll(clip.labels[t], shift if t else 0, 1),
            (ObjectStep(1, taken, 0.5) if t else first,),
            "cpu",
        )
        for t in range(len(clip))
    )
    return Recording(clip, played, (), ())


def test_masks_that_differ_between_devices_are_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(*each: Recording) -> list[Figure]:
        left = iter(each)
        monkeypatch.setattr(tracks, "record", lambda *_: next(left))
        return tracks.across(None, [each[0].clip], bench)  # type: ignore[arg-type]

    assert broken(given(recording(), recording())) == []
    assert broken(given(recording(), recording(shift=12))) == ["equal labels", "J&F difference"]
    assert broken(given(recording(), recording(taken=Taken.REUSE))) == ["flipped decisions"]


def test_a_walk_that_depends_on_more_than_its_input_is_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second, expected in ((0, []), (1, ["frames that differ"])):
        left = iter([recording(), recording(shift=second)])
        monkeypatch.setattr(tracks, "record", lambda *_, left=left: next(left))
        assert broken(tracks.repeated(None, [recording().clip], bench)) == expected  # type: ignore[arg-type]


def test_a_walk_that_never_splits_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    split = SharedWalk._split

    def together(self: Any, *rest: Any) -> Any:
        groups = split(self, *rest)
        everyone = {member: of for group in groups.values() for member, of in group.items()}
        return {next(iter(groups)): everyone}

    monkeypatch.setattr(SharedWalk, "_split", together)
    with pytest.raises(ContractBreach):
        tracks.shared("g-frtm-lite", bench)


@pytest.mark.parametrize(
    ("model", "tracker", "size"),  # small ones at which the model finds something
    [
        ("g-frtm-lite", FrtmTracker, (48, 64)),
        ("g-ttvos-lite", TtvosTracker, (96, 160)),
        ("g-frtm-half", HalfTracker, (96, 160)),
    ],
)
def test_batches_that_mix_up_their_objects_are_seen(
    model: str,
    tracker: type[Any],
    size: tuple[int, int],
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clips = tracks.sequences(size, 4)[1:]
    assert broken(tracks.batched(model, clips, bench)) == []
    segments = tracker.segments

    def mixed(self: Any, *rest: Any) -> Any:
        return segments(self, *rest)[::-1]

    monkeypatch.setattr(tracker, "segments", mixed)
    assert "equal labels" in broken(tracks.batched(model, clips, bench))


def test_two_halves_that_differ_are_noise(bench: Bench) -> None:
    assert broken(speed.alike([10.0, 10.1] * 8, bench)) == []
    assert broken(speed.alike([10.0, 20.0] * 8, bench)) == ["A/A"]


@pytest.mark.parametrize(("kib", "seen"), [(200, True), (0, False)])
def test_a_small_leak_is_seen(kib: int, seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hoarder:
        """A walk that fills for 80 frames, and then keeps some of each frame."""

        kept: list[bytes]

        def step(self, frame: Frame, spans: object) -> None:
            size = 256 if frame.index <= 80 else kib
            self.kept.append(os.urandom(1024 * size))

    # As late in a long process: much was freed before, and the allocator kept it.
    keep_large_blocks()
    before = [b"x" * 2**18 for _ in range(2 * speed.LONG)]
    del before
    hoarder = Hoarder()
    hoarder.kept = []
    monkeypatch.setattr(speed, "_begun", lambda *_: (hoarder, None))
    figures = speed.grown(*speed.held(None, SCENE, CPU))  # type: ignore[arg-type]
    name = f"growth from frame {speed.SHORT} to {speed.LONG}"
    assert broken(figures) == ([name] if seen else [])


def test_samples_are_counted_out_up_to_80() -> None:
    growth = f"growth from frame {speed.SHORT} to {speed.LONG}"
    before = speed.HeldMemory(900.0, None, samples=10.0, most=70)
    full = speed.HeldMemory(909.0, None, samples=19.0, most=80)
    assert broken(speed.grown(before, full)) == []
    assert broken(speed.grown(before, replace(full, process=914.0))) == [growth]
    assert broken(speed.grown(before, replace(full, most=81))) == ["samples of an object"]


def test_samples_of_a_walk_are_found(small: NetworkRunner) -> None:
    small.load(CPU, Precision.FLOAT32)
    walk, image = speed._begun(small, SCENE, CPU, Taken.FULL)
    first = speed.HeldMemory.now(walk, CPU)
    walk.step(Frame(1, image), no_spans)
    second = speed.HeldMemory.now(walk, CPU)
    assert (first.most, second.most) == (5, 6)
    assert second.samples == pytest.approx(1.2 * first.samples)


def test_a_leak_on_a_gpu_is_seen() -> None:
    figures = speed.grown(speed.HeldMemory(900.0, 100.0), speed.HeldMemory(900.0, 112.0))
    assert broken(figures) == [f"growth from frame {speed.SHORT} to {speed.LONG}, GPU"]


def test_a_copied_frame_that_costs_most_is_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vosbench.harness.evaluate.profile import PathCost

    def cost(path: Taken, ms: float) -> PathCost:
        return PathCost(path, ms, ms, 2.0, 2.0, None, None, ())

    order = (Taken.FULL, Taken.REUSE, Taken.COPY)
    for ms, expected in (((9, 5, 1), []), ((5, 5, 9), ["copied / full, ms"])):
        found = [cost(path, each) for path, each in zip(order, ms, strict=True)]
        monkeypatch.setattr(speed, "profile", lambda *_, found=found: found)
        assert broken(speed.costs(None, None, bench)) == expected  # type: ignore[arg-type]


def test_times_that_never_settle_are_seen_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from vosbench.harness.measure.warmup import WarmUpRule, warm_up

    rising = iter(range(1, 1000))
    record = warm_up(lambda: float(next(rising)), WarmUpRule(max_runs=20))
    monkeypatch.setattr(speed, "warm_paths", lambda *_: (record,))
    monkeypatch.setattr(speed, "Annotations", lambda _: None)
    monkeypatch.setattr(speed, "clock_for", lambda _: None)
    gpu = Bench(torch.device("cuda", 0), Path("/nowhere"))
    assert broken(speed.warmed(None, None, gpu)) == ["paths that never became stable"]  # type: ignore[arg-type]


def test_a_lock_that_holds_nobody_off_is_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOSBENCH_LOCK_DIR", str(tmp_path / "locks"))
    assert broken(programs.lock(bench)) == []
    monkeypatch.setattr(programs, "hold", lambda *_, **__: nullcontext())
    assert broken(programs.lock(bench)) == ["refused while another holds it", "holder named"]


def test_a_training_that_resumes_elsewhere_is_seen(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    header = {"minutes": "1.0", "note": "a", "steps": "5", "trained": "true"}
    save_file({"w": torch.ones(3)}, one, header)
    save_file({"w": torch.ones(3)}, two, dict(reversed(header.items())))
    assert broken(programs.compared(one, two, disturbed=True)) == []
    assert broken(programs.compared(one, two, disturbed=False)) == ["killed on its way"]
    save_file({"w": torch.tensor([1.0, 1.0, 1.0000001])}, two, header)
    assert broken(programs.compared(one, two, disturbed=True)) == ["equal checkpoints"]


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Path]:
    """A database with two waiting trials, one of which is then claimed and fails."""
    path = tmp_path / "results.db"
    with Storage.open(path) as storage:
        storage.add_plan(programs.STUDY, Command("vosbench run …"), grid(2))
    yield path


def fail_one(path: Path, message: str) -> None:
    with Storage.open(path) as storage:
        (plan,) = storage.plans(storage.study(programs.STUDY))
        claim = storage.claim(plan, worker())
        assert claim is not None
        for trial in claim.trials:
            storage.fail(trial, message, "trace", deterministic=True)


def test_memory_that_ends_in_anything_but_failed_trials_is_seen(study: Path) -> None:
    assert "failed trials" in broken(programs.failed_trials(study, ""))
    fail_one(study, "OutOfMemoryError: CUDA out of memory")
    assert broken(programs.failed_trials(study, "")) == []
    assert broken(programs.failed_trials(study, "Traceback (most recent call last)")) == [
        "tracebacks on the terminal"
    ]


def test_a_grid_that_is_left_unfinished_is_seen(study: Path, tmp_path: Path) -> None:
    assert broken(programs.completed_trials(study, "")) == ["complete trials", "others"]
    with pytest.raises(RuntimeError, match="no database: Killed"):
        programs.completed_trials(tmp_path / "none.db", "Killed")


def test_a_cpu_says_what_it_cannot_prove(bench: Bench) -> None:
    with pytest.raises(NotDone, match="memory of its own"):
        programs.memory_runs_out(bench)
