"""Comma lists of names, some of which hold commas themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from vosbench.harness.text import names_a_place, parse_names


def test_plain_names_are_split_in_order_without_repetitions() -> None:
    assert parse_names(["b, a", "c,b,"]) == ("b", "a", "c")


def test_a_name_that_exists_keeps_its_commas() -> None:
    known = {"a,b", "c", "a", "b,c,d"}.__contains__
    assert parse_names(["a,b,c"], known) == ("a,b", "c")
    assert parse_names(["x,b,c,d"], known) == ("x", "b,c,d")
    assert parse_names(["a", "b"], known) == ("a", "b")


def test_paths_with_commas_are_names(tmp_path: Path) -> None:
    folder = tmp_path / "ours, at last, fine"
    folder.mkdir()
    text = f"masks:{folder},frtm-lite"
    assert parse_names([text], names_a_place) == (f"masks:{folder}", "frtm-lite")
    assert parse_names([f"{folder},{folder / 'x'}"], names_a_place) == (
        str(folder),
        f"{folder.parent}/ours",
        "at last",
        "fine/x",
    )


@pytest.mark.parametrize("name", ["", "masks:", "~nobody-of-this-name/x", "x" * 5000, "a\0b"])
def test_what_can_be_no_path_is_none(name: str) -> None:
    assert not names_a_place(name)
