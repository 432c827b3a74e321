"""Folders of images that are no right ones, and odd ones that are, each as a user may have it: made on the spot."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pictures import drawn, folder

Maker = Callable[[Path], object]
N = 8
"""Images of each of the two classes, cats and dogs, beside the odd one."""


@dataclass(frozen=True)
class OddImages:
    """`make` changes a folder of good images. `words` that the one line must hold; none: it works. `options` beside
    data.path, which is the folder, or the `file` in it."""

    name: str
    make: Maker
    words: tuple[str, ...]
    options: tuple[str, ...]
    file: str

    def overrides(self, place: Path) -> tuple[str, ...]:
        """Make it and say how it is used."""
        folder(place / "pets", n=N)
        self.make(place / "pets")
        return ("data=images", f"data.path={place / self.file}", *self.options)


ODD: dict[str, OddImages] = {}


def odd(*words: str, options: tuple[str, ...] = (), file: str = "pets") -> Callable[[Maker], Maker]:
    """Register a function that is given the folder of good images."""

    def register(make: Maker) -> Maker:
        ODD[make.__name__] = OddImages(make.__name__, make, words, options, file)
        return make

    return register


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


CSV = ("data.image=file", "data.target=label")
SIZED = ("data.image_size=8",)


def listing(place: Path, *more: str) -> None:
    """A CSV of all images beside their folder, with lines more."""
    rows = [f"{path.relative_to(place.parent)},{path.parent.name}" for path in sorted(place.rglob("*.png"))]
    (place.parent / "labels.csv").write_text("\n".join(["file,label", *rows, *more]) + "\n")


# Files that are no images


@odd("cats/bad.png: it is empty", "data.on_error=skip")
def empty_file(place: Path) -> None:
    (place / "cats/bad.png").touch()


@odd("cats/bad.png: it is cut off or damaged")
def truncated_png(place: Path) -> None:
    content = saved(drawn(500, (8, 8)), "PNG")
    (place / "cats/bad.png").write_bytes(content[: len(content) * 2 // 3])


@odd("cats/bad.jpg: it is cut off or damaged", options=SIZED)
def truncated_jpeg(place: Path) -> None:
    content = saved(drawn(500, (64, 64)), "JPEG")
    (place / "cats/bad.jpg").write_bytes(content[: len(content) // 2])


@odd("cats/bad.png: it is cut off or damaged", "1 other file cannot be read either")
def png_of_a_wrong_checksum(place: Path) -> None:
    content = bytearray(saved(drawn(500, (8, 8)), "PNG"))
    content[60] ^= 0xFF
    (place / "cats/bad.png").write_bytes(content)
    (place / "dogs/bad.png").write_bytes(content)


@odd("cats/bad.png: it is text")
def text_called_png(place: Path) -> None:
    (place / "cats/bad.png").write_text("hello")


@odd("cats/bad.jpg: it is a web page", "download")
def web_page_called_jpeg(place: Path) -> None:
    (place / "cats/bad.jpg").write_text("<!DOCTYPE html><html>404</html>")


@odd("cats/bad.png: it is a pointer of Git LFS")
def git_lfs_pointer(place: Path) -> None:
    (place / "cats/bad.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n")


@odd("cats/bad.jpg: it is HEIC or a film")
def heic_called_jpeg(place: Path) -> None:
    (place / "cats/bad.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(range(256)))


def header(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size, with an end but without its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@odd("cats/bad.png:")
def png_of_no_width(place: Path) -> None:
    (place / "cats/bad.png").write_bytes(header(0, 8))


@odd("cats/bad.png: it says that it has more than 170 million pixels")
def decompression_bomb(place: Path) -> None:
    (place / "cats/bad.png").write_bytes(header(50_000, 50_000))


@odd("cats/bad.tif: its pixels are numbers with a fraction")
def tiff_of_floats(place: Path) -> None:
    Image.fromarray(np.random.default_rng(0).random((8, 8)).astype(np.float32)).save(place / "cats/bad.tif")


@odd("cats/bad.tif: its pixels go from 0 to 200000")
def tiff_of_32_bits(place: Path) -> None:
    pixels = np.zeros((8, 8), np.int32)
    pixels[0, 0] = 200_000
    Image.fromarray(pixels).save(place / "cats/bad.tif")


@odd("cats/bad.png: it is a link to nothing")
def broken_link(place: Path) -> None:
    (place / "cats/bad.png").symlink_to(place / "nothing.png")


@odd("cats/bad.png: it cannot be read (Permission denied)")
def without_permission(place: Path) -> None:
    drawn(500).save(place / "cats/bad.png")
    (place / "cats/bad.png").chmod(0)


if os.access("/root", os.R_OK):  # root may read everything
    del ODD["without_permission"]


@odd("one of the images can be read", "cats/00.png: it is text", options=("data.on_error=skip",))
def no_image_that_can_be_read(place: Path) -> None:
    for path in place.rglob("*.png"):
        path.write_text("x")


# Folders


@odd("a folder of images for each class", "which is empty")
def empty_folder(place: Path) -> None:
    shutil.rmtree(place)
    place.mkdir()


@odd("a folder of images for each class", "no image, but", "2 .txt files")
def folder_without_images(place: Path) -> None:
    shutil.rmtree(place)
    (place / "texts").mkdir(parents=True)
    for name in "ab":
        (place / f"texts/{name}.txt").touch()


@odd("a folder of images for each class", "16 images lie side by side", "a CSV of paths and labels")
def images_side_by_side(place: Path) -> None:
    for path in sorted(place.rglob("*.png")):
        path.rename(place / f"{path.parent.name}_{path.name}")
    for name in ("cats", "dogs"):
        (place / name).rmdir()


@odd("two classes or more", "cats alone")
def one_class(place: Path) -> None:
    shutil.rmtree(place / "dogs")


@odd("the class bird has one example")
def class_of_one_image(place: Path) -> None:
    (place / "bird").mkdir()
    drawn(500).save(place / "bird/1.png")


@odd("a folder for each class", "test has no image of dogs")
def class_that_a_split_lacks(place: Path) -> None:
    shutil.move(place, place.parent / "all")
    shutil.copytree(place.parent / "all", place / "train")
    shutil.copytree(place.parent / "all/cats", place / "test/cats")


@odd("a folder or a file", "Did you mean pets?", file="pet")
def folder_with_another_name(place: Path) -> None:
    pass


@odd("is a folder, or a CSV with data.image and data.target", file="pets/cats/00.png")
def image_given_instead_of_a_folder(place: Path) -> None:
    pass


@odd("data.image_size is given", "2 sizes from 8x8 to 12x10")
def sizes_that_differ(place: Path) -> None:
    drawn(500, (12, 10)).save(place / "cats/big.png")


# CSV files


@odd("pets/cats/gone.png: there is no such file", options=CSV, file="labels.csv")
def csv_that_names_a_missing_file(place: Path) -> None:
    listing(place, "pets/cats/gone.png,cats")


@odd("a path in each row", "line 18 of labels.csv", options=CSV, file="labels.csv")
def csv_without_a_path_in_a_row(place: Path) -> None:
    listing(place, ",cats")


@odd(
    "data.image is a column",
    "There is: file, label.",
    options=("data.image=name", "data.target=label"),
    file="labels.csv",
)
def csv_without_the_column(place: Path) -> None:
    listing(place)


@odd("data.image and data.target are both given", options=("data.image=file",), file="labels.csv")
def csv_without_a_target(place: Path) -> None:
    listing(place)


# Odd, but right


@odd(options=CSV, file="labels.csv")
def csv_with_a_label_that_is_missing(place: Path) -> None:
    listing(place, "pets/cats/00.png,")


@odd()
def jpeg_called_png(place: Path) -> None:
    (place / "cats/odd.png").write_bytes(saved(drawn(500), "JPEG"))


@odd()
def animated_gif(place: Path) -> None:
    frames = [drawn(500 + i) for i in range(3)]
    frames[0].save(place / "cats/odd.gif", save_all=True, append_images=frames[1:])


@odd()
def cmyk_jpeg(place: Path) -> None:
    drawn(500).convert("CMYK").save(place / "cats/odd.jpg")


@odd()
def tiff_of_16_bits(place: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)).save(place / "cats/odd.tif")


@odd()
def png_of_1_bit(place: Path) -> None:
    drawn(500).convert("1").save(place / "cats/odd.png")


@odd()
def palette_with_transparency(place: Path) -> None:
    drawn(500).quantize(8).save(place / "cats/odd.png", transparency=0)


@odd()
def class_names_with_blanks_and_letters_of_other_alphabets(place: Path) -> None:
    (place / "cats").rename(place / "große Katze")
    (place / "dogs").rename(place / "собака, 犬")


@odd()
def hidden_files_and_what_systems_leave(place: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "._00.png"):
        (place / "cats" / name).write_text("x")
    (place / ".git").mkdir()
    (place / "__MACOSX").mkdir()


@odd()
def link_to_the_folder_above(place: Path) -> None:
    (place / "cats/again").symlink_to(place / "cats")


@odd(options=("data.on_error=skip",))
def broken_files_that_are_skipped(place: Path) -> None:
    (place / "cats/bad.png").touch()
    (place / "dogs/bad.png").write_text("x")
