"""Environments and checkpoints: what results came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from vosbench.harness.store.models import Checkpoint, Environment
from vosbench.harness.store.planning import insert_new


def add_environment(
    connection: Connection, key: str, device: str, stable: Mapping[str, Any]
) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.add_environment`."""
    insert_new(connection, Environment, [{"key": key, "device": device, "stable": dict(stable)}])


def add_checkpoint(
    connection: Connection,
    sha256: str,
    name: str,
    architecture: str,
    provenance: Mapping[str, Any],
    *,
    trained: bool,
) -> int:
    """See :meth:`vosbench.harness.store.storage.Storage.add_checkpoint`."""
    row = {
        "sha256": sha256,
        "name": name,
        "architecture": architecture,
        "trained": trained,
        "provenance": dict(provenance),
    }
    insert_new(connection, Checkpoint, [row])
    return connection.execute(select(Checkpoint.id).where(Checkpoint.sha256 == sha256)).scalar_one()
