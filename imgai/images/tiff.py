"""TIFF pages through tifffile, which keeps 16 bits; Pillow reads the kinds that it does not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from imgai.errors import InputError
from imgai.images import color, orientation
from imgai.images.header import check_pixels, is_reduced
from imgai.sample import Metadata

DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # description, make, model, software, time, artist, copyright
_EXIF, _GPS = 34665, 34853
_MINISWHITE, _MINISBLACK, _RGB = 0, 1, 2
_ASSOCIATED = 1

Page = tuple[np.ndarray, np.ndarray | None, Metadata]


def pages(source: Path | bytes, name: str, *, max_pixels: int) -> Iterator[tuple[int, int, Page]]:
    """Number, count and content of every page but thumbnails and reduced copies.

    Shape: pixels ``(H, W)`` or ``(H, W, 3)``; alpha ``(H, W)``; both uint8 or uint16, turned upright.
    """
    with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
        wanted = [number for number, page in enumerate(file.pages) if not is_reduced(page)]
        for place, number in enumerate(wanted):
            page: Any = file.pages[number]
            check_pixels(page.imagewidth, page.imagelength, name, max_pixels)
            if page.is_volumetric:
                raise InputError(f"{name}: the TIFF file holds a volume of {page.imagedepth} slices, not a picture")
            yield place, len(wanted), _read(page, source, number)


def _read(page: Any, source: Path | bytes, number: int) -> Page:
    icc: bytes | None = getattr(page.tags.get("InterColorProfile"), "value", None) or None
    xmp = getattr(page.tags.get("XMP"), "value", None)
    xmp = xmp if xmp and isinstance(xmp, bytes) else None
    noted = getattr(page.tags.get("Orientation"), "value", None)
    turn = orientation.noted_in_xmp(xmp) if noted is None else noted if isinstance(noted, int) else 1
    dpi = _dpi(page)
    if _plain_pixels(page):
        pixels, alpha = _through_tifffile(page)
        pixels = orientation.apply(pixels, turn)
        alpha = None if alpha is None else orientation.apply(alpha, turn)
    else:
        # Palettes, CMYK, YCbCr, Lab: Pillow knows their colours, and turns what it decodes.
        with _opened(source, number) as picture:
            pixels, alpha, icc = color.to_pixels(picture)
    if turn in (5, 6, 7, 8) and dpi is not None:
        dpi = dpi[::-1]
    about = Metadata(
        format="TIFF",
        depth=16 if pixels.dtype == np.uint16 else 8,
        gray=pixels.ndim == 2,
        icc=icc,
        exif=_exif(source, number),
        xmp=None if xmp is None else orientation.reset_in_xmp(xmp),
        dpi=dpi,
    )
    return pixels, alpha, about


@contextmanager
def _opened(source: Path | bytes, number: int) -> Iterator[Image.Image]:
    # A file, not its path: that Pillow would map into memory, with the sides of the turned picture.
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        picture = Image.open(file, formats=["TIFF"])
        picture.seek(number)
        yield picture


def _plain_pixels(page: Any) -> bool:
    return int(page.photometric) in (_MINISWHITE, _MINISBLACK, _RGB) and page.samplesperpixel <= 4


def _through_tifffile(page: Any) -> tuple[np.ndarray, np.ndarray | None]:
    values = page.asarray()
    if values.ndim == 3 and int(page.planarconfig) == 2:
        values = np.moveaxis(values, 0, -1)  # one plane a channel, as stored
    bits = page.bitspersample
    if isinstance(bits, int) and bits not in (1, 8, 16, 32, 64) and values.dtype.kind == "u":
        # 12 bits in 16 and the like: the largest number is white.
        values = (values.astype(np.float64) * (65535 / (2**bits - 1)) + 0.5).astype(np.uint16)
    pixels = color.scaled(values)
    alpha = None
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
        pixels, alpha = pixels[..., :-1], np.ascontiguousarray(pixels[..., -1])
    if int(page.photometric) == _MINISWHITE:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if alpha is not None and _ASSOCIATED in page.extrasamples:
        pixels = _divided(pixels, alpha)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels), alpha


def _divided(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colour that the file holds times its alpha, as it is. Shape: ``(H, W, C)``; alpha ``(H, W)``."""
    white, cover = np.uint32(np.iinfo(pixels.dtype).max), alpha[..., None].astype(np.uint32)
    whole = (pixels * white + cover // 2) // np.maximum(cover, 1)  # below 2 ** 32
    return np.asarray(np.minimum(whole, white), dtype=pixels.dtype)


def _exif(source: Path | bytes, number: int) -> bytes | None:
    """What the page says of the photograph, without what describes the file's own layout."""
    try:
        with _opened(source, number) as picture:
            theirs = picture.getexif()
            ours = Image.Exif()
            ours.update({tag: _as_stored(theirs[tag]) for tag in DESCRIPTIVE if tag in theirs})
            for directory in (_EXIF, _GPS):
                if directory in theirs:
                    found = theirs.get_ifd(directory)
                    ours.get_ifd(directory).update({tag: _as_stored(value) for tag, value in found.items()})
    except (UnidentifiedImageError, EOFError):
        return None  # a kind of pixels that Pillow does not know, such as 16-bit grey with alpha
    return ours.tobytes() if len(ours) or ours.get_ifd(_EXIF) or ours.get_ifd(_GPS) else None


class _Text(str):
    """A text that Pillow writes with the bytes that it read, not with a question mark for all beyond ASCII."""

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return str.encode(self, "latin-1")


def _as_stored(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def _dpi(page: Any) -> tuple[float, float] | None:
    """Dots per inch. None without a resolution, or where its unit is no length."""
    across, down = (getattr(page.tags.get(name), "value", None) for name in ("XResolution", "YResolution"))
    unit = {2: 1.0, 3: 2.54}.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 2)))
    if unit is None or not across or not down or not (across[1] and down[1]):
        return None
    x, y = across[0] / across[1] * unit, down[0] / down[1] * unit
    return (x, y) if x > 1 and y > 1 else None  # 1 is what a page without a resolution says
