"""A scene, textured actors before a textured background, and rendering it with exact masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.motion_shapes import Shape
from vosbench.harness.datasets.motion_textures import Texture

_SUPERSAMPLING = 4
_SHIFT = 4  # fractional bits of the polygons' coordinates: integers, the same on every machine
Affine = NDArray[np.float64]
"""(3, 3), maps column vectors (x, y, 1) in pixels."""


@dataclass(frozen=True)
class Pose:
    """Where an actor is: centre in world pixels, radius in pixels, angle and phase in radians."""

    x: float
    y: float
    radius: float
    angle: float = 0.0
    phase: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class View:
    """Where the camera looks: the world point at the frame's centre, zoom, angle in radians."""

    x: float
    y: float
    zoom: float = 1.0
    angle: float = 0.0


@dataclass(frozen=True)
class Actor:
    """Something in front of the background.

    Attributes:
        label: its object id; 0 for what is not annotated (occluders, distractors).
        shape: its outline.
        texture: its surface, centred on its origin; it moves with the actor.
        pose: where it is at frame t; None where it is away.
    """

    label: int
    shape: Shape
    texture: Texture
    pose: Callable[[int], Pose | None]


@dataclass(frozen=True)
class Scene:
    """What is rendered.

    Attributes:
        size: of the frames.
        background: larger than a frame; its centre is the centre of the world's first view.
        actors: from back to front.
        view: the camera at frame t.
        light: brightness of frame t, about 1.
        grain: standard deviation of the sensor's noise, in grey levels.
    """

    size: Size
    background: Texture
    actors: tuple[Actor, ...]
    view: Callable[[int], View]
    light: Callable[[int], float]
    grain: float


def render(
    scene: Scene, t: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frame ``t`` and its labels: uint8 RGB (H, W, 3) and uint8 (H, W).

    Colours blend over the anti-aliased edge; a pixel is the object's where at least half of it
    is covered by the object and no nearer actor covers half of it.
    """
    to_frame = _camera(scene.view(t), scene.size)
    image = _background(scene, to_frame).astype(np.float32)
    labels = np.zeros(scene.size, np.uint8)
    for actor in scene.actors:
        pose = actor.pose(t)
        if pose is not None:
            _draw(image, labels, actor, pose, to_frame)
    image *= scene.light(t)
    image += rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None] * scene.grain
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), labels


def _camera(view: View, size: Size) -> Affine:
    cosine, sine = view.zoom * np.cos(view.angle), view.zoom * np.sin(view.angle)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    to_frame: Affine = _shift(size[1] / 2, size[0] / 2) @ turn @ _shift(-view.x, -view.y)
    return to_frame


def _background(scene: Scene, to_frame: Affine) -> NDArray[np.uint8]:
    height, width = scene.background.shape[:2]
    centred = to_frame @ _shift((scene.size[1] - width) / 2, (scene.size[0] - height) / 2)
    return _warped(scene.background, centred, scene.size)


def _draw(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    actor: Actor,
    pose: Pose,
    to_frame: Affine,
) -> None:
    to_actor = to_frame @ _placement(pose)
    outline = [_mapped(to_actor, part) for part in actor.shape.polygons(pose.phase)]
    box = _box(outline, labels.shape)
    if box is None:
        return
    coverage = _coverage(outline, box)
    rows, columns = box
    window = (coverage.shape[0], coverage.shape[1])
    side = actor.texture.shape[0]
    # The texture spans two and a half radii, so that no limb leaves it.
    to_texture = np.diag([2.5 / side, 2.5 / side, 1.0]) @ _shift(-side / 2, -side / 2)
    surface = _warped(
        actor.texture, _shift(-columns.start, -rows.start) @ to_actor @ to_texture, window
    ).astype(np.float32)
    # Darker towards the rim: a hint of volume. Blurred as bytes, since that is exact everywhere.
    grey = np.rint(coverage * 255).astype(np.uint8)
    depth = cv2.GaussianBlur(grey, (0, 0), max(1.0, 0.12 * pose.radius)).astype(np.float32)
    surface *= (np.float32(0.55) + np.float32(0.5 / 255) * depth)[..., None]
    patch = image[rows, columns]
    patch += coverage[..., None] * (surface - patch)
    labels[rows, columns][coverage >= 0.5] = actor.label


def _placement(pose: Pose) -> Affine:
    cosine, sine = pose.radius * np.cos(pose.angle), pose.radius * np.sin(pose.angle)
    flip = -1.0 if pose.mirrored else 1.0
    return np.array([[flip * cosine, -sine, pose.x], [flip * sine, cosine, pose.y], [0, 0, 1.0]])


def _mapped(matrix: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = points @ matrix[:2, :2].T + matrix[:2, 2]
    return result


def _box(outline: list[NDArray[np.float64]], size: tuple[int, ...]) -> tuple[slice, slice] | None:
    points = np.concatenate(outline)
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 3, [size[1], size[0]])
    if (high <= low).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _coverage(outline: list[NDArray[np.float64]], box: tuple[slice, slice]) -> NDArray[np.float32]:
    """Share of each pixel of ``box`` that the outline covers, 0..1."""
    rows, columns = box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    fine = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)
    for part in outline:
        # Pixel centres are at whole numbers: of the frame's pixels, and of the finer ones.
        local = (part - [columns.start, rows.start] + 0.5) * _SUPERSAMPLING - 0.5
        cv2.fillPoly(fine, [np.rint(local * (1 << _SHIFT)).astype(np.int32)], 1, shift=_SHIFT)
    blocks = fine.reshape(height, _SUPERSAMPLING, width, _SUPERSAMPLING)
    covered: NDArray[np.float32] = blocks.sum(axis=(1, 3), dtype=np.float32)
    return covered / np.float32(_SUPERSAMPLING**2)


def _warped(texture: Texture, matrix: Affine, size: Size) -> NDArray[np.uint8]:
    """The texture seen through ``matrix`` (texture to frame) in a frame of ``size``, mirrored
    beyond its edges.

    With coordinates in whole 1/32 pixels OpenCV computes in integers, so that the pixels are the
    same on every machine; its own warp of an affine map rounds differently from CPU to CPU.
    """
    inverse = np.linalg.inv(matrix)
    y, x = np.ogrid[: size[0], : size[1]]
    columns, rows = (
        np.rint(32 * (inverse[k, 0] * x + inverse[k, 1] * y + inverse[k, 2])).astype(np.int32)
        for k in (0, 1)
    )
    whole = np.stack([columns >> 5, rows >> 5], axis=-1).astype(np.int16)
    fraction = (((rows & 31) << 5) | (columns & 31)).astype(np.uint16)
    warped = cv2.remap(
        texture, whole, fraction, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, dtype=np.uint8)


def _shift(x: float, y: float) -> Affine:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
