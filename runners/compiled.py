"""Dense parts of a network through ``torch.compile``; on a GPU as CUDA graphs.

A part is a method that maps tensors to tensors without a decision in between, so that what is
compiled is the same whatever path a frame takes. The compiler fuses and reorders float arithmetic:
results differ in their last bits, which is why compiled runs are a precision of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

Part = tuple[nn.Module, str]
"""A module, and the name of the method that is compiled."""

BACKEND = "inductor"


def compile_parts(parts: Iterable[Part], device: torch.device) -> None:
    """Replace the methods of these modules; each compiles when a frame size first comes.

    On a GPU each is recorded as a CUDA graph, whose outputs the next replay overwrites. What a
    tracker keeps over frames must not change, so they are copied out at once.

    Args:
        device: where the modules are.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    graphs = device.type == "cuda"
    options: dict[str, Any] = {"mode": "reduce-overhead"} if graphs else {}
    for module, name in parts:
        work = torch.compile(getattr(module, name), dynamic=False, backend=BACKEND, **options)
        setattr(module, name, copied_out(work) if graphs else work)


def copied_out(work: Callable[..., Any]) -> Callable[..., Any]:
    """``work`` with outputs of its own: a tensor, or a tuple of tensors."""

    def run(*arguments: Any) -> Any:
        given = work(*arguments)
        if isinstance(given, Tensor):
            return given.clone()
        return tuple(each.clone() for each in given)

    return run


def backbone_parts(backbone: nn.Module) -> list[Part]:
    """The methods by which a :class:`vosbench.baselines.backbones.Backbone` is used."""
    return [(backbone, name) for name in ("first", "third_level", "fourth_level")]
