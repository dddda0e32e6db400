"""A sheet of validation pictures: input, target and prediction."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from imgai.images import to_pixels
from imgai.images.depth import quantize, to_float
from imgai.kinds.overlay import overlay
from imgai.kinds.paint import COLORS
from imgai.measure.boxes import TrueBoxes
from imgai.measure.mask import TrueMask
from imgai.outputs.mask import Mask
from imgai.plugin import MaskParams, Page
from imgai.sample import Sample

_HEIGHT = 240
_GAP = 8
_WORDS = 18
_ACROSS = 4  # pictures in a row, where nothing stands beside them


def sheet(shown: Sequence[tuple[Sample, Any]], name: str) -> bytes:
    """A row a picture, as a PNG. shown: samples after the step of that name, with what is true of each."""
    rows = [_row(sample, true, name) for sample, true in shown]
    if all(len(row) == 1 for row in rows):  # classes: nothing stands beside a picture
        cells = [row[0] for row in rows]
        rows = [cells[first : first + _ACROSS] for first in range(0, len(cells), _ACROSS)]
    text = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    wide = [sum(max(p.width, round(text.textlength(words))) + _GAP for words, p in row) for row in rows]
    width = max(wide) + _GAP
    height = len(rows) * (_HEIGHT + _WORDS + _GAP) + _GAP
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    for number, row in enumerate(rows):
        x, y = _GAP, _GAP + number * (_HEIGHT + _WORDS + _GAP)
        for words, picture in row:
            draw.text((x, y), words, fill="black")
            page.paste(picture, (x, y + _WORDS))
            x += max(picture.width, round(draw.textlength(words))) + _GAP
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _row(sample: Sample, true: Any, name: str) -> list[tuple[str, Image.Image]]:
    title = sample.source.name[-40:]
    if isinstance(true, TrueMask):
        values = quantize(torch.from_numpy(true.classes.astype(np.float32)), 8)
        right = Mask(values, sample.masks[name].labels)
        return [
            (title, _small(_rgb(sample))),
            ("right", _small(overlay(Page(sample, right, MaskParams())))),
            ("found", _small(overlay(Page(sample, sample.masks[name], MaskParams())))),
        ]
    if isinstance(true, TrueBoxes):
        found = sample.boxes[name].above(0.3).values.numpy()
        boxes = np.concatenate([true.boxes, true.classes[:, None]], 1)
        return [
            ("right: " + title, _boxed(sample, boxes)),
            ("found", _boxed(sample, found[:, [0, 1, 2, 3, 5]])),
        ]
    if isinstance(true, str):
        scores = sample.scores[name]
        best = int(scores.values.argmax())
        found_words = f"found {scores.labels[best]} {float(scores.values[best]):.2f}"
        return [(f"{true}; {found_words}"[:60], _small(_rgb(sample)))]
    pixels = quantize(to_float(true), 8).permute(1, 2, 0).numpy()
    return [("right: " + title, _small(pixels)), ("found", _small(_rgb(sample)))]


def _rgb(sample: Sample) -> np.ndarray:
    pixels = np.asarray(to_pixels(sample))
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)


def _boxed(sample: Sample, boxes: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(_rgb(sample)[..., :3]))
    draw = ImageDraw.Draw(image)
    line = max(1, round(min(image.size) / 200))
    for x0, y0, x1, y1, index in boxes.tolist():
        color = tuple(int(each) for each in COLORS[int(index) % len(COLORS)])
        draw.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=color, width=line)
    return _small(np.asarray(image))


def _small(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    width = max(1, min(3 * _HEIGHT, round(image.width * _HEIGHT / image.height)))
    return image.resize((width, _HEIGHT), Image.Resampling.LANCZOS)


def write_sheet(path: Path, shown: Sequence[tuple[Sample, Any]], name: str) -> None:
    """Write the sheet whole or not at all."""
    from imgai.runs.commit import commit

    content = sheet(shown, name)
    commit(path, lambda file: file.write(content))
