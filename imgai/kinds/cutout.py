"""The ``cutout`` kind: the picture with the mask as alpha, with background colour removed from its edge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import torch

from imgai.errors import UsageError
from imgai.images import encode_png, metadata_of
from imgai.images.codecs.pillow import with_8_bits
from imgai.images.formats import format_of_suffix, formats, function
from imgai.images.rights import kept
from imgai.images.write import check_size, to_picture
from imgai.kinds import CutoutParams, matte, scene
from imgai.outputs.mask import Mask
from imgai.plugin import Metadata, Page, Picture, Rendered
from imgai.sample import Sample

_DOUBT = 0.4
"""The uncertainty above which no clear subject was found; see `matte.doubt`."""


def render(page: Page) -> Iterator[Rendered]:
    """Yield a picture with alpha, or over a background, in the picture's depth. Several classes are combined."""
    sample, params = page.sample, page.params
    format_ = format_of_suffix(params.format or page.suffix) if params.format or page.suffix else "PNG"
    assert format_ is not None
    if not formats()[format_].alpha and params.background == "transparent":
        raise UsageError(f"{format_} holds no transparency", "add --background white, or name a .png")
    pixels = cutout_pixels(sample, page.output, params)
    metadata = kept(metadata_of(sample), params.metadata)
    if scene.arranges(params):
        shown = to_picture(sample).pixels
        colors = shown if shown.ndim == 3 else shown[..., None]
        pixels, metadata = scene.arranged(pixels, colors, metadata, params)
    metadata = dataclasses.replace(metadata, duration=None, loop=None, poster=False, cicp=None)
    channels = pixels.shape[2]
    colors, alpha = (pixels[..., :-1], pixels[..., -1]) if channels in (2, 4) else (pixels, None)
    picture = Picture(colors[..., 0] if colors.shape[2] == 1 else colors, alpha, metadata)
    if not formats()[format_].deep:
        picture = with_8_bits(picture)
    suffix = page.suffix or formats()[format_].suffixes[0]
    notes = () if params.islands == "all" else _doubts(page.output)
    if format_ == "PNG":
        yield Rendered(_png(pixels, metadata), suffix, notes=notes)
        return
    check_size(formats()[format_], pixels.shape[0], pixels.shape[1], sample.source.name)

    def write(file: BinaryIO) -> None:
        function(formats()[format_].write)(iter((picture,)), file, params.quality)

    yield Rendered(write, suffix, notes=notes)


def _doubts(mask: Mask) -> tuple[str, ...]:
    """Return a message if a single subject was expected and none was found clearly."""
    values = mask.values[: len(mask.labels)].amax(dim=0)
    if matte.doubt(matte.smaller(values[None, None])[0, 0]) < _DOUBT:
        return ()
    return ("no clear subject was found; look at what was cut out",)


def _png(pixels: np.ndarray, metadata: Metadata) -> bytes:
    return encode_png(
        pixels,
        icc=metadata.icc,
        exif=metadata.exif,
        xmp=metadata.xmp,
        dpi=metadata.dpi,
        texts=metadata.texts,
        iptc=metadata.iptc,
    )


def cutout_pixels(sample: Sample, mask: Mask, params: CutoutParams) -> np.ndarray:
    """Return the picture with its alpha multiplied by the mask.

    Shape: ``(H, W, 4)``, or ``(H, W, 2)`` for a grey picture; uint8 or uint16."""
    picture = to_picture(sample)
    colors = np.ascontiguousarray(picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None])
    values = mask.values[: len(mask.labels)]
    alpha = values[0].numpy().copy() if len(values) == 1 else values.amax(dim=0).numpy()
    alpha = matte.levelled(alpha, params.threshold)
    result = np.empty((*alpha.shape, colors.shape[2] + 1), dtype=colors.dtype)
    for channel in range(colors.shape[2]):  # channel by channel is four times as fast as all at once
        result[..., channel] = colors[..., channel]
    _finish(alpha, colors, result, picture.alpha, params)
    deep = colors.dtype == np.uint16
    covers = alpha.astype(np.uint16) * 257 if deep else alpha
    if picture.alpha is not None:
        white = np.iinfo(colors.dtype).max
        covers = ((covers.astype(np.uint32) * picture.alpha + white // 2) // white).astype(colors.dtype)
    result[..., -1] = covers
    # Transparent pixels get no colour: files are smaller, and hidden content cannot be recovered.
    result.view(f"u{result.itemsize * result.shape[2]}")[..., 0] *= covers > 0
    return result


def _finish(
    alpha: np.ndarray, colors: np.ndarray, result: np.ndarray, own: np.ndarray | None, params: CutoutParams
) -> None:
    """Decide uncertain areas as the options ask, and clean the colours of the edge, in place."""
    small = matte.smaller(torch.from_numpy(alpha)[None, None])[0, 0]
    verdict = None
    size = float(np.sqrt(float((small >= 0.5).sum())))
    if params.alpha != "soft":
        verdict, extent = matte.judge(small, islands=params.islands, min_area=params.min_area)
        size = extent or size
    around = None
    if verdict is not None:
        around = _around(small, colors, own, size, verdict)
        matte.settle(alpha, matte.foreseen(verdict, around.trust))
    if params.alpha == "hard":
        np.copyto(alpha, np.where(alpha >= 128, np.uint8(255), np.uint8(0)))
    places = matte.soft_places(alpha)
    if places.size:
        around = around or _around(small, colors, own, size, verdict)
        matte.refine(alpha, colors, around, verdict, result, places)


def _around(
    small: torch.Tensor, colors: np.ndarray, own: np.ndarray | None, size: float, verdict: matte.Verdict | None
) -> matte.Local:
    """Return the local colours of subject and background on the small grid."""
    shown = matte.smaller(torch.from_numpy(colors).permute(2, 0, 1)[None])[0]
    visible = (
        None if own is None else matte.smaller(torch.from_numpy(np.ascontiguousarray(own))[None, None])[0, 0] > 0.5
    )
    return matte.local(shown, small, size, verdict, visible)
