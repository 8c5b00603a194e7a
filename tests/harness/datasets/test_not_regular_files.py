"""Whatever a user names and is no regular file of a fair size: one line, at once, everywhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.decode import image_size, read_image
from vosbench.harness.datasets.labels import label_colours, label_size, read_labels
from vosbench.harness.datasets.layout import read_frame_list, read_json, read_list
from vosbench.harness.datasets.manifest import file_sha256
from vosbench.harness.regression.portable import load_run
from vosbench.harness.training.data.pictures import open_pictures
from vosbench.harness.training.request import read_request
from vosbench.harness.training.trainers import trainer_of
from vosbench.runners.external.config import read_config
from vosbench.runners.interface import RunnerOptions
from vosbench.runners.registry import resolve

READERS: dict[str, Callable[[Path], object]] = {
    "frame": read_image,
    "frame's size": image_size,
    "mask": read_labels,
    "mask's size": label_size,
    "mask's palette": label_colours,
    "list": read_list,
    "list of frames": read_frame_list,
    "JSON": read_json,
    "hash": file_sha256,
    "checkpoint": read_checkpoint,
    "TOML": read_config,
    "saved run": load_run,
}


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "named pipe": _fifo,
    "device": _device,
    "socket": _socket,
    "folder": Path.mkdir,
}


def one_line(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_reader_refuses_what_is_no_regular_file(
    reader: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    path = tmp_path / "named.png"
    KINDS[kind](path)
    said = one_line(lambda: READERS[reader](path))
    assert "named.png" in said
    assert f"a {kind}" in said


@pytest.mark.timeout(60)
@pytest.mark.parametrize("reader", [name for name in READERS if name not in ("hash", "checkpoint")])
def test_each_reader_refuses_a_file_that_would_fill_memory(reader: str, tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**36)
    assert "MiB, more than" in one_line(lambda: READERS[reader](tmp_path / "huge.png"))


@pytest.mark.timeout(60)
def test_predictions_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results/one").mkdir(parents=True)
    os.mkfifo(tmp_path / "results/one/00001.png")
    model = resolve(f"masks:{tmp_path / 'results'}")
    assert "a named pipe" in one_line(lambda: model.build(RunnerOptions()))


@pytest.mark.timeout(60)
def test_a_list_of_sequences_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    for name in ("JPEGImages/one", "Annotations/one", "ImageSets"):
        (tmp_path / name).mkdir(parents=True)
    os.mkfifo(tmp_path / "ImageSets/val.txt")
    said = one_line(lambda: registry.open(f"davis-layout:{tmp_path}"))
    assert "a named pipe" in said


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_of_another_kind_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.toml"
    KINDS[kind](path)
    said = one_line(lambda: read_request(path, lambda model: trainer_of(model).recipe))
    assert "recipe.toml" in said
    assert f"a {kind}" in said
    ran = CliRunner().invoke(app, ["train", "g-frtm-lite", "--recipe", str(path)])
    assert isinstance(ran.exception, InputError)
    assert f"a {kind}" in str(ran.exception)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("folder", ["images", "masks"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_pictures_of_another_kind_are_refused(
    kind: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("images", "masks"):
        (tmp_path / place).mkdir()
        Image.new("L", (8, 8), 255).save(tmp_path / place / "good.png")
    monkeypatch.chdir(tmp_path / folder)
    KINDS[kind](tmp_path / folder / "named.png")
    other = "masks" if folder == "images" else "images"
    Image.new("L", (8, 8), 255).save(tmp_path / other / "named.png")
    pictures = open_pictures(tmp_path)
    for work in (lambda: pictures.sha256, lambda: pictures[1]):
        said = one_line(work)
        assert "named.png" in said
        assert f"a {kind}" in said
