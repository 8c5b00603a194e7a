"""What a command that takes long says meanwhile, on standard error: nothing is silent for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from vosbench.harness.terminal import Described, Terminal

SHOWN_S = 0.5
"""A bar appears after so long: what is quick doesn't flicker."""
EACH_S = 10.0
"""A log, which nobody waits before, gets a line each so long."""

Tell = Callable[[str, int, int | None], None]
"""``(what, done, of)``: at which part a command is, how many parts are done, of how many."""

Item = TypeVar("Item")


@contextmanager
def waiting(what: str) -> Iterator[Tell]:
    """Around what takes long: a spinner or bar on a terminal, a line now and then in a log.

    The bar is gone at the end. Yields what parts are told to.

    Args:
        what: is done, for people: "scoring".
    """
    console = Terminal(stderr=True)
    with _bar(what, console) if console.is_terminal else _log(what, console) as tell:
        yield tell


def each(items: Iterable[Item], tell: Tell, what: Callable[[Item], str]) -> Iterator[Item]:
    """The items, each told of as it begins."""
    listed = list(items)
    for done, item in enumerate(listed):
        tell(what(item), done, len(listed))
        yield item


@contextmanager
def _bar(what: str, console: Terminal) -> Iterator[Tell]:
    columns = (SpinnerColumn(), Described(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=console, transient=True)
    task = shown.add_task(what, total=None)

    def tell(part: str, done: int, of: int | None) -> None:
        shown.update(task, description=f"{what}: {part}", completed=done, total=of)

    try:
        with _after(SHOWN_S, shown.start):
            yield tell
    finally:
        shown.stop()


@contextmanager
def _log(what: str, console: Terminal) -> Iterator[Tell]:
    at: list[str] = [what]
    began = time.monotonic()

    def tell(part: str, done: int, of: int | None) -> None:
        at[0] = f"{what}: {part}" + ("" if of is None else f" ({done + 1}/{of})")

    def say() -> None:
        console.say(f"{at[0]}, {time.monotonic() - began:.0f} s")

    with _after(EACH_S, say, EACH_S):
        yield tell


@contextmanager
def _after(pause_s: float, act: Callable[[], None], again_s: float | None = None) -> Iterator[None]:
    """Act in a thread after a while, and again, as long as the block isn't left."""
    left = threading.Event()

    def wait_and_act() -> None:
        pause: float | None = pause_s
        while pause is not None and not left.wait(pause):
            act()
            pause = again_s

    waits = threading.Thread(target=wait_and_act, daemon=True)
    waits.start()
    try:
        yield
    finally:
        left.set()
        waits.join()
