"""Frames to a video file: MP4 (H.264) through PyAV, GIF through Pillow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

FORMATS = (".mp4", ".gif")
FPS_RANGE = (0.5, 50.0)
"""GIF counts hundredths of a second, and viewers slow down what is faster than 50 a second."""

_CRF = "18"
"""H.264's quality: no loss that one sees in still frames."""


def checked_video(out: Path, fps: float) -> str:
    """``.mp4`` or ``.gif``, by the extension of ``out``; call it before frames are made.

    Raises:
        InputError: another extension, a rate that can't be played, or MP4 without PyAV.
    """
    extension = out.suffix.lower()
    if extension not in FORMATS:
        raise InputError(f"{out}: a video's file ends in {' or '.join(FORMATS)}")
    low, high = FPS_RANGE
    if not low <= fps <= high:
        raise InputError(f"{fps:g} frames per second: give a number from {low:g} to {high:g}")
    if extension == ".mp4":
        _require_av()
    return extension


def write_video(
    frames: Iterable[Pixels], out: Path, fps: float, *, exact: Sequence[Colour] = ()
) -> int:
    """Write frames, one at a time in memory for MP4; the file is whole or not there.

    Args:
        frames: (H, W, 3) RGB each, of one even height and width; at least one.
        out: ends in .mp4 or .gif.
        fps: frames per second, within :data:`FPS_RANGE`; GIF rounds to hundredths of a second.
        exact: RGB that a GIF's few colours must contain; at most 128.

    Returns:
        The number of frames.

    Raises:
        InputError: see :func:`checked_video`; or the place can't be written.
    """
    extension = checked_video(out, fps)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as unfinished:
            if extension == ".mp4":
                return _write_mp4(frames, unfinished, fps)
            return _write_gif(frames, unfinished, fps, exact)
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror or error}") from None


def _require_av() -> None:
    try:
        import av  # noqa: F401
    except ImportError:
        raise InputError("MP4 needs PyAV: pip install 'vosbench[video]', or write a .gif") from None


def _write_mp4(frames: Iterable[Pixels], out: Path, fps: float) -> int:
    import av

    count = 0
    # One thread and bit-exact: equal frames make equal files.
    with av.open(str(out), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1000),
            options={"crf": _CRF, "preset": "medium", "threads": "1"},
        )  # fmt: skip
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            if not count:
                stream.height, stream.width = pixels.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(picture))
            count += 1
        container.mux(stream.encode(None))
    return count


def _write_gif(frames: Iterable[Pixels], out: Path, fps: float, exact: Sequence[Colour]) -> int:
    count = 0

    def pictures() -> Iterator[Image.Image]:
        nonlocal count
        for pixels in frames:
            count += 1
            yield _with_few_colours(Image.fromarray(pixels), exact)

    made = pictures()
    first = next(made)
    first.save(
        out, format="GIF", save_all=True, append_images=chain(made), loop=0,
        duration=10 * round(100 / fps), disposal=1,
    )  # fmt: skip
    return count


def _with_few_colours(picture: Image.Image, exact: Sequence[Colour]) -> Image.Image:
    """256 colours: those of ``exact``, and the others that suit the picture best."""
    found = picture.quantize(256 - len(exact), method=Image.Quantize.MEDIANCUT).getpalette() or []
    colours = [*(part for colour in exact for part in colour), *found[: 3 * (256 - len(exact))]]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    places = np.array(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    # Pillow looks colours up in a coarse table, which may miss one that is there.
    whole = np.asarray(picture, dtype=np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    for place, (red, green, blue) in enumerate(exact):
        places[whole == 65536 * red + 256 * green + blue] = place
    reduced = Image.fromarray(places)
    reduced.putpalette(colours)
    return reduced
