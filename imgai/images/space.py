"""Conversion between the colour space of a file and sRGB, in which networks work.

Colours outside of sRGB are clipped only for the network; its change is added to the values of the file.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageCms
from torch import Tensor

from imgai.images import icc
from imgai.images.depth import quantize, to_float
from imgai.images.resize import resize

_ROWS = 256  # at once: as floats, a whole picture would take several times the memory
_STEP = 1 / 65535
_NEAR = 1.5 / 255  # a space that nowhere differs by more is taken for sRGB


class ColorSpace:
    """A matrix/TRC colour space, or a single curve for grey."""

    def __init__(self, profile: icc.Profile) -> None:
        self._curves = profile.curves
        to_srgb = np.eye(3)
        if profile.matrix is not None:
            to_srgb = np.linalg.inv(icc.to_xyz(icc.SRGB_PRIMARIES)) @ profile.matrix
        self._to_srgb = torch.from_numpy(to_srgb).to(torch.float32)
        self._from_srgb = torch.from_numpy(np.linalg.inv(to_srgb)).to(torch.float32)

    def to_srgb(self, image: Tensor) -> Tensor:
        """Convert to sRGB for a network. Shape: ``(1, C, H, W)`` uint8, uint16 or float to uint16; C is 3 or 1."""
        parts = [quantize(self._extended(rows), 16) for rows in _rows(image)]
        return torch.cat(parts, dim=-2)

    def changed(self, image: Tensor, seen: Tensor, made: Tensor, depth: int | None = None) -> Tensor:
        """Apply the change made by a network to an image. Unchanged pixels keep their values.

        depth: bits of the result; None: float32 in [0, 1].

        Shape: image ``(1, C, H, W)`` in this space, seen ``(1, C, H, W)`` and made ``(1, C, H', W')`` in sRGB, to
        made's shape.
        """
        size = (int(made.shape[-2]), int(made.shape[-1]))
        if tuple(image.shape[-2:]) == size:
            parts = (self._part(*rows) for rows in zip(_rows(image), _rows(seen), _rows(made), strict=True))
        else:
            beyond = [self._beyond(rows) for rows in _rows(image)]
            if any(rows is not None for rows in beyond):
                there = [seen.new_zeros(rows.shape, dtype=torch.float32) for rows in _rows(image)]
                whole = torch.cat([there[i] if rows is None else rows for i, rows in enumerate(beyond)], dim=-2)
                more = _rows(torch.nn.functional.interpolate(whole, size, mode="bilinear", antialias=True))
                parts = (self._from_extended(to_float(a) + b) for a, b in zip(_rows(made), more, strict=True))
            else:
                parts = (self._from_extended(to_float(rows)) for rows in _rows(made))
        return torch.cat([part if depth is None else quantize(part, depth) for part in parts], dim=-2)

    def _part(self, image: Tensor, seen: Tensor, made: Tensor) -> Tensor:
        made = to_float(made)
        same = ((made - to_float(seen)).abs() <= 0.51 * _STEP).all(dim=1, keepdim=True)
        beyond = self._beyond(image)
        return torch.where(same, to_float(image), self._from_extended(made if beyond is None else made + beyond))

    def _beyond(self, image: Tensor) -> Tensor | None:
        """Return the excess of sRGB values below 0 or above 1; None if none. Shape: ``(1, C, h, w)`` to float32."""
        light = self._in_srgb(image)
        if float(light.min()) >= -_STEP and float(light.max()) <= 1 + _STEP:
            return None
        extended = _signed("linear_rgb_to_rgb", light)
        return extended - extended.clamp(0, 1)

    def _extended(self, image: Tensor) -> Tensor:
        """Convert to extended sRGB, which includes values below 0 and above 1. Shape: ``(1, C, h, w)`` to float32."""
        return _signed("linear_rgb_to_rgb", self._in_srgb(image))

    def _in_srgb(self, image: Tensor) -> Tensor:
        """Convert to linear light with sRGB primaries. Shape: ``(1, C, h, w)`` to float32."""
        light = torch.cat([_light(curve, plane) for curve, plane in self._planes(image)], dim=1)
        return self._mixed(light, self._to_srgb)

    def _from_extended(self, image: Tensor) -> Tensor:
        light = self._mixed(_signed("rgb_to_linear_rgb", image), self._from_srgb).clamp_(0, 1)
        return torch.cat([_stored(curve, plane) for curve, plane in self._planes(light)], dim=1).clamp_(0, 1)

    def _planes(self, image: Tensor) -> list[tuple[icc.Curve, Tensor]]:
        curves = self._curves if image.shape[1] == 3 and len(self._curves) == 3 else self._curves[:1] * image.shape[1]
        return list(zip(curves, image.chunk(image.shape[1], dim=1), strict=True))

    @staticmethod
    def _mixed(light: Tensor, matrix: Tensor) -> Tensor:
        return torch.einsum("ij,bjhw->bihw", matrix.to(light.device), light) if light.shape[1] == 3 else light


class TableSpace:
    """A table-based colour space, converted by lcms in 8 bits."""

    def __init__(self, content: bytes) -> None:
        own = ImageCms.ImageCmsProfile(io.BytesIO(content))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        self._there = ImageCms.buildTransform(own, srgb, "RGB", "RGB")
        try:
            self._back: ImageCms.ImageCmsTransform | None = ImageCms.buildTransform(srgb, own, "RGB", "RGB")
        except ImageCms.PyCMSError:  # profiles of scanners have no inverse
            self._back = None

    def to_srgb(self, image: Tensor) -> Tensor:
        """See `ColorSpace.to_srgb`."""
        return quantize(to_float(_through(self._there, image)), 16)

    def changed(self, image: Tensor, seen: Tensor, made: Tensor, depth: int | None = None) -> Tensor:
        """See `ColorSpace.changed`. The difference is computed in this space."""
        size = (int(made.shape[-2]), int(made.shape[-1]))
        before, shown = (resize(each, size, mode="bicubic") for each in (image, seen))
        if self._back is not None:
            shown, made = (to_float(_through(self._back, each)) for each in (shown, made))
        changed = (before + to_float(made) - shown).clamp_(0, 1)
        return changed if depth is None else quantize(changed, depth)


@lru_cache(maxsize=32)
def space_of(content: bytes | None, channels: int = 3) -> ColorSpace | TableSpace | None:
    """Return the space of a profile; None for sRGB, for no profile, and if the number of channels differs."""
    if content is None:
        return None
    profile = icc.parse(content)
    if profile is None:
        if content[16:20] != b"RGB " or channels != 3:
            return None
        try:
            space: ColorSpace | TableSpace = TableSpace(content)
        except (OSError, ImageCms.PyCMSError):  # an unreadable profile is ignored
            return None
    elif len(profile.curves) == 1 and channels == 3:
        return None
    else:
        space = ColorSpace(profile)
    return None if _is_srgb(space, channels) else space


def _is_srgb(space: ColorSpace | TableSpace, channels: int) -> bool:
    grid = torch.linspace(0, 1, 9)
    colors = torch.stack(torch.meshgrid(*[grid] * channels, indexing="ij")).reshape(1, channels, 1, -1)
    colors = quantize(colors, 8)
    return float((to_float(space.to_srgb(colors)) - to_float(colors)).abs().max()) <= _NEAR


def _rows(image: Tensor) -> tuple[Tensor, ...]:
    return image.chunk(-(-image.shape[-2] // _ROWS), dim=-2)


def _light(curve: icc.Curve, plane: Tensor) -> Tensor:
    """Convert stored values to linear light, through a lookup table for integers."""
    if plane.is_floating_point():
        return _curved(curve, plane)
    count = 256 if plane.dtype == torch.uint8 else 65536
    table = _curved(curve, torch.linspace(0, 1, count)).to(plane.device)
    return table[plane.to(torch.int64)]


def _curved(curve: icc.Curve, values: Tensor) -> Tensor:
    if curve.table is not None:
        steps = np.linspace(0, 1, len(curve.table))
        return _interpolated(values, torch.from_numpy(np.interp(np.linspace(0, 1, 65536), steps, curve.table)))
    assert curve.parameters is not None
    g, a, b, c, d, e, f = curve.parameters
    return torch.where(values >= d, (a * values + b).clamp(min=0) ** g + e, c * values + f)


def _stored(curve: icc.Curve, light: Tensor) -> Tensor:
    """Convert linear light in [0, 1] to stored values, the inverse of `_curved`."""
    if curve.table is not None:
        # Equal steps of the square root put more samples at dark values, where the inverse curve is steep.
        roots = np.linspace(0, 1, 65536)
        steps = np.linspace(0, 1, len(curve.table))
        return _interpolated(light.sqrt(), torch.from_numpy(np.interp(roots**2, curve.table, steps)))
    assert curve.parameters is not None
    g, a, b, c, d, e, f = curve.parameters
    upper = ((light - e).clamp(min=0) ** (1 / g) - b) / a
    return torch.where(light >= c * d + f, upper, (light - f) / c) if c else upper


def _interpolated(values: Tensor, table: Tensor) -> Tensor:
    table = table.to(values.device, torch.float32)
    place = values.clamp(0, 1) * (len(table) - 1)
    low = place.floor().to(torch.int64).clamp_(max=len(table) - 2)
    return torch.lerp(table[low], table[low + 1], place - low)


def _signed(conversion: str, image: Tensor) -> Tensor:
    """A conversion of kornia's between light and sRGB that goes on below 0; kornia's take three channels."""
    from kornia import color  # takes long to import, and most pictures are sRGB

    whole: Tensor = getattr(color, conversion)(image.abs().expand(-1, 3, -1, -1))
    return image.sign() * whole[:, : image.shape[1]]


def _through(transform: ImageCms.ImageCmsTransform, image: Tensor) -> Tensor:
    pixels = quantize(image, 8)[0].cpu().permute(1, 2, 0).contiguous().numpy()
    converted = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    assert converted is not None
    return torch.from_numpy(np.array(converted)).permute(2, 0, 1)[None].to(image.device)
