"""DATA: a JSON-able dict for each image. The image is unchanged."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from imgai.outputs.base import OutputType, StepContext, View
from imgai.plugin import Model

if TYPE_CHECKING:
    from torch import Tensor

    from imgai.outputs.counting import Counting
    from imgai.sample import Sample

Follow = Callable[[float, float], tuple[float, float]]
"""Maps a point to another coordinate system."""

_LONGEST = 200  # characters of a text in the record


@dataclass(slots=True)
class Data:
    """The result of a DATA step.

    value: JSON-able. ``box``, ``points`` and ``polygon`` in it, at any depth, are in pixels of the image.
    """

    value: dict[str, Any]


class DataOutput(OutputType):
    """A dict; coordinates in it are scaled when the image is resized."""

    tiled: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    field: ClassVar[str] = "data"

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        count = int(images.shape[0])
        if not isinstance(returned, (list, tuple)):
            return f"it returned {type(returned).__name__}, not a list of a dict for each image"
        if len(returned) != count:
            return f"it returned {len(returned)} dicts for {count} images"
        for each in returned:
            if not isinstance(each, dict):
                return f"it returned a list of {type(each).__name__}, not of dicts"
            try:
                json.dumps(each, allow_nan=False)
                followed(each, lambda x, y: (x, y))
            except (TypeError, ValueError) as error:
                return f"it returned what is not to be written as JSON: {error}"
        return ""

    def finite(self, returned: Any) -> list[bool]:
        return [True] * len(returned)  # `problem` has refused NaN

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Any:
        """Convert coordinates to fractions of the image."""
        return followed(answer, view.on_image)

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        height, width = sample.height, sample.width
        value = followed(result, lambda x, y: (min(max(x, 0.0), 1.0) * width, min(max(y, 0.0), 1.0) * height))
        return dataclasses.replace(sample, data={**sample.data, step.name: Data(value)})

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        down, across = after[0] / before[0], after[1] / before[1]
        data = {
            name: Data(followed(each.value, lambda x, y: (x * across, y * down))) for name, each in sample.data.items()
        }
        return dataclasses.replace(sample, data=data)

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        return ""  # `problem` and `add` have checked everything

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        """Return the relative difference of each number, and 1 for other values that are not equal."""
        return torch.tensor([0.0, *_differences(one.data[name].value, other.data[name].value)])

    def note(self, sample: Sample, name: str, counting: Counting) -> dict[str, Any]:
        """Return the texts and numbers at the top level of the dict."""
        short = {
            key: each[:_LONGEST] if isinstance(each, str) else each for key, each in sample.data[name].value.items()
        }
        return {key: each for key, each in short.items() if each is None or isinstance(each, (str, int, float, bool))}

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """``data``: texts and numbers; a list if there are several pages."""
        return {"data": notes[0] if len(notes) == 1 else list(notes)}


def followed(value: Any, follow: Follow) -> Any:
    """Return a copy with the coordinates of every ``box``, ``points`` and ``polygon`` mapped by `follow`.

    Raises ValueError if one is not a list of numbers, or of lists that begin with x and y.
    """
    if isinstance(value, dict):
        return {
            key: _PLACES[key](each, follow) if key in _PLACES else followed(each, follow) for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [followed(each, follow) for each in value]
    return value


def _box(box: Any, follow: Follow) -> list[float]:
    try:
        x0, y0, x1, y1 = (float(each) for each in box)
    except (TypeError, ValueError):
        raise ValueError(f"box is x0, y0, x1, y1, not {box!r}") from None
    return [*follow(x0, y0), *follow(x1, y1)]


def _points(points: Any, follow: Follow) -> list[list[Any]]:
    """Values after x and y (a score, for example) are kept."""
    try:
        return [[*follow(float(x), float(y)), *rest] for x, y, *rest in points]
    except (TypeError, ValueError):
        raise ValueError("points and polygon are lists of x, y") from None


_PLACES: dict[str, Callable[[Any, Follow], Any]] = {"box": _box, "points": _points, "polygon": _points}


def _differences(one: Any, other: Any) -> list[float]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [each for key in one for each in _differences(one[key], other[key])]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [each for pair in zip(one, other, strict=True) for each in _differences(*pair)]
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return [abs(one - other) / max(1.0, abs(one), abs(other))]
    return [0.0 if one == other else 1.0]
