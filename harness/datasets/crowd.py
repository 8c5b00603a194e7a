"""The built-in dataset ``crowd``: one scene with 1, 2, 5, 10 and 40 objects, for what objects cost.

The objects of a smaller sequence are also in every larger one, each in a cell of its own, where it
sways. Frames are as large as those of ``motion``, so that time and memory differ by objects alone.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from vosbench.harness.datasets.dataset import DatasetSpec
from vosbench.harness.datasets.motion import SIZE, MotionFactory
from vosbench.harness.datasets.motion_kinds import SceneStage
from vosbench.harness.datasets.motion_scene import Actor, Pose, Scene

COUNTS = (1, 2, 5, 10, 40)
FRAMES = 10
"""Few, as forty objects take long on a CPU; the target model's optimiser runs within them."""
_SEED = 719
_COLUMNS, _ROWS = 8, 5


def crowd(stage: SceneStage, count: int) -> Scene:
    """``count`` objects in cells of a grid, the cells in an order that spreads them."""
    cells = stage.rng.permutation(_COLUMNS * _ROWS)
    rates = stage.rng.uniform(0.3, 0.9, (len(cells), 2))
    radius = 0.3 * stage.size[0] / _ROWS

    def actor(label: int, cell: int) -> Actor:
        x, y = stage.at((cell % _COLUMNS + 0.5) / _COLUMNS, (cell // _COLUMNS + 0.5) / _ROWS)
        across, down = rates[label - 1]

        def pose(t: int) -> Pose:
            sway = 0.3 * radius
            return Pose(
                x + sway * float(np.sin(across * t)), y + sway * float(np.cos(down * t)), radius
            )

        return stage.actor(label, pose)

    return stage.scene(*(actor(k + 1, int(cell)) for k, cell in enumerate(cells[:count])))


CROWD = MotionFactory(
    DatasetSpec(
        name="crowd",
        protocol="crowd@1",
        summary=f"built in: {FRAMES} frames of {', '.join(map(str, COUNTS))} objects, "
        f"{SIZE[1]}x{SIZE[0]}, for what objects cost",
    ),
    {f"crowd-{count:02}": _SEED for count in COUNTS},
    FRAMES,
    {f"crowd-{count:02}": partial(crowd, count=count) for count in COUNTS},
)
