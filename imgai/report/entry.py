"""One picture of a report: the ways in which it is shown, packed into what JSON can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from imgai.kinds.views import View

DETAIL = 384
"""The side of the part that is shown at its full size, in pixels."""
_QUALITIES = (82, 65, 45, 25)
_SPEED = 2  # of WebP's encoder, from 0, the fastest, to 6
_PLACES = 5  # of a fraction


@dataclass(frozen=True, slots=True)
class Side:
    """One way to show a picture: as it was, after a step, as it should be.

    detail: a part of it at its full size, or None. dashed: frames are true ones. figures: how good this one is.
    legend: what colours mean, by their index.
    """

    title: str
    view: View = field(default_factory=View)
    detail: Image.Image | None = None
    dashed: bool = False
    figures: Mapping[str, float | None] = field(default_factory=dict)
    legend: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class Entry:
    """A picture in a report.

    sides: the first has the picture that the others' layers are laid over. images: WebP in base64, by the index of the
    side; ``0o`` is its layer, ``0d`` its detail.
    """

    about: dict[str, Any]
    images: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes that its pictures take in a file."""
        return sum(map(len, self.images.values()))


def packed(name: str, size: tuple[int, int], sides: Sequence[Side], limit: int, worst: float = 0.0) -> Entry:
    """An entry. size: width and height of the picture. limit: bytes of each image. worst: what is shown first."""
    images, rows = {}, []
    for index, side in enumerate(sides):
        view = side.view
        for ending, image in (("", view.image), ("o", view.over), ("d", side.detail)):
            if image is not None:
                images[f"{index}{ending}"] = base64.b64encode(webp(image, limit)).decode()
        rows.append(_without_nothing(_row(side)))
    about: dict[str, Any] = {"name": name, "size": list(size), "sides": rows, "worst": worst, "notes": []}
    about["empty"] = any(side.view.empty for side in sides)
    if (detail := next((side.detail for side in sides if side.detail is not None), None)) is not None:
        about["detail"] = detail.width / detail.height
    return Entry(about, images)


def _row(side: Side) -> dict[str, Any]:
    view = side.view
    return {
        "title": side.title,
        "alpha": view.image is not None and view.image.mode == "RGBA",
        "marks": [[*(round(place, _PLACES) for place in mark.box), mark.text, mark.color] for mark in view.marks],
        "labels": [[label, round(score, 4)] for label, score in view.labels],
        "facts": [list(fact) for fact in view.facts],
        "text": view.text,
        "dashed": side.dashed,
        "figures": dict(side.figures),
        "legend": [list(each) for each in side.legend],
    }


def _without_nothing(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value}


def webp(image: Image.Image, limit: int) -> bytes:
    """A picture as WebP of at most so many bytes: at a lower quality, then smaller, if need be."""
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.save(file, "WEBP", quality=quality, method=_SPEED, alpha_quality=quality)
            if file.tell() <= limit or max(image.size) <= 32:
                return file.getvalue()
        image = image.resize((max(1, image.width * 2 // 3), max(1, image.height * 2 // 3)), Image.Resampling.BOX)


def opened(text: str) -> Image.Image:
    """An image of an entry."""
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    image.load()
    return image
