"""One image from the bytes of its file: what it is, and its pixels as bytes.

C channels, H and W the sides. An image that is broken, or of a kind that cannot be had as bytes, raises BadImage.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

GREY = ("1", "L", "LA", "La", "I", "F")
"""Pillow's names of the kinds without colour, beside those of 16 bits."""
SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""Orientations of EXIF that exchange the sides."""
WHITE = (255, 255, 255, 255)
FOREIGN = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: run `git lfs pull`",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip file",
    b"<svg": "SVG, which is no raster of pixels",
    b"<?xml": "XML",
    b"<!doctype": "a web page: the download went wrong",
    b"<html": "a web page: the download went wrong",
}


class BadImage(ValueError):
    """What is wrong with a file."""


@dataclass(frozen=True)
class Seen:
    """What the beginning of a file says. The sides are those of the image as it is to be looked at."""

    height: int
    width: int
    mode: str
    format: str
    frames: int
    is_turned: bool

    @property
    def is_grey(self) -> bool:
        return self.mode in GREY or self.mode in SIXTEEN


def look(content: bytes) -> Seen:
    """What is in the file, without its pixels."""
    with _refusing(content):
        image = Image.open(io.BytesIO(content))
        # For the EXIF of a PNG, Pillow reads all of the file.
        has_exif = image.format != "PNG" or b"eXIf" in content
        orientation = image.getexif().get(ORIENTATION, 1) if has_exif else 1
        width, height = image.size if orientation not in TURNED else image.size[::-1]
        frames = int(getattr(image, "n_frames", 1))
        return Seen(height, width, image.mode, str(image.format), frames, orientation not in (0, 1))


def decode(content: bytes, n_channels: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """(C, H, W) uint8 of the first frame, turned as its EXIF says, over white where it is transparent.

    `size`: (H, W) to which it is cropped at its centre and resized, as torchvision's Resize and CenterCrop do; None: as
    it is.
    """
    with _refusing(content):
        image: Image.Image = Image.open(io.BytesIO(content))
        if size is not None and isinstance(image, ImageFile.ImageFile):
            image.draft(None, (2 * max(size), 2 * max(size)))  # of a large JPEG fewer pixels are decoded
        image.load()
        image = _without_alpha(_of_8_bits(ImageOps.exif_transpose(image)))
        image = image.convert("L" if n_channels == 1 else "RGB")
        if size is not None and image.size != size[::-1]:
            image = ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
    return pixels[np.newaxis] if n_channels == 1 else pixels.transpose(2, 0, 1)


def _of_8_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise BadImage("its pixels are numbers with a fraction: save it with 8 or 16 bits")
    if image.mode not in (*SIXTEEN, "I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(f"its pixels go from {values.min()} to {values.max()}: save it with 8 or 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    over = Image.new("RGBA", image.size, WHITE)
    return Image.alpha_composite(over, image.convert("RGBA"))


@contextmanager
def _refusing(content: bytes) -> Iterator[None]:
    try:
        yield
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(_foreign(content)) from None
    except Image.DecompressionBombError:
        raise BadImage("it says that it has more than 170 million pixels") from None
    except Exception as error:  # whatever Pillow meets in a broken file
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise BadImage(f"it is cut off or damaged ({said})") from None


def _foreign(content: bytes) -> str:
    if not content.strip(b"\0 \r\n\t"):
        return "it is empty" if not content else "it has no byte but zeros and blanks"
    begin = content[:256].lstrip().lower()
    for signature, what in FOREIGN.items():
        if begin.startswith(signature.lower()):
            return f"it is {what}"
    if content[4:8] == b"ftyp":
        return "it is HEIC or a film, which Pillow does not read: save it as JPEG or PNG"
    try:
        content[:256].decode()
    except UnicodeDecodeError:
        return "its bytes are of no image that Pillow reads"
    return "it is text"
