"""GIF through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "GIF")


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every frame, whole."""
    with pillow.opened(source, "GIF") as image:
        yield from pillow.pictures(image, "GIF", image.n_frames)  # type: ignore[attr-defined]


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write a picture or an animation. GIF knows no profile, and of all metadata a comment."""

    def options(picture: Picture) -> dict[str, Any]:
        comment = dict(picture.metadata.texts).get("Comment")
        return {"comment": comment.encode()} if comment else {}

    pillow.save(pictures, file, "GIF", options, to_image=_image, every={"disposal": 2})


def _image(picture: Picture) -> Image.Image:
    if picture.alpha is None:
        return Image.fromarray(np.ascontiguousarray(picture.pixels))
    # GIF knows colour that is there and colour that is not, and Pillow keeps that of RGBA alone.
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
    colors = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return Image.fromarray(np.dstack([colors, np.where(picture.alpha < 128, 0, 255).astype(np.uint8)]))
