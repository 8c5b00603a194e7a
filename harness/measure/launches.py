"""What a piece of work asks of a device: operations started, and waits for their results.

On a GPU an operation is at least one launch of a kernel, of some microseconds whatever its size; a
wait drains the queue. Counted by what Python calls, so a machine without a card tells as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_WAITS = frozenset({"item", "tolist", "cpu", "__bool__", "__int__", "__float__", "__index__"})
# fmt: off
_NO_LAUNCH = (
    "view", "empty", "detach", "expand", "slice", "select", "permute", "transpose", "split",
    "squeeze", "unsqueeze", "alias", "as_strided", "unbind", "t.default", "local_scalar",
)
# fmt: on


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations that compute or copy; views count nothing."""

    count = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = str(func).removeprefix("aten.")
        if "copy" in name or not name.lstrip("_").startswith(_NO_LAUNCH):
            self.count += 1
        return func(*args, **(kwargs or {}))


class Waits(TorchFunctionMode):
    """Counts calls by which Python waits for a tensor's values."""

    count = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.count += getattr(func, "__name__", "") in _WAITS
        return func(*args, **(kwargs or {}))


class Crossings(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes copies between host and GPU that the host waits for: to the host, and blocking ones.

    Beneath torch's ``FakeTensorMode`` it needs no card: fake tensors know their device.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.")
        if "copy" not in name:
            return result
        given, made = _devices((args, kwargs)), _devices(result)
        blocking = not ((kwargs or {}).get("non_blocking") or any(a is True for a in args))
        if {"cpu", "cuda"} <= given | made and ("cpu" in made or blocking):
            self.found.append(f"{name} {'/'.join(sorted(given))} -> {'/'.join(sorted(made))}")
        return result


def _devices(values: Any) -> set[str]:
    tensors = (leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor))
    return {tensor.device.type for tensor in tensors}
