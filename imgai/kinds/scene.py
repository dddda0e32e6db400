"""Composition of a cut-out: crop, canvas, shadow and background."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.errors import InputError
from imgai.images.decode import read_image
from imgai.images.depth import quantize, to_float
from imgai.images.space import space_of
from imgai.images.write import resized
from imgai.kinds import canvas_of, is_color, matte

if TYPE_CHECKING:
    from imgai.kinds import CutoutParams
    from imgai.plugin import Metadata

_VISIBLE = 12  # levels of 255; less opaque pixels are ignored when cropping
_FINE = 1024  # the longer side of a blurred background before it is interpolated
_BAND = 64  # rows
_CHUNK = 1 << 16  # pixels
_SHADOW = 0.4
_BLURRED = 0.03  # blur radius of a background and of a shadow, as a fraction of the longer side
_DOWN = 0.02  # downward offset of a shadow, as a fraction of the subject's height


@dataclass(frozen=True, slots=True)
class Frame:
    """The visible rectangle in pixels of the picture, which may extend beyond it, and the output size."""

    top: float
    left: float
    height: float
    width: float
    size: tuple[int, int]


def arranges(params: CutoutParams) -> bool:
    """Whether the options ask for more than the plain cut-out."""
    return params.background != "transparent" or params.crop or params.canvas is not None or params.shadow


def arranged(
    cut: np.ndarray, colors: np.ndarray, metadata: Metadata, params: CutoutParams, small: Tensor | None = None
) -> tuple[np.ndarray, Metadata]:
    """Compose a cut-out as the options ask, and return its metadata too. Only soft pixels are computed.

    Shape: cut ``(H, W, C + 1)`` with alpha, black where it is transparent; colors ``(H, W, C)``, the picture that it
    was cut from; small the same on the small grid, if that is known, ``(C, h, w)``; returns ``(h, w, C + 1)``, or
    ``(h, w, C)`` over a background. A coloured background turns grey pictures into RGB.
    """
    frame = framed(cut[..., -1], params)
    placed = _placed(cut, frame)
    ground = _ground(colors, cut[..., -1], frame, metadata, params, small)
    if ground is not None and ground.shape[0] > placed.shape[2] - 1:
        placed = np.ascontiguousarray(placed[..., (0, 0, 0, 1)])
    fallen = _fallen(torch.from_numpy(np.ascontiguousarray(placed[..., -1]))[None]) if params.shadow else None
    if ground is None and fallen is None:
        return placed, _settled(metadata, placed, frame)
    under = _shaded(ground, fallen, placed.shape[2] - 1, frame.size, placed.dtype)
    result = _over(placed, under)
    result = result if ground is None else result[..., :-1]
    return result, _settled(metadata, result, frame)


def _shaded(
    ground: Tensor | None, fallen: Tensor | None, channels: int, size: tuple[int, int], dtype: np.dtype[Any]
) -> np.ndarray:
    """Return what lies under the subject, with its alpha: a background, a shadow, or a shadow on a background.

    Shape: ground ``(C, h, w)`` on any grid, fallen ``(1, h, w)`` to ``(*size, channels + 1)``, or ``(1, 1, ...)`` where
    all of it is alike.
    """
    depth = 8 * dtype.itemsize
    if ground is not None and fallen is not None:
        shadow = fallen if ground.shape[1:] == (1, 1) else _spread(fallen, (ground.shape[1], ground.shape[2]))
        below = to_float(ground).expand(channels, -1, -1) * (1 - _SHADOW * shadow)
    elif fallen is not None:
        below = (_SHADOW * fallen).repeat(channels + 1, 1, 1)
        below[:-1] = 0
    else:
        assert ground is not None
        below = ground.expand(channels, -1, -1)
    if len(below) == channels:
        solid = torch.ones_like(below[:1]) if below.is_floating_point() else torch.full_like(below[:1], 2**depth - 1)
        below = torch.cat((below, solid))
    below = below[None].contiguous(memory_format=torch.channels_last)
    if below.shape[2:] not in ((1, 1), size):
        # Levels of 8 bits are interpolated as such, many times as fast as in float.
        below = quantize(below, 8) if depth == 8 else below
        below = F.interpolate(to_float(below) if depth == 16 else below, size, mode="bilinear")
    return np.ascontiguousarray(quantize(below, depth)[0].permute(1, 2, 0).numpy())


def _spread(values: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(values[None], size, mode="bilinear")[0]


def _over(placed: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Composite a cut-out over what lies under it. Shape: ``(h, w, C + 1)``, of under also ``(1, 1, C + 1)``; kept."""
    result = np.empty_like(placed)
    kind = np.dtype(f"u{placed.itemsize * placed.shape[2]}")  # pixels as single integers
    above, below, whole = (each.view(kind)[..., 0] for each in (placed, under, result))
    for top in range(0, len(placed), _BAND):  # few enough rows for the cache
        rows = slice(top, top + _BAND)
        # Transparent pixels of a cut-out are 0.
        np.multiply(below if len(below) == 1 else below[rows], placed[rows, :, -1] == 0, out=whole[rows])
        whole[rows] |= above[rows]
    white = int(np.iinfo(placed.dtype).max)
    flat, of_under = result.reshape(-1, result.shape[2]), under.reshape(-1, under.shape[2])
    for chunk in _chunks(np.flatnonzero(_between(placed[..., -1]))):
        front, back = _planes(flat[chunk].T), _planes(of_under if len(of_under) == 1 else of_under[chunk]).T
        shown = _composed(front, back) if int(under[0, 0, -1]) < white else _laid(front, back[:-1])
        flat[chunk, : len(shown)] = shown.clamp_(0, 1).mul_(white).add_(0.5).numpy().astype(placed.dtype).T
    return result


def _between(alpha: np.ndarray) -> np.ndarray:
    """Return where alpha is neither 0 nor white. Shape: any, unsigned integers; unchanged, bool."""
    below: np.ndarray = (alpha - alpha.dtype.type(1)) < np.iinfo(alpha.dtype).max - 1
    return below


def _planes(pixels: np.ndarray) -> Tensor:
    """Convert integer pixels to float32 in [0, 1]. Shape: any; unchanged."""
    return torch.from_numpy(pixels.astype(np.float32)).div_(np.iinfo(pixels.dtype).max)


def framed(alpha: np.ndarray, params: CutoutParams) -> Frame:
    """Return the visible rectangle of a picture. Shape: alpha ``(H, W)``."""
    height, width = alpha.shape
    top, left, bottom, right = 0, 0, height, width
    if params.crop:
        visible = alpha > _VISIBLE * (int(np.iinfo(alpha.dtype).max) // 255)
        rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
        if rows.size:  # without a subject, the whole picture is shown
            top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    tall, wide = bottom - top, right - left
    if params.canvas is None:
        margin = round(params.margin * max(tall, wide)) if params.crop else 0
        size = (tall + 2 * margin, wide + 2 * margin)
        return Frame(top - margin, left - margin, *size, size)
    across, down = canvas_of(params.canvas)
    margin = params.margin * min(across, down) if params.crop else 0.0
    room_across, room_down = max(1.0, across - 2 * margin), max(1.0, down - 2 * margin)
    scale = min(room_across / wide, room_down / tall)
    x, y = _PLACES[params.gravity]
    # The position of the part on the canvas, then the position of the canvas in the picture.
    begin_x = margin + x * (room_across - wide * scale)
    begin_y = margin + y * (room_down - tall * scale)
    return Frame(top - begin_y / scale, left - begin_x / scale, down / scale, across / scale, (down, across))


_PLACES = {"center": (0.5, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0), "left": (0.0, 0.5), "right": (1.0, 0.5)}


def _color(text: str) -> Tensor:
    """Parse ``white`` or ``#f4f4f4``. Shape: ``(3, 1, 1)`` in [0, 1]."""
    from PIL import ImageColor

    return torch.tensor(ImageColor.getrgb(text)[:3])[:, None, None] / 255


def _placed(cut: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the content of a frame, transparent and black beyond the picture. Shape: ``(h, w, C + 1)``."""
    top, left = math.floor(frame.top), math.floor(frame.left)
    bottom, right = math.ceil(frame.top + frame.height), math.ceil(frame.left + frame.width)
    if (top, left, *frame.size) == (0, 0, *cut.shape[:2]) and frame.size == (frame.height, frame.width):
        return np.ascontiguousarray(cut)
    part = cut[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    scale = (frame.size[0] / frame.height, frame.size[1] / frame.width)
    if scale != (1.0, 1.0):
        part = _resized(part, tuple(max(1, round(side * by)) for side, by in zip(part.shape[:2], scale, strict=True)))
    placed = np.zeros((*frame.size, cut.shape[2]), dtype=cut.dtype)
    y = max(0, round((max(0, top) - frame.top) * scale[0]))
    x = max(0, round((max(0, left) - frame.left) * scale[1]))
    rows, columns = min(part.shape[0], frame.size[0] - y), min(part.shape[1], frame.size[1] - x)
    placed[y : y + rows, x : x + columns] = part[:rows, :columns]
    return placed


def _resized(part: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize a picture with alpha (bicubic, antialiased). Shape: ``(H, W, C + 1)`` to ``(h, w, C + 1)``.

    Colours are multiplied by alpha meanwhile, so that hidden colours do not bleed into the edge. 8 bits stay so, which
    is several times as fast as float.
    """
    white = np.iinfo(part.dtype).max
    work = np.ascontiguousarray(part)
    work = work.copy() if work is part else work
    flat = work.reshape(-1, work.shape[2])
    for chunk in _chunks(np.flatnonzero(_between(work[..., -1]))):
        pixels = _planes(flat[chunk])
        flat[chunk, :-1] = (pixels[:, :-1] * pixels[:, -1:]).mul_(white).add_(0.5).numpy().astype(part.dtype)
    values = torch.from_numpy(work).permute(2, 0, 1)[None]
    values = values if part.dtype == np.uint8 else to_float(values)
    made = F.interpolate(values, size, mode="bicubic", antialias=True)
    result = np.ascontiguousarray(quantize(made, 8 * part.itemsize)[0].permute(1, 2, 0).numpy())
    flat = result.reshape(-1, result.shape[2])
    flat[flat[:, -1] == 0] = 0
    for chunk in _chunks(np.flatnonzero(_between(result[..., -1]))):
        pixels = _planes(flat[chunk])
        flat[chunk, :-1] = (
            (pixels[:, :-1] / pixels[:, -1:]).clamp_(0, 1).mul_(white).add_(0.5).numpy().astype(part.dtype)
        )
    return result


def _chunks(places: np.ndarray) -> Iterator[np.ndarray]:
    return (places[begin : begin + _CHUNK] for begin in range(0, len(places), _CHUNK))


def _fallen(alpha: Tensor) -> Tensor:
    """Return where a shadow falls, on the small grid. Shape: ``(1, H, W)`` to ``(1, h, w)`` in [0, 1]."""
    small = matte.smaller(alpha[None])[0]
    radius = max(1, round(_BLURRED * max(small.shape[-2:])))
    rows = torch.nonzero(small[0].amax(1) > 0.5)
    tall = int(rows[-1] - rows[0]) + 1 if len(rows) else 0
    fallen = F.pad(small, (0, 0, max(1, round(_DOWN * tall)), 0))[:, : small.shape[1]]
    soft = F.pad(fallen[None], (radius,) * 4)[0]
    for _ in range(3):  # three box filters approximate a Gaussian
        soft = matte.box_mean(soft, max(1, radius // 2))
    return soft[:, radius:-radius, radius:-radius]


def _composed(front: Tensor, back: Tensor) -> Tensor:
    """Composite pixels with alpha over others with alpha. Shape: ``(C + 1, N)``, unchanged."""
    alpha = front[-1:] + back[-1:] * (1 - front[-1:])
    colors = front[:-1] * front[-1:] + back[:-1] * back[-1:] * (1 - front[-1:])
    return torch.cat((colors / alpha.clamp_min(1e-4), alpha))


def _laid(shown: Tensor, ground: Tensor) -> Tensor:
    """Composite pixels with alpha over opaque ones. Shape: ``(C + 1, N)``, ``(C, N)`` to ``(C, N)``."""
    return shown[:-1] * shown[-1:] + ground * (1 - shown[-1:])


def _ground(
    colors: np.ndarray,
    alpha: np.ndarray,
    frame: Frame,
    metadata: Metadata,
    params: CutoutParams,
    small: Tensor | None,
) -> Tensor | None:
    """Return the background in the colour space of the file, at the size of the frame or, if it is smooth, smaller.

    Shape: ``(C, h, w)``, or ``(C, 1, 1)`` for one colour; of the depth of the file, or float.
    """
    name, depth = params.background, 8 * colors.itemsize
    if name == "transparent":
        return None
    if name == "blur":
        return _blurred(colors, alpha, frame, small)
    if is_color(name):
        made = _color(name)
        if metadata.gray and len(made.unique()) == 1:
            made = made[:1]
    else:
        path = Path(name)
        try:
            made = _covering(path, path.stat().st_mtime_ns, frame.size, depth)
        except OSError as error:
            raise InputError(f"--background {name}: {error.strerror}", "name a picture that can be read") from error
    space = space_of(metadata.icc, 3) if made.shape[0] == 3 and not metadata.gray else None
    if space is not None:
        there = to_float(made)[None]
        seen = torch.zeros_like(there)
        made = space.changed(seen, seen, there)[0]
    return quantize(made, depth)


@lru_cache(maxsize=2)
def _covering(path: Path, time: int, size: tuple[int, int], depth: int) -> Tensor:
    """Read a picture, resize it to cover a size, and crop its centre. Shape: ``(3, h, w)`` uint8 or uint16."""
    image = read_image(path)
    scale = max(size[0] / image.shape[-2], size[1] / image.shape[-1])
    rows, columns = (max(side, round(length * scale)) for side, length in zip(size, image.shape[-2:], strict=True))
    image = F.interpolate(image, (rows, columns), mode="bicubic", antialias=True).clamp_(0, 1)
    y, x = (rows - size[0]) // 2, (columns - size[1]) // 2
    return quantize(image[0, :, y : y + size[0], x : x + size[1]], depth)


def _blurred(colors: np.ndarray, alpha: np.ndarray, frame: Frame, small: Tensor | None) -> Tensor:
    """Return the blurred picture without its subject, extended beyond its edges, on a coarse grid.

    Shape: ``(C, h, w)``.
    """
    height, width = alpha.shape
    if small is None:
        small = matte.smaller(torch.from_numpy(colors).permute(2, 0, 1)[None])[0]
    seen = 1 - matte.smaller(torch.from_numpy(np.ascontiguousarray(alpha))[None, None])[0]
    radius = max(1, round(_BLURRED * max(small.shape[-2:])))
    values = torch.cat((small * seen.square(), seen.square() + 1e-3))
    whole = values.mean((1, 2), keepdim=True)
    near = values
    for _ in range(3):
        near = matte.box_mean(near, radius)
    # Behind the subject no pixel is near, so that pixels farther away are used.
    far = matte.box_mean(values, min(small.shape[-2:]) // 4 + 1) + 1e-3 * whole
    mixed = near + 0.05 * far
    ground = mixed[:-1] / mixed[-1:]
    # So smooth a picture loses nothing on a coarser grid.
    step = max(1, max(frame.size) // _FINE)
    rows, columns = (-(-side // step) for side in frame.size)
    y = (torch.arange(rows) + 0.5) * (frame.height / rows) + frame.top
    x = (torch.arange(columns) + 0.5) * (frame.width / columns) + frame.left
    grid = torch.stack(torch.broadcast_tensors((2 * x / width - 1)[None], (2 * y / height - 1)[:, None]), -1)
    return F.grid_sample(ground[None], grid[None], padding_mode="border", align_corners=False)[0]


def _settled(metadata: Metadata, pixels: np.ndarray, frame: Frame) -> Metadata:
    """Return the metadata for the composed picture: its size, and colour if the background coloured a grey picture."""
    gray = metadata.gray and (pixels.ndim == 2 or pixels.shape[2] <= 2)
    icc = metadata.icc if gray or not metadata.gray else None
    scale = (frame.size[1] / frame.width, frame.size[0] / frame.height)
    return dataclasses.replace(resized(metadata, frame.size, scale, moved=True), gray=gray, icc=icc, full=None)
