"""Compiled networks: the parts are those that are used, and results are those of the others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from vosbench.runners import compiled
from vosbench.runners.compiled import compile_parts, compiled_parts, copied_out
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.registry import resolve

CPU = torch.device("cpu")


def labels(model: str, precision: Precision) -> list[Tensor]:
    """Masks of four frames, of which a gated model reuses half."""
    name = f"{model}+random:0.5" if model.startswith("g-") else model
    runner = resolve(name).steered(RunnerOptions(weights="random:3"))
    runner.load(CPU, precision)
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(0, 256, (5, 3, 64, 96), dtype=torch.uint8, generator=generator)
    mask = torch.zeros(64, 96, dtype=torch.bool)
    mask[16:48, 20:60] = True
    runner.start(ClipInfo("clip", 64, 96, 2))
    with torch.inference_mode():
        runner.add_objects(Frame(0, images[0]), {1: mask})
        return [runner.step(Frame(t, images[t]), no_spans).labels for t in range(1, 5)]


@pytest.mark.parametrize("model", ["frtm-fast", "g-frtm-lite", "ttvos-lite", "g-ttvos-lite"])
def test_every_part_is_used_and_results_stay(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler is stood in for by one that runs the graph as it is."""
    graphs: list[torch.fx.GraphModule] = []

    def as_it_is(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", as_it_is)
    torch.compiler.reset()
    plain = labels(model, Precision.FLOAT32)
    assert not graphs
    for one, other in zip(plain, labels(model, Precision.FLOAT32_COMPILED), strict=True):
        assert torch.equal(one, other)
    # first, third level, and two or more of the head at the least
    assert len(graphs) >= 4
    convolutions = sum("conv" in str(node.target) for graph in graphs for node in graph.graph.nodes)
    assert convolutions > 20


class Doubling(nn.Module):
    """A part with two outputs."""

    def work(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * x, 3 * x


def test_outputs_outlive_the_next_replay() -> None:
    """A stand-in for CUDA graphs, which write every result to the same memory."""
    buffers = torch.empty(2, 4)

    def replay(x: Tensor) -> tuple[Tensor, Tensor]:
        buffers[0], buffers[1] = 2 * x, 3 * x
        return buffers[0], buffers[1]

    bare = replay(torch.ones(4))
    replay(torch.zeros(4))
    assert float(bare[0].sum()) == 0  # what would happen to a state that is kept
    kept = copied_out(replay)(torch.ones(4))
    replay(torch.zeros(4))
    assert [float(each.sum()) for each in kept] == [8, 12]
    assert float(copied_out(lambda x: x)(torch.ones(3)).sum()) == 3


def test_every_size_and_every_network_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch alone would compile eight, and run the rest as it was written."""
    compiled_sizes: list[tuple[int, ...]] = []

    def as_it_is(graph: torch.fx.GraphModule, given: list[Tensor]) -> Callable[..., Any]:
        compiled_sizes.append(tuple(given[0].shape))
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", as_it_is)
    torch.compiler.reset()
    parts = [Doubling() for _ in range(3)]
    for part in parts:
        compile_parts([(part, "work")], torch.device("cpu"))
        for size in (2, 3, 4, 5, 2):
            assert part.work(torch.ones(size))[1].tolist() == [3] * size
    assert sorted(compiled_sizes) == [(size,) for size in (2, 3, 4, 5) for _ in parts]
    counted = [each for part in parts for each in compiled_parts(part)]
    assert [(each.calls, each.uncompiled) for each in counted] == [(5, 0)] * 3
    with torch.compiler.set_stance("force_eager"):
        parts[0].work(torch.ones(2))
    assert [(each.calls, each.uncompiled) for each in counted] == [(6, 1), (5, 0), (5, 0)]


class Pair(NamedTuple):
    """What a part may give, too."""

    one: Tensor
    other: Tensor


def test_outputs_that_are_copied_keep_their_names() -> None:
    given = Pair(torch.ones(1), torch.zeros(1))
    kept = copied_out(lambda: given)()
    assert isinstance(kept, Pair)
    assert kept.one is not given.one


def test_graphs_are_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def fake(work: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        asked.append(options)
        return work

    monkeypatch.setattr(torch, "compile", fake)
    for device in ("cpu", "cuda"):
        part = Doubling()
        compile_parts([(part, "work")], torch.device(device))
        one, other = part.work(torch.ones(2))
        assert (one.tolist(), other.tolist()) == ([2, 2], [3, 3])
    assert [options.get("mode") for options in asked] == [None, "reduce-overhead"]


@pytest.mark.slow
def test_the_real_compiler_gives_nearly_the_same() -> None:
    """In a process of its own, as inductor needs: it must be first to import distutils."""
    program = """
import torch
from torch import nn
from vosbench.runners.compiled import compile_parts
part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
x = torch.randn(1, 3, 32, 32)
with torch.inference_mode():
    expected = part(x)
    compile_parts([(part, "forward")], torch.device("cpu"))
    torch.testing.assert_close(part(x), expected)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
