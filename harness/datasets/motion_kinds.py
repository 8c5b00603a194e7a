"""The kinds of clip: who is in the scene and how everything moves.

Every kind is a function of a :class:`SceneStage`; what it leaves to chance comes from the stage's
generator, so that other seeds make other clips of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.motion_backgrounds import random_background
from vosbench.harness.datasets.motion_scene import Actor, Pose, Scene, View
from vosbench.harness.datasets.motion_shapes import Shape, Superellipse, random_shape
from vosbench.harness.datasets.motion_textures import Texture, random_texture

Path = Callable[[int], Pose | None]


@dataclass(frozen=True)
class SceneStage:
    """What a kind builds with.

    Attributes:
        rng: source of all chance.
        size: of the frames.
        frames: length of the clip.
        hue: main hue of the first object, 0..1.
    """

    rng: np.random.Generator
    size: Size
    frames: int
    hue: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """World pixels of a place given in widths and heights of the first view."""
        return x * self.size[1], y * self.size[0]

    def radius(self, low: float, high: float) -> float:
        """A random radius, bounds in heights of the frame."""
        return float(self.rng.uniform(low, high)) * self.size[0]

    def texture(self, hue: float | None = None) -> Texture:
        """An actor's surface."""
        side = max(64, self.size[0] // 2)
        main = self.hue if hue is None else hue
        return random_texture(self.rng, (side, side), main, saturation=(0.2, 0.7))

    def actor(
        self, label: int, path: Path, shape: Shape | None = None, texture: Texture | None = None
    ) -> Actor:
        """An actor; random shape and texture unless given, each label's hue far from the others."""
        hue = (self.hue + 0.38 * (label - 1)) % 1
        return Actor(
            label,
            random_shape(self.rng) if shape is None else shape,
            self.texture(hue) if texture is None else texture,
            path,
        )

    def still_view(self, shake: float = 0.0) -> Callable[[int], View]:
        """A camera that stays; ``shake`` in pixels, of a hand that holds it."""
        x, y = self.at(0.5, 0.5)
        rates = self.rng.uniform(0.2, 0.6, 2)
        return lambda t: View(
            x + shake * float(np.sin(rates[0] * t)), y + shake * float(np.cos(rates[1] * t))
        )

    def scene(
        self, *actors: Actor, view: Callable[[int], View] | None = None, margin: float = 0.15
    ) -> Scene:
        """The scene; ``margin``: how far the background goes beyond the first view, in its size."""
        size = (round(self.size[0] * (1 + 2 * margin)), round(self.size[1] * (1 + 2 * margin)))
        swell = float(self.rng.uniform(0, 0.04))
        rate = float(self.rng.uniform(0.05, 0.15))
        return Scene(
            size=self.size,
            background=random_background(self.rng, size),
            actors=actors,
            view=self.still_view() if view is None else view,
            light=lambda t: 1 + swell * float(np.sin(rate * t)),
            grain=float(self.rng.uniform(1.0, 2.5)),
        )

    def progress(self, t: int) -> float:
        """How much of the clip has passed at frame ``t``: 0 at the first, 1 at the last."""
        return t / max(self.frames - 1, 1)


def bounced(position: float, low: float, high: float) -> float:
    """``position`` on a line, thrown back at both ends of ``low``..``high``."""
    span = high - low
    offset = (position - low) % (2 * span)
    return low + (offset if offset <= span else 2 * span - offset)


def still(stage: SceneStage) -> Scene:
    """An object that hardly moves: it sways by a fraction of a pixel."""
    x, y = stage.at(0.5, 0.55)
    radius = stage.radius(0.2, 0.28)
    actor = stage.actor(
        1,
        lambda t: Pose(x + 0.6 * float(np.sin(0.25 * t)), y, radius, 0.01 * float(np.sin(0.2 * t))),
        random_shape(stage.rng, animated=False),
    )
    return stage.scene(actor)


def slow(stage: SceneStage) -> Scene:
    """An object that crosses a third of the frame at leisure."""
    (x0, y), (x1, _) = stage.at(0.32, 0.6), stage.at(0.66, 0.6)
    radius = stage.radius(0.17, 0.23)
    actor = stage.actor(
        1,
        lambda t: Pose(x0 + (x1 - x0) * stage.progress(t), y, radius, phase=0.18 * t),
        random_shape(stage.rng, animated=True),
    )
    return stage.scene(actor, view=stage.still_view(shake=0.7))


def fast(stage: SceneStage) -> Scene:
    """An object that shoots to and fro: a third of its size a frame."""
    return _bouncing(stage, stage.radius(0.11, 0.14), pace=0.6, climb=0.3)


def dart(stage: SceneStage) -> Scene:
    """A small object that darts about: nearly half of its size a frame."""
    return _bouncing(stage, stage.radius(0.075, 0.09), pace=0.75, climb=0.5)


def _bouncing(stage: SceneStage, radius: float, pace: float, climb: float) -> Scene:
    height, width = stage.size
    x0, y0 = stage.at(float(stage.rng.uniform(0.2, 0.8)), float(stage.rng.uniform(0.3, 0.7)))
    edge = 1.15 * radius

    def pose(t: int) -> Pose:
        x = bounced(x0 + pace * radius * t, edge, width - edge)
        y = bounced(y0 + climb * radius * t, edge, height - edge)
        return Pose(x, y, radius, angle=0.12 * t, phase=0.8 * t)

    return stage.scene(stage.actor(1, pose), view=stage.still_view(shake=1.0))


def pan(stage: SceneStage) -> Scene:
    """The camera sweeps over the scene and follows an object that walks."""
    height, width = stage.size
    y = 0.6 * height
    radius = stage.radius(0.16, 0.2)
    sway = 0.12 * width

    def view(t: int) -> View:
        return View((0.2 + 0.6 * stage.progress(t)) * width, 0.5 * height + 2 * np.sin(0.4 * t))

    def pose(t: int) -> Pose:
        return Pose(view(t).x + sway * float(np.sin(0.16 * t)), y, radius, phase=0.45 * t)

    shape = random_shape(stage.rng, animated=True)
    return stage.scene(stage.actor(1, pose, shape), view=view, margin=0.35)


def zoom(stage: SceneStage) -> Scene:
    """The camera zooms in on an object and out again, turning a little."""
    x, y = stage.at(0.53, 0.52)
    radius = stage.radius(0.14, 0.17)

    def view(t: int) -> View:
        swell = float(np.sin(np.pi * stage.progress(t)))
        middle = stage.at(0.5, 0.5)
        return View(middle[0] + 0.05 * x * swell, middle[1], 1 + 1.1 * swell, 0.12 * swell)

    actor = stage.actor(1, lambda t: Pose(x, y, radius, angle=0.015 * t, phase=0.1 * t))
    return stage.scene(actor, view=view)


def deform(stage: SceneStage) -> Scene:
    """An object in one place whose outline flows."""
    x, y = stage.at(0.5, 0.5)
    radius = stage.radius(0.2, 0.25)

    def pose(t: int) -> Pose:
        breath = 1 + 0.15 * float(np.sin(0.35 * t))
        return Pose(x + 8 * float(np.sin(0.2 * t)), y, radius * breath, 0.03 * t, 0.55 * t)

    shape = random_shape(stage.rng, animated=True)
    return stage.scene(stage.actor(1, pose, shape), view=stage.still_view(shake=0.5))


def occlusion(stage: SceneStage) -> Scene:
    """An object walks behind a wall, is gone for some frames, and comes out again."""
    (x0, y), (x1, _) = stage.at(0.14, 0.55), stage.at(0.86, 0.55)
    radius = stage.radius(0.13, 0.15)
    walker = stage.actor(
        1, lambda t: Pose(x0 + (x1 - x0) * stage.progress(t), y, radius, phase=0.5 * t)
    )
    wall = stage.actor(
        0,
        lambda _: Pose(0.5 * (x0 + x1), y, 3.2 * radius, angle=np.pi / 2),
        _slab(0.62),
        stage.texture((stage.hue + 0.5) % 1),
    )
    return stage.scene(walker, wall)


def crossing(stage: SceneStage) -> Scene:
    """Two objects pass each other; the second one hides the first."""
    (x0, y0), (x1, y1) = stage.at(0.2, 0.5), stage.at(0.8, 0.56)
    first, second = stage.radius(0.16, 0.2), stage.radius(0.14, 0.18)

    def rightward(t: int) -> Pose:
        return Pose(x0 + (x1 - x0) * stage.progress(t), y0, first, phase=0.4 * t)

    def leftward(t: int) -> Pose:
        x = x1 + (x0 - x1) * stage.progress(t)
        return Pose(x, y1 + 6 * float(np.sin(0.4 * t)), second, phase=0.5 * t, mirrored=True)

    return stage.scene(stage.actor(1, rightward), stage.actor(2, leftward))


def late(stage: SceneStage) -> Scene:
    """One object from the start; another comes in from the side after a third of the clip."""
    height, width = stage.size
    x, y = stage.at(0.36, 0.55)
    near, far = stage.radius(0.15, 0.19), stage.radius(0.14, 0.17)
    start = max(1, stage.frames // 3)

    def newcomer(t: int) -> Pose | None:
        if t < start:
            return None
        # Half of it is in the picture at once: a first mask worth tracking.
        gone = 1 - float(np.exp(-0.09 * (t - start)))
        return Pose(width - 0.33 * width * gone, 0.5 * height, far, phase=0.4 * t, mirrored=True)

    resident = stage.actor(
        1, lambda t: Pose(x + 14 * float(np.sin(0.12 * t)), y, near, phase=0.2 * t)
    )
    return stage.scene(resident, stage.actor(2, newcomer))


def rotation(stage: SceneStage) -> Scene:
    """A long object that turns about itself while the camera tilts."""
    x, y = stage.at(0.5, 0.5)
    radius = stage.radius(0.27, 0.32)
    tilt = 0.1

    def view(t: int) -> View:
        middle = stage.at(0.5, 0.5)
        return View(*middle, 1.0, tilt * float(np.sin(0.15 * t)))

    shape = _slab(float(stage.rng.uniform(0.3, 0.42)))
    actor = stage.actor(1, lambda t: Pose(x, y, radius, angle=0.11 * t), shape)
    return stage.scene(actor, view=view)


def distractor(stage: SceneStage) -> Scene:
    """The object moves among its likes: same shape, same surface, not annotated."""
    (x0, y0), (x1, y1) = stage.at(0.22, 0.4), stage.at(0.74, 0.62)
    radius = stage.radius(0.13, 0.16)
    shape, texture = random_shape(stage.rng, animated=True), stage.texture()

    def tracked(t: int) -> Pose:
        p = stage.progress(t)
        return Pose(x0 + (x1 - x0) * p, y0 + (y1 - y0) * p, radius, phase=0.4 * t)

    def twin(x: float, y: float, drift: float, phase: float) -> Path:
        place = stage.at(x, y)
        return lambda t: Pose(place[0] + drift * t, place[1], 0.95 * radius, phase=phase + 0.4 * t)

    likes = [
        stage.actor(0, twin(0.8, 0.22, -1.2, 2.0), shape, texture),
        stage.actor(0, twin(0.2, 0.82, 1.4, 4.0), shape, texture),
    ]
    return stage.scene(*likes, stage.actor(1, tracked, shape, texture))


def trio(stage: SceneStage) -> Scene:
    """Three objects of three paces: one still, one slow, one fast."""
    height, width = stage.size
    still_at, slow_at = stage.at(0.24, 0.62), stage.at(0.5, 0.42)
    big, middle, small = stage.radius(0.16, 0.2), stage.radius(0.12, 0.15), stage.radius(0.09, 0.1)
    edge = 1.2 * small

    def rushing(t: int) -> Pose:
        x = bounced(0.75 * width + 0.7 * small * t, edge, width - edge)
        return Pose(
            x, 0.8 * height - 0.12 * height * abs(np.sin(0.7 * t)), small, 0.15 * t, 0.8 * t
        )

    return stage.scene(
        stage.actor(1, lambda _: Pose(*still_at, big), random_shape(stage.rng, animated=False)),
        stage.actor(2, lambda t: Pose(slow_at[0] + 2.2 * t, slow_at[1], middle, phase=0.25 * t)),
        stage.actor(3, rushing),
    )


def _slab(thickness: float) -> Shape:
    return Superellipse(1.0, thickness, 6.0)


KINDS: Mapping[str, Callable[[SceneStage], Scene]] = {
    kind.__name__: kind
    for kind in (
        still,
        slow,
        fast,
        dart,
        pan,
        zoom,
        deform,
        occlusion,
        crossing,
        late,
        rotation,
        distractor,
        trio,
    )
}
