"""Toy data, encoded once for all tests of training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_toys import make_pool

from vosbench.harness.training.data.pool import ClipPool


@pytest.fixture(scope="session")
def toy_pool(tmp_path_factory: pytest.TempPathFactory) -> ClipPool:
    return make_pool(tmp_path_factory.mktemp("training"))
