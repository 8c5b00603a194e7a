"""The databases of the store's tests, for tests in other folders."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_FILE = Path(__file__).parents[1] / "store" / "conftest.py"
_found = importlib.util.spec_from_file_location("store_databases", _FILE)
assert _found is not None
assert _found.loader is not None
_module = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_module)

postgresql_server = _module.postgresql_server
postgresql_url = _module.postgresql_url
store_url = _module.store_url

__all__ = ["postgresql_server", "postgresql_url", "store_url"]
