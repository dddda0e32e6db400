"""Arrays of uint8 or uint16: (H, W) is grey, (H, W, 3) is RGB, (H, W, 2) and (H, W, 4) have alpha."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from imgai.plugin import Header, Metadata, Picture, UnsupportedError


def probe(source: Path | bytes) -> Header:
    """The size, from the header alone: an array of a terabyte is refused before a byte of it is read."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    if (
        dtype not in (np.uint8, np.uint16)
        or len(shape) not in (2, 3)
        or (len(shape) == 3 and shape[2] not in (2, 3, 4))
    ):
        raise UnsupportedError(f"an array of {dtype} {shape} is no picture", "save (H, W) or (H, W, 3) as uint8")
    return Header(width=shape[1], height=shape[0])


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The one picture of the file."""
    values = np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False)
    alpha = None
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values, alpha = values[..., :-1], values[..., -1]
        values = values[..., 0] if values.shape[2] == 1 else values
    yield Picture(values, alpha, Metadata("NPY", depth=8 * values.dtype.itemsize, gray=values.ndim == 2))


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write the one picture."""
    picture = next(pictures)
    whole = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    np.save(file, whole, allow_pickle=False)
