"""TIFF through tifffile, which keeps 16 bits; Pillow decodes the colours that it knows better."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import html
import io
import json
import math
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from imgai.images import color, imagej, orientation, resolution
from imgai.images.codecs.pillow import about_upright, joined
from imgai.images.lab import lab16_to_srgb
from imgai.images.strict import END, check_jpeg
from imgai.plugin import Channel, Header, Metadata, Picture, UnsupportedError

DESCRIPTIVE = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)
"""Document, description, make, model, page, software, time, artist, computer, copyright: texts that go along."""
_PAGE_NAME, _DESCRIPTION, _EXIF, _GPS, _IPTC = 285, 270, 34665, 34853, 33723
_HEAD = b"II*\0\0\0\0\0" if sys.byteorder == "little" else b"MM\0*\0\0\0\0"
_PLACE = 0x7E000000  # what stands for the place of a directory until it is known, with the directory's number
_TAGS = 0xFF0000  # what stands for the place of a tag's value, with the tag's number
_STANDS_FOR = {  # tags that tifffile writes, for those that it does not, or whose place is not known
    _EXIF - 1: _EXIF,
    _GPS - 1: _GPS,
    imagej.BLOCK: imagej.BLOCK,
    imagej.SIZES: imagej.SIZES,
}
_POINTER = re.compile(
    b"(?:" + b"|".join(re.escape(struct.pack("=HHL", tag, 4, 1)) for tag in _STANDS_FOR) + b")(..)(..)", re.DOTALL
)
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
_GREY = (_MINISWHITE, _MINISBLACK)
_CHANNELS = {_MINISWHITE: 1, _MINISBLACK: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _CIELAB: 3}
"""The number of colour samples for each PhotometricInterpretation; further samples are extra."""
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2
_SLIDES = ("svs", "ndpi", "scn", "bif", "philips", "qpi")
"""Makers of slides whose pyramids say of no level that it is a reduced copy; as tifffile calls them."""
_MOST_PAGES = 100_000
_OME_CHANNEL = re.compile(r"<(?:\w+:)?Channel\b([^>]*)>")
_OME_NAME = re.compile(r'\bName="([^"]*)"')
_JPEG = (6, 7, 34892)  # values of Compression: as TIFF 6.0 had it, as it is, and of lossy DNG
_LARGEST_TILE = 1 << 24  # pixels


def probe(source: Path | bytes) -> Header:
    """The largest page, and how many there are that are pictures of their own."""
    with _opened(source) as file, tifffile.TiffFile(file, _multifile=False) as tiff:
        pages = [page for _, page in _wanted(tiff)]
        for page in pages:
            _check_tiles(page)
        sizes = [(page.imagewidth, page.imagelength) for page in pages]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return Header(width, height, len(sizes))


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every page that is a picture of its own: no thumbnail, no mask, no reduced copy, no level of a pyramid."""
    with _opened(source) as file, tifffile.TiffFile(file, _multifile=False) as tiff:
        wanted = _wanted(tiff)
        if not wanted:
            raise UnsupportedError("the TIFF file holds no page")
        ends = _ends(wanted)
        described = len(wanted) >= len(tiff.pages)
        places = _places(source) if len(wanted) > 1 else {}
        info, labels = imagej.texts_of(tiff)
        for order, (number, page) in enumerate(wanted):
            if page.is_volumetric:
                raise UnsupportedError(f"the TIFF file holds a volume of {page.imagedepth} slices, not a picture")
            picture = _read(page, file, number, ends, described=described)
            series, channel = places.get(number, (0, None))
            about = dataclasses.replace(picture.metadata, series=series, channel=channel)
            notes = picture.notes
            texts = [(imagej.LABEL, labels[number])] if number < len(labels) and labels[number] else []
            if info and order == 0 and _is_imagej(about.exif):
                texts.append((imagej.INFO, info))
            elif info and order == 0:
                notes = (*notes, "the notes that ImageJ keeps on the file are not carried")
            yield dataclasses.replace(picture, metadata=dataclasses.replace(about, texts=tuple(texts)), notes=notes)
        _check_end(tiff, file)


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _wanted(tiff: tifffile.TiffFile) -> list[tuple[int, Any]]:
    """The pages that are pictures of their own, with their numbers.

    Slides of the makers that tifffile knows are one picture: the first level of the first series.
    """
    pages: Any = tiff.pages
    count = len(pages)
    if count > _MOST_PAGES:
        raise UnsupportedError(f"the TIFF file has {count:,} pages; {_MOST_PAGES:,} are read", "split it")
    if any(getattr(tiff, f"is_{maker}") for maker in _SLIDES):
        level: Any = tiff.series[0].levels[0]
        return sorted((page.index, pages[page.index]) for page in level.pages if page is not None)
    if count == 1:
        return list(enumerate(_slices(tiff, pages[0])))
    return [(number, pages[number]) for number in range(count) if not _is_part(pages[number])]


def _slices(tiff: tifffile.TiffFile, page: Any) -> list[Any]:
    """The page of a file that has one directory, and the slices whose numbers follow its own without another.

    So ImageJ writes stacks of more than 4 GB, and tifffile where it is asked to.
    """
    text = page.shaped_description
    if tiff.is_imagej:
        count = int((tiff.imagej_metadata or {}).get("images", 1))
    elif text and (about := json.loads(text)).get("truncated"):
        count = math.prod(about["shape"]) // max(1, math.prod(page.shape))
    else:
        return [page]
    size, bytes_ = tiff.filehandle.size, int(page.nbytes)
    if count <= 1:
        return [page]
    if not page.is_contiguous or _through_pillow(page) or page.dataoffsets[0] + count * bytes_ > size:
        raise UnsupportedError(f"it says that it holds {count:,} pictures, and there is 1", "save it again")
    if count > _MOST_PAGES:
        raise UnsupportedError(f"the TIFF file has {count:,} pages; {_MOST_PAGES:,} are read", "split it")
    slices = [copy.copy(page) for _ in range(count)]
    for number, each in enumerate(slices):
        each.dataoffsets = tuple(offset + number * bytes_ for offset in page.dataoffsets)
        each.__dict__.pop("is_contiguous", None)
    return slices


def _check_end(tiff: tifffile.TiffFile, file: BinaryIO) -> None:
    """Raise ValueError where the chain of pages leads beyond the file, or back: some of them cannot be found."""
    if any(getattr(tiff, f"is_{maker}") for maker in _SLIDES):
        return
    layout: Any = tiff.tiff
    last: Any = tiff.pages[-1]
    file.seek(last.offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, io.SEEK_CUR)
    pointer = file.read(layout.offsetsize)
    if len(pointer) < layout.offsetsize or struct.unpack(layout.offsetformat, pointer)[0]:
        raise ValueError(f"more pages should follow page {len(tiff.pages)}, and are not there")


def _places(source: Path | bytes) -> dict[int, tuple[int, Channel | None]]:
    """Of pages by number, a number that those share which are of one stack, and of one channel of it; and the channel.

    What says so is the shape of pages, and what ImageJ, OME and others write of their axes.
    """
    places: dict[int, tuple[int, Channel | None]] = {}
    keys: dict[tuple[int, int], int] = {}
    # Opened once more: looking for series turns pages into frames, which know less of themselves. What cannot be read
    # of the axes is as good as nothing.
    with contextlib.suppress(Exception), _opened(source) as file, tifffile.TiffFile(file, _multifile=False) as tiff:
        every: list[Any] = list(tiff.series)
        for index, series in enumerate(every):
            outer = len(series.shape) - len(series.keyframe.shape)
            axes, shape = series.axes[:outer], series.shape[:outer]
            count = shape[axes.index("C")] if "C" in axes else 0
            names = _channel_names(tiff, count)
            alone = len(tiff.pages) == 1  # what follows its slices has no directory (`_slices`)
            indices = [None if page is None else page.index for page in series.pages]
            for place, page_number in enumerate(range(math.prod(shape)) if alone else indices):
                if page_number is not None and place < math.prod(shape):
                    at = dict(zip(axes, np.unravel_index(place, shape), strict=True))
                    number = int(at.get("C", 0))
                    channel = Channel(number + 1, count, names[number]) if count else None
                    places[page_number] = keys.setdefault((index, number), len(keys)), channel
    return places


def _channel_names(tiff: tifffile.TiffFile, count: int) -> list[str]:
    """Return the names of channels; for ImageJ, the labels of the first slices if they are distinct."""
    if tiff.is_ome:
        names = _OME_CHANNEL.findall(tiff.ome_metadata or "")
        names = [html.unescape(name[1]) if (name := _OME_NAME.search(each)) else "" for each in names]
    else:
        names = imagej.texts_of(tiff)[1]
    names = names[:count]
    return names if len(names) == count and len(set(names)) == count else [""] * count


def _is_part(page: Any) -> bool:
    """Whether a page is a thumbnail, a smaller copy of another, or a mask (tags NewSubfileType, Photometric...)."""
    return bool(int(getattr(page, "subfiletype", 0) or 0) & (1 | 4)) or getattr(page, "photometric", None) == _MASK


def _check_tiles(page: Any) -> None:
    """Raise UnsupportedError for tiles far larger than the picture, whose decoding would take far more memory."""
    tile = page.tilewidth * page.tilelength
    if tile > _LARGEST_TILE and tile > 4 * page.imagewidth * page.imagelength:
        raise UnsupportedError(
            f"its tiles of {page.tilewidth} x {page.tilelength} pixels are far larger than the picture"
        )


def _ends(wanted: list[tuple[int, Any]]) -> tuple[float, float] | None:
    """The least and the greatest number of all grey pages whose numbers are no pixels as they are; None: there is none.

    The file's own statement (SMinSampleValue, SMaxSampleValue) counts before what is in the pixels.
    """
    least, greatest = [], []
    for _, page in wanted:
        if page.dtype is None or page.dtype.kind == "c" or color.keeps_values(page.dtype):
            continue
        if int(page.photometric) not in _GREY:
            continue
        stated = [getattr(page.tags.get(tag), "value", None) for tag in (340, 341)]
        low, high = (value[0] if isinstance(value, tuple) else value for value in stated)
        if low is not None and high is not None and low < high:
            ends: tuple[float, float] | None = (float(low), float(high))
        else:
            ends = color.extent(page.asarray())
        if ends is not None:
            least.append(ends[0])
            greatest.append(ends[1])
    return (min(least), max(greatest)) if least else None


def _read(page: Any, file: BinaryIO, number: int, ends: tuple[float, float] | None, *, described: bool) -> Picture:
    """One page, upright. described: the file's pages are all read, so that what describes them stays true."""
    icc: bytes | None = getattr(page.tags.get("InterColorProfile"), "value", None) or None
    xmp = getattr(page.tags.get("XMP"), "value", None)
    xmp = xmp if xmp and isinstance(xmp, bytes) else None
    noted = getattr(page.tags.get("Orientation"), "value", None)
    turn = orientation.noted_in_xmp(xmp) if noted is None else noted if isinstance(noted, int) else 1
    objections = _check_jpegs(page, file) if int(page.compression) in _JPEG else ()
    notes: tuple[str, ...] = ()
    if _through_pillow(page):
        # Palettes, YCbCr, and 8 bits of CMYK and Lab: Pillow knows their colours, and turns what it decodes.
        file.seek(0)
        picture = Image.open(file, formats=["TIFF"])  # a file, not its path, which Pillow would map into memory
        picture.seek(number)
        pixels, alpha, icc = color.to_pixels(picture)
    else:
        pixels, alpha, icc, notes = _through_tifffile(page, icc, ends)
        pixels = orientation.apply(pixels, turn)
        alpha = None if alpha is None else orientation.apply(alpha, turn)
    dpi = resolution.of(page)
    if turn in (5, 6, 7, 8) and dpi is not None:
        dpi = dpi[::-1]
    height, width = pixels.shape[:2]
    kept = described and page.dtype is not None and color.keeps_values(page.dtype)
    exif = _exif(page, file, described=kept and turn == 1)
    exif, xmp, said = about_upright(exif, xmp, (width, height), turned=turn != 1)
    about = Metadata(
        format="TIFF",
        depth=16 if pixels.dtype == np.uint16 else 8,
        gray=pixels.ndim == 2,
        icc=icc,
        exif=exif,
        xmp=xmp,
        iptc=_iptc(page),
        dpi=dpi,
        pixel_size=None if dpi is None or not resolution.is_measured(str(page.description or "")) else _in_um(dpi),
        values=_values_of(page, ends),
    )
    return Picture(pixels, alpha, about, (*objections, *notes, *said))


def _check_jpegs(page: Any, file: BinaryIO) -> tuple[str, ...]:
    """What is to be said of JPEGs in strips or tiles. Raises ValueError for damaged ones, which decoders pass over."""
    tables = getattr(page.tags.get(347), "value", None)
    tables = tables.removesuffix(END) if isinstance(tables, bytes) else b""
    end, whole = file.seek(0, io.SEEK_END), True
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.seek(offset)
        content = file.read(min(count, max(0, end - offset)))
        try:
            whole &= check_jpeg(tables + content[2:] if tables else content)
        except ValueError as error:
            raise ValueError(f"a JPEG in it is damaged: {error}") from None
    return () if whole else ("a JPEG in it lacks its end marker",)


def _in_um(dpi: tuple[float, float]) -> tuple[float, float]:
    """Micrometres of a pixel, across and down."""
    return 25_400 / dpi[0], 25_400 / dpi[1]


def _through_pillow(page: Any) -> bool:
    """Whether Pillow is to decode a page."""
    photometric = int(page.photometric)
    if photometric == _YCBCR:
        return True
    if photometric == _PALETTE:
        return int(page.bitspersample) <= 8
    samples = {_CMYK: 4, _CIELAB: 3}.get(photometric)
    return page.samplesperpixel == samples and page.bitspersample == 8 and int(page.planarconfig) == 1


def _through_tifffile(
    page: Any, icc: bytes | None, ends: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray | None, bytes | None, tuple[str, ...]]:
    """Pixels, alpha, the profile that they are in, and what is to be said of them.

    What a sample beyond those of the colour means stands in ExtraSamples: the first that is called alpha is, and all
    others (near infrared, a saved selection) are left out.
    """
    photometric, samples = int(page.photometric), int(page.samplesperpixel)
    if photometric not in _CHANNELS:
        raise UnsupportedError(f"its colours (PhotometricInterpretation {photometric}) are not read")
    if page.dtype is not None and page.dtype.kind == "c":
        raise UnsupportedError("its numbers are complex, and are not read", "write magnitude and phase as pages")
    channels = _CHANNELS[photometric]
    kinds = [int(kind) for kind in page.extrasamples]
    extra = samples - channels
    if extra < 0:
        raise UnsupportedError(f"holds {samples} channels, where its colours need {channels}")
    kinds += [_UNSPECIFIED] * (extra - len(kinds))
    place = next((index for index, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)), None)
    if photometric in _GREY and extra - (place is not None) > 1:
        raise UnsupportedError(
            f"holds {samples} channels, and is neither grey nor RGB", "write each channel as a page of its own"
        )
    values = page.asarray()
    if samples > 1 and int(page.planarconfig) == 2:
        values = np.moveaxis(values, 0, -1)  # one plane a channel, as stored
    if samples == 1 and values.ndim == 2:
        values = values[..., None]
    bits = page.bitspersample
    if isinstance(bits, int) and bits not in (1, 8, 16, 32, 64) and values.dtype.kind == "u":
        # 12 bits in 16 and the like: the largest number is white.
        values = (values.astype(np.float64) * (65535 / (2**bits - 1)) + 0.5).astype(np.uint16)
    notes: tuple[str, ...] = ()
    alpha = None
    if photometric == _CIELAB and values.dtype.itemsize == 2:
        colors, icc = lab16_to_srgb(np.ascontiguousarray(values[..., :3])), None
    elif photometric == _CMYK:
        colors, icc = _from_cmyk(values[..., :4], icc), None
    elif photometric == _PALETTE:
        colors = np.moveaxis(np.asarray(page.colormap), 0, -1)[values[..., 0]]
    else:
        colors, notes = _in_range(values[..., :channels], ends)
    if place is not None:
        alpha = np.ascontiguousarray(_as(_in_range(values[..., channels + place], None)[0], colors.dtype))
    if photometric == _MINISWHITE:
        colors = np.iinfo(colors.dtype).max - colors
    if alpha is not None and kinds[place or 0] == _ASSOCIATED:
        colors = _divided(colors, alpha)
    return np.ascontiguousarray(colors[..., 0] if colors.shape[-1] == 1 else colors), alpha, icc, notes


def _values_of(page: Any, ends: tuple[float, float] | None) -> tuple[float, float] | None:
    """The numbers that became black and white; None for 0 and the largest, and where they are no light (a palette)."""
    photometric, bits = int(page.photometric), page.bitspersample
    if photometric not in (*_GREY, _RGB) or page.dtype is None or not isinstance(bits, int):
        return None
    if page.dtype.kind == "u" and bits not in (1, 8, 16, 32, 64):
        scale = (0.0, 2.0**bits - 1)
    elif photometric == _RGB and page.dtype.kind == "f":
        scale = (0.0, 1.0)
    else:
        scale = color.scale_of(page.dtype, ends)
    return scale[::-1] if photometric == _MINISWHITE else scale


def _in_range(values: np.ndarray, ends: tuple[float, float] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers as pixels; and where some were cut, that. ends: of grey; floats of colour and alpha are in [0, 1].

    Shape: kept, to uint8 or uint16.
    """
    if color.keeps_values(values.dtype):
        return color.scaled(values, None), ()
    if ends is not None and values.ndim == 3 and values.shape[-1] == 1:
        return color.scaled(values, ends), ()
    if values.dtype.kind != "f":
        return color.scaled(values, color.extent(values)), ()
    cut = color.extent(values) or (0.0, 1.0)
    said = (f"values from {cut[0]:.4g} to {cut[1]:.4g} are cut to 0 and 1, black and white",)
    return color.scaled(values, (0.0, 1.0)), said if cut[0] < 0 or cut[1] > 1 else ()


def _as(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Pixels of 8 or 16 bits with the bits of another array."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint16:
        return values.astype(np.uint16) * np.uint16(257)
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _from_cmyk(values: np.ndarray, icc: bytes | None) -> np.ndarray:
    """CMYK of 8 or 16 bits as sRGB of 8. Shape: ``(H, W, 4)`` to ``(H, W, 3)``"""
    image = Image.fromarray(np.ascontiguousarray(_as(color.scaled(values, None), np.dtype(np.uint8))), mode="CMYK")
    if icc:
        image.info["icc_profile"] = icc
    return color.to_pixels(image)[0]


def _divided(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colour that the file holds times its alpha, as it is. Shape: ``(H, W, C)``; alpha ``(H, W)``."""
    white, cover = np.uint32(np.iinfo(pixels.dtype).max), alpha[..., None].astype(np.uint32)
    whole = (pixels * white + cover // 2) // np.maximum(cover, 1)  # below 2 ** 32
    return np.asarray(np.minimum(whole, white), dtype=pixels.dtype)


def _exif(page: Any, file: BinaryIO, *, described: bool) -> bytes | None:
    """Return the EXIF data of a page, without tags that describe the layout of the file.

    described: what ImageJ, OME and tifffile say of the file's pages may go along, in the description.
    """
    theirs, ours = Image.Exif(), Image.Exif()
    theirs.endian = page.parent.byteorder
    theirs.bigtiff = page.parent.is_bigtiff
    theirs.load_from_fp(cast("io.BytesIO", file), page.offset)
    ours.update({tag: _as_stored(theirs[tag]) for tag in DESCRIPTIVE if tag in theirs})
    if _DESCRIPTION in ours and not described and resolution.is_layout(str(ours[_DESCRIPTION])):
        del ours[_DESCRIPTION]
    for directory in (_EXIF, _GPS):
        if directory in theirs:
            entries = theirs.get_ifd(directory)
            ours.get_ifd(directory).update({tag: _as_stored(value) for tag, value in entries.items()})
    return ours.tobytes() if len(ours) or ours.get_ifd(_EXIF) or ours.get_ifd(_GPS) else None


def _iptc(page: Any) -> bytes | None:
    """The IPTC records of tag 33723, which some programs declare as numbers of 32 bits."""
    value = getattr(page.tags.get(_IPTC), "value", None)
    if isinstance(value, tuple):
        value = struct.pack(f"{page.parent.byteorder}{len(value)}L", *value)
    return value if isinstance(value, bytes) else None


class _Text(str):
    """A text that Pillow writes with the bytes that it read, not with a question mark for all beyond ASCII."""

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return str.encode(self, "latin-1")


def _as_stored(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write every picture as a page, compressed without loss; its EXIF and GPS directories stand behind the pages."""
    watched = _Watched(file)
    directories: list[tuple[int, dict[int, Any]]] = []
    labels: list[str] = []
    info, stack = "", False  # of ImageJ, whose labels the first page has for all
    with tifffile.TiffWriter(watched) as writer:
        for picture in pictures:
            if picture.metadata.poster:
                continue
            pixels, metadata = joined(picture), picture.metadata
            channels = 1 if pixels.ndim == 2 else pixels.shape[2]
            exif = Image.Exif()
            if metadata.exif:
                exif.load(metadata.exif)
            if metadata.full not in (None, pixels.shape[:2]) and resolution.is_fixed(_text(exif)):
                del exif[_DESCRIPTION]
            label = imagej.of(metadata, imagej.LABEL)
            if not labels and _text(exif).startswith("ImageJ="):
                info = imagej.of(metadata, imagej.INFO)
                stack = bool(label or info)
            elif label and not stack and _PAGE_NAME not in exif:
                exif[_PAGE_NAME] = label.encode()
            labels.append(label)
            options: dict[str, Any] = {}
            if metadata.dpi:
                inches = resolution.imagej_unit(_text(exif)) if _text(exif).startswith("ImageJ=") else None
                options["resolution"] = tuple(value * (inches or 1) for value in metadata.dpi)
                options["resolutionunit"] = "INCH" if inches is None else "NONE"
            if channels in (2, 4):
                options["extrasamples"] = ["unassalpha"]
            extra: list[Any] = [
                *_descriptions(exif),
                *([(700, 1, len(metadata.xmp), metadata.xmp, True)] if metadata.xmp else []),
                *([(_IPTC, 7, len(metadata.iptc), metadata.iptc, True)] if metadata.iptc else []),
            ]
            for tag in (_EXIF, _GPS):
                if directory := exif.get_ifd(tag):
                    extra.append((tag - 1, 4, 1, _PLACE + len(directories), True))
                    directories.append((tag, directory))
            if stack and len(labels) == 1:
                extra += [(tag, 4, 1, _PLACE + _TAGS + tag, True) for tag in (imagej.SIZES, imagej.BLOCK)]
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
    _append(directories, watched)
    if stack:
        _label(info, labels, watched)


class _Watched:
    """A file that notes where directories are pointed to whose place is not known yet."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.places: dict[int, int] = {}

    def write(self, content: bytes) -> int:
        begin, patched = self.file.tell(), bytearray()
        for pointer in _POINTER.finditer(content):
            tag, _, _, place = struct.unpack("=HHLL", pointer[0])
            if place & 0xFF000000 != _PLACE:
                continue
            patched = patched or bytearray(content)
            struct.pack_into("=H", patched, pointer.start(), _STANDS_FOR[tag])
            self.places[place - _PLACE] = begin + pointer.start() + 8
        return self.file.write(patched or content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def _append(directories: list[tuple[int, dict[int, Any]]], watched: _Watched) -> None:
    """Write the directories at the end of the file, and point to them."""
    file = watched.file
    for number, (tag, values) in enumerate(directories):
        at = file.seek(0, io.SEEK_END)
        if at % 2:
            file.write(b"\0")
            at += 1
        directory = TiffImagePlugin.ImageFileDirectory_v2(_HEAD, group=tag)
        for key, value in values.items():
            if isinstance(value, dict):
                continue  # a directory within, for other programs' use
            directory[key] = _as_stored(value)
        file.write(directory.tobytes(at))
        file.seek(watched.places[number])
        file.write(struct.pack("=L", at))
    file.seek(0, io.SEEK_END)


def _label(info: str, labels: list[str], watched: _Watched) -> None:
    """Write the labels of all pages at the end of the file, and have the entries of the first page point to them."""
    file = watched.file
    texts, sizes = imagej.block(info, labels, "<" if sys.byteorder == "little" else ">")
    for tag, kind, count, content in ((imagej.SIZES, 4, len(sizes) // 4, sizes), (imagej.BLOCK, 1, len(texts), texts)):
        at = file.seek(0, io.SEEK_END)
        if at % 2:
            at += file.write(b"\0")
        file.write(content)
        file.seek(watched.places[_TAGS + tag] - 6)
        file.write(struct.pack("=HLL", kind, count, at))
    file.seek(0, io.SEEK_END)


def _is_imagej(exif: bytes | None) -> bool:
    """Whether a page is still described as ImageJ does."""
    block = Image.Exif()
    block.load(exif or b"")
    return _text(block).startswith("ImageJ=")


def _text(exif: Image.Exif) -> str:
    return str(exif.get(_DESCRIPTION, ""))


def _descriptions(exif: Image.Exif) -> list[tuple[int, int, int, bytes, bool]]:
    texts = [(tag, exif[tag]) for tag in DESCRIPTIVE if tag in exif]
    # Type 2 is a text; tifffile counts and ends it. Pillow reads its bytes, often UTF-8, as if they were Latin-1.
    return [
        (tag, 2, 0, value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"), True)
        for tag, value in texts
    ]
