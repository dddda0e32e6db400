"""File formats, and the objects that their functions return: pictures and metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import are_suffixes

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel that a page holds: its number, from 1, the number of channels, and its name if the file has one."""

    number: int
    of: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of a picture, carried from the input to the output.

    format: the name of the file's `Format` ("JPEG", "PNG", "TIFF", ...).
    depth: bits per channel, 8 or 16.
    gray: whether the file holds one channel; the image then repeats it three times.
    icc, exif, xmp: as in the file, except that the orientation in exif and xmp is already reset to 1.
    cicp: the four code points of the cICP chunk of an HDR PNG, which an ICC profile cannot express completely.
    iptc: the IPTC IIM records. texts: pairs of key and value, as in PNG; the key of a comment is "Comment".
    dpi: dots per inch, horizontal and vertical.
    duration: the time that an animation shows this frame, in milliseconds. loop: the number of repetitions (0: endless;
        None: played once).
    poster: the still image for programs that cannot play the animation; it is not one of its frames.
    full: (height, width) of the upright picture in the file, even if it was decoded at a smaller size.
    values: the values in the file that correspond to 0 and to full scale; None: 0, and 255 or 65535.
    series: pages with the same number share a scale (a stack, a time series); pages with different numbers (channels)
        do not.
    notes: messages for the user about how the file was read; filled in by the host.
    pixel_size: width and height of a pixel in micrometres, if the file states it (OME, ImageJ, DICOM).
    channel: the channel that this page holds, if the file stores channels as pages (OME, ImageJ).
    quality: for JPEG, the quality, 1 to 100, estimated from the quantization tables, and the chroma subsampling
        "4:4:4", "4:2:2" or "4:2:0".
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
    """What the header of a file says about its picture, read without decoding pixels.

    width, height: the size of the largest page, in pixels. pages: the number of pages or frames.
    format: the name of the `Format`; filled in by the host.
    """

    width: int
    height: int
    pages: int = 1
    format: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page or frame of a file, decoded and rotated upright.

    pixels: ``(H, W)`` for grey, or ``(H, W, 3)``, uint8 or uint16. alpha: ``(H, W)`` of the same dtype, or None.
    notes: messages for the user about how the file was read, one line each; printed once per file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """An image file format.

    The functions are named as ``"package.module:function"`` and imported on first use. An exception that they raise is
    reported as one line that calls the file damaged, with two exceptions: `UnsupportedError` is for a valid file of a
    variant that cannot be read, and ImportError means that `extra` is not installed.

    name: the usual name in capitals ("JPEG").
    suffixes: the suffixes of its files; the first is used for writing.
    magic: regular expressions for the first 132 bytes of its files (``.`` matches any byte). If several formats match,
        the expression that matches the most bytes wins.
    check: ``(source: Path | bytes) -> bool``, whether a file that matches `magic` is of this format. Formats with a
        check are tried before those without, to tell apart formats that begin with the same bytes.
    probe: ``(source: Path | bytes) -> Header``, from the header only. Decompression bombs are refused based on it.
    read: ``(source: Path | bytes, least: int | None) -> Iterator[Picture]``, one page at a time. If `least` is not
        None, a picture may be decoded at a smaller size, with sides of at least that many pixels. Empty: files of the
        format are recognized but cannot be read; `extra` then says what would read them.
    write: ``(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None``. Empty: it cannot be written.
    deep: whether pictures may have 16 bits; if not, ``write`` is given 8 bits.
    alpha: whether ``write`` accepts pictures with alpha; if not, they are composited over white.
    pages: whether ``write`` accepts several pages or frames.
    paged: whether files usually hold several pages or frames; a run then reads the number of pages before it names the
        outputs.
    longest: the maximum number of pixels along a side; None: no limit.
    becomes: the format that pictures are written in if this format has no ``write``.
    extra: the extra of imgai that installs the reader: ``pip install "imgai[extra]"``.
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
