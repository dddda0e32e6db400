"""TIFF pages through tifffile, which keeps 16 bits; Pillow reads the kinds of pixels that it does not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from PIL import Image

from imgai.images import color, orientation
from imgai.images.codecs.pillow import joined
from imgai.plugin import Header, Metadata, Picture, UnsupportedError

DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # description, make, model, software, time, artist, copyright
_EXIF, _GPS = 34665, 34853
_MINISWHITE, _MINISBLACK, _RGB = 0, 1, 2
_ASSOCIATED = 1


def probe(source: Path | bytes) -> Header:
    """The largest page, and how many there are without reduced copies."""
    with _opened(source) as file, tifffile.TiffFile(file) as tiff:
        pages: list[Any] = [tiff.pages[number] for number in _wanted(tiff)]
        sizes = [(page.imagewidth, page.imagelength) for page in pages]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return Header(width, height, len(sizes))


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every page but thumbnails and reduced copies."""
    with _opened(source) as file, tifffile.TiffFile(file) as tiff:
        wanted = _wanted(tiff)
        if not wanted:
            raise UnsupportedError("the TIFF file holds no page")
        for number in wanted:
            page: Any = tiff.pages[number]
            if page.is_volumetric:
                raise UnsupportedError(f"the TIFF file holds a volume of {page.imagedepth} slices, not a picture")
            yield _read(page, file, number)


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _wanted(tiff: tifffile.TiffFile) -> list[int]:
    """The pages that are pictures of their own."""
    pages: list[Any] = list(tiff.pages)  # both kinds of pages that tifffile knows have a size and say so by name
    return [number for number, page in enumerate(pages) if not _is_reduced(page)]


def _is_reduced(page: Any) -> bool:
    """Whether a page is a thumbnail or a smaller copy of another (tag NewSubfileType)."""
    return bool(int(getattr(page, "subfiletype", 0) or 0) & 1)


def _read(page: Any, file: BinaryIO, number: int) -> Picture:
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
        with _through_pillow(file, number) as picture:
            pixels, alpha, icc = color.to_pixels(picture)
    if turn in (5, 6, 7, 8) and dpi is not None:
        dpi = dpi[::-1]
    about = Metadata(
        format="TIFF",
        depth=16 if pixels.dtype == np.uint16 else 8,
        gray=pixels.ndim == 2,
        icc=icc,
        exif=_exif(page, file),
        xmp=None if xmp is None else orientation.reset_in_xmp(xmp),
        dpi=dpi,
    )
    return Picture(pixels, alpha, about)


@contextmanager
def _through_pillow(file: BinaryIO, number: int) -> Iterator[Image.Image]:
    # A file, not its path: that Pillow would map into memory, with the sides of the turned picture.
    file.seek(0)
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


def _exif(page: Any, file: BinaryIO) -> bytes | None:
    """What the page says of the photograph, without what describes the file's own layout."""
    theirs, ours = Image.Exif(), Image.Exif()
    theirs.endian = page.parent.byteorder
    theirs.bigtiff = page.parent.is_bigtiff
    theirs.load_from_fp(cast("io.BytesIO", file), page.offset)
    ours.update({tag: _as_stored(theirs[tag]) for tag in DESCRIPTIVE if tag in theirs})
    for directory in (_EXIF, _GPS):
        if directory in theirs:
            entries = theirs.get_ifd(directory)
            ours.get_ifd(directory).update({tag: _as_stored(value) for tag, value in entries.items()})
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


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write every picture as a page, compressed without loss."""
    with tifffile.TiffWriter(file) as writer:
        for picture in pictures:
            pixels, metadata = joined(picture), picture.metadata
            channels = 1 if pixels.ndim == 2 else pixels.shape[2]
            options: dict[str, Any] = {}
            if metadata.dpi:
                options["resolution"] = metadata.dpi
                options["resolutionunit"] = "INCH"
            if channels in (2, 4):
                options["extrasamples"] = ["unassalpha"]
            extra = [
                *_descriptions(metadata),
                *([(700, 1, len(metadata.xmp), metadata.xmp, True)] if metadata.xmp else []),
            ]
            writer.write(
                pixels,
                photometric="minisblack" if channels < 3 else "rgb",
                planarconfig="contig" if channels > 1 else None,
                compression="zlib",
                predictor=True,
                iccprofile=metadata.icc,
                metadata=None,
                software=False,
                extratags=extra,
                contiguous=False,
                **options,
            )


def _descriptions(metadata: Metadata) -> list[tuple[int, int, int, bytes, bool]]:
    if not metadata.exif:
        return []
    exif = Image.Exif()
    exif.load(metadata.exif)
    texts = [(tag, exif[tag]) for tag in DESCRIPTIVE if tag in exif]
    # Type 2 is a text; tifffile counts and ends it. Pillow reads its bytes, often UTF-8, as if they were Latin-1.
    return [
        (tag, 2, 0, value if isinstance(value, bytes) else str(value).encode("latin-1"), True) for tag, value in texts
    ]
