"""What the pages of single runs and sequences show, in files of many: each page loads its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vosbench.reports.site.script import packed, plain, rounded, write_script

CHUNK = 100
"""Runs in a file of details."""

_OF_RUN = ["model", "dataset", "tau", "policy"]
_HASH = 16


def write_runs(
    folder: Path,
    rows: Mapping[str, int],
    per_clip: pd.DataFrame,
    per_object: pd.DataFrame,
    attempts: Mapping[str, Mapping[str, Any]],
) -> int:
    """Write ``data/runs/N``: attempts, sequences and objects of each hundred runs; their size.

    Args:
        folder: of the site.
        rows: the place of each run by its key.
        per_clip, per_object: of the store's ``sequences`` and ``objects``.
        attempts: of :func:`vosbench.harness.store.catalog.attempts`.
    """
    clips = _by_chunk(per_clip, rows)
    objects = _by_chunk(of_several(per_object), rows)
    keys = list(rows)
    size = 0
    for chunk in range(-(-len(keys) // CHUNK)):
        here = keys[chunk * CHUNK : (chunk + 1) * CHUNK]
        told = [
            plain({name: value for name, value in attempts.get(key, {}).items() if name != "key"})
            for key in here
        ]
        data = {"attempts": told, "clips": clips.get(chunk), "objects": objects.get(chunk)}
        size += write_script(folder, f"data/runs/{chunk}", data)
    return size


def _by_chunk(frame: pd.DataFrame, rows: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """Packed rows of each chunk, with ``run``, the place of their run."""
    places = frame["key"].map(rows)
    shown = frame.drop(columns=["key", *_OF_RUN]).assign(run=places)
    return {
        int(chunk): packed(part.dropna(axis="columns", how="all"))
        for chunk, part in shown.groupby(places // CHUNK, sort=False)
    }


def of_several(per_object: pd.DataFrame) -> pd.DataFrame:
    """Objects that share their clip with another one: a lone object's scores are the clip's."""
    return per_object[per_object.groupby(["key", "sequence"])["object_id"].transform("size") > 1]


def clip_rows(per_clip: pd.DataFrame, rows: Mapping[str, int]) -> Iterator[tuple[str, str, Any]]:
    """Dataset, sequence and what its page's table shows of all runs, in the order of the store."""
    brief = rounded(per_clip).assign(
        run=per_clip["key"].map(rows), mask_sha256=per_clip["mask_sha256"].str[:_HASH]
    )
    for (dataset, sequence), part in brief.groupby(["dataset", "sequence"], sort=False):
        shown = part.drop(columns=["key", "sequence", *_OF_RUN])
        yield str(dataset), str(sequence), packed(shown.dropna(axis="columns", how="all"))
