"""Checkpoints: what is read, what is refused, and that weights name themselves by hash."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from vosbench.baselines.checkpoints import (
    hash_tensors,
    load_into,
    random_tensors,
    read_checkpoint,
    write_checkpoint,
)
from vosbench.baselines.errors import InputError


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    tensors, file = small().state_dict(), tmp_path / "net.safetensors"
    write_checkpoint(file, tensors, {"margins": "0.7,0.2"})
    read = read_checkpoint(file)
    assert read.header == {"margins": "0.7,0.2"}
    assert hash_tensors(read.tensors) == hash_tensors(tensors)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("wrapper", ["model", "state_dict", None])
def test_published_files_are_read_bare_and_wrapped(tmp_path: Path, wrapper: str | None) -> None:
    tensors, file = small().state_dict(), tmp_path / "published.pth"
    torch.save(tensors if wrapper is None else {wrapper: tensors, "epoch": 3}, file)
    read = read_checkpoint(file)
    assert hash_tensors(read.tensors) == hash_tensors(tensors)
    assert read.header == {}


class Evil:
    """What runs a command when it is unpickled carelessly."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._witness),)


@pytest.mark.parametrize("plain", [True, False])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path, plain: bool) -> None:
    file, witness = tmp_path / "evil.pth", tmp_path / "ran"
    if plain:
        file.write_bytes(pickle.dumps({"model": Evil(witness)}))
    else:
        torch.save({"model": Evil(witness)}, file)
    with pytest.raises(InputError, match="read safely"):
        read_checkpoint(file)
    assert not witness.exists()


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pth"])
def test_damaged_and_missing_files_are_the_users_to_mend(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no checkpoint at"):
        read_checkpoint(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x00" * 40)
    with pytest.raises(InputError, match="read safely"):
        read_checkpoint(tmp_path / name)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "notes.pth")
    with pytest.raises(InputError, match="holds no state dict"):
        read_checkpoint(tmp_path / "notes.pth")


def test_random_tensors_belong_to_seed_and_key() -> None:
    one, again, other = (random_tensors(small(), seed) for seed in (0, 0, 1))
    assert hash_tensors(one) == hash_tensors(again) != hash_tensors(other)
    alone = random_tensors(nn.Sequential(nn.Conv2d(3, 4, 3)), 0)
    assert torch.equal(alone["0.weight"], one["0.weight"])
    assert not one["0.bias"].any()
    assert torch.equal(one["1.running_var"], torch.ones(4))


def test_the_hash_sees_keys_types_shapes_and_values_but_no_order() -> None:
    a, b = torch.arange(4.0), torch.ones(2)
    same = hash_tensors({"a": a, "b": b})
    assert same == hash_tensors({"b": b, "a": a})
    changed = [
        {"a": a, "c": b},
        {"a": a.double(), "b": b},
        {"a": a.view(2, 2), "b": b},
        {"a": a + 1e-6, "b": b},
        {"a": a},
    ]
    assert same not in {hash_tensors(tensors) for tensors in changed}


def test_what_does_not_fit_is_named() -> None:
    tensors = dict(small().state_dict())
    del tensors["1.running_var"]
    tensors["2.weight"] = torch.zeros(7)
    tensors["head.weight"] = torch.zeros(1)
    with pytest.raises(InputError) as caught:
        load_into(small(), tensors, "net.pth")
    for part in ("missing (1.running_var)", "unexpected (head.weight)", "another shape (2.weight)"):
        assert part in str(caught.value)
    tensors["2.weight"] = small().state_dict()["2.weight"]
    load_into(small(), tensors, "net.pth", optional=("1.",), ignored=("head",))
