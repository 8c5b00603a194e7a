"""What a walk keeps does not grow with the clip."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal

import pytest
import torch
from torch import Tensor, nn

from vosbench.baselines.frtm.network import G_FRTM_LITE, make_frtm
from vosbench.baselines.frtm.target import FRTM_FAST_TARGET
from vosbench.harness.measure import allocator
from vosbench.runners.frtm import FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.interface import ClipInfo, Frame, no_spans
from vosbench.runners.policies import Always, Never, Random
from vosbench.runners.policy import GatePolicy
from vosbench.runners.tracking import SharedWalk

HEIGHT, WIDTH, CAPACITY = 48, 64, 8
RATES = (Decimal("0.3"), Decimal("0.6"))


def held_storages(value: object, seen: set[int]) -> Iterator[tuple[int, int]]:
    """(address, bytes) of every tensor's memory that ``value`` leads to; networks left out."""
    if id(value) in seen or isinstance(value, nn.Module | FrtmTracker):
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        storage = value.untyped_storage()
        yield storage.data_ptr(), storage.nbytes()
    elif is_dataclass(value):
        for field in fields(value):
            yield from held_storages(getattr(value, field.name), seen)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from held_storages(part, seen)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from held_storages(part, seen)
    elif hasattr(value, "__dict__"):
        yield from held_storages(vars(value), seen)


def held_bytes(walk: SharedWalk) -> int:
    return sum(dict(held_storages(walk, set())).values())


def begin(policies: tuple[GatePolicy, ...]) -> SharedWalk:
    torch.manual_seed(7)  # one whose masks are not empty: those leave the memory as it is
    target = replace(FRTM_FAST_TARGET, capacity=CAPACITY)
    network = make_frtm(replace(G_FRTM_LITE, target=target))
    with torch.no_grad():
        network.refiner.project.conv2.weight.mul_(50)
    tracker = FrtmTracker(network, seeded_augment(0), seeded_start(network, 0))
    return SharedWalk(tracker, ClipInfo("noise", HEIGHT, WIDTH, 10**6), policies)  # type: ignore[arg-type]


def advance(walk: SharedWalk, frames: range) -> None:
    masks = {1: torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)}
    masks[1][10:30, 12:40] = True
    masks[2] = ~masks[1]
    for t in frames:
        generator = torch.Generator().manual_seed(t)
        image = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8, generator=generator)
        if t == 0:
            walk.add_objects(Frame(t, image), masks)
        walk.step(Frame(t, image), no_spans)


def test_what_is_held_stops_growing_when_the_memory_is_full() -> None:
    walk = begin((Never(),))
    advance(walk, range(2))
    early = held_bytes(walk)
    advance(walk, range(2, 2 * CAPACITY))
    full = held_bytes(walk)
    advance(walk, range(2 * CAPACITY, 4 * CAPACITY))
    assert early < full
    assert held_bytes(walk) <= full  # less once the first samples, cut from one block, are gone


def test_branches_share_what_they_have_in_common() -> None:
    """Policies that never disagree cost one; those that do cost less than so many walks."""
    alone, alike = begin((Never(),)), begin((Never(),) * 5)
    differing = begin((Never(), Always(), *(Random(rate, 1) for rate in RATES)))
    for walk in (alone, alike, differing):
        advance(walk, range(6))
    assert held_bytes(alike) == held_bytes(alone)
    assert held_bytes(alone) < held_bytes(differing) < 4 * held_bytes(alone)


def test_only_glibc_is_told_to_keep_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> ctypes.CDLL:
        raise AssertionError("no library may be touched here")

    monkeypatch.setattr(allocator.ctypes, "CDLL", missing)
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_large_blocks()
    assert not allocator.give_free_memory_back()
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert not allocator.keep_large_blocks()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_glibc_takes_the_thresholds() -> None:
    if allocator.platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library")
    assert allocator.keep_large_blocks()
