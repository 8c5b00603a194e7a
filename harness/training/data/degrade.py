"""What cameras and codecs do to frames: light that drifts, noise, defocus, JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.training.data.layers import Canvas
from vosbench.harness.training.data.paths import Wave, draw_wave


@dataclass(frozen=True)
class Light:
    """Gain and gamma of each channel, drifting over time from a start."""

    start: NDArray[np.float64]  # (3,): log-gains at time 0
    gain: Wave  # (3,)
    brightness: Wave  # ()
    gamma: Wave  # ()

    def shine(self, texture: Canvas, time: float) -> Canvas:
        """Relight a premultiplied texture (H, W, 4)."""
        gains = np.exp(self.start + self.gain.at(time) + float(self.brightness.at(time)))
        lit = texture.copy()
        lit[..., :3] *= gains.astype(np.float32)
        power = float(np.exp(self.gamma.at(time)))
        if abs(power - 1) > 0.02:
            ceiling = 255 * np.maximum(texture[..., 3:], 1e-3)
            lit[..., :3] = ceiling * np.clip(lit[..., :3] / ceiling, 0, 1) ** power
        return lit


def draw_light(rng: np.random.Generator, strength: float) -> Light:
    """Draw how the light on a layer starts and drifts; ``strength`` 1 is a strong change."""
    speed = 0.03 * strength
    return Light(
        rng.normal(0, 0.08 * strength, 3) + rng.normal(0, 0.15 * strength),
        draw_wave(rng, (3,), 0.1 * strength, speed / 3),
        draw_wave(rng, (), 0.3 * strength, speed),
        draw_wave(rng, (), 0.3 * strength, speed),
    )


@dataclass(frozen=True)
class Camera:
    """Constant flaws of a clip's pictures."""

    noise: float
    blur: float
    quality: int

    def take(self, canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Turn a canvas (H, W, 4) into an image, uint8 (H, W, 3)."""
        picture: Canvas = canvas[..., :3]
        if self.blur > 0.3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur), np.float32)
        if self.noise > 0:
            picture = picture + rng.normal(0, self.noise, picture.shape).astype(np.float32)
        pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        if self.quality >= 100:
            return pixels
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw a clip's camera."""
    return Camera(
        noise=float(rng.choice((0.0, rng.uniform(0.5, 5.0)))),
        blur=float(rng.choice((0.0, 0.0, rng.uniform(0.3, 1.2)))),
        quality=int(rng.choice((100, int(rng.integers(50, 96))))),
    )
