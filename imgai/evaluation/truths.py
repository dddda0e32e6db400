"""The ground truth of the pictures in a folder, read as for a training."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgai.errors import InputError, UsageError
from imgai.images import read
from imgai.images.codecs.png import encode_png
from imgai.images.resize import bicubic
from imgai.measure.boxes import TrueBoxes
from imgai.measure.mask import TrueMask
from imgai.plugin import Model, Output
from imgai.plural import counted
from imgai.sample import Sample, Source
from imgai.training.example import Example
from imgai.training.findings import Findings
from imgai.training.layouts import LAYOUTS
from imgai.training.layouts.base import Asked, Layout
from imgai.training.pictures import page_of, pages, seen


@dataclass(frozen=True, slots=True)
class Truths:
    """Pictures with what is true of them.

    labels: the names of the classes. objects: masks number objects. examples: by the real path of the picture and its
    page. part: "test" or "val" where the folder has such a part, and that alone is taken. report: what was left out
    and why, a line each. border: pixels at the edges that do not count.
    """

    labels: tuple[str, ...]
    objects: bool
    examples: Mapping[tuple[str, int], Example]
    part: str | None
    report: tuple[str, ...]
    max_pixels: int
    border: int = 0

    def takes(self, path: Path | None) -> bool:
        """Whether something is known of a picture's first page."""
        return path is not None and (os.path.realpath(path), 0) in self.examples

    def of(self, sample: Sample) -> Any:
        """Return the truth of a sample in the form of the measure. Raises InputError if there is none."""
        source = sample.source
        example = self.examples.get((os.path.realpath(source.path or ""), source.page))
        if example is None:
            raise InputError(f"{source.name}: what is true of page {source.page + 1} is not known")
        return true_of(example, self.labels, sample, objects=self.objects, max_pixels=self.max_pixels)


def true_of(example: Example, labels: tuple[str, ...], sample: Sample, *, objects: bool, max_pixels: int) -> Any:
    """Return the truth of an example in the form of the measure. sample: after the step.

    Raises InputError for a target that cannot be read.
    """
    target = example.target
    if isinstance(target, int):
        return labels[target]
    if isinstance(target, tuple):
        return _true_boxes(target, sample)
    if target is None or isinstance(target, Path):
        path = example.image if target is None else target
        found = page_of(path, example.page, partial(pages, path, example.name, max_pixels), "target")
        return _in_three(found)[:, : sample.height, : sample.width]
    numbers = target.read(max_pixels)
    if objects:
        return TrueMask((numbers > 0)[None], numbers)
    return TrueMask(np.stack([numbers == index + 1 for index in range(len(labels))]))


def _in_three(pixels: np.ndarray) -> Tensor:
    three = np.repeat(pixels[None], 3, 0) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(three))


def _true_boxes(boxes: tuple[Any, ...], sample: Sample) -> TrueBoxes:
    values = np.array(boxes, np.float64).reshape(-1, 5)
    scale = np.array([sample.width, sample.height, sample.width, sample.height])
    classes = values[:, 0].astype(np.int64)
    return TrueBoxes(values[:, 1:] * scale, classes, np.zeros(len(values), bool), (sample.height, sample.width))


def read_truths(folder: Path, output: Output, model: Model, *, scale: int, max_pixels: int) -> Truths:
    """Read a folder that is laid out as for a training: all of it, or its ``test/``, or its ``val/``.

    scale: how much longer the sides of a picture become. Raises UsageError for a folder that is laid out otherwise.
    """
    module, _, name = LAYOUTS[output].partition(":")
    findings = Findings()
    layout: Layout = getattr(importlib.import_module(module), name)(
        Asked(folder, model.labels, max_pixels, findings, scale)
    )
    found = layout.examples()
    parts = {part for part, _ in found}
    part = next((each for each in ("test", "val") if each in parts), None)
    examples = {(os.path.realpath(each.image), each.page): each for where, each in found if where == part or not part}
    if "train" in parts and part is None:
        raise UsageError(f"{folder} has train/ and neither test/ nor val/", "name the folder to measure with itself")
    return Truths(layout.labels, layout.objects, examples, part, findings.lines(), max_pixels)


def shrunk_into(truths: Truths, scale: int, folder: Path) -> Truths:
    """The truths of pictures alone, for a model that enlarges: small ones are written into a folder, to be enlarged.

    They are shrunk by the bicubic filter that the field measures with; what is left over at the right and below, if
    sides are no multiple of the scale, is cut off. Raises UsageError if no picture is large enough.
    """
    examples: dict[tuple[str, int], Example] = {}
    least = 16 * scale
    small = 0
    for example in truths.examples.values():
        height, width = example.size
        if min(height, width) < least or example.page:
            small += 1
            continue
        path = folder / Path(example.name).with_suffix(".png")
        if path.exists():  # two that are called alike but for their suffixes
            path = folder / f"{example.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample = _read(example, truths.max_pixels)
        pixels = _in_three(seen(sample))[:, : height // scale * scale, : width // scale * scale]
        less = bicubic(pixels[None], (height // scale, width // scale))[0].permute(1, 2, 0).contiguous()
        path.write_bytes(encode_png(less.numpy()))
        examples[os.path.realpath(path), 0] = example
    if not examples:
        raise UsageError(f"no picture has sides of {least} pixels", "name larger ones")
    left_out = (f"{counted(small, 'picture')} left out: under {least} pixels, or a page",) if small else ()
    return Truths(
        truths.labels, truths.objects, examples, truths.part, (*truths.report, *left_out), truths.max_pixels, scale
    )


def _read(example: Example, max_pixels: int) -> Sample:
    source = Source(example.image, example.name)
    pages_: Iterator[Sample] = read(example.image, source, max_pixels=max_pixels)
    return next(islice(pages_, example.page, None))
