"""Files that a user names: only regular ones of a fair size are read, whatever else is refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import open_regular, read_regular, read_text


def refusal(path: Path, at_most: int = 100) -> str:
    with pytest.raises(InputError) as caught:
        read_regular(path, at_most, "a mask")
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_regular_file_is_read_whole_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file", 100, "a mask") == b"x" * 100
    assert read_regular(tmp_path / "link", 100, "a mask") == b"x" * 100
    with open_regular(tmp_path / "file", None, "a mask") as file:
        assert file.read(3) == b"xxx"


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_refused_by_its_kind_and_never_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "a named pipe, where a mask is wanted" in refusal(tmp_path / "fifo")
    assert "a folder, where" in refusal(tmp_path)
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert "a device, where" in refusal(tmp_path / "zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
        assert "a socket, where" in refusal(tmp_path / "socket")


def test_what_is_missing_or_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "gone")
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in refusal(tmp_path / "loop")
    with pytest.raises(InputError, match="cannot be read"):
        read_regular(tmp_path / "nul\0", 100, "a mask")
    assert "cannot be read" in refusal(tmp_path / ("long" * 100))


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    assert "1,048,576.0 MiB, more than a mask can have" in refusal(tmp_path / "huge")
    (tmp_path / "over").write_bytes(b"x" * 101)
    refusal(tmp_path / "over")


def test_a_file_that_hides_its_size_is_read_no_further_than_the_limit() -> None:
    assert "more than a mask" in refusal(Path("/proc/self/smaps"))


def test_text_is_utf_8_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfd\xc3\xa9j\xc3\xa0\n")
    assert read_text(tmp_path / "list", "a list") == "déjà\n"
    (tmp_path / "list").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="as text"):
        read_text(tmp_path / "list", "a list")
