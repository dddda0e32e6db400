"""The ``coco`` kind of masks: COCO's JSON of instance masks (https://cocodataset.org/#format-data).

Each annotation has the run-length encoding under ``segmentation``, which is exact and supported by every reader, and
the outlines of the object under ``polygons``. With ``--coco polygons`` the outer outlines are under
``segmentation``. ``number`` is the object number, the same as in the other kinds.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO

import numpy as np
from scipy import ndimage

from imgai.kinds.numbered import numbered
from imgai.plugin import Page


def render(page: Page) -> dict[str, Any]:
    """Return the size of one page and its objects; `merge` assigns ids."""
    return annotate(page)


def merge(fragments: Iterable[tuple[str, dict[str, Any]]], file: BinaryIO, params: object = None) -> None:
    """Write one COCO file for all pages, one at a time. fragments: page names with the results of `render`."""
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    assemble(fragments, text)
    text.flush()
    text.detach()


def annotate(page: Page) -> dict[str, Any]:
    """Return the size of one page and its objects, without the ids that `assemble` assigns."""
    sample, mask = page.sample, page.output
    objects: list[dict[str, Any]] = []
    for label, numbers, soft in numbered(page):
        for number, place in enumerate(ndimage.find_objects(numbers), start=1):
            if place is None:
                continue
            shape = numbers[place] == number
            top, left = place[0].start, place[1].start
            height, width = shape.shape
            area = int(np.count_nonzero(shape))
            about = {
                "category": label,
                "number": number,
                "bbox": [left, top, width, height],
                "area": area,
                "score": round(int((soft[place] * shape).sum(dtype=np.int64)) / area / 255, 4),
                "iscrowd": 0,
            }
            if page.params.coco == "polygons":
                # COCO's polygons are filled; they cannot express holes.
                objects.append(about | {"segmentation": polygons(solid(shape), top, left)})
                continue
            counts = rle(shape, top, left, sample.height, sample.width)
            objects.append(
                about
                | {
                    "segmentation": {"size": [sample.height, sample.width], "counts": counts},
                    "polygons": polygons(shape, top, left),
                }
            )
    return {"width": sample.width, "height": sample.height, "labels": list(mask.labels), "annotations": objects}


def assemble(fragments: Iterable[tuple[str, dict[str, Any]]], file: TextIO) -> None:
    """Write the text of one COCO file. fragments: file names with the results of `annotate`."""
    categories: dict[str, int] = {}
    images: list[str] = []
    file.write('{"info": {"description": "Made by imgai."},\n"annotations": [')
    number = 0
    for image_id, (name, fragment) in enumerate(fragments, start=1):
        images.append(
            json.dumps({"id": image_id, "file_name": name, "width": fragment["width"], "height": fragment["height"]})
        )
        for label in fragment["labels"]:
            categories.setdefault(label, len(categories) + 1)
        for annotation in fragment["annotations"]:
            number += 1
            rest = {key: value for key, value in annotation.items() if key != "category"}
            row = {"id": number, "image_id": image_id, "category_id": categories[annotation["category"]], **rest}
            file.write(("\n" if number == 1 else ",\n") + json.dumps(row))
    file.write('],\n"images": [\n' + ",\n".join(images) + "],\n")
    rows = [{"id": number, "name": label, "supercategory": ""} for label, number in categories.items()]
    file.write('"categories": ' + json.dumps(rows) + "}\n")


def solid(shape: np.ndarray) -> np.ndarray:
    """Fill holes, as `scipy.ndimage.binary_fill_holes` does in many passes. Shape: ``(h, w)`` bool, unchanged."""
    around = np.pad(~shape, 1, constant_values=True)
    return np.asarray(ndimage.label(around)[0][1:-1, 1:-1] != 1)


def rle(shape: np.ndarray, top: int, left: int, height: int, width: int) -> str:
    """Return COCO's compressed run-length encoding of an object in a picture of height by width.

    Runs are column-major and begin with the background. Shape: shape ``(h, w)`` bool, with its corner at top, left.
    """
    tall = shape.shape[0] + 2
    columns = np.zeros((shape.shape[1], tall), dtype=bool)  # so that every run begins and ends in its column
    columns[:, 1:-1] = shape.T
    flat = columns.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    if changes.size == 0:
        return _compressed([height * width])
    ends = (changes // tall + left) * height + changes % tall + top
    starts, stops = ends[::2], ends[1::2]
    # Columns that are full from the top of the picture to its bottom are one run.
    apart = starts[1:] != stops[:-1]
    starts, stops = starts[np.concatenate(([True], apart))], stops[np.concatenate((apart, [True]))]
    edges = np.empty(2 * starts.size + 1, dtype=np.int64)
    edges[0:-1:2], edges[1:-1:2], edges[-1] = starts, stops, height * width
    counts = np.diff(edges, prepend=0).tolist()
    # If the object contains the last pixel, no empty run follows.
    return _compressed(counts if counts[-1] else counts[:-1])


def _compressed(counts: list[int]) -> str:
    """Encode each count as the difference to the count two before it, 5 bits per character, least significant first."""
    letters: list[str] = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr((bits | 32 if more else bits) + 48))
    return "".join(letters)


def polygons(shape: np.ndarray, top: int, left: int) -> list[list[int]]:
    """Return the outlines of an object along pixel edges, including those of holes: x, y, x, y, ...

    Shape: ``(h, w)`` bool, with its corner at top, left.
    """
    padded = np.pad(shape, 1)
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # Border edges are directed, with the object on the right; y points downwards.
    for rows, columns, start, stop in _edges(padded):
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
            ends.setdefault((x + start[0], y + start[1]), []).append((x + stop[0], y + stop[1]))
    outlines = []
    while ends:
        outlines.append([c for x, y in _walk(ends) for c in (x + left - 1, y + top - 1)])
    return outlines


def _edges(padded: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int], tuple[int, int]]]:
    # Where neighbours differ, once for rows and once for columns; which of the two is in the object tells the side.
    width = padded.shape[1] - 2
    flat = padded[1:-1, 1:-1].ravel()
    across = np.flatnonzero(padded[:-1, 1:-1] != padded[1:, 1:-1])  # between a pixel and the one above
    along = np.flatnonzero(padded[1:-1, :-1] != padded[1:-1, 1:])  # between a pixel and the one to its left
    below, right = across[across >= width] - width, along - along // (width + 1)
    above = across[across < flat.size]
    left = right[along % (width + 1) < width]
    right = right[along % (width + 1) > 0] - 1
    for places, start, stop in (
        (above, (1, 1), (2, 1)),  # above: left to right
        (right, (2, 1), (2, 2)),  # right: downwards
        (below, (2, 2), (1, 2)),  # below: right to left
        (left, (1, 2), (1, 1)),  # left: upwards
    ):
        inside = places[flat[places]]
        yield inside // width, inside % width, start, stop


def _walk(ends: dict[tuple[int, int], list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Follow the edges from any corner until the outline closes, and keep the corners where it turns."""
    first = next(iter(ends))
    corners: list[tuple[int, int]] = []
    at, heading = first, (0, 0)
    while True:
        following = ends[at]
        # Where two parts touch at a corner, turn right, which keeps them separate.
        right = (at[0] - heading[1], at[1] + heading[0])
        then = following.pop(following.index(right) if right in following else 0)
        if not following:
            del ends[at]
        turned = (then[0] - at[0], then[1] - at[1])
        if turned != heading:
            corners.append(at)
        at, heading = then, turned
        if at == first:
            return corners
