"""Differences from the published outputs, array by array: `pytest -v tests/conformance`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_PROPERTY = "difference of "


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Callable[[str, float], float]:
    """``seen("D", 2e-7)`` notes an array's largest relative difference, and gives it back."""

    def note(name: str, difference: float) -> float:
        record_property(f"{_PROPERTY}{name}", difference)
        return difference

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """List what was noted, unless the run is a quiet one."""
    if config.get_verbosity() < 0:
        return
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith(_PROPERTY):
                    test = report.nodeid.rpartition("::")[2]
                    terminalreporter.write_line(
                        f"{test}: {name.removeprefix(_PROPERTY)} {value:.1e}"
                    )
