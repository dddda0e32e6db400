"""File formats, and what their functions return: pictures with what the file says about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import are_suffixes

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channel of a picture a page is: its number from 1, of how many, and its name, where the file has one."""

    number: int
    of: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture, carried to the output.

    format: the name of the `Format` that the file is in ("JPEG", "PNG", "TIFF", ...).
    depth: bits a channel, 8 or 16.
    gray: the file holds one channel; the image then repeats it three times.
    icc, exif, xmp: as in the file; the orientation that exif and xmp tell is already reset to 1.
    cicp: the four code points of a PNG of high dynamic range, which a profile does not tell in full.
    iptc: the records of IPTC IIM. texts: key and value, as PNG has them; a comment's key is "Comment".
    dpi: dots per inch, horizontal and vertical.
    duration: how long an animation shows this frame, in milliseconds; loop: how often (0: for ever;
        None: once).
    poster: the still image for programs that cannot play the animation; it is not one of its frames.
    full: (height, width) of the picture that was read, upright; also where it was decoded smaller.
    values: the values in the file that were mapped to 0 and to full scale; None: 0, and 255 or 65535.
    series: pages of one number share a scale (a stack, a time series); those of other numbers (other channels) do not.
    notes: remarks for the user about how it was read; the host fills it in.
    pixel_size: width and height of a pixel in micrometres, where the file states it (OME, ImageJ, DICOM).
    channel: the channel that this page holds, where a file stores channels as pages (OME, ImageJ).
    quality: of a JPEG: the quality, 1 to 100, that its tables tell, and "4:4:4", "4:2:2" or "4:2:0" for its colour.
    """

    format: str
    depth: int = 8
    gray: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    cicp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    duration: int | None = None
    loop: int | None = None
    poster: bool = False
    full: tuple[int, int] | None = None
    values: tuple[float, float] | None = None
    series: int = 0
    notes: tuple[str, ...] = ()
    pixel_size: tuple[float, float] | None = None
    channel: Channel | None = None
    quality: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a file says of its picture, before any pixel is decoded.

    width, height: of the largest page, in pixels. pages: how many pages or frames are read.
    format: the name of the `Format`; the host fills it in.
    """

    width: int
    height: int
    pages: int = 1
    format: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page or frame of a file, decoded and turned upright.

    pixels: ``(H, W)`` for grey, or ``(H, W, 3)``, uint8 or uint16. alpha: ``(H, W)`` of the same dtype, or None.
    notes: remarks for the user about how it was read, one line each; printed once a file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A way in which files hold pictures.

    The functions are named as ``"package.module:function"`` and imported when they are used. What they raise becomes
    one line that calls the file damaged; `UnsupportedError` is for a sound file of a kind that is not read, and an
    ImportError says that `extra` is missing.

    name: in capitals, as people know it ("JPEG").
    suffixes: what the names of its files end in, the usual one first; the first is what is written.
    magic: regular expressions for the first 132 bytes of its files (``.`` matches any byte). Of several formats that
        match, the one whose expression matches most bytes is taken.
    check: a function of a ``Path | bytes`` that says whether a file whose magic fits is of this format; it is asked
        before formats without a check, so that a format which begins like another can be told from it.
    probe: ``(source: Path | bytes) -> Header``, from the header alone; pixel bombs are refused by what it says.
    read: ``(source: Path | bytes, least: int | None) -> Iterator[Picture]``, a page at a time. Where `least` is not
        None, a picture may be decoded smaller, with sides of at least that many pixels. Empty: files of the format
        are known, and not read; `extra` then says what would read them.
    write: ``(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None``. Empty: it is not written.
    deep: pictures of it may have 16 bits; else ``write`` is given 8.
    alpha: ``write`` takes pictures with alpha; else they are laid over white.
    pages: ``write`` takes several pages or frames.
    paged: its files usually hold several pages or frames, so that a run looks ahead for the names of their outputs.
    longest: the most pixels along a side that a file can hold; None: there is no such limit.
    becomes: the format in which a picture read from it is written, where it has no ``write``.
    extra: the extra of imgai that brings what reads it: ``pip install "imgai[extra]"``.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    check: str = ""
    probe: str = ""
    read: str = ""
    write: str = ""
    deep: bool = False
    alpha: bool = False
    pages: bool = False
    paged: bool = False
    longest: int | None = None
    becomes: str = "PNG"
    extra: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Z0-9]*", self.name):
            raise ValueError(f"format name {self.name!r} must be of capital letters and digits")
        if not are_suffixes(self.suffixes):
            raise ValueError(f"format {self.name}: suffixes are lower-case and begin with a dot, as in '.png'")
        if bool(self.read) != bool(self.probe):
            raise ValueError(f"format {self.name}: probe and read are declared together")
        for function in filter(None, (self.check, self.probe, self.read, self.write)):
            if not re.fullmatch(r"[\w.]+:\w+", function):
                raise ValueError(f"format {self.name}: {function!r} must read 'package.module:function'")
        for pattern in self.magic:
            re.compile(pattern, re.DOTALL)
