"""Read pictures and label images for a training with the host's reader, as a network sees them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from imgai.errors import InputError
from imgai.images import orientation, read
from imgai.images.alpha import bleed
from imgai.images.depth import quantize
from imgai.images.space import space_of
from imgai.sample import Sample, Source

T = TypeVar("T")

_ORIENTATION = 0x0112
_opened = threading.local()


def page_of(path: Path, page: int, read: Callable[[], Iterator[T]], what: str) -> T:
    """One page of a file. Asked for in order by one thread, pages of a stack are each decoded once.

    read: all pages of the file. what: they are; each thread keeps one file of each open, where it has several pages.

    Raises what reading raises.
    """
    if page == 0:
        return next(read())
    about = path.stat()
    key = (path, about.st_mtime_ns, about.st_size)
    before, reached, opened = getattr(_opened, what, (None, 0, iter(())))
    pages: Iterator[T] = opened
    if before != key or reached > page:
        reached, pages = 0, read()
    setattr(_opened, what, (None, 0, iter(())))  # an iterator that has raised is at its end
    for _ in range(reached, page):
        next(pages)
    value: T = next(pages)
    setattr(_opened, what, (key, page + 1, pages))
    return value


def pages(path: Path, name: str, max_pixels: int) -> Iterator[np.ndarray]:
    """The pages of a file, upright, in sRGB, with colours that go on below what is transparent.

    Shape: ``(H, W)`` of a grey picture, else ``(H, W, 3)``; uint8, or uint16 of a file with 16 bits.

    Raises InputError, with the reason, for a file that cannot be read.
    """
    for sample in read(path, Source(path, name), max_pixels=max_pixels):
        yield seen(sample)


def seen(sample: Sample) -> np.ndarray:
    """Return the input of a network for a sample; see `pages`."""
    gray = sample.metadata.gray
    image = sample.image if sample.alpha is None else bleed(sample.image, sample.alpha)
    image = image[:, :1] if gray else image
    space = space_of(sample.metadata.icc, 1 if gray else 3)
    if space is not None:
        image = quantize(space.to_srgb(image), sample.metadata.depth)
    pixels = image[0, 0] if gray else image[0].permute(1, 2, 0)
    return np.ascontiguousarray(pixels.numpy())


def key_of(pixels: np.ndarray) -> str:
    """A digest of what a picture shows, whatever its file is called and however it is packed."""
    digest = hashlib.blake2b(repr((pixels.shape, str(pixels.dtype))).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def label_pages(path: Path, name: str, max_pixels: int) -> Iterator[np.ndarray]:
    """The numbers that a label picture holds, upright: those of a palette's entries, of grey levels, or of alpha where
    the colours are all the same.

    Shape: ``(H, W)`` uint8, uint16 or int32

    Raises InputError for a file that cannot be read, and for one in colours, whose numbers nobody knows.
    """
    special = _palette(path, max_pixels) or _deep(path)
    for page, sample in enumerate(read(path, Source(path, name), max_pixels=max_pixels)):
        if special is not None and page < len(special):
            yield special[page]
            continue
        values = sample.image[0].numpy()
        level = values[0]
        if not sample.metadata.gray and not (np.array_equal(values[1], level) and np.array_equal(values[2], level)):
            raise InputError(f"{name}: a mask in colours", "write masks in grey levels, or with a palette")
        if sample.alpha is not None and level.size and level.min() == level.max():
            level = sample.alpha[0, 0].numpy()
        yield np.ascontiguousarray(level)


def orientation_of(path: Path) -> int:
    """Return the EXIF orientation of a file, 1 to 8; 1 if it has none."""
    try:
        with Image.open(path) as image:
            return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, UnidentifiedImageError, ValueError):
        return 1


def _palette(path: Path, max_pixels: int) -> list[np.ndarray] | None:
    """The entries of a palette, which are the numbers of classes; None for a file without one, and for an animation."""
    try:
        with Image.open(path) as image:
            if image.mode != "P" or getattr(image, "n_frames", 1) > 1 or image.width * image.height > max_pixels:
                return None
            return [orientation.apply(np.array(image), int(image.getexif().get(_ORIENTATION, 1)))]
    except (OSError, UnidentifiedImageError, ValueError):  # the host's reader says what is wrong with it
        return None


def _deep(path: Path) -> list[np.ndarray] | None:
    """The pages of a TIFF of 32-bit integers, whose numbers may lie above 65535; None for all else."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            if not all(map(_is_deep, file.pages)):
                return None
            return [page.asarray().astype(np.int32) for page in file.pages]
    except Exception:  # the host's reader says what is wrong with it
        return None


def _is_deep(page: Any) -> bool:
    """Whether a page of a TIFF is of one channel of 32-bit integers."""
    return page.dtype is not None and page.dtype.kind in "iu" and page.dtype.itemsize > 2 and len(page.shape) == 2
