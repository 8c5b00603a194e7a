"""Several processes that share a batch learn what one with the whole batch learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import together
import torch
import torch.distributed as dist
from torch import nn
from training_toys import make_network, make_pool

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.loop import train
from vosbench.harness.training.moment import Part
from vosbench.harness.training.processes import (
    ALONE,
    Processes,
    device_of_process,
    joined,
    share_batch_norm,
)
from vosbench.harness.training.recipe import Recipe, StageRecipe

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")


def test_two_processes_learn_what_one_with_twice_the_batch_does(tmp_path: Path) -> None:
    """To 1e-6 in float64, by torchrun and gloo; batch norm's statistics are shared, not frozen."""
    pool = make_pool(tmp_path)
    assert pool.statistics  # encoded once, for all
    (tmp_path / "two").mkdir()
    out = tmp_path / "two/losses.json"
    script = str(Path(together.__file__))
    run = subprocess.run(
        [sys.executable, *TORCHRUN, script, str(tmp_path), str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    shared = json.loads(out.read_text())
    others = json.loads(out.with_suffix(".other").read_text())
    assert others == {name: points for name, points in shared.items() if name != "distilled"}
    assert (tmp_path / "two/pairs/state.pt").is_file()
    alone_all = {name: together.losses(job) for name, job in together.jobs(tmp_path, tmp_path)}
    # In two processes it was cut off and went on; here it isn't.
    alone_all["distilled"], alone_all["outcome"] = together.distilled(tmp_path, tmp_path / "one")
    assert alone_all.keys() == shared.keys()
    for name, alone in alone_all.items():
        assert [point[:2] for point in alone] == [tuple(point[:2]) for point in shared[name]]
        for (step, series, value), (_, _, other) in zip(alone, shared[name], strict=True):
            assert value == pytest.approx(other, abs=1e-6), (name, step, series)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone, so that shared layers run."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_shared_batch_norm_is_batch_norm() -> None:
    torch.manual_seed(0)
    plain, shared = (nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)) for _ in range(2))
    shared.load_state_dict(plain.state_dict())
    share_batch_norm(shared)
    for training in (True, True, False):
        x = torch.rand(4, 3, 8, 9)
        outputs = []
        for module in (plain, shared):
            module.train(training).zero_grad()
            y = module(x)
            y.square().mean().backward()
            outputs.append(y)
        torch.testing.assert_close(*outputs)
        for (name, p), q in zip(plain.named_parameters(), shared.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, msg=name)
    for name, buffer in plain.state_dict().items():
        torch.testing.assert_close(buffer, shared.state_dict()[name], msg=name)


def test_parts_cover_a_batch_once() -> None:
    parts = [Part(index, 4).of(12) for index in range(4)]
    assert [sample for part in parts for sample in part] == list(range(12))
    assert Part().of(3) == range(3)


def test_accumulated_parts_add_up_to_the_whole(toy_pool: ClipPool, tmp_path: Path) -> None:
    """Where batch norm rests, a batch in two parts gives the gradient of the whole."""

    class Rested(FrtmJob):
        def set_modes(self, reuse) -> None:
            self.network.eval()

    recipe = Recipe("g-frtm-lite", StageRecipe(2, batch=4, learning_rate=1e-3), None, clips=4)
    ends = []
    for name, changed in (("a", recipe), ("b", replace(recipe, accumulate=2))):
        job = Rested(changed, make_network(True), toy_pool, None, tmp_path / name, log_every=1)
        state = train(job)
        ends.append([p.value for p in state.curve if p.name == "bce"])
    assert ends[0] == pytest.approx(ends[1], abs=1e-5)
    assert recipe.sha256 != replace(recipe, accumulate=2).sha256


def test_a_batch_that_cannot_be_shared_is_refused(toy_pool: ClipPool, tmp_path: Path) -> None:
    recipe = Recipe("g-frtm-lite", StageRecipe(1, batch=3), None, clips=4)
    job = FrtmJob(recipe, make_network(True), toy_pool, None, tmp_path, processes=Processes(0, 2))
    with pytest.raises(InputError, match="batch of 3 can't be parted among 2 processes"):
        train(job)
    with pytest.raises(InputError, match="can't be parted into 2 accumulated"):
        replace(recipe, accumulate=2)


def test_torchruns_processes_take_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of_process("cuda:1") == "cuda:1"
    with joined(torch.device("cpu")) as processes:
        assert processes == ALONE
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of_process("auto") == device_of_process("cuda") == "cuda:1"
    assert device_of_process("cpu") == "cpu"
    with pytest.raises(InputError, match="its own GPU"):
        device_of_process("cuda:0")
