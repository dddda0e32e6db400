"""One sample's way through one model: cut into equal work items, and put together again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.errors import InputError
from imgai.images.alpha import bleed
from imgai.images.depth import quantize, to_float
from imgai.images.resize import bicubic, resize
from imgai.plugin import Model, Output, Predictor
from imgai.predict.tiling import Blender, Grid, Window
from imgai.predict.upsample import upsample
from imgai.sample import Mask, Sample, Scores


@dataclass(slots=True)
class Item:
    """What a network takes at once, of one sample.

    pixels: ``(3, h, w)``; window: None for the whole.
    place: top, left, height and width as fractions of the image's sides.
    """

    work: Work
    pixels: Tensor
    window: Window | None = None
    place: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def part(self, pixels: Tensor, window: Window) -> Item:
        """A tile of this item. pixels: ``(3, h, w)``, which may reach beyond it."""
        top, left, height, width = self.place
        down, across = height / self.pixels.shape[-2], width / self.pixels.shape[-1]
        size = (pixels.shape[-2] * down, pixels.shape[-1] * across)
        return Item(self.work, pixels, window, (top + window.top * down, left + window.left * across, *size))


class Work:
    """What is under way for one sample in one step.

    quantized: whether an image is given back at the sample's depth, not in float.
    notes: what the predictor's survey said of the image, ``(N,)``; None where there was none.
    error: set when an item of it failed; the others of it are then of no use.
    """

    def __init__(
        self,
        sample: Sample,
        model: Model,
        output: Output,
        predictor: Predictor,
        name: str,
        *,
        quantized: bool = False,
    ) -> None:
        self.sample = sample
        self.model = model
        self.output = output
        self.predictor = predictor
        self.name = name
        self.quantized = quantized
        self.notes: Tensor | None = None
        self.error: Exception | None = None
        self._image = self._seen()
        self._result: Tensor | None = None

    def items(self) -> Iterator[Item]:
        """The work items, made as they are asked for."""
        raise TypeError("ask WholeWork or TiledWork")

    def add(self, item: Item, output: Tensor) -> None:
        """Take what the predictor returned for one item. Shape: ``(C, h * scale, w * scale)`` or ``(K,)``."""
        raise TypeError("ask WholeWork or TiledWork")

    @property
    def single(self) -> bool:
        """Whether the network sees the whole image at once."""
        return True

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return self.error is not None or self._complete()

    def _complete(self) -> bool:
        return self._result is not None

    def result(self) -> Sample:
        """The sample with what was found, or with its new image."""
        assert self._result is not None
        sample, found = self.sample, self._result
        if self.output is Output.IMAGE:
            alpha = sample.alpha
            size = (int(found.shape[-2]), int(found.shape[-1]))
            if alpha is not None and tuple(alpha.shape[-2:]) != size:
                alpha = self._at_depth(resize(alpha, size, mode="bicubic"))
            image, masks = found.expand(3, -1, -1)[None], resized(sample.masks, size)
            return dataclasses.replace(sample, image=image, alpha=alpha, masks=masks, edited=True)
        labels = self.model.labels or ()
        if self.output is Output.MASK:
            mask = Mask(found.cpu(), labels, self.predictor)
            return dataclasses.replace(sample, masks={**sample.masks, self.name: mask})
        scores = Scores(found.to("cpu", torch.float32), labels, self.model.label_ids)
        return dataclasses.replace(sample, scores={**sample.scores, self.name: scores})

    def overview(self) -> Tensor:
        """All that items are cut from, at the size of the model's overview. Shape: ``(1, 3, h, w)`` in [0, 1]"""
        size, image = self.model.overview, self._image
        height, width = int(image.shape[-2]), int(image.shape[-1])
        if size is None:
            size = (height, width)
        elif isinstance(size, int):
            size = fitted(height, width, size)
        return resize(image, size)

    def _seen(self) -> Tensor:
        """The image as the network is to see it: nothing from under transparent pixels."""
        sample = self.sample
        if sample.alpha is not None:
            return bleed(sample.image, sample.alpha)
        return sample.image

    def _kept(self, image: Tensor) -> Tensor:
        """What is held of an image that a network made: of a grey one a single channel."""
        return self._at_depth(image.mean(dim=0, keepdim=True) if self.sample.metadata.gray else image)

    def _at_depth(self, image: Tensor) -> Tensor:
        return quantize(image, self.sample.metadata.depth) if self.quantized else image


class WholeWork(Work):
    """A model with one input size: the whole image, resized, is the one item."""

    def __init__(
        self,
        sample: Sample,
        model: Model,
        output: Output,
        predictor: Predictor,
        name: str,
        device: torch.device,
        *,
        quantized: bool = False,
        explain: str | None = None,
    ) -> None:
        super().__init__(sample, model, output, predictor, name, quantized=quantized)
        self._explain = explain
        self._image = self._image.to(device, non_blocking=True)  # 8 bits cross to the device, not floats

    def items(self) -> Iterator[Item]:
        size, crop = self.model.input_size, self.model.crop
        assert size is not None
        if crop is None:
            self._small = resize(self._image, size)[0]
        else:
            top, left, height, width = central(self.sample.height, self.sample.width, crop)
            seen = self._image[..., top : top + height, left : left + width]
            self._small = resize(seen, size, mode="bicubic")[0]
        yield Item(self, self._small)

    def add(self, item: Item, output: Tensor) -> None:
        if self.output is Output.MASK:
            self._result = upsample(output, self._small, self._image)
        elif self.output is Output.IMAGE:
            size = (self.sample.height * self.model.scale, self.sample.width * self.model.scale)
            self._result = self._kept(resize(output[None], size)[0])
        else:
            self._result = output

    def result(self) -> Sample:
        sample = super().result()
        if self._explain is None or self.output is not Output.SCORES:
            return sample
        scores, predictor = sample.scores[self.name], self.predictor
        index = scores.labels.index(self._explain) if self._explain else int(scores.values.argmax())
        assert predictor.explain is not None  # it was asked for when the model was loaded
        heat = predictor.explain(predictor.preprocess(self._small[None]), index)[0].detach().float().cpu()
        heat = heat / heat.max().clamp_min(1e-12)
        crop = self.model.crop
        seen = (0, 0, sample.height, sample.width) if crop is None else central(sample.height, sample.width, crop)
        explained = dataclasses.replace(scores, heat=heat, explained=index, seen=seen)
        return dataclasses.replace(sample, scores={**sample.scores, self.name: explained})


class TiledWork(Work):
    """A fully convolutional model: tiles, blended. A mask is kept in 8 bit, row by row as it is finished."""

    def __init__(
        self,
        sample: Sample,
        model: Model,
        output: Output,
        predictor: Predictor,
        name: str,
        tile: int,
        *,
        quantized: bool = False,
    ) -> None:
        super().__init__(sample, model, output, predictor, name, quantized=quantized)
        if model.longest is not None:
            self._image = resize(self._image, fitted(sample.height, sample.width, model.longest, model.fraction))
        height, width = self._image.shape[-2:]
        self._grid = make_grid(model, height, width, tile)
        self._blender = Blender(self._grid, self._finish, model.scale)

    def items(self) -> Iterator[Item]:
        whole = Item(self, self._image[0])
        for window in self._grid.windows():
            yield whole.part(self._grid.cut(self._image[0], window), window)

    def result(self) -> Sample:
        found, size = self._result, (self.sample.height, self.sample.width)
        if self.model.longest is not None and found is not None and tuple(found.shape[-2:]) != size:
            self._result = self._enlarged(found, size)
        return super().result()

    def _enlarged(self, found: Tensor, size: tuple[int, int]) -> Tensor:
        """What was made small, at the image's size, with the share of the image's detail that is to be kept."""
        channels, depth = found.shape[0], self.sample.metadata.depth
        made, lost = bicubic(found[None], size)[0], None
        if self.predictor.detail:
            small = self._image.to(found.device)
            lost = bicubic(small if found.is_floating_point() else quantize(to_float(small), depth), size)[0]
        image = self._seen()[0]
        for top in range(0, size[0], 256):  # as floats, a whole picture would take four times the memory
            rows = slice(top, top + 256)
            part = to_float(made[:, rows])
            if lost is not None:
                whole = to_float(image[:, rows].to(part.device))
                detail = whole - to_float(lost[:, rows])
                part = part + self.predictor.detail * (detail if channels > 1 else detail.mean(0, keepdim=True))
            made[:, rows] = self._at_depth(part.clamp(0, 1))
        return made

    @property
    def single(self) -> bool:
        return len(self._grid) == 1

    def add(self, item: Item, output: Tensor) -> None:
        assert item.window is not None
        self._blender.add(item.window, output)

    def _complete(self) -> bool:
        return self._blender.done

    def _finish(self, first: int, rows: Tensor) -> None:
        rows = quantize(rows, 8).cpu() if self.output is Output.MASK else self._kept(rows)
        if self._result is None:
            height = self._grid.height * self.model.scale
            self._result = rows.new_empty((rows.shape[0], height, rows.shape[2]))
        self._result[:, first : first + rows.shape[1]] = rows


def fitted(height: int, width: int, longest: int, fraction: float = 1.0) -> tuple[int, int]:
    """A size of the same shape, at most `fraction` of it, whose longer side is at most `longest`; never larger."""
    factor = min(1.0, fraction, longest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def central(height: int, width: int, crop: float) -> tuple[int, int, int, int]:
    """The central square of a part of the shorter side: top, left, height, width.

    To the pixel as the preprocessing of TensorFlow's EfficientNets cuts it.
    """
    side = max(1, int(crop * min(height, width)))
    return (height - side + 1) // 2, (width - side + 1) // 2, side, side


def resized(masks: dict[str, Mask], size: tuple[int, int]) -> dict[str, Mask]:
    """What earlier steps found, at the size that the image has now."""
    found = {}
    for name, mask in masks.items():
        values = mask.values
        if tuple(values.shape[-2:]) != size:
            values = F.interpolate(values[None], size, mode="bilinear", antialias=True)[0]
        found[name] = dataclasses.replace(mask, values=values)
    return found


def make_grid(model: Model, height: int, width: int, tile: int) -> Grid:
    """The tiles of an image, as the model declares them but for the tile's side."""
    return Grid(
        height,
        width,
        tile=tile,
        overlap=min(model.overlap, (tile - 1) // 2),
        multiple_of=model.multiple_of,
        minimum=model.minimum,
    )


def check_shape(model: Model, output: Output, item: Tensor, found: object) -> str:
    """What is wrong with a predictor's answer to a batch, and what to declare instead; empty if nothing is."""
    if not isinstance(found, Tensor):
        return f"it returned {type(found).__name__}, not a tensor"
    count, _, height, width = item.shape
    shape = tuple(found.shape)
    if output is Output.SCORES:
        expected: tuple[int, ...] = (count, len(model.labels or ()) or (shape[1] if len(shape) == 2 else 0))
    elif output is Output.MASK:
        expected = (count, len(model.labels or ()) + model.auxiliary, height, width)
    else:
        expected = (count, 3, height * model.scale, width * model.scale)
    if shape == expected:
        return ""
    words = f"it returned {shape} for {tuple(item.shape)}, where {expected} is due"
    if output is Output.IMAGE and len(shape) == 4 and shape[:2] == (count, 3) and shape[2] % height == 0:
        scale = shape[2] // height
        if scale and shape[3] == width * scale:
            words += f"; declare scale={scale}"
    elif output is Output.MASK and len(shape) == 4 and shape[2:] == (height, width):
        words += f"; declare labels and auxiliary for {shape[1]} channels together"
    elif output is not Output.IMAGE and len(shape) == 2 and shape[0] == count:
        words += f"; declare {shape[1]} labels"
    return words


def failed(work: Work, error: Exception) -> InputError:
    """An exception of a plugin's network, as the failure of one input."""
    text = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{work.sample.source.name}: the model {work.model.name} failed: {type(error).__name__}: {text}")
