"""Write samples as one file, keeping what the format can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from imgai.errors import InputError, UsageError
from imgai.images.depth import quantize
from imgai.images.formats import WRITABLE
from imgai.images.png import encode_png
from imgai.images.tiff import DESCRIPTIVE
from imgai.sample import Metadata, Sample

_QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 85}
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 65_536, "GIF": 65_535}  # pixels along a side that a format can hold
_FULL_COLOR = 90  # from this JPEG quality on, colour is stored at full resolution
_ROOM = {"exif": 65_533, "xmp": 65_504}  # bytes in one segment of a JPEG, after what begins it


def write_image(samples: Iterable[Sample], file: BinaryIO, format_: str, *, quality: int | None = None) -> None:
    """Write the pages or frames of one file.

    ICC profile, EXIF, XMP and resolution go with the picture as the format allows. What a format
    cannot hold: JPEG, BMP and PPM have no alpha, so the picture is laid over white; only PNG, TIFF and
    PPM have 16 bits, others get the nearest 8-bit value; JPEG has no EXIF and no XMP above 64 KB; only
    TIFF, GIF, PNG, WebP and AVIF have several pages, and giving several to another format raises
    UsageError. Raises InputError for a picture with longer sides than the format knows.

    file: a real file opened for writing in binary mode.
    quality: 1 to 100, for JPEG, WebP and AVIF.
    """
    if format_ not in WRITABLE:
        raise UsageError(f"pictures are not written as {format_}", f"choose {', '.join(WRITABLE)}")
    stream = iter(samples)
    first = next(stream)
    if max(first.height, first.width) > _LONGEST.get(format_, first.height + first.width):
        raise InputError(
            f"{first.source.name}: {format_} holds at most {_LONGEST[format_]} pixels along a side, "
            f"not {first.width}x{first.height}",
            "choose another format, as with --format png",
        )
    if format_ == "TIFF":
        _write_tiff(_chained(first, stream), file)
        return
    if first.source.pages > 1 or first.metadata.duration is not None:
        if format_ not in ("GIF", "PNG", "WEBP", "AVIF"):
            raise UsageError(f"{format_} holds one picture, and {first.source.name} has {first.source.pages}")
        _write_frames(_chained(first, stream), file, format_, quality)
        return
    pixels, metadata = to_pixels(first), first.metadata
    if format_ == "PNG":
        about = {"icc": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp, "dpi": metadata.dpi}
        file.write(encode_png(pixels, **about))  # type: ignore[arg-type]
    elif format_ == "PPM":
        _write_ppm(_over_white(pixels), file)
    else:
        image = _to_pillow(pixels, format_)
        image.save(file, format=format_, **_options(first, format_, quality))


def to_pixels(sample: Sample) -> np.ndarray:
    """The image and its alpha as one array of the sample's depth.

    Shape: ``(H, W)``, ``(H, W, 2)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
    """
    channels = [sample.image[0, :1] if sample.metadata.gray else sample.image[0]]
    if sample.alpha is not None:
        channels.append(sample.alpha[0])
    depth = sample.metadata.depth
    whole = [quantize(channel, depth).cpu().permute(1, 2, 0).numpy() for channel in channels]
    pixels = whole[0] if len(whole) == 1 else np.concatenate(whole, axis=2)
    return pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


def _write_tiff(samples: Iterator[Sample], file: BinaryIO) -> None:
    with tifffile.TiffWriter(file) as writer:
        for sample in samples:
            pixels, metadata = to_pixels(sample), sample.metadata
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
    found = [(tag, exif[tag]) for tag in DESCRIPTIVE if tag in exif]
    # Type 2 is a text; tifffile counts and ends it. Pillow reads its bytes, often UTF-8, as if they were Latin-1.
    return [
        (tag, 2, 0, value if isinstance(value, bytes) else str(value).encode("latin-1"), True) for tag, value in found
    ]


def _write_frames(samples: Iterator[Sample], file: BinaryIO, format_: str, quality: int | None) -> None:
    first = next(samples)
    durations = [first.metadata.duration or 100]

    def rest() -> Iterator[Image.Image]:
        for sample in samples:
            durations.append(sample.metadata.duration or 100)
            yield _to_pillow(to_pixels(sample), format_)

    # Pillow wants every duration before it writes the first frame.
    frames = list(rest())
    options = _options(first, format_, quality)
    if format_ == "GIF":
        options["disposal"] = 2
    loop = first.metadata.loop if first.metadata.duration is not None else 0  # pages that were no animation: for ever
    if loop is not None or format_ != "GIF":  # a GIF that is shown once does not say how often
        options["loop"] = 1 if loop is None else loop
    _to_pillow(to_pixels(first), format_).save(
        file,
        format=format_,
        save_all=True,
        append_images=frames,
        duration=durations,
        **options,
    )


def _to_pillow(pixels: np.ndarray, format_: str) -> Image.Image:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if format_ in ("JPEG", "BMP"):
        pixels = _over_white(pixels)
    if format_ == "GIF" and pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        # GIF knows colour that is there and colour that is not, and Pillow keeps that of RGBA alone.
        colors = np.broadcast_to(pixels[..., :-1], (*pixels.shape[:2], 3))
        pixels = np.dstack([colors, np.where(pixels[..., -1] < 128, 0, 255).astype(np.uint8)])
    return Image.fromarray(np.ascontiguousarray(pixels))


def _over_white(pixels: np.ndarray) -> np.ndarray:
    """The picture as it looks on white paper. Shape: drops a second or fourth channel."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    white = np.iinfo(pixels.dtype).max
    alpha = pixels[..., -1:].astype(np.float32) / white
    laid = (pixels[..., :-1] * alpha + white * (1 - alpha) + 0.5).astype(pixels.dtype)
    return laid[..., 0] if laid.shape[2] == 1 else laid


def _write_ppm(pixels: np.ndarray, file: BinaryIO) -> None:
    """Netpbm's P5 or P6; 16 bits with the most significant byte first."""
    height, width = pixels.shape[:2]
    deep = pixels.dtype == np.uint16
    file.write(b"P%d\n%d %d\n%d\n" % (5 if pixels.ndim == 2 else 6, width, height, 65535 if deep else 255))
    file.write((pixels.astype(">u2") if deep else pixels).tobytes())


def _options(sample: Sample, format_: str, quality: int | None) -> dict[str, Any]:
    metadata = sample.metadata
    options: dict[str, Any] = {}
    if format_ in _QUALITY:
        options["quality"] = quality or _QUALITY[format_]
    if format_ == "JPEG" and options["quality"] >= _FULL_COLOR:
        options["subsampling"] = 0
    # WebP holds grey as colour, and so does AVIF with alpha; a profile for grey does not fit that.
    colored = format_ == "WEBP" or (format_ == "AVIF" and sample.alpha is not None)
    fits = not colored or (metadata.icc or b"")[16:20] != b"GRAY"
    if metadata.icc and fits and format_ in ("JPEG", "PNG", "WEBP", "AVIF"):
        options["icc_profile"] = metadata.icc
    if metadata.exif and format_ in ("JPEG", "PNG", "WEBP", "AVIF"):
        options["exif"] = metadata.exif
    if metadata.xmp and format_ in ("JPEG", "WEBP", "AVIF"):
        options["xmp"] = metadata.xmp
    if format_ == "JPEG":
        options = {name: value for name, value in options.items() if name not in _ROOM or len(value) <= _ROOM[name]}
    if metadata.dpi and format_ in ("JPEG", "PNG", "BMP"):
        options["dpi"] = metadata.dpi
    return options


def _chained(first: Sample, rest: Iterator[Sample]) -> Iterator[Sample]:
    yield first
    yield from rest
