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

_BAND = 64  # rows that fit into the cache
_DOUBT = 0.2
"""The uncertainty above which no clear subject was found; see `matte.doubt`."""


def render(page: Page) -> Iterator[Rendered]:
    """Yield a picture with alpha, or over a background, in the picture's depth. Several classes are combined."""
    sample, params = page.sample, page.params
    format_ = format_of_suffix(params.format or page.suffix) if params.format or page.suffix else "PNG"
    assert format_ is not None
    if not formats()[format_].alpha and params.background == "transparent":
        raise UsageError(f"{format_} holds no transparency", "add --background white, or name a .png")
    picture = to_picture(sample)
    colors = np.ascontiguousarray(picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None])
    pixels, small = _cut_out(colors, picture.alpha, page.output, params)
    metadata = kept(metadata_of(sample), params.metadata)
    if scene.arranges(params):
        pixels, metadata = scene.arranged(pixels, colors, metadata, params, small)
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


def _cut_out(
    colors: np.ndarray, own: np.ndarray | None, mask: Mask, params: CutoutParams
) -> tuple[np.ndarray, torch.Tensor | None]:
    """Return a picture with its alpha multiplied by the mask, and its colours on the small grid, if that was needed.

    Shape: colors ``(H, W, C)`` and own alpha ``(H, W)``, uint8 or uint16, to ``(H, W, C + 1)``, ``(C, h, w)``.
    """
    values = mask.values[: len(mask.labels)]
    alpha = values[0].numpy().copy() if len(values) == 1 else values.amax(dim=0).numpy()
    alpha = matte.levelled(alpha, params.threshold)
    verdict, around, small = _settled(alpha, colors, own, params)
    result = np.empty((*alpha.shape, colors.shape[2] + 1), dtype=colors.dtype)
    white = np.iinfo(colors.dtype).max
    whole = result.view(f"u{result.itemsize * result.shape[2]}")[..., 0]
    for top in range(0, len(alpha), _BAND):
        rows = slice(top, top + _BAND)
        for channel in range(colors.shape[2]):  # channel by channel is four times as fast as all at once
            result[rows, :, channel] = colors[rows, :, channel]
        covers = alpha[rows]
        result[rows, :, -1] = covers if white == 255 else covers.astype(np.uint16) * 257
        # Transparent pixels get no colour: files are smaller, and hidden content cannot be recovered.
        whole[rows] *= covers > 0
    places = matte.soft_places(alpha)
    if places.size:
        assert around is not None
        matte.refine(alpha, around, verdict, result, places)
    if own is not None:
        result[..., -1] = (result[..., -1].astype(np.uint32) * own + white // 2) // white
        whole *= result[..., -1] > 0
    return result, small


def _settled(
    alpha: np.ndarray, colors: np.ndarray, own: np.ndarray | None, params: CutoutParams
) -> tuple[matte.Verdict | None, matte.Local | None, torch.Tensor | None]:
    """Decide uncertain areas as the options ask, in place. Returns what the rest of the edge is refined by."""
    small = matte.smaller(torch.from_numpy(alpha)[None, None])[0, 0]
    verdict, around, shown = None, None, None
    size = float(np.sqrt(float((small >= 0.5).sum())))
    if params.alpha != "soft":
        verdict, extent = matte.judge(small, islands=params.islands, min_area=params.min_area)
        size = extent or size
    if verdict is not None or params.alpha != "hard":
        shown = matte.smaller(torch.from_numpy(colors).permute(2, 0, 1)[None])[0]
        visible = (
            None if own is None else matte.smaller(torch.from_numpy(np.ascontiguousarray(own))[None, None])[0, 0] > 0.5
        )
        around = matte.local(shown, small, size, verdict, visible)
    if verdict is not None and around is not None:
        matte.settle(alpha, matte.foreseen(verdict, around.trust))
    if params.alpha == "hard":
        np.copyto(alpha, np.where(alpha >= 128, np.uint8(255), np.uint8(0)))
    return verdict, around, shown
