"""What a piece of work asks of a device: operations started, and waits for their results.

On a GPU an operation is at least one launch of a kernel, of some microseconds whatever its size; a
wait drains the queue. Counted by what Python calls, so a machine without a card tells as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

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
