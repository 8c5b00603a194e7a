"""The frames that reports are built on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from store_samples import AGGREGATES, CLIPS, clip, run, spec, take

from vosbench.harness.store import (
    Command,
    Selection,
    State,
    Storage,
    objects,
    results,
    sequences,
    series,
)
from vosbench.harness.store.arrays import PackedArray, pack, unpack
from vosbench.harness.store.columns import decimal_text
from vosbench.harness.store.results import COLUMNS

CONTRACT = {
    *("model", "dataset", "tau", "tau2", "policy", "kind", "weights", "trained", "state"),
    *("jf_mean", "j_mean", "f_mean", "reuse_rate", "fps", "ms_per_frame", "mask_sha256"),
    *("device", "protocol"),
}
"""What ``vosbench results --json`` promises."""


@pytest.fixture
def filled(store_url: str) -> Iterator[Storage]:
    """Two complete trials and one that waits, in one study; a failed one in another."""
    with Storage.open(store_url) as storage:
        study = storage.add_plan(
            "first", Command("c"), [spec("0.3"), spec("0.30", seed=1), spec("1.0")]
        )
        for _ in range(2):
            run(storage, take(storage, study))
        other = storage.add_plan(
            "second", Command("c"), [spec(tau=None, model="frtm", policy=None)]
        )
        storage.fail(take(storage, other), "broken", "Traceback", deterministic=True)
        yield storage


def test_a_row_per_trial_with_stable_columns(filled: Storage) -> None:
    frame = results(filled)

    assert list(frame.columns) == [*COLUMNS, "energy_j"]
    assert set(COLUMNS) >= CONTRACT
    assert list(frame.tau) == [Decimal("0.3"), Decimal("0.3"), Decimal("1"), None]
    assert list(frame.state) == ["complete", "complete", "waiting", "failed"]
    assert list(frame.study) == ["first", "first", "first", "second"]
    assert list(frame.attempt) == [1, 1, 0, 1]
    assert frame.error[3] == "broken"
    assert frame.switches[0] == {"margin": "paper", "gate": "softmax"}
    assert frame.sequences[0] == CLIPS
    assert list(frame.key) == [
        wanted.key
        for wanted in (spec(), spec(seed=1), spec("1"), spec(None, model="frtm", policy=None))
    ]


def test_what_is_not_known_is_missing(filled: Storage) -> None:
    frame = results(filled)

    assert {name: frame[name][0] for name in AGGREGATES} == AGGREGATES
    assert frame.fps.isna().all()
    assert frame[["jf_mean", "energy_j"]].iloc[2:].isna().all(axis=None)
    assert frame.device.isna().all()
    assert frame.mask_sha256[2] is None


def test_a_trial_s_mask_hash_is_that_of_its_clips_in_order(filled: Storage) -> None:
    lines = "".join(f"{clip(name).mask_sha256}\n" for name in CLIPS)
    assert results(filled).mask_sha256[0] == hashlib.sha256(lines.encode()).hexdigest()


def test_an_empty_frame_has_the_types_of_a_full_one(tmp_path: Path, filled: Storage) -> None:
    Storage.open(tmp_path / "empty.db").close()
    empty = results(tmp_path / "empty.db")
    full = results(filled)

    assert len(empty) == 0
    assert dict(empty.dtypes) == {name: full.dtypes[name] for name in COLUMNS}


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (Selection(), 4),
        (Selection(models=["frtm"]), 1),
        (Selection(models=["frtm", "g-frtm-fast"], states=[State.COMPLETE]), 2),
        (Selection(policies=["learned"]), 3),
        (Selection(datasets=["motion"]), 0),
        (Selection(studies=["second"]), 1),
        (Selection(studies=["first"], states=[State.FAILED]), 0),
        (Selection(keys=[spec().key]), 1),
    ],
)
def test_selections(filled: Storage, where: Selection, rows: int) -> None:
    assert len(results(filled, where)) == rows


def test_a_row_per_clip(filled: Storage) -> None:
    frame = sequences(filled, Selection(keys=[spec().key]))

    assert list(frame.sequence) == list(CLIPS)
    assert list(frame.objects) == [2, 2, 2]
    assert list(frame.reuse_rate) == [0.4] * 3
    assert list(frame.columns[-2:]) == ["init_ms", "reuse_rate"]
    assert len(sequences(filled)) == 2 * len(CLIPS)


def test_a_row_per_object(filled: Storage) -> None:
    frame = objects(filled, Selection(keys=[spec().key]))

    assert list(frame.object_id) == [1, 3] * 3
    assert list(frame.j_mean) == [0.7, 0.5] * 3
    assert list(frame.j_recall.isna()) == [False, True] * 3


def test_series_by_trial_and_clip(filled: Storage) -> None:
    found = series(filled, "p_gate", Selection(keys=[spec().key]), sequences=["dog", "camel"])

    assert list(found) == [(spec().key, "dog"), (spec().key, "camel")]
    np.testing.assert_array_equal(
        found[spec().key, "dog"], clip("dog").series["p_gate"], strict=True
    )
    assert series(filled, "nothing") == {}


@given(
    arrays.arrays(
        dtype=st.one_of(
            arrays.boolean_dtypes(),
            arrays.integer_dtypes(endianness="?"),
            arrays.unsigned_integer_dtypes(endianness="?"),
            arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        ),
        shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_come_back_bit_for_bit(array: NDArray[np.generic]) -> None:
    back = unpack(pack(array.T))
    np.testing.assert_array_equal(back, array.T)
    assert back.dtype == array.dtype.newbyteorder("<")


def test_damaged_and_odd_arrays_are_refused() -> None:
    packed = pack(np.arange(100))
    with pytest.raises(ValueError, match="damaged series"):
        unpack(PackedArray(packed.dtype, packed.shape, packed.data[:-4]))
    with pytest.raises(ValueError, match="boolean or numeric"):
        pack(np.array(["a"]))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-9, max_value=9))
def test_equal_decimals_are_written_alike(value: Decimal) -> None:
    assert Decimal(decimal_text(value)) == value
    assert decimal_text(value) == decimal_text(value.normalize()) == decimal_text(value + 0)
