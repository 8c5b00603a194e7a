"""Dense parts of a network through ``torch.compile``; on a GPU as CUDA graphs.

A part is a method that maps tensors to tensors without a decision in between, so that what is
compiled is the same whatever path a frame takes. The compiler fuses and reorders float arithmetic:
results differ in their last bits, which is why compiled runs are a precision of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

Part = tuple[nn.Module, str]
"""A module, and the name of the method that is compiled."""

BACKEND = "inductor"


def compile_parts(parts: Iterable[Part], device: torch.device) -> None:
    """Replace the methods of these modules by a :class:`CompiledPart`.

    On a GPU each is recorded as a CUDA graph, whose outputs the next replay overwrites. What a
    tracker keeps over frames must not change, so they are copied out at once.

    Args:
        device: where the modules are.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    graphs = device.type == "cuda"
    if not graphs:  # torch would warn that there is no CUDA, where nobody asked for it
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    for module, name in parts:
        setattr(module, name, CompiledPart(getattr(module, name), graphs))


class CompiledPart:
    """A method, compiled anew for each size of frames that comes.

    torch keeps what it compiled with a function's code, which all modules of a class share; once
    it keeps eight, what else comes (other sizes, other networks) would run as it was written, under
    the name of a compiled precision. So each size has code of its own here, and what can't be
    compiled whole raises.

    Attributes:
        calls: how often it ran.
        uncompiled: how often it did so as it was written, as somebody had told torch to.
    """

    def __init__(self, work: Callable[..., Any], graphs: bool) -> None:
        self.calls = self.uncompiled = 0
        self._work = work
        self._graphs = graphs
        self._compiled: dict[tuple[int, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """What the method gives, but for the last bits."""
        if torch.compiler.is_compiling():  # as part of a part
            return self._work(*arguments)
        self.calls += 1
        size = _first_shape(arguments)
        if size not in self._compiled:
            self._compiled[size] = self._compile()
        return self._compiled[size](*arguments)

    def _compile(self) -> Callable[..., Any]:
        options: dict[str, Any] = {"mode": "reduce-overhead"} if self._graphs else {}
        code = self._code_of_its_own()
        work = torch.compile(code, fullgraph=True, dynamic=False, backend=BACKEND, **options)
        return copied_out(work) if self._graphs else work

    def _code_of_its_own(self) -> Callable[..., Any]:
        work = self._work

        def part(*arguments: Any) -> Any:
            if not torch.compiler.is_compiling():
                self.uncompiled += 1
            return work(*arguments)

        return FunctionType(part.__code__.replace(), part.__globals__, closure=part.__closure__)


def compiled_parts(network: nn.Module) -> list[CompiledPart]:
    """The parts of ``network`` that :func:`compile_parts` has replaced."""
    return [
        each
        for module in network.modules()
        for each in vars(module).values()
        if isinstance(each, CompiledPart)
    ]


def _first_shape(given: object) -> tuple[int, ...]:
    """The shape of the first tensor, in depth; () without any."""
    if isinstance(given, Tensor):
        return tuple(given.shape)
    if isinstance(given, tuple | list):
        return next((shape for each in given if (shape := _first_shape(each))), ())
    return ()


def copied_out(work: Callable[..., Any]) -> Callable[..., Any]:
    """``work`` with outputs of its own: a tensor, or a tuple of tensors, named or not."""

    def run(*arguments: Any) -> Any:
        given = work(*arguments)
        if isinstance(given, Tensor):
            return given.clone()
        made = getattr(type(given), "_make", tuple)
        return made(each.clone() for each in given)

    return run


def backbone_parts(backbone: nn.Module) -> list[Part]:
    """The methods by which a :class:`vosbench.baselines.backbones.Backbone` is used."""
    return [(backbone, name) for name in ("first", "third_level", "fourth_level")]
