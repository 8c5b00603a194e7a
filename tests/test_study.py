"""The study's page holds the tables that its script writes, and nothing is left empty."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- (?!end -->)(.+?) -->(.*?)<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def lite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lite", ROOT / "studies" / "lite.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_table_has_its_place_and_numbers(lite: ModuleType) -> None:
    blocks = BLOCK.findall(lite.STUDY.read_text() + lite.WEIGHTS.read_text())
    assert {name for name, _ in blocks} == set(lite.TABLES)
    for name, text in blocks:
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len(rows) > 2 and re.search(r"\d\.\d", text), name


def test_blocks_are_written_anew_and_prose_is_kept(
    lite: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite, "TABLES", {"gate": lambda source: f"table of {source}"})
    text = "before\n<!-- gate -->\nold\n<!-- end -->\nafter\n<!-- other -->\n"
    once = lite.filled(text, "a.db")
    assert "old" not in once and "table of a.db" in once
    assert once.startswith("before\n") and once.endswith("after\n<!-- other -->\n")
    assert lite.filled(once, "a.db") == once


def test_pictures_and_results_are_where_the_page_says(lite: ModuleType) -> None:
    for link in re.findall(r"\]\((study/[^)]+)\)", lite.STUDY.read_text()):
        assert (lite.STUDY.parent / link).stat().st_size > 0, link


def test_the_card_of_every_shipped_file_is_there(lite: ModuleType) -> None:
    text = lite.WEIGHTS.read_text()
    for path in lite.WEIGHTS.parent.glob("*.safetensors"):
        assert f"| `{path.stem}` |" in text, path.stem
