"""Views of outputs for reports and contact sheets, one function per output."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from kornia.color import ApplyColorMap, ColorMap
from PIL import Image
from torch.nn import functional as F

from imgai.images.decode import make_sample
from imgai.images.shrink import shrunk
from imgai.kinds import canvas_of
from imgai.kinds.heat import seen_by
from imgai.kinds.levels import normalized
from imgai.kinds.paint import COLORS
from imgai.outputs.boxes import Boxes
from imgai.outputs.counting import Counting
from imgai.outputs.data import Data
from imgai.outputs.map import Map
from imgai.outputs.mask import Mask
from imgai.outputs.scores import Scores
from imgai.plugin import Metadata, Output, Page
from imgai.predict.spec import KindSpec
from imgai.sample import Sample

_TINT = 0.55
_LABELS, _WORDS, _MARKS = 5, 4000, 500


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle. box: x0, y0, x1, y1 as fractions of the picture's sides. color: an index of `COLORS`."""

    box: tuple[float, float, float, float]
    text: str
    color: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The view of one picture after a step.

    image: replaces the picture; None: the picture itself. over: an RGBA layer over it.
    marks: rectangles. labels: texts with a score in [0, 1]. text: any other text.
    facts: pairs of name and value as text. doubt: uncertainty from 0 to 1. empty: nothing was found.
    """

    image: Image.Image | None = None
    over: Image.Image | None = None
    marks: tuple[Mark, ...] = ()
    labels: tuple[tuple[str, float], ...] = ()
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    doubt: float = 0.0
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """How to make a view.

    size: (width, height) of layers. longest: maximum side of an image. counting: which objects count. kinds: the kinds
    that are written.
    """

    size: tuple[int, int]
    longest: int
    counting: Counting
    kinds: tuple[KindSpec, ...] = ()


def view(output: Output, sample: Sample, result: Any, asked: Asked) -> View:
    """Make the view of an output. result: the step's result in the sample."""
    return _VIEWS[output](sample, result, asked)


def _image(sample: Sample, result: Sample, asked: Asked) -> View:
    size = f"{sample.width} x {sample.height}"
    return View(image=shrunk(sample, asked.longest), facts=(("size", size),))


def _mask(sample: Sample, result: Mask, asked: Asked) -> View:
    areas = result.areas(asked.counting.threshold)
    soft = F.interpolate(result.values[None], asked.size[::-1], mode="bilinear", antialias=True)[0].numpy()
    facts = [(label, f"{area:.1%}") for label, area in areas.items()]
    numbered = None
    if result.instances is not None:
        which = asked.counting
        numbered = result.objects(which.threshold, which.min_size, which.exclude_edges)[0][1]
        facts.append(("objects", f"{len(np.unique(numbered[numbered > 0])):,}"))
        rows, columns = (
            np.linspace(0, length - 1, count).round().astype(int)
            for length, count in zip(numbered.shape, asked.size[::-1], strict=True)
        )
        numbered = numbered[np.ix_(rows, columns)]
    half_sure = float(((soft > 51) & (soft < 204)).mean())
    covered = max(float(sum(areas.values())), 1e-3)
    common: dict[str, Any] = {
        "facts": tuple(facts),
        "doubt": min(1.0, half_sure / covered),
        "empty": not any(areas.values()),
    }
    if result.heat is not None:
        return View(over=_heat(sample, result, asked), **common)
    for each in asked.kinds:
        if each.name in _WRITTEN:
            return View(image=_WRITTEN[each.name](sample, result, soft, each.params, asked), **common)
    return View(over=layer(soft[: len(result.labels)], asked.counting.threshold, numbered), **common)


def _cut_out(sample: Sample, result: Mask, soft: np.ndarray, params: Any, asked: Asked) -> Image.Image:
    """Make a small version of the cut-out, with its background, canvas and shadow."""
    from imgai.kinds.cutout import render

    metadata = Metadata("PNG", gray=sample.metadata.gray)
    pixels = np.asarray(shrunk(sample, max(asked.size)).convert("RGBA").resize(asked.size))
    alpha = None if sample.alpha is None else pixels[..., 3].copy()
    colors = pixels[..., 0].copy() if metadata.gray else pixels[..., :3].copy()
    small = make_sample(colors, alpha, sample.source, metadata)
    params = dataclasses.replace(params, format="png", canvas=_smaller(params.canvas, max(asked.size)))
    mask = Mask(torch.from_numpy(soft[: len(result.labels)].copy()), result.labels)
    (file,) = render(Page(small, mask, params))
    assert isinstance(file.content, bytes)
    image = Image.open(io.BytesIO(file.content))
    return image.convert("RGBA" if "A" in image.mode else "RGB")


def _smaller(canvas: str | None, longest: int) -> str | None:
    """Scale a canvas to the size of a small view."""
    if canvas is None:
        return None
    width, height = canvas_of(canvas)
    factor = longest / max(width, height)
    return f"{max(1, round(width * factor))}x{max(1, round(height * factor))}"


def _ink(sample: Sample, result: Mask, soft: np.ndarray, params: Any, asked: Asked) -> Image.Image:
    """Draw the soft ink on white; a thresholded page would look ragged in a small view."""
    return Image.fromarray(255 - soft[: len(result.labels)].max(0)).convert("RGB")


_WRITTEN: dict[str, Callable[[Sample, Mask, np.ndarray, Any, Asked], Image.Image]] = {
    "cutout": _cut_out,
    "ink": _ink,
    "pdf": _ink,
}
"""Kinds of masks that are shown as an image of their own, not as a layer."""


def layer(soft: np.ndarray, threshold: float, numbered: np.ndarray | None = None) -> Image.Image:
    """Draw masks as a layer: each class or object with a tint and an outline.

    Shape: soft ``(K, h, w)`` uint8, numbered ``(h, w)`` integers
    """
    colors = np.zeros((*soft.shape[1:], 4), np.uint8)
    for index, values in enumerate(soft):
        inside = values >= max(1, round(threshold * 255)) if numbered is None else numbered > 0
        if numbered is None:
            chosen = np.broadcast_to(COLORS[index % len(COLORS)], (*inside.shape, 3))
            edge = inside & ~_all_around(inside)
        elif index:
            break
        else:
            chosen = COLORS[(numbered - 1) % len(COLORS)]
            edge = inside & ~_all_same(numbered)
        alpha = np.where(inside, np.maximum(values, 128), 0 if numbered is not None else values) * _TINT
        alpha = np.where(edge, 255, alpha) if numbered is not None or inside.any() else alpha
        seen = alpha > colors[..., 3]
        colors[seen] = np.concatenate((chosen, alpha[..., None]), axis=-1).astype(np.uint8)[seen]
    return Image.fromarray(colors)


def against(found: np.ndarray, true: np.ndarray) -> Image.Image:
    """Draw true positives (green), false negatives (orange) and false positives (purple) as a layer.

    Shape: ``(h, w)`` bool each.
    """
    colors = np.zeros((*found.shape, 4), np.uint8)
    for where, color in ((found & true, 2), (true & ~found, 5), (found & ~true, 6)):
        colors[where, :3] = COLORS[color]
        colors[where, 3] = 160
    return Image.fromarray(colors)


def _all_around(inside: np.ndarray) -> np.ndarray:
    """Whether a pixel's four neighbours are inside too."""
    padded = np.pad(inside, 1, mode="edge")
    return np.asarray(padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])


def _all_same(numbered: np.ndarray) -> np.ndarray:
    padded = np.pad(numbered, 1, mode="edge")
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray(np.logical_and.reduce([each == numbered for each in around]))


def _scores(sample: Sample, result: Scores, asked: Asked) -> View:
    values, indices = result.values.topk(min(_LABELS, len(result.values)))
    pairs = zip(indices.tolist(), values.tolist(), strict=True)
    labels = tuple((result.labels[index], value) for index, value in pairs if value >= 1e-4)
    over = None if result.heat is None else _heat(sample, result, asked)
    best = labels[0] if labels else ("", 0.0)
    return View(over=over, labels=labels, doubt=1 - best[1], empty=best[1] < asked.counting.threshold)


def _heat(sample: Sample, result: Scores | Mask, asked: Asked) -> Image.Image:
    assert result.heat is not None
    width, height = asked.size
    down, across = height / sample.height, width / sample.width
    top, left, tall, wide = (
        round(n * f) for n, f in zip(seen_by(sample, result), (down, across, down, across), strict=True)
    )
    tall, wide = max(1, min(tall, height - top)), max(1, min(wide, width - left))
    values = F.interpolate(result.heat[None, None], (tall, wide), mode="bicubic").clamp_(0, 1)
    layer_ = _colored(values, "plasma")
    layer_.putalpha(Image.fromarray((values[0, 0].sqrt() * 190).to(torch.uint8).numpy()))
    whole = Image.new("RGBA", asked.size)
    whole.paste(layer_, (left, top))
    return whole


def _colored(values: torch.Tensor, name: str) -> Image.Image:
    """Shape: ``(1, 1, h, w)`` in [0, 1]."""
    colors = ApplyColorMap(ColorMap(name, num_colors=256))(values)[0].permute(1, 2, 0)
    return Image.fromarray((colors * 255 + 0.5).to(torch.uint8).contiguous().numpy())


def _boxes(sample: Sample, result: Boxes, asked: Asked) -> View:
    shown = result.counted(asked.counting, sample.height, sample.width)
    counts = sorted(shown.counts().items(), key=lambda pair: -pair[1])
    scores = shown.values[:, 4]
    return View(
        marks=marks(shown, sample.height, sample.width),
        facts=tuple((label, f"{count:,}") for label, count in counts),
        doubt=1 - float(scores.mean()) if len(scores) else 1.0,
        empty=not len(scores),
    )


def marks(boxes: Boxes, height: int, width: int) -> tuple[Mark, ...]:
    """Return rectangles for boxes in an image of that size."""
    return tuple(
        Mark((x0 / width, y0 / height, x1 / width, y1 / height), f"{boxes.labels[int(index)]} {score:.2f}", int(index))
        for x0, y0, x1, y1, score, index in boxes.values[:_MARKS].tolist()
    )


def _map(sample: Sample, result: Map, asked: Asked) -> View:
    parts, low, high = normalized(result)
    values = F.interpolate(torch.from_numpy(parts).float()[None, None], asked.size[::-1], mode="area").clamp_(0, 1)
    unit = f" {result.unit}" if result.unit else ""
    return View(image=_colored(values, "viridis"), facts=(("range", f"{low:.4g} to {high:.4g}{unit}"),))


def _data(sample: Sample, result: Data, asked: Asked) -> View:
    import json

    frames = tuple(_frames(result.value, sample.height, sample.width))
    text = json.dumps(result.value, ensure_ascii=False, indent=1)
    return View(marks=frames[:_MARKS], text=text[:_WORDS] + ("\n..." if len(text) > _WORDS else ""))


def _frames(value: Any, height: int, width: int) -> list[Mark]:
    """Return rectangles for the boxes at any depth of a model's answer."""
    if isinstance(value, list):
        return [mark for each in value for mark in _frames(each, height, width)]
    if not isinstance(value, dict):
        return []
    frames = [mark for each in value.values() for mark in _frames(each, height, width)]
    box = value.get("box")
    if isinstance(box, list) and len(box) == 4:
        x0, y0, x1, y1 = (float(number) for number in box)
        words = str(value.get("text") or value.get("label") or "")
        frames.append(Mark((x0 / width, y0 / height, x1 / width, y1 / height), words[:60]))
    return frames


_VIEWS: dict[Output, Callable[[Sample, Any, Asked], View]] = {
    Output.IMAGE: _image,
    Output.MASK: _mask,
    Output.SCORES: _scores,
    Output.BOXES: _boxes,
    Output.MAP: _map,
    Output.DATA: _data,
}
