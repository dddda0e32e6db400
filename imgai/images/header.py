"""What a file says of itself before a pixel is decoded; here broken files and pixel bombs are refused."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image, UnidentifiedImageError

from imgai.errors import InputError
from imgai.images.formats import HEAD, sniff
from imgai.images.optional import open_optional, raw_size

# Pillow's own limit is a warning at one size and an error at twice that, both of the whole program;
# ours is `max_pixels`, checked below before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Header:
    """A picture as its file announces it. Width and height are those of the largest page, in pixels, as stored."""

    format: str
    width: int
    height: int
    pages: int
    bytes: int


def probe(source: Path | bytes, name: str, *, max_pixels: int) -> Header:
    """Read the header alone. Raises InputError for what is no picture or is larger than `max_pixels`."""
    format_ = format_of(source, name)
    with reasons(name, format_):
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if format_ == "TIFF":
            # Pillow does not know every kind of pixels that is read.
            width, height, pages = tiff_size(source)
            check_pixels(width, height, name, max_pixels)
            return Header(format_, width, height, pages, size)
        if format_ == "RAW":
            width, height = raw_size(source, name)
            check_pixels(width, height, name, max_pixels)
            return Header(format_, width, height, 1, size)
    with reasons(name, format_), open_picture(source, format_, name) as image:
        width, height = image.size
        check_pixels(width, height, name, max_pixels)
        pages = frames(image, format_)
    return Header(format_, width, height, pages, size)


def frames(image: Image.Image, format_: str) -> int:
    """How many pictures the file holds; what a phone or a stereo camera puts behind a JPEG's (MPO) is not counted."""
    return 1 if format_ == "JPEG" else int(getattr(image, "n_frames", 1))


def tiff_size(source: Path | bytes) -> tuple[int, int, int]:
    """Width and height of a TIFF's largest page, and how many pages it has without reduced copies."""
    with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
        pages: list[Any] = list(file.pages)  # both kinds of pages that tifffile knows have a size and say so by name
        sizes = [(page.imagewidth, page.imagelength) for page in pages if not is_reduced(page)]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return width, height, len(sizes)


def is_reduced(page: Any) -> bool:
    """Whether a TIFF's page is a thumbnail or a smaller copy of another (tag NewSubfileType)."""
    return bool(int(getattr(page, "subfiletype", 0) or 0) & 1)


def format_of(source: Path | bytes, name: str) -> str:
    """The format, told by the first bytes. Raises InputError for an empty file and for what is no picture."""
    if isinstance(source, bytes):
        head = source[:HEAD]
    else:
        with reasons(name, ""), source.open("rb") as file:
            head = file.read(HEAD)
    if not head:
        raise InputError(f"{name}: the file is empty")
    found = sniff(head, Path(name).suffix)
    if found is None:
        raise InputError(f"{name}: not a picture in a format that imgai reads", "see docs/formats.md")
    return found


def open_picture(source: Path | bytes, format_: str, name: str) -> Image.Image:
    """Open with Pillow, without decoding."""
    if format_ in ("HEIC", "DICOM"):
        return open_optional(source, format_, name)
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=[format_])


def check_pixels(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raise InputError if the picture is larger than what the run allows."""
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width} x {height} pixels are more than --max-pixels {max_pixels:,}",
            "raise --max-pixels if the file is to be trusted",
        )


@contextmanager
def reasons(name: str, format_: str) -> Iterator[None]:
    """Turn what a codec or the file system raises into one line about one file."""
    try:
        with warnings.catch_warnings():
            # A codec's warnings are about the file's metadata; what matters raises.
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: the {format_} file is damaged: its header cannot be read") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it", "change its rights or run as its owner") from error
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory to decode it") from error
    except Exception as error:  # codecs raise whatever they like: struct.error, IndexError, their own kinds
        if isinstance(error, OSError) and error.errno is not None and format_ == "":
            raise InputError(f"{name}: cannot be read: {os.strerror(error.errno)}") from error
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: the {format_} file is damaged: {text}") from error
