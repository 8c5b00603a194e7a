"""What takes long says so: on a terminal soon, in a log now and then, when quick not at all."""

from __future__ import annotations

import io
import threading

import pytest

from vosbench.harness.cli import waiting as module
from vosbench.harness.cli.waiting import each, waiting
from vosbench.harness.terminal import Terminal


def on(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> io.StringIO:
    """What is written to standard error."""
    file = io.StringIO()
    monkeypatch.setattr(
        module, "Terminal", lambda **_: Terminal(file=file, width=80, force_terminal=terminal)
    )
    return file


class Acted(threading.Event):
    """Lets a test wait for the other thread, never longer than it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        super().__init__()
        original = getattr(owner, name)

        def and_tell(*arguments: object, **options: object) -> None:
            original(*arguments, **options)
            self.set()

        monkeypatch.setattr(owner, name, and_tell)


def test_a_terminal_gets_a_bar_with_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    file = on(monkeypatch, terminal=True)
    monkeypatch.setattr(module, "SHOWN_S", 0.0)
    started = Acted(monkeypatch, module.Progress, "start")
    with waiting("scoring") as tell:
        tell("frames", 3, 7)
        assert started.wait(10)
    assert "scoring: frames" in file.getvalue()
    assert "3/7" in file.getvalue()


def test_a_log_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    file = on(monkeypatch, terminal=False)
    monkeypatch.setattr(module, "EACH_S", 0.0)
    said = Acted(monkeypatch, Terminal, "say")
    with waiting("report") as tell:
        for _ in each(["pareto"], tell, str.upper):
            assert said.wait(10)
            said.clear()
            assert said.wait(10)  # and again, as long as it takes
    assert "report: PARETO (1/1), 0 s\n" in file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    file = on(monkeypatch, terminal=terminal)
    with waiting("scoring") as tell:
        tell("frames", 1, 1)
    assert "scoring" not in file.getvalue()


def test_an_error_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, terminal=False)
    before = threading.active_count()
    with pytest.raises(ValueError, match="bad"), waiting("scoring"):
        raise ValueError("bad")
    assert threading.active_count() == before
