"""The work of one model on one sample: split into work items of equal size, and their results merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imgai.apart import words_of
from imgai.errors import InputError
from imgai.images.alpha import bleed
from imgai.images.depth import quantize, to_float
from imgai.images.guided import enlarged
from imgai.images.resize import bicubic, resize, resize_finely
from imgai.images.sheet import size_at
from imgai.outputs import OutputType, StepContext, View, resized
from imgai.outputs.base import Place
from imgai.plugin import Model
from imgai.predict.heard import hears
from imgai.predict.managed import Managed
from imgai.predict.stretched import stretched
from imgai.predict.tiling import Blender, Grid, Window
from imgai.sample import Sample

_BAR = 114 / 255
"""The grey of the bars of a letterbox, as detectors are trained with."""


@dataclass(slots=True)
class Item:
    """One input of a network: a tile of a sample, or the whole image.

    pixels: ``(3, h, w)``; window: None for the whole.
    place: top, left, height and width as fractions of the image's sides.
    """

    work: Work
    pixels: Tensor
    window: Window | None = None
    place: Place = (0.0, 0.0, 1.0, 1.0)

    def part(self, pixels: Tensor, window: Window) -> Item:
        """Make a tile of this item. pixels: ``(3, h, w)``, which may extend beyond it."""
        top, left, height, width = self.place
        down, across = height / self.pixels.shape[-2], width / self.pixels.shape[-1]
        size = (pixels.shape[-2] * down, pixels.shape[-1] * across)
        return Item(self.work, pixels, window, (top + window.top * down, left + window.left * across, *size))


class Work:
    """The state of one sample in one step.

    sample: converted to sRGB, its range of values stretched if the model declares `normalize`.
    notes: the predictor's survey of the image, ``(N,)``; None without a survey.
    error: set when an item failed; the results of the other items are then discarded.
    """

    def __init__(self, sample: Sample, output: OutputType, step: StepContext) -> None:
        self._given = sample
        seen, self._range = stretched(sample, step)
        self._colors = Managed(seen)
        self.sample = self._colors.sample
        self.output = output
        self.step = step
        self.model = step.model
        self.predictor = step.predictor
        self.notes: Tensor | None = None
        self.error: Exception | None = None
        self._image = self._seen()
        self._result: Any = None

    def items(self) -> Iterator[Item]:
        """Yield the work items; tiles are cut on demand."""
        raise NotImplementedError

    def add(self, item: Item, answer: Any) -> None:
        """Add the model's answer for one item, an element of `OutputType.parts`."""
        raise NotImplementedError

    @property
    def single(self) -> bool:
        """Whether the network sees the whole image at once."""
        return True

    @property
    def done(self) -> bool:
        """Whether all items have been predicted, or one has failed."""
        return self.error is not None or self._complete()

    def _complete(self) -> bool:
        return self._result is not None

    def result(self) -> Sample:
        """Return the sample with the model's output; outputs of earlier steps are resized with the image."""
        assert self._result is not None
        before = (self.sample.height, self.sample.width)
        sample = self.output.add(self.sample, self._result, self.step)
        sample = self._colors.back(sample, quantized=self.step.quantized)
        if self._range is not None:  # the stretched image was only for the network
            ranges = {**sample.ranges, self.step.name: self._range}
            given = self._given
            sample = dataclasses.replace(sample, image=given.image, metadata=given.metadata, ranges=ranges)
        size = (sample.height, sample.width)
        return resized(sample, before, size)

    def overview(self) -> Tensor:
        """Return the image resized to the model's `overview`, for the survey. Shape: ``(1, 3, h, w)`` in [0, 1]."""
        size, image = self.model.overview, self._image
        height, width = int(image.shape[-2]), int(image.shape[-1])
        if size is None:
            size = (height, width)
        elif isinstance(size, int):
            size = fitted(height, width, size)
        # A survey may work in place: what it is given is nobody else's, and no channel of it stands for others.
        return resize(image, size).clone(memory_format=torch.contiguous_format)

    def _seen(self) -> Tensor:
        """Return the image for the network, with colours bled into transparent pixels."""
        sample = self.sample
        if sample.alpha is not None:
            return bleed(sample.image, sample.alpha)
        return sample.image


class WholeWork(Work):
    """The work of a model with an `input_size`: one item, the whole image resized."""

    def __init__(self, sample: Sample, output: OutputType, step: StepContext, device: torch.device) -> None:
        super().__init__(sample, output, step)
        self._image = self._image.to(device, non_blocking=True)  # transferred in 8 bits, converted on the device

    def items(self) -> Iterator[Item]:
        self._view = view_of(self._image, self.model)
        yield Item(self, self._view.small)

    def add(self, item: Item, answer: Any) -> None:
        self._result = self.output.whole(answer, self._view, self.sample, self.step)


class TiledWork(Work):
    """The work of a fully convolutional model: tiles, blended row by row, or joined if the output is not dense."""

    def __init__(self, sample: Sample, output: OutputType, step: StepContext, tile: int) -> None:
        super().__init__(sample, output, step)
        model = step.model
        if model.longest is not None:
            self._image = resize_finely(self._image, fitted(sample.height, sample.width, model.longest, model.fraction))
        elif model.dpi is not None and (size := size_at(sample, model.dpi)) != (sample.height, sample.width):
            self._image = resize(self._image, size)
        height, width = self._image.shape[-2:]
        self._grid = make_grid(model, height, width, tile)
        self._windows = self._needed()
        count = len(self._windows)
        self._blender = Blender(self._grid, self._finish, model.scale, count) if output.dense else None
        self._answers: list[tuple[Place, Any]] = []
        self._added = 0

    def items(self) -> Iterator[Item]:
        whole = Item(self, self._image[0])
        for window in self._windows:
            yield whole.part(self._tile(window), window)

    def _needed(self) -> list[Window]:
        """Yield the tiles to predict, row by row."""
        return list(self._grid.windows())

    def _tile(self, window: Window) -> Tensor:
        """Return the network's input for a tile. Shape: ``(C, h, w)``."""
        return self._grid.cut(self._image[0], window)

    def result(self) -> Sample:
        size = (self.sample.height, self.sample.width)
        if self._blender is None:
            self._result = self.output.joined(self._answers, self.sample, self.step)
        elif self.model.longest is not None and tuple(self._result.shape[-2:]) != size:
            self._result = self._enlarged(self._result, size)
        elif self.model.dpi is not None and tuple(self._result.shape[-2:]) != size:
            small = to_float(self._image[0]).to(self._result.device)
            self._result = enlarged(to_float(self._result), small, self._seen())
        self._blender = None  # breaks a reference cycle, so that the image is freed at once
        return super().result()

    def _enlarged(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Upsample a result to the size of the sample, and add the fraction `detail` of the lost detail."""
        channels, depth = image.shape[0], self.sample.metadata.depth
        made, lost = bicubic(image[None], size)[0], None
        if self.predictor.detail:
            small = self._image.to(image.device)
            lost = bicubic(small if image.is_floating_point() else quantize(to_float(small), depth), size)[0]
        original = self._seen()[0]
        for top in range(0, size[0], 256):  # as floats, a whole picture would take four times the memory
            rows = slice(top, top + 256)
            part = to_float(made[:, rows])
            if lost is not None:
                whole = to_float(original[:, rows].to(part.device))
                detail = whole - to_float(lost[:, rows])
                part = part + self.predictor.detail * (detail if channels > 1 else detail.mean(0, keepdim=True))
            part = part.clamp(0, 1)
            made[:, rows] = quantize(part, depth) if self.step.quantized else part
        return made

    @property
    def single(self) -> bool:
        return len(self._grid) == 1

    def add(self, item: Item, answer: Any) -> None:
        assert item.window is not None
        if self._blender is None:
            self._answers.append((item.place, answer))
        else:
            self._blender.add(item.window, answer)
        self._added += 1
        if len(self._grid) > 1 and (tell := hears.get()) is not None:
            tell(self.sample.source, f"{self.model.task}/{self.model.name}", self._added, len(self._grid))

    def _complete(self) -> bool:
        return len(self._answers) == len(self._grid) if self._blender is None else self._blender.done

    def _finish(self, first: int, rows: Tensor) -> None:
        rows = self.output.kept(rows, self.sample, self.step)
        if self._result is None:
            height = self._grid.height * self.model.scale
            # Tiles that are not predicted are zero; the mask excludes them.
            left_out = len(self._windows) < len(self._grid)
            made = rows.new_zeros if left_out else rows.new_empty
            self._result = made((rows.shape[0], height, rows.shape[2]))
        self._result[:, first : first + rows.shape[1]] = rows


def view_of(image: Tensor, model: Model) -> View:
    """Resize an image to the input size of a model. Shape: ``(1, 3, H, W)``."""
    size, (height, width) = model.input_size, (int(side) for side in image.shape[-2:])
    assert size is not None
    if model.fit == "letterbox":
        return _letterboxed(image, size)
    if model.crop is None:
        return View(image, resize(image, size)[0], 0, 0, height, width)
    top, left, side, _ = square = central(height, width, model.crop)
    seen = image[..., top : top + side, left : left + side]
    return View(image, resize(seen, size, mode="bicubic")[0], *square)


def _letterboxed(image: Tensor, size: tuple[int, int]) -> View:
    """Resize an image with its aspect ratio, and pad it with bars to the size."""
    height, width = (int(side) for side in image.shape[-2:])
    factor = min(size[0] / height, size[1] / width)
    inner = max(1, min(size[0], round(height * factor))), max(1, min(size[1], round(width * factor)))
    above, before = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    small = resize(image, inner)[0]
    filled = small.new_full((3, *size), _BAR)
    filled[:, above : above + inner[0], before : before + inner[1]] = small
    down, across = height / inner[0], width / inner[1]  # pixels of the image per pixel of the network's input
    return View(image, filled, -above * down, -before * across, size[0] * down, size[1] * across)


def fitted(height: int, width: int, longest: int, fraction: float = 1.0) -> tuple[int, int]:
    """Return the size scaled by at most `fraction`, with a longer side of at most `longest`."""
    factor = min(1.0, fraction, longest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def central(height: int, width: int, crop: float) -> tuple[int, int, int, int]:
    """Return the central square whose side is a fraction of the shorter side: top, left, height, width.

    Rounded like the preprocessing of TensorFlow's EfficientNets.
    """
    side = max(1, int(crop * min(height, width)))
    return (height - side + 1) // 2, (width - side + 1) // 2, side, side


def make_grid(model: Model, height: int, width: int, tile: int) -> Grid:
    """Return the tiling of an image as the model declares it, with another tile side."""
    return Grid(
        height,
        width,
        tile=tile,
        overlap=min(model.overlap, (tile - 1) // 2),
        multiple_of=model.multiple_of,
        minimum=model.minimum,
    )


def failed(work: Work, error: BaseException) -> InputError:
    """Convert an exception of a plugin's network to the error of one input."""
    text = words_of(error) or type(error).__name__
    return InputError(f"{work.sample.source.name}: the model {work.model.name} failed: {type(error).__name__}: {text}")
