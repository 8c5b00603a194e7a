"""What the database knows beside results: notes on weights, names of series."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from vosbench.harness.store import Readable, Selection, read_from
from vosbench.harness.store.models import Checkpoint, SequenceResult, Series, Trial


def weights_notes(source: Readable) -> Mapping[str, str]:
    """What has to be said about weights, by the hash of their tensors; "" for published ones."""

    def work(connection: Connection) -> dict[str, str]:
        rows = connection.execute(select(Checkpoint.sha256, Checkpoint.provenance))
        return {sha256: str((provenance or {}).get("note", "")) for sha256, provenance in rows}

    return read_from(source, work)


def series_names(source: Readable, where: Selection, prefix: str) -> tuple[str, ...]:
    """The names of stored series that begin with ``prefix``, sorted."""

    def work(connection: Connection) -> tuple[str, ...]:
        query = (
            select(Series.name)
            .distinct()
            .join(SequenceResult, SequenceResult.id == Series.sequence_result_id)
            .join(Trial, Trial.id == SequenceResult.trial_id)
            .where(Series.name.startswith(prefix, autoescape=True), *where.conditions())
            .order_by(Series.name)
        )
        return tuple(connection.execute(query).scalars())

    return read_from(source, work)
