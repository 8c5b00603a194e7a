"""What a training asks of its device: the same bits again, and compiled layers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

CPU = torch.device("cpu")
_GRAPHS = 128


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Within it, a GPU computes the same bits again, as a resumed training promises.

    A CPU does so anyway. Where a kernel of a GPU has no such variant, torch names it in a warning
    once, and training goes on. The global random state is as before afterwards.
    """
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        if not on_gpu:
            yield
            return
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        before = torch.are_deterministic_algorithms_enabled()
        warned = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("once", message=".*deterministic.*")
                yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)


@contextmanager
def as_it_is() -> Iterator[None]:
    """Within it, or in a function that it decorates, autocast changes nothing.

    Clips are read within a step, and autocast to bfloat16 refuses the half precision that they are
    kept in, or would encode a missing one in bfloat16.
    """
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        yield


def compile_layers(
    modules: Iterable[nn.Module], backend: str | Callable[..., Any] = "inductor"
) -> int:
    """Compile each outermost layer within modules, in place; names of weights stay.

    Layers and not a whole step: what is around them draws and decides in Python. Each size is
    compiled by itself: for levels of several sizes at once torch's inductor (2.14, on a CPU) makes
    gradients that fail over their strides. Returns how many were compiled.
    """
    _allow_a_graph_for_each_layer()
    return _compiled(modules, backend)


def _compiled(modules: Iterable[nn.Module], backend: str | Callable[..., Any]) -> int:
    count = 0
    for module in modules:
        if type(module).forward is nn.Module.forward or isinstance(
            module, nn.ModuleDict | nn.ModuleList
        ):
            count += _compiled(module.children(), backend)
        elif any(True for _ in module.parameters()):
            module.compile(backend=backend, dynamic=False)
            count += 1
    return count


def _allow_a_graph_for_each_layer() -> None:
    """torch counts graphs by class, not by layer, and leaves the ninth of a class uncompiled."""
    import torch._dynamo

    config: Any = torch._dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, limit, max(getattr(config, limit), _GRAPHS))
