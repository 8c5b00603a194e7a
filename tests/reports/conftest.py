"""One database of made-up results for all tests of the reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import database


@pytest.fixture(scope="session")
def results_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model that a figure wants, on the three made-up clips."""
    return database(tmp_path_factory.mktemp("reports") / "results.db")
