"""Several processes that learn together, as ``torchrun`` starts them: one batch, one network.

Each computes its part of every batch; gradients are averaged by torch's DistributedDataParallel.
What is a mean over the whole batch inside a step (batch norm's statistics, weights that are 1 on
average) is taken over all processes here, so that the outcome is that of one process with the
whole batch, up to rounding.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vosbench.baselines.errors import InputError
from vosbench.harness.training.moment import Part

Told = TypeVar("Told")

_PATIENCE = timedelta(hours=6)
"""How long others wait while the first one validates, or encodes a pool of clips."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is; it alone where nothing started others."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one writes: states, checkpoints, the database, the terminal."""
        return self.rank == 0

    def tell(self, value: Told) -> Told:
        """The first process's value, in all of them."""
        if self.count == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, src=0)
        return told[0]

    def parts(self, accumulate: int) -> list[Part]:
        """This process's parts of a batch, one for each accumulated gradient.

        Parts that processes compute at once are neighbours: together they are the part of one.
        """
        count = accumulate * self.count
        return [Part(turn * self.count + self.rank, count) for turn in range(accumulate)]

    def wait(self) -> None:
        """Wait until all are here."""
        if self.count > 1:
            dist.barrier()

    def means(self, values: Tensor) -> Tensor:
        """Mean over the processes, without a gradient."""
        if self.count == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total / self.count


ALONE = Processes()


def local_rank() -> int | None:
    """Which process of this machine this one is; None where torchrun didn't start it."""
    rank = os.environ.get("LOCAL_RANK")
    return int(rank) if rank is not None and "WORLD_SIZE" in os.environ else None


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did.

    Raises:
        InputError: several on one machine are to share a GPU.
    """
    if local_rank() is None or int(os.environ["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def device_of_process(name: str) -> str:
    """The device that a process of torchrun takes: its own GPU where ``auto`` or ``cuda`` is asked.

    Raises:
        InputError: all processes are told to take one GPU.
    """
    rank = local_rank()
    if rank is None or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return name
    if name not in ("auto", "cuda"):
        raise InputError(f"--device {name}: torchrun gives each process its own GPU: write auto")
    return f"cuda:{rank}"


class _SharedMean(torch.autograd.Function):
    """Mean over processes of a tensor of one shape, and of its gradients on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        total = x.clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()


def _shared() -> bool:
    return dist.is_available() and dist.is_initialized()


def shared_mean(x: Tensor) -> Tensor:
    """The mean over all processes of a mean over this one's samples; differentiable."""
    if not _shared():
        return x
    mean: Tensor = _SharedMean.apply(x)
    return mean


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batch of all processes, on any device.

    torch's SyncBatchNorm refuses CPU tensors, so that what a card does couldn't be tested without
    one. All processes must have equally many samples.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x if x.dtype == torch.float64 else x.float()
        mean = shared_mean(wide.mean(dim=(0, 2, 3)))
        centred = wide - mean.view(1, -1, 1, 1)
        variance = shared_mean(centred.square().mean(dim=(0, 2, 3)))
        self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        assert self.weight is not None and self.bias is not None
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        count *= dist.get_world_size() if _shared() else 1
        unbiased = variance * (count / max(count - 1, 1))
        rate = 0.1 if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), rate)


def share_batch_norm(module: nn.Module) -> None:
    """Turn all batch norms within a module into shared ones, with the parameters they have."""
    for child in module.modules():
        if type(child) is nn.BatchNorm2d:
            child.__class__ = SharedBatchNorm  # same parameters, buffers, names and hooks


class Together(nn.Module):
    """A network as DistributedDataParallel takes it: what it computes is told from outside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, compute: Any) -> Mapping[str, Tensor]:
        terms: Mapping[str, Tensor] = compute()
        return terms


def distributed(network: nn.Module, processes: Processes) -> nn.Module:
    """A module to call with a function of no arguments, whose losses' gradients are averaged.

    Parameters that don't ask for a gradient now are left out: make it anew for each stage.
    """
    module = Together(network)
    if processes.count == 1:
        return module
    share_batch_norm(network)
    # Some layers rest in a part of a stage, such as FRTM-half's finest level.
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # its new name is not known before torch 2.14
        return DistributedDataParallel(module, broadcast_buffers=False, find_unused_parameters=True)


def check_batch(batch: int, accumulate: int, processes: Processes) -> None:
    """Raise InputError where the processes can't share a batch equally."""
    if batch % (accumulate * processes.count):
        each = f" of {accumulate} accumulated gradients" if accumulate > 1 else ""
        raise InputError(
            f"a batch of {batch} can't be parted among {processes.count} processes{each}: their "
            "number must divide it"
        )


def parts_in_turn(module: nn.Module, accumulate: int, processes: Processes) -> Iterator[Part]:
    """This process's parts of a batch; what is learnt from each belongs into the loop's body.

    Gradients are averaged over the processes with the last part.

    Args:
        module: as :func:`distributed` gave it.
    """
    *earlier, last = processes.parts(accumulate)
    for part in earlier:
        with _unshared(module):
            yield part
    yield last


def _unshared(module: nn.Module) -> AbstractContextManager[None]:
    """Within it, gradients stay in their processes."""
    if isinstance(module, DistributedDataParallel):
        held: AbstractContextManager[None] = module.no_sync()
        return held
    return nullcontext()
