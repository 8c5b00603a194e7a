"""Opening pictures that a user named: every way in which Pillow fails is one clear line.

Pillow raises a dozen kinds of errors for damaged files, and some for files made to harm: one that
claims more pixels than memory has, one whose text chunks unfold to gigabytes.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, UnidentifiedImageError, WebPImagePlugin

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, read_regular

MAX_PIXELS = 89_478_485
"""The most that a picture may have: Pillow's own limit, 2.7 times a frame of 8K."""

FORMATS = ("PNG", "JPEG", WebPImagePlugin.WebPImageFile.format, "BMP")
"""What frames are: not Pillow's other formats, some of which run programs."""

BROKEN: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for a damaged file, in opening and in decoding."""

# Said here as an error, so that it needn't be said on stderr as well.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def open_picture(
    path: Path, what: str, formats: tuple[str, ...] = FORMATS, data: bytes | None = None
) -> Image.Image:
    """A picture whose header is read and whose pixels are not yet decoded.

    Args:
        path: the file.
        what: what it is wanted as, with its article ("a mask"), for messages.
        formats: Pillow's names of the formats that it may have.
        data: the file's bytes, where they are read already.

    Raises:
        InputError: no regular file, no picture of these formats, too large or damaged; one line.
    """
    content = read_regular(path, PICTURE_BYTES, what) if data is None else data
    try:
        image = Image.open(io.BytesIO(content), formats=formats)
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read: fetch the file again") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{path}: {_too_many(what)} ({_first_line(error)})") from error
    except BROKEN as error:
        raise InputError(f"{path}: damaged ({_first_line(error)}): fetch the file again") from error
    require_pixels(path, image.height, image.width, what)
    return image


def decoded(path: Path, image: Image.Image, what: str) -> Image.Image:
    """The same picture with its pixels decoded; InputError, one line, if it is damaged."""
    try:
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise InputError(f"{path}: {_too_many(what)} ({_first_line(error)})") from error
    except BROKEN as error:
        raise InputError(f"{path}: damaged ({_first_line(error)}): fetch the file again") from error
    return image


def require_pixels(path: Path, height: int, width: int, what: str) -> None:
    """Raise InputError for a picture of no pixel or of more than :data:`MAX_PIXELS`."""
    if height < 1 or width < 1:
        raise InputError(f"{path}: {width}x{height} pixels: {what} has some: fetch it again")
    if height * width > MAX_PIXELS:
        raise InputError(f"{path}: {_too_many(what)} ({width}x{height})")


def _too_many(what: str) -> str:
    return f"more pixels than {what} can have, {MAX_PIXELS:,}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
