"""Text from elsewhere is data on a terminal, in a log and in files of other syntax."""

from __future__ import annotations

import ast
import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import SHOWN, error_text, plain_name, shown
from vosbench.harness.terminal import Terminal, lines, plain_table, styled
from vosbench.harness.text import csv_cell, csv_text, json_text, latex, markdown, xml

HOSTILE = (
    "[/x]",
    "[bold red]ema[/]",
    "a[ema]b",
    ":smile:",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "a\nb\r\n::error::injected",
    "::error file=x::injected",
    "##[error]injected",
    "tab\tand\x00nul",
    "right\u202eleft",
    "\ud800lone",
    "x" * 1_000_000,
    "\x9b31m",
)


def printed(text: str, width: int = 40) -> str:
    """``text`` by every way onto a terminal: a line, a cell, a title, a caption."""
    file = io.StringIO()
    terminal = Terminal(file=file, width=width)
    terminal.say(text)
    terminal.print(text)
    table = plain_table(text, "b", caption=lines([text, text]))
    table.title = text
    table.add_row(text, styled(text))
    terminal.print(table)
    return file.getvalue()


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_a_terminal_shows_text_as_it_is(text: str) -> None:
    out = printed(text)
    assert len(out) < 20_000
    assert out.replace("\n", "").isprintable()
    for line in out.splitlines():
        assert not line.lstrip().startswith("::error")
        assert "##[" not in line


def test_markup_stays_visible() -> None:
    assert "a[ema]b [/x] :smile:" in printed("a[ema]b [/x] :smile:", 200)
    assert "[bold red]" in printed("[bold red]", 200)


def test_a_long_text_keeps_its_end() -> None:
    text = "head " + "x" * 10_000 + " what to do"
    assert shown(text).startswith("head ")
    assert shown(text).endswith(" what to do")
    assert "more characters" in shown(text)
    assert len(shown(text)) < SHOWN + 50
    assert shown("short") == "short"


@given(st.text())
def test_what_is_shown_is_one_line_that_can_be_encoded(text: str) -> None:
    assert shown(text).isprintable()
    shown(text).encode("utf-8")
    assert shown(shown(text)) == shown(text) or len(text) > SHOWN


def test_an_error_without_words_is_named() -> None:
    class Silent(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    assert error_text(Silent()).startswith("Silent: ")
    assert error_text(ValueError("a\nb")) == "ValueError: a b"


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a\u202eb", "\ud800", "a\x00"])
def test_names_that_cannot_be_seen_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="unprintable") as caught:
        plain_name(name, "sequence")
    assert str(caught.value).isprintable()
    assert plain_name("blackswan é 雪 =1+1 [x]", "sequence")


@pytest.mark.parametrize("cell", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", " =1+1", "=a|' /C b'!A0"])
def test_a_spreadsheet_does_not_compute_a_cell(cell: str) -> None:
    assert csv_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-1.5", "+2", "0.1", "1e-3", "-inf", "frtm", "", "a=b"])
def test_numbers_and_words_stay(cell: str) -> None:
    assert csv_cell(cell) == cell


def test_a_csv_is_one_line_a_row() -> None:
    frame = pd.DataFrame({"=name": ["a\n::error::x", 'quote"d, comma'], "number": [-1.5, 2.0]})
    text = csv_text(frame)
    rows = list(csv.reader(io.StringIO(text)))
    assert len(text.splitlines()) == 3
    assert rows[0] == ["'=name", "number"]
    assert rows[1] == ["a\\n\\x3a:error::x", "-1.5"]
    assert rows[2] == ['quote"d, comma', "2.0"]


def test_markdown_is_text() -> None:
    cell = markdown("a|b <script> *x* [l](http://e) @octocat ![i](x) `c` \n# h")
    assert "\n" not in cell
    assert "<script>" not in cell
    for sign in "|*[]`#!":
        assert cell.count(sign) == cell.count("\\" + sign) + (
            cell.count("&#8205;") if sign == "#" else 0
        )
    assert "@octocat" not in cell
    assert "http://" not in cell


def test_latex_is_text() -> None:
    assert latex(r"a_b & \input{x} 50%") == r"a\_b \& \textbackslash{}input\{x\} 50\%"
    assert latex("$x$ ^ ~ # τ") == (r"\$x\$ \textasciicircum{} \textasciitilde{} \# $\tau$")


@given(st.text())
def test_xml_can_be_read_again(text: str) -> None:
    element = ET.Element("e", {"a": xml(text)})
    element.text = xml(text)
    ET.fromstring(ET.tostring(element, encoding="unicode"))


@given(st.text())
def test_json_is_ascii_and_exact(text: str) -> None:
    out = json_text({"text": text})
    assert out.isascii()
    assert "##[" not in out
    assert json.loads(out) == {"text": text}


_ROOMS = ("harness", "reports")
_CALLS = {"print", "Console", "sys.stdout.write", "sys.stderr.write", "typer.echo", "csv.writer"}
_MODULES = {"rich.markup", "html", "xml.sax.saxutils"}


def _ways_around(path: Path) -> list[str]:
    """What a module prints, or makes a console of, by itself."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            made = name == "Text" and "rich.text" in used
            if name in _CALLS or name.endswith(".to_csv") or made:
                found.append(f"{path}:{node.lineno}: {name}()")
        if isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            found.append(f"{path}:{node.lineno}: {node.module}")
    return found


# Words from a process of ours to its parent, and the official CSV, whose cells are numbers and
# names that were checked.
_ALLOWED = {"power_sampler.py", "power_trace.py", "official.py", "prove_programs.py"}
_DOOR = {"text.py", "terminal.py", "streams.py"}


def test_there_is_no_other_door() -> None:
    root = Path(__file__).parents[2]
    ways = [
        way
        for room in _ROOMS
        for path in sorted((root / room).rglob("*.py"))
        if path.name not in _ALLOWED
        and not (path.parent == root / "harness" and path.name in _DOOR)
        for way in _ways_around(path)
    ]
    assert not ways
