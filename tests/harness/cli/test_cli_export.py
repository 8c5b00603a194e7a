"""A real clip in YouTube-VOS layout: objects that start late, masks exported for the server."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_outcome import Vosbench
from PIL import Image

Shared = Callable[[str], Path]
STARTS = {1: 0, 2: 5, 3: 8, 4: 13}


@pytest.fixture
def judo(shared: Shared, tmp_path: Path) -> Path:
    """The clip as YouTube-VOS 2019 valid would hold it."""
    source, valid = shared("judo"), tmp_path / "ytvos" / "valid"
    shutil.copytree(source / "JPEGImages", valid / "JPEGImages")
    annotations = valid / "Annotations" / "judo"
    annotations.mkdir(parents=True)
    for path in (source / "Annotations" / "judo").glob("*.png"):
        with Image.open(path) as mask:
            # One of the masks is a column narrower than its frame.
            fitted = mask if mask.size == (854, 480) else mask.resize((854, 480), 0)
            fitted.save(annotations / path.name)
    names = sorted(path.stem for path in (valid / "JPEGImages" / "judo").iterdir())
    objects = {
        str(i): {"category": "person", "frames": names[first:]} for i, first in STARTS.items()
    }
    (valid / "meta.json").write_text(json.dumps({"videos": {"judo": {"objects": objects}}}))
    return tmp_path / "ytvos"


def test_late_objects_are_tracked_and_exported(vosbench: Vosbench, judo: Path) -> None:
    asked = ("--dataset", "ytvos19-valid", "--data-root", judo)
    ran = vosbench("run", "--models", "ttvos-lite", "--weights", "random:0", "--save-masks", *asked)
    assert ran.code == 0, ran.err
    (row,) = json.loads(vosbench("results", "--json").out)
    assert row["state"] == "complete"
    assert row["jf_mean"] is None  # the annotations are the server's

    outcome = vosbench("export", "--ytvos", row["trial_id"], "--out", "out.zip", *asked[2:])
    assert outcome.code == 0, outcome.err
    assert "1 videos, 16 frames" in outcome.out
    with zipfile.ZipFile(judo.parent / "out.zip") as archive:
        assert sorted(archive.namelist()) == [f"Annotations/judo/{t:05d}.png" for t in range(16)]
        for t in range(16):
            with Image.open(io.BytesIO(archive.read(f"Annotations/judo/{t:05d}.png"))) as image:
                assert image.mode == "P"
                labels = np.array(image)
            assert labels.shape == (480, 854)
            assert set(np.unique(labels)) <= {0, *(i for i, first in STARTS.items() if first <= t)}
            for object_id in (i for i, first in STARTS.items() if first == t):
                given = judo / "valid" / "Annotations" / "judo" / f"{t:05d}.png"
                with Image.open(given) as mask:
                    assert (labels[np.array(mask) == object_id] == object_id).all()


def test_two_objects_annotated_on_four_frames_are_scored_and_exported(
    vosbench: Vosbench, shared: Shared, tmp_path: Path
) -> None:
    root = tmp_path / "own"
    shutil.copytree(shared("judo") / "JPEGImages", root / "JPEGImages")
    (root / "Annotations" / "judo").mkdir(parents=True)
    masks = shared("metrics/davis17_lagged") / "Annotations" / "480p" / "judo"
    for t in (0, 5, 10, 15):
        shutil.copy(masks / f"{t:05d}.png", root / "Annotations" / "judo")
    asked = ("--dataset", f"ytvos-layout:{root}")
    ran = vosbench("run", "--models", "ttvos-lite", "--weights", "random:0", "--save-masks", *asked)
    assert ran.code == 0, ran.err
    (row,) = json.loads(vosbench("results", "--json").out)
    assert 0 <= row["jf_mean"] <= 1
    assert row["protocol"] == "own-clips@1"
    exported = vosbench("export", "--ytvos", row["key"][:12], "--out", "out.zip")
    assert exported.code == 0, exported.err
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) > 3


def test_a_mask_of_another_size_is_refused(vosbench: Vosbench, judo: Path, shared: Shared) -> None:
    narrow = shared("judo") / "Annotations" / "judo" / "00005.png"
    shutil.copy(narrow, judo / "valid" / "Annotations" / "judo" / "00005.png")
    outcome = vosbench(
        "run", "--models", "ttvos-lite", "--weights", "random:0",
        "--dataset", "ytvos19-valid", "--data-root", judo,
    )  # fmt: skip
    assert outcome.code == 2
    assert "00005.png" in outcome.err
    assert "853" in outcome.err
    assert not (judo.parent / "results.db").exists()


def test_a_truncated_photograph_is_refused(vosbench: Vosbench, judo: Path) -> None:
    photo = judo / "valid" / "JPEGImages" / "judo" / "00003.jpg"
    photo.write_bytes(photo.read_bytes()[:20_000])
    outcome = vosbench(
        "run", "--models", "ttvos-lite", "--weights", "random:0",
        "--dataset", "ytvos19-valid", "--data-root", judo,
    )  # fmt: skip
    assert outcome.code == 2
    assert "00003.jpg" in outcome.err
    assert not (judo.parent / "results.db").exists()


def test_a_run_without_masks_has_nothing_to_export(vosbench: Vosbench, judo: Path) -> None:
    asked = ("--dataset", "ytvos19-valid", "--data-root", judo)
    assert vosbench(
        "run", "--models", "ttvos-lite", "--weights", "random:0", "--max-frames", "2", *asked
    ).code == 0  # fmt: skip
    outcome = vosbench("export", "--ytvos", "1", *asked[2:])
    assert outcome.code == 2
    assert "--save-masks" in outcome.err
