"""Checkpoints as others write them: containers, prefixes, things beside; and what is none."""

from __future__ import annotations

import argparse
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from vosbench.baselines.checkpoints import hash_tensors, read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.foreign import CONTAINERS

PLAIN = {
    "refiner.weight": torch.arange(6.0).reshape(2, 3),
    "refiner.bias": torch.ones(2),
    "model.depth": torch.zeros(1),  # a network's own key may begin like a prefix
}


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in PLAIN.items()}


def saved(path: Path, content: object, *, old: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "weights_only" not in message
    return message


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("old", [False, True])
def test_weights_are_found_in_every_container(tmp_path: Path, container: str, old: bool) -> None:
    file = saved(tmp_path / "net.pth", {"epoch": 3, container: PLAIN}, old=old)
    read = read_checkpoint(file)
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    assert read.read_as == f"the weights under '{container}'"


def test_containers_may_lie_in_one_another(tmp_path: Path) -> None:
    file = saved(tmp_path / "net.pth", {"ema": {"module": PLAIN, "decay": 0.99}})
    read = read_checkpoint(file)
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    assert read.read_as == "the weights under 'ema.module'"


def test_plain_weights_come_before_their_averages_and_both_are_named(tmp_path: Path) -> None:
    other = {key: value + 1 for key, value in PLAIN.items()}
    file = saved(tmp_path / "net.pth", {"state_dict_ema": other, "state_dict": PLAIN})
    read = read_checkpoint(file)
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    assert read.read_as == "the weights under 'state_dict', without 'state_dict_ema' beside them"


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.model."]
)
def test_prefixes_are_taken_off_and_named(tmp_path: Path, prefix: str) -> None:
    read = read_checkpoint(saved(tmp_path / "net.pth", prefixed(prefix)))
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    assert "keys without the prefix" in read.read_as
    save_file(prefixed(prefix), tmp_path / "net.safetensors")
    assert hash_tensors(read_checkpoint(tmp_path / "net.safetensors").tensors) == hash_tensors(
        PLAIN
    )


def test_parts_that_were_compiled_lose_their_prefix_too(tmp_path: Path) -> None:
    compiled = {key.replace(".", "._orig_mod.", 1): value for key, value in PLAIN.items()}
    read = read_checkpoint(saved(tmp_path / "net.pth", compiled))
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    assert read.read_as == "keys without the prefix '_orig_mod.'"


def test_a_prefix_stays_where_two_keys_would_become_one(tmp_path: Path) -> None:
    both = {"module.a": torch.ones(1), "module.b": torch.ones(1), "a": torch.zeros(1)}
    read = read_checkpoint(saved(tmp_path / "net.pth", both))
    assert set(read.tensors) == set(both)


@pytest.mark.parametrize("old", [False, True])
def test_numbers_and_options_beside_the_weights_do_no_harm(tmp_path: Path, old: bool) -> None:
    beside = {
        "best": np.float64(0.7),
        "step": np.int32(3),
        "curve": np.arange(3.0),
        "args": argparse.Namespace(lr=1e-3, out=Path("x")),
    }
    read = read_checkpoint(saved(tmp_path / "a.pth", {"net": PLAIN} | beside, old=old))
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)
    bare = read_checkpoint(saved(tmp_path / "b.pth", PLAIN | {"best": np.float64(0.7)}, old=old))
    assert hash_tensors(bare.tensors) == hash_tensors(PLAIN)
    assert bare.read_as == "without 'best' beside them"


def test_bare_weights_need_no_remark(tmp_path: Path) -> None:
    assert read_checkpoint(saved(tmp_path / "net.pth", PLAIN)).read_as == ""


def test_which_format_it_is_the_bytes_say_not_the_name(tmp_path: Path) -> None:
    save_file(PLAIN, tmp_path / "net.pth")
    assert hash_tensors(read_checkpoint(tmp_path / "net.pth").tensors) == hash_tensors(PLAIN)
    read = read_checkpoint(saved(tmp_path / "net.safetensors", PLAIN))
    assert hash_tensors(read.tensors) == hash_tensors(PLAIN)


def archive(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git-LFS"),
        (b"\n<!DOCTYPE html><html><head><title>Sign in</title>", "an HTML page"),
        (b'{"error": "not found"}', "a text file (XML or JSON)"),
        (b'\x40\0\0\0\0\0\0\0{"a": {"dtype": "F32", "shape": [9]', "a safetensors file that"),
        (archive(**{"notes.txt": b"x"}), "a zip archive of something else ('notes.txt'"),
        (archive(**{"a.npy": b"x"}), "an archive of NumPy arrays"),
        (b"PK\x03\x04 and then nothing", "damaged or cut off"),
        (b"\x1f\x8b" + bytes(50), "a gzip archive"),
        (bytes(257) + b"ustar" + bytes(250), "a tar archive"),
        (pickle.dumps([1, 2]), "a pickle of something else"),
        (bytes(64), "damaged, cut off, or something else"),
    ],
)
def test_what_is_no_checkpoint_is_named_for_what_it_seems(
    tmp_path: Path, content: bytes, what: str
) -> None:
    for name in ("net.pth", "net.safetensors"):
        (tmp_path / name).write_bytes(content)
        assert what in refusal(tmp_path / name)


def test_torch_files_of_other_things_are_named(tmp_path: Path) -> None:
    assert "a list" in refusal(saved(tmp_path / "net.pth", [1, 2]))
    assert "a dictionary that names 'a'" in refusal(saved(tmp_path / "net.pth", {"a": {"b": 1}}))
    assert "a dictionary that is empty" in refusal(saved(tmp_path / "net.pth", {}))


def test_a_container_within_itself_is_no_endless_walk(tmp_path: Path) -> None:
    content: dict[str, Any] = {"epoch": 1}
    content["model"] = content
    refusal(saved(tmp_path / "net.pth", content))


def test_a_whole_pickled_network_is_refused_by_its_class(tmp_path: Path) -> None:
    message = refusal(saved(tmp_path / "net.pth", torch.nn.Linear(2, 2)))
    assert "torch.nn.modules.linear.Linear" in message
    assert "state dict alone" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    broken = PLAIN | {"refiner.bias": torch.tensor([1.0, value])}
    assert "1 of 3 tensors hold NaN or infinity (refiner.bias)" in refusal(
        saved(tmp_path / "net.pth", broken)
    )
    save_file(broken, tmp_path / "net.safetensors")
    refusal(tmp_path / "net.safetensors")


def test_tensors_without_plain_values_are_refused(tmp_path: Path) -> None:
    for odd in (torch.eye(2).to_sparse(), torch.zeros(2, device="meta")):
        assert "no plain tensor" in refusal(saved(tmp_path / "net.pth", PLAIN | {"odd": odd}))


def written(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "safetensors":
        from safetensors.torch import save

        return save(PLAIN)
    torch.save({"net": PLAIN}, buffer, _use_new_zipfile_serialization=kind == "zip")
    return buffer.getvalue()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["zip", "old", "safetensors"]), st.data())
def test_no_damage_ends_in_anything_but_weights_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(written(kind))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    file = tmp_path_factory.getbasetemp() / "damaged.pth"
    file.write_bytes(bytes(content[:end]))
    try:
        read = read_checkpoint(file)
    except InputError as error:
        assert "\n" not in str(error)
        assert "weights_only" not in str(error)
    else:
        # Only an archive has checksums: there, what is read is what was written.
        assert kind != "zip" or hash_tensors(read.tensors) == hash_tensors(PLAIN)
