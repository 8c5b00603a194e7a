"""Synthetic clips from images with masks: an object moves over another picture's scene.

The clips are meant to be as unkind as real ones: still to fast, bent, occluded, smeared, relit,
with other objects about. Frame 0 may lie far back in time, as a first frame does in a long clip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.clips import TrainingClip, draw_times
from vosbench.harness.training.data.degrade import Camera, Light, draw_camera, draw_light
from vosbench.harness.training.data.layers import Canvas, Layer, make_texture, over, render
from vosbench.harness.training.data.paths import LayerMotion, Pace, draw_motion, draw_pace
from vosbench.harness.training.data.pictures import Picture, PictureFolder

VERSION = 1
"""Raised whenever a seed's clip changes."""


@dataclass(frozen=True)
class SyntheticConfig:
    """Size of the clips, and how often what happens in them.

    Attributes:
        late: how often frame 1 comes long after frame 0.
        lateness: largest time between frames 0 and 1 then, in frames.
        own_scene: how often the scene is the object's own picture with the hole filled.
        in_place: how often the object then starts where it was, with natural edges and contacts.
        distractors, occluders: how often there are any.
        twins: how often one of the distractors is the object once more, on a way of its own.
        leaps: how often the next frame is not the next but up to ``LONGEST_LEAP`` later.
    """

    height: int = 256
    width: int = 448
    frames: int = 10
    late: float = 0.5
    lateness: int = 40
    own_scene: float = 0.45
    in_place: float = 0.65
    distractors: float = 0.5
    occluders: float = 0.35
    leaps: float = 0.0
    twins: float = 0.0


@dataclass(frozen=True)
class _Scene:
    """Layers from back to front, each with its light; ``target`` is the object's index."""

    layers: tuple[tuple[Layer, Light], ...]
    target: int
    light: Light
    camera: Camera


@dataclass(frozen=True)
class SyntheticClips:
    """Draws clips from a folder of pictures."""

    pictures: PictureFolder
    config: SyntheticConfig = SyntheticConfig()

    @cached_property
    def sha256(self) -> str:
        settings = asdict(self.config)
        for later in ("leaps", "twins"):  # without them clips are what they always were
            if not settings[later]:
                del settings[later]
        text = json.dumps([VERSION, self.pictures.sha256, settings])
        return hashlib.sha256(text.encode()).hexdigest()

    def draw(self, seed: int) -> TrainingClip:
        """Draw a clip; seeds that follow each other go through all pictures.

        Raises:
            InputError: no usable object in twenty pictures.
        """
        for attempt in range(20):
            rng = np.random.default_rng([seed, attempt])
            picture = self.pictures[(seed + 17 * attempt) % len(self.pictures)]
            if not _usable(picture):
                continue
            clip = self._film(self._stage(picture, rng), rng)
            if clip.masks[0].mean() >= 0.01:
                return clip
        raise InputError(f"{self.pictures.root}: hardly any mask covers 1 to 70 % of its image")

    def _times(self, rng: np.random.Generator) -> Sequence[int]:
        late = rng.random() < self.config.late
        first = int(rng.integers(5, self.config.lateness + 1)) if late else 1
        if self.config.leaps:
            return (0, *(first + draw_times(self.config.frames - 1, self.config.leaps, rng)))
        return (0, *range(first, first + self.config.frames - 1))

    def _stage(self, picture: Picture, rng: np.random.Generator) -> _Scene:
        if rng.random() < 0.5:
            image, mask = (np.ascontiguousarray(part[:, ::-1]) for part in picture)
            picture = Picture(image.astype(np.uint8), mask.astype(np.bool_))
        pace = draw_pace(rng)
        camera_pace = replace(pace, shift=pace.shift * float(rng.choice((0.0, 0.3, 1.0))))
        own = rng.random() < self.config.own_scene
        scene = _fill(picture) if own else self._other(rng).image
        backdrop = self._backdrop(scene, camera_pace, rng)
        target = self._actor(picture, pace, rng)
        if own and rng.random() < self.config.in_place:
            place = backdrop.place + backdrop.scale * (target.centre - backdrop.centre)
            target = replace(target, place=place, scale=backdrop.scale, angle=0.0)
        strength = float(rng.choice((0.3, 0.6, 1.0)))
        layers = [(backdrop, draw_light(rng, strength))]
        if rng.random() < self.config.distractors:
            for _ in range(int(rng.integers(1, 3))):
                other = self._actor(self._other(rng), draw_pace(rng), rng)
                layers.append((other, draw_light(rng, strength)))
        if self.config.twins and rng.random() < self.config.twins:
            layers.append((self._actor(picture, draw_pace(rng), rng), draw_light(rng, strength)))
        index = len(layers)
        layers.append((target, draw_light(rng, strength)))
        if rng.random() < self.config.occluders:
            layers.append((self._occluder(rng), draw_light(rng, strength)))
        return _Scene(tuple(layers), index, draw_light(rng, strength / 2), draw_camera(rng))

    def _other(self, rng: np.random.Generator) -> Picture:
        for _ in range(20):
            picture = self.pictures[int(rng.integers(len(self.pictures)))]
            if _usable(picture):
                break
        return picture

    def _backdrop(self, scene: NDArray[np.uint8], pace: Pace, rng: np.random.Generator) -> Layer:
        height, width = scene.shape[:2]
        size = np.array([self.config.width, self.config.height], dtype=np.float64)
        cover = float(max(size / (width, height))) * rng.uniform(1.05, 1.7)
        # A scene turns, zooms and bends less than an object does.
        calm = Pace(pace.shift, pace.turn * 0.15, pace.bend * 0.1)
        motion = draw_motion(rng, calm, float(size.min()) / 2, float(size.min()) * 0.3, 0.02)
        calmer = LayerMotion(
            motion.shift,
            replace(motion.angle, amplitude=motion.angle.amplitude * 0.2),
            replace(motion.scale, amplitude=motion.scale.amplitude * 0.3),
            replace(motion.shear, amplitude=motion.shear.amplitude * 0.2),
            motion.bend,
        )
        centre = np.array([width / 2, height / 2])
        texture = make_texture(scene, None)
        shutter = float(rng.uniform(0, 0.6))
        return Layer(
            texture, centre, centre * 2, size / 2, cover, 0.0, calmer, shutter, opaque=True
        )

    def _actor(self, picture: Picture, pace: Pace, rng: np.random.Generator) -> Layer:
        image, mask = picture
        rows, columns = np.nonzero(mask)
        centre = np.array([(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2])
        extent = np.array([np.ptp(columns) + 1.0, np.ptp(rows) + 1.0])
        size = np.array([self.config.width, self.config.height], dtype=np.float64)
        wanted = size[1] * np.exp(rng.uniform(np.log(0.2), np.log(1.1)))
        scale = float(min(wanted / np.sqrt(extent.prod()), *(1.2 * size / extent)))
        place = size * rng.uniform((0.2, 0.25), (0.8, 0.75))
        reach = float(size.min()) * rng.uniform(0.1, 0.6)
        bend = float(rng.uniform(0.01, 0.14))
        extent_on_canvas = float(np.sqrt(extent.prod())) * scale
        motion = draw_motion(rng, pace, extent_on_canvas, reach, bend)
        angle = float(rng.normal(0, 0.15))
        shutter = float(rng.choice((0.0, rng.uniform(0.1, 0.8))))
        texture = make_texture(image, mask)
        return Layer(texture, centre, extent, place, scale, angle, motion, shutter)

    def _occluder(self, rng: np.random.Generator) -> Layer:
        """Something in front: another object, or a post cut from another picture."""
        picture = self._other(rng)
        if rng.random() < 0.4:
            return self._actor(picture, draw_pace(rng), rng)
        height, width = picture.mask.shape
        post = np.zeros_like(picture.mask)
        breadth = int(width * rng.uniform(0.03, 0.15))
        left = int(rng.integers(0, width - breadth))
        post[:, left : left + breadth] = True
        actor = self._actor(Picture(picture.image, post), draw_pace(rng), rng)
        lying = float(rng.choice((0.0, 0.0, np.pi / 2)))
        tall = 1.5 * max(self.config.height, self.config.width) / height
        return replace(actor, scale=tall, angle=actor.angle + lying)

    def _film(self, scene: _Scene, rng: np.random.Generator) -> TrainingClip:
        size = (self.config.height, self.config.width)
        images, masks = [], []
        for time in self._times(rng):
            canvas: Canvas | None = None
            visible = np.zeros(size, np.float32)
            for index, (layer, light) in enumerate(scene.layers):
                drawn = light.shine(render(layer, time, size), time)
                visible = visible * (1 - drawn[..., 3])
                if index == scene.target:
                    visible = drawn[..., 3]
                canvas = drawn if canvas is None else over(drawn, canvas)
            assert canvas is not None
            images.append(scene.camera.take(scene.light.shine(canvas, time), rng))
            masks.append(visible > 0.5)
        return TrainingClip(np.stack(images), np.stack(masks))


def _usable(picture: Picture) -> bool:
    return 0.01 <= float(picture.mask.mean()) <= 0.7


def _fill(picture: Picture) -> NDArray[np.uint8]:
    """The picture without its object; the hole only has to look plausible."""
    height, width = picture.mask.shape
    size = (max(width // 4, 1), max(height // 4, 1))
    hole = cv2.dilate(picture.mask.astype(np.uint8), np.ones((9, 9), np.uint8))
    small_hole = (cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    small = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    filled = cv2.resize(cv2.inpaint(small, small_hole, 3, cv2.INPAINT_TELEA), (width, height))
    return np.where(hole[..., None] > 0, filled, picture.image).astype(np.uint8)
