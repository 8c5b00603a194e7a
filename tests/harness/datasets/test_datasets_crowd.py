"""The built-in dataset ``crowd``: as many objects as its sequences say, the same ones in each."""

from __future__ import annotations

from functools import partial

import numpy as np

from vosbench.harness.datasets.crowd import COUNTS, CROWD, crowd
from vosbench.harness.datasets.motion import make_clip


def test_every_sequence_has_its_objects_from_the_first_frame_on() -> None:
    assert list(CROWD.seeds) == [f"crowd-{count:02}" for count in COUNTS]
    for count in COUNTS:
        name = f"crowd-{count:02}"
        clip = make_clip(name, CROWD.seeds[name], frames=2, kinds=CROWD.kinds)
        assert clip.objects == dict.fromkeys(range(1, count + 1), 0)
        areas = np.bincount(clip.labels[1].ravel(), minlength=count + 1)[1:]
        assert areas.min() > 100  # pixels: enough to learn from


def test_objects_of_a_smaller_sequence_stand_where_they_stand_in_a_larger_one() -> None:
    few, many = (
        make_clip("crowd", 1, frames=1, kinds={"crowd": partial(crowd, count=count)}).labels[0]
        for count in (2, 5)
    )
    for object_id in (1, 2):
        one, other = few == object_id, many == object_id
        assert (one & other).sum() > 0.4 * (one | other).sum()
