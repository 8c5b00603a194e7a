"""A result as a video: masks over frames, a border that tells the path, the gate below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vosbench.reports.clip_strip import PATH_WORDS, GateStrip, Track, draw_strip, faded
from vosbench.reports.overlay import font, object_palette, overlay, rgb
from vosbench.reports.style import DIM, INK, NOTE_COLOUR, OBJECT_COLOURS, PATH_COLOURS, luminance
from vosbench.reports.video import write_video

Pixels = NDArray[np.uint8]

MOST_TRACKS = 4
"""Objects with a panel of their own; more would leave no room for the picture."""

_WIDTHS = (640, 1280)
"""Narrower pictures have no room for the words, wider ones are brought down."""
_PAPER = (255, 255, 255)
_ABSENT = "#b5b5b5"
_BRIGHT = 0.25
"""Luminance above which dark words are read more easily than white ones."""
_PLAIN = np.array(
    [
        rgb(colour)
        for colour in (*PATH_COLOURS.values(), *OBJECT_COLOURS, DIM, NOTE_COLOUR, _ABSENT, "white")
    ],
    dtype=np.uint8,
)
_EXACT = tuple((int(r), int(g), int(b)) for r, g, b in [*_PLAIN, *faded(_PLAIN)])
"""Colours that mean something; a GIF has few, and must not merge these."""


@dataclass(frozen=True)
class ResultFootage:
    """One result on one clip, as it is shown.

    Attributes:
        title: model and clip.
        note: what has to be said about the weights; "" for nothing.
        labels: (T, H, W) predicted object ids, 0 for background.
        image: frame t as (H, W, 3) RGB.
        object_ids: ascending; the second axis K of what follows.
        paths: (T, K) names of paths, "absent" before an object's first frame.
        values: (T, K) what was held against the thresholds, 0..1, NaN where nothing was.
        measure: what the values are.
        thresholds: by their names, e.g. "τ = 0.7".
    """

    title: str
    note: str
    labels: Pixels
    image: Callable[[int], Pixels]
    object_ids: tuple[int, ...]
    paths: NDArray[np.str_]
    values: NDArray[np.float64]
    measure: str
    thresholds: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def several(self) -> bool:
        """Whether objects have to be told apart."""
        return len(self.object_ids) > 1


def write_footage(footage: ResultFootage, out: Path, fps: float) -> int:
    """Write all frames to an .mp4 or .gif; returns their number.

    Raises:
        InputError: see :func:`vosbench.reports.video.write_video`; or a frame can't be read.
    """
    return write_video(draw_frames(footage), out, fps, exact=_EXACT)


def draw_frames(footage: ResultFootage) -> Iterator[Pixels]:
    """Each frame of the video, (H, W, 3) RGB, all of one even height and width."""
    width = int(np.clip(footage.labels.shape[2], *_WIDTHS))
    border = max(8, width // 80)
    strip = _strip(footage, width + 2 * border)
    for t in range(len(footage)):
        picture = _bordered(_picture(footage, t, width), _decisions(footage, t), border)
        sheet = np.concatenate([_header(footage, t, picture.shape[1]), picture, strip.at(t)])
        yield _even(sheet)


def _strip(footage: ResultFootage, width: int) -> GateStrip:
    tracks = [
        Track(
            f"object {number}" if footage.several else "",
            OBJECT_COLOURS[(number - 1) % len(OBJECT_COLOURS)],
            tuple(map(str, footage.paths[:, k])),
            footage.values[:, k],
        )
        for k, number in enumerate(footage.object_ids[:MOST_TRACKS])
    ]
    return draw_strip(tracks, footage.thresholds, footage.measure, width)


def _decisions(footage: ResultFootage, t: int) -> tuple[str, ...]:
    return tuple(map(str, footage.paths[t]))


def _picture(footage: ResultFootage, t: int, width: int) -> Pixels:
    """The frame with its masks, ``width`` pixels wide; objects boxed where there are several."""
    labels = footage.labels[t]
    drawn = overlay(footage.image(t), labels, tint=0.45, palette=object_palette())
    scale = width / labels.shape[1]
    sheet = Image.fromarray(drawn)
    if scale != 1:
        sheet = sheet.resize((width, round(labels.shape[0] * scale)), Image.Resampling.BICUBIC)
    if not footage.several:
        return np.asarray(sheet)
    draw = ImageDraw.Draw(sheet)
    for k, number in enumerate(footage.object_ids):
        rows, columns = np.nonzero(labels == number)
        if len(rows) and str(footage.paths[t, k]) in PATH_WORDS:
            box = scale * np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            _boxed(draw, sheet.size, box, _tag(footage, t, k), _colour(footage.paths[t, k]))
    return np.asarray(sheet)


def _tag(footage: ResultFootage, t: int, k: int) -> str:
    """``2 reused 0.83``: which object, what was done, and how sure the gate was."""
    value = footage.values[t, k]
    known = "" if np.isnan(value) else f"{value:.2f}"
    word = PATH_WORDS.get(str(footage.paths[t, k]), "absent")
    if footage.several:
        return " ".join(filter(None, [str(footage.object_ids[k]), word, known]))
    return f"{word} at {footage.measure} {known}" if known else word


def _boxed(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: NDArray[np.float64],
    text: str,
    colour: str,
) -> None:
    """A box around an object, its tag above it, or within it at the picture's top."""
    left, top, right, bottom = (round(float(side)) for side in box)
    corner = (max(left - 4, 0), max(top - 4, 0))
    far = (min(right + 3, size[0] - 1), min(bottom + 3, size[1] - 1))
    draw.rectangle((*corner, *far), outline=rgb(colour), width=2)
    chip_width, chip_height = _chip_size(text, 13)
    x = min(corner[0], size[0] - chip_width)
    _chip(draw, (x, max(corner[1] - chip_height, 0)), text, colour, 13)


def _bordered(picture: Pixels, decisions: tuple[str, ...], border: int) -> Pixels:
    """The picture in a frame of its decision's colour; a share of its width for each object."""
    height, width = picture.shape[0] + 2 * border, picture.shape[1] + 2 * border
    framed = np.empty((height, width, 3), dtype=np.uint8)
    ends = [round(k * width / len(decisions)) for k in range(len(decisions) + 1)]
    for path, left, right in zip(decisions, ends[:-1], ends[1:], strict=True):
        framed[:, left:right] = rgb(_colour(path))
    framed[border:-border, border:-border] = picture
    return framed


def _header(footage: ResultFootage, t: int, width: int) -> Pixels:
    """Title, frame and decision in one line; what has to be said about the weights below it."""
    line_px, text_px = 30, 15
    note = footage.note
    more = len(footage.object_ids) - MOST_TRACKS
    if more > 0:
        note = "; ".join(filter(None, [note, f"{more} more objects have no panel below"]))
    sheet = Image.new("RGB", (width, line_px + (20 if note else 0)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    right = width - 8
    if not footage.several:
        text = _tag(footage, t, 0)
        right -= _chip_size(text, 14)[0]
        _chip(draw, (right, 5), text, _colour(footage.paths[t, 0]), 14)
        right -= 10
    clock = f"frame {t} / {len(footage) - 1}"
    right -= round(font(text_px).getlength(clock))
    draw.text((right, 6), clock, fill=rgb(DIM), font=font(text_px))
    room = right - 18
    while font(text_px).getlength(footage.title) > room and text_px > 9:
        text_px -= 1
    draw.text((8, 6), footage.title, fill=rgb(INK), font=font(text_px))
    if note:
        draw.text((8, line_px - 3), note, fill=rgb(NOTE_COLOUR), font=font(13))
    return np.asarray(sheet)


def _chip_size(text: str, text_px: int) -> tuple[int, int]:
    return round(font(text_px).getlength(text)) + 10, text_px + 7


def _chip(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, colour: str, text_px: int
) -> None:
    """Words on a ground of ``colour``, in white or ink, whichever is read more easily."""
    width, height = _chip_size(text, text_px)
    x, y = corner
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=rgb(colour))
    ink = rgb(INK) if luminance(colour) > _BRIGHT else _PAPER
    draw.text((x + 5, y + 2), text, fill=ink, font=font(text_px))


def _colour(path: str) -> str:
    return PATH_COLOURS.get(str(path), _ABSENT)


def _even(sheet: Pixels) -> Pixels:
    """White below and at the right where a side is odd: H.264 halves its colours."""
    height, width = sheet.shape[:2]
    return np.pad(sheet, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=255)
