"""Cut an image into equal tiles that overlap, and blend what comes back without a seam.

Neighbours fade into each other linearly over the middle of what they share; the outer third of the
declared overlap, where a convolution saw padding instead of picture, has weight 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """One tile's place: rows top to top + height, columns left to left + width, of the padded image."""

    row: int
    column: int
    top: int
    left: int


class Grid:
    """The positions of the tiles of an image.

    The image is thought of as padded at the right and below, by reflection, to sides that are multiples
    of `multiple_of` and at least `minimum`. Tiles begin at multiples of `multiple_of`, so that a network
    with strides sees each pixel in the phase in which it would see it in the whole.
    """

    def __init__(
        self, height: int, width: int, *, tile: int, overlap: int, multiple_of: int = 1, minimum: int = 1
    ) -> None:
        self.height, self.width = height, width
        self.rows = _Axis(height, tile, overlap, multiple_of, minimum)
        self.columns = _Axis(width, tile, overlap, multiple_of, minimum)

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of every tile."""
        return self.rows.tile, self.columns.tile

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)

    def windows(self) -> Iterator[Window]:
        """Every tile, row by row."""
        for row, top in enumerate(self.rows.starts):
            for column, left in enumerate(self.columns.starts):
                yield Window(row, column, top, left)

    def cut(self, image: Tensor, window: Window) -> Tensor:
        """One tile. Shape: ``(..., H, W)`` to ``(..., *tile)``; a view where no padding is needed."""
        height, width = self.tile
        bottom, right = window.top + height, window.left + width
        part = image[..., window.top : min(bottom, self.height), window.left : min(right, self.width)]
        if bottom > self.height:
            index = _reflected(window.top, bottom, self.height, image.device)
            part = image[..., index, window.left : min(right, self.width)]
        if right > self.width:
            # Columns are reflected within the tile's own rows, so the index is the image's, less the tile's left.
            index = _reflected(window.left, right, self.width, image.device)
            rows = _reflected(window.top, bottom, self.height, image.device)
            part = image[..., rows[:, None], index[None, :]]
        return part


class Blender:
    """Add tiles in the grid's order; get the rows of the result as soon as no tile can change them.

    Only the rows that are still open are held in float.

    finish: called with the first row's number and the finished rows, ``(C, rows, W * scale)`` float32.
    count: of the tiles that are added, where others are left out; rows that none of these reaches are not finished.
    """

    def __init__(
        self, grid: Grid, finish: Callable[[int, Tensor], None], scale: int = 1, count: int | None = None
    ) -> None:
        self.grid = grid
        self.scale = scale
        self._finish = finish
        self._open: Tensor | None = None
        self._base = 0  # the padded image's row (times scale) where `_open` begins
        self._left = len(grid) if count is None else count

    @property
    def done(self) -> bool:
        return self._left == 0

    def add(self, window: Window, tile: Tensor) -> None:
        """Blend one tile in. Shape: ``(C, h * scale, w * scale)`` float32."""
        scale = self.scale
        if len(self.grid) == 1:
            self._emit(0, tile)
            self._left = 0
            return
        channels, height, width = tile.shape
        if self._open is None:
            columns = self.grid.columns
            total = (columns.starts[-1] + columns.tile) * scale
            self._open = tile.new_zeros((channels, height, total))
            self._base = window.top * scale
        elif window.top * scale > self._base:
            self._shift(window.top * scale)
        down = self.grid.rows.profile(window.row, scale, tile.device)
        across = self.grid.columns.profile(window.column, scale, tile.device)
        left = window.left * scale
        self._open[:, :, left : left + width].addcmul_(tile, down[:, None] * across[None, :])
        self._left -= 1
        if self._left == 0:
            self._emit(self._base, self._open)
            self._open = None

    def _shift(self, base: int) -> None:
        """Finish the rows above `base` and make room for as many below."""
        assert self._open is not None
        finished = base - self._base
        self._emit(self._base, self._open[:, :finished])
        kept = self._open[:, finished:].clone()
        self._open[:, : kept.shape[1]] = kept
        self._open[:, kept.shape[1] :] = 0
        self._base = base

    def _emit(self, first: int, rows: Tensor) -> None:
        height, width = self.grid.height * self.scale, self.grid.width * self.scale
        if first < height:
            self._finish(first, rows[:, : height - first, :width])


class _Axis:
    """The tiles along one side: their size, their starts, and how each fades into its neighbours."""

    def __init__(self, size: int, tile: int, overlap: int, multiple_of: int, minimum: int) -> None:
        padded = _up(max(size, minimum), multiple_of)
        self.tile = min(padded, _up(max(tile, minimum), multiple_of))
        room = (padded - self.tile) // multiple_of
        longest = max(1, (self.tile - overlap) // multiple_of)
        count = -(-room // longest) + 1
        self.starts = [index * room // max(1, count - 1) * multiple_of for index in range(count)]
        self._margin = overlap // 3
        self._profiles: dict[tuple[int, int], Tensor] = {}

    def profile(self, index: int, scale: int, device: torch.device) -> Tensor:
        """The weight of each row (or column) of a tile; those of all tiles sum to 1. Shape: ``(tile * scale,)``."""
        weights = self._profiles.get((index, scale))
        if weights is None:
            mine = self._raw(index)
            total = mine.clone()
            start = self.starts[index]
            for other, theirs in enumerate(self.starts):
                if other != index and abs(theirs - start) < self.tile:
                    low, high = max(start, theirs), min(start, theirs) + self.tile
                    total[low - start : high - start] += self._raw(other)[low - theirs : high - theirs]
            weights = (mine / total).to(torch.float32).repeat_interleave(scale).to(device)
            self._profiles[index, scale] = weights
        return weights

    def _raw(self, index: int) -> Tensor:
        start = self.starts[index]
        weight = torch.ones(self.tile, dtype=torch.float64)
        if index > 0:
            weight *= self._fade(self.starts[index - 1] + self.tile - start)
        if index < len(self.starts) - 1:
            weight *= self._fade(start + self.tile - self.starts[index + 1]).flip(0)
        return weight

    def _fade(self, shared: int) -> Tensor:
        """0 over the margin, a ramp over the middle of what is shared, 1 after it."""
        place = torch.arange(self.tile, dtype=torch.float64) + 0.5
        margin = min(self._margin, max(0, shared // 2 - 1))
        ramp = max(1, shared - 2 * margin)
        return ((place - margin) / ramp).clamp_(0, 1)


def _up(size: int, multiple_of: int) -> int:
    return -(-size // multiple_of) * multiple_of


def _reflected(start: int, stop: int, size: int, device: torch.device) -> Tensor:
    """Indices start to stop of an endless mirror of 0 .. size - 1, without repeating the edge."""
    index = torch.arange(start, stop, device=device)
    if size == 1:
        return torch.zeros_like(index)
    index = index % (2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)
