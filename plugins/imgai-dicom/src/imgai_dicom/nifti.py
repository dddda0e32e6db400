"""NIfTI volumes, slice by slice, and masks as volumes of the same geometry (https://nifti.nimh.nih.gov/nifti-1).

A page is one slice along the third axis, of a series one of each frame in turn, its first axis to the right and its
second downwards, as the file has them: nothing is flipped, so that what is written lies where it was read. The header
goes along as text, and tells what is written its spacing and orientation.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np
from numpy.typing import NDArray

from imgai.plugin import Header, Metadata, Page, Picture, Rendered, UnsupportedError

KEY = "NIfTI"
"""The key of the text that holds the header of the volume."""
_WHITE = 65535
_MICROMETRES = {"meter": 1e6, "mm": 1e3, "micron": 1.0}
_SECOND = b"n+2\0"


def probe(source: Path | bytes) -> Header:
    """Return the size of a slice and the number of slices of all frames."""
    shape = _shape(_opened(source))
    return Header(shape[0], shape[1], pages=int(np.prod(shape[2:], dtype=int)))


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every slice: grey through the window of the file with 16 bits, colour as it is.

    The window is cal_min to cal_max of the header; where it states none, the range of all slices together, so that one
    value is one grey in all of them. What is no number is black.
    """
    image = _opened(source)
    shape, header = _shape(image), image.header
    text = base64.b64encode(header.binaryblock).decode("ascii")
    colored = bool(header.get_data_dtype().names)
    low, high = (0.0, 1.0) if colored else _window(image, shape)
    size = _spacing(header)
    for index in _slices(shape):
        values = np.asarray(image.dataobj[(slice(None), slice(None), *index[: len(image.shape) - 2])])
        if colored:
            pixels = np.stack([values[name].T for name in ("R", "G", "B")], axis=-1)
        else:
            finite = np.nan_to_num(values.T.astype(np.float64), nan=low, posinf=high, neginf=low)
            pixels = (np.clip((finite - low) / (high - low), 0, 1) * _WHITE + 0.5).astype(np.uint16)
        yield Picture(
            np.ascontiguousarray(pixels),
            None,
            Metadata(
                "NIFTI",
                depth=8 if colored else 16,
                gray=not colored,
                texts=((KEY, text),),
                dpi=None if size is None else (25400 / size[0], 25400 / size[1]),
                pixel_size=size,
                values=None if colored else (low, high),
            ),
        )


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """One volume of all pages, in the values of the volume that they were read from."""
    pages = list(pictures)
    first = pages[0].metadata
    colored = pages[0].pixels.ndim == 3
    if colored:
        kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        planes = [_eight(page.pixels) for page in pages]
        stored = [np.ascontiguousarray(plane).view(kind)[..., 0].T for plane in planes]
    else:
        stored = [page.pixels.T for page in pages]
    image = _volume(stored, first.texts)
    if not colored:
        largest = np.iinfo(pages[0].pixels.dtype).max
        low, high = first.values or (0.0, float(largest))
        image.header.set_slope_inter((high - low) / largest, low)
        image.header["cal_min"], image.header["cal_max"] = low, high
    file.write(image.to_bytes())


def render(pages: Iterable[Page]) -> Iterator[Rendered]:
    """The masks of all slices as one volume: 0 the background, then the number of the class, the surest of them."""
    numbers: list[NDArray[np.uint8]] = []
    texts: tuple[tuple[str, str], ...] = ()
    for page in pages:
        values, labels = page.output.values, page.output.labels
        inside = np.stack([page.output.inside(index, page.params.threshold) for index in range(len(labels))])
        surest = values[: len(labels)].numpy().argmax(axis=0) + 1
        numbers.append(np.where(inside.any(axis=0), surest, 0).astype(np.uint8).T)
        texts = texts or page.sample.metadata.texts
    image = _volume(numbers, texts)
    image.header["cal_min"], image.header["cal_max"] = 0, max(int(each.max()) for each in numbers)
    yield Rendered(image.to_bytes(), ".nii", notes=() if dict(texts).get(KEY) else ("without spacing and orientation",))


def _volume(slices: Sequence[NDArray[Any]], texts: Sequence[tuple[str, str]]) -> Any:
    """A volume of slices ``(W, H)`` with the geometry that the header among the texts tells."""
    stack = np.stack(slices, axis=2)
    known = _header(texts)
    if known is None:
        return nibabel.Nifti1Image(stack, np.eye(4))
    shape = tuple(known.get_data_shape())
    sides = stack.shape[0] / shape[0], stack.shape[1] / shape[1]
    affine = known.get_best_affine() @ np.diag([1 / sides[0], 1 / sides[1], 1, 1])
    count = int(np.prod(shape[2:], dtype=int))
    if count == len(slices) and len(shape) > 3:
        # Slices come frame by frame: the frames are the last axes of what is stored.
        stack = stack.reshape(*stack.shape[:2], *shape[3:][::-1], shape[2])
        stack = stack.transpose(0, 1, stack.ndim - 1, *range(stack.ndim - 2, 1, -1))
    kind: Any = nibabel.Nifti2Image if isinstance(known, nibabel.Nifti2Header) else nibabel.Nifti1Image
    image = kind(stack, affine)
    image.header.set_xyzt_units(*known.get_xyzt_units())
    steps = list(known.get_zooms())[3 : stack.ndim]
    image.header.set_zooms((*image.header.get_zooms()[:3], *steps, *[1.0] * (stack.ndim - 3 - len(steps))))
    return image


def _header(texts: Sequence[tuple[str, str]]) -> Any:
    """The header among the texts of a picture; None if there is none that can be read."""
    block = dict(texts).get(KEY)
    if block is None:
        return None
    try:
        content = base64.b64decode(block, validate=True)
        kind: Any = nibabel.Nifti2Header if len(content) == 540 else nibabel.Nifti1Header
        return kind(content)
    except Exception:  # a text of that name that somebody else wrote
        return None


def _opened(source: Path | bytes) -> Any:
    if isinstance(source, Path) and source.name.endswith((".nii", ".nii.gz")):
        return nibabel.load(source)
    content = source if isinstance(source, bytes) else source.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    kind: Any = nibabel.Nifti2Image if content[4:8] == _SECOND else nibabel.Nifti1Image
    return kind.from_bytes(content)


def _shape(image: Any) -> tuple[int, ...]:
    shape = tuple(int(side) for side in image.shape)
    kind = image.header.get_data_dtype()
    if len(shape) < 2 or min(shape) < 1 or kind.kind == "c":
        raise UnsupportedError(f"a NIfTI file of {kind} and the shape {shape} holds no pictures")
    return (*shape, 1) if len(shape) == 2 else shape


def _slices(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The index of every slice: frame by frame, the slices of one frame in order."""
    for frame in product(*(range(count) for count in reversed(shape[3:]))):
        for number in range(shape[2]):
            yield (number, *reversed(frame))


def _window(image: Any, shape: tuple[int, ...]) -> tuple[float, float]:
    """The values that become black and white."""
    low, high = float(image.header["cal_min"]), float(image.header["cal_max"])
    if high > low:
        return low, high
    ends: list[float] = []
    for index in _slices(shape):
        values = np.asarray(image.dataobj[(slice(None), slice(None), *index[: len(image.shape) - 2])])
        finite = values[np.isfinite(values)]
        if finite.size:
            ends += [float(finite.min()), float(finite.max())]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return (low, high) if high > low else (low, low + 1)


def _spacing(header: Any) -> tuple[float, float] | None:
    """Micrometres of a pixel, across and down."""
    factor = _MICROMETRES.get(header.get_xyzt_units()[0], 1e3)  # where nothing is said, it is millimetres
    zooms = [float(zoom) * factor for zoom in header.get_zooms()[:2]]
    return (zooms[0], zooms[1]) if min(zooms) > 0 else None


def _eight(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return pixels if pixels.dtype == np.uint8 else (pixels // 257).astype(np.uint8)
