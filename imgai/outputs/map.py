"""MAP: ``(B, 1, H, W)``, a value of any range for each pixel. The image is unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.outputs.base import Footprint, OutputType, StepContext, View
from imgai.outputs.shape import not_a_tensor, not_floating, wrong_shape
from imgai.plugin import Model

if TYPE_CHECKING:
    from imgai.outputs.counting import Counting
    from imgai.predict.spec import StepSpec
    from imgai.sample import Sample

_FAR = 50
"""If the largest value is this many times smaller than the declared range, the unit is wrong. For tests."""
_FLOAT = 4  # bytes


@dataclass(slots=True)
class Map:
    """The result of a MAP step, at the size of the image.

    values: ``(1, H, W)`` float32 on the CPU.
    unit: the unit of the values ("m"); None: relative.
    range: the smallest and the largest possible value; None: unknown.
    """

    values: Tensor
    unit: str | None = None
    range: tuple[float, float] | None = None


class MapOutput(OutputType):
    """Stored in float32 and resized with the image; values are not rescaled."""

    field: ClassVar[str] = "maps"

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        if not isinstance(returned, Tensor):
            return not_a_tensor(returned)
        expected, shape = (images.shape[0], 1, *images.shape[-2:]), tuple(returned.shape)
        if shape == expected:
            return ""
        advice = "a map has one channel: several are a mask, or several models" if shape[2:] == expected[2:] else ""
        return wrong_shape(shape, images, expected, advice)

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Tensor:
        size = (sample.height, sample.width)
        return self.kept(_interpolated(view.without_bars(answer), size), sample, step)

    def kept(self, rows: Tensor, sample: Sample, step: StepContext) -> Tensor:
        return rows.to("cpu", torch.float32, copy=True)

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        map_ = Map(result, step.model.unit, step.model.range)
        return dataclasses.replace(sample, maps={**sample.maps, step.name: map_})

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        maps = {
            name: dataclasses.replace(each, values=_interpolated(each.values, after))
            for name, each in sample.maps.items()
        }
        return dataclasses.replace(sample, maps=maps)

    def weigh(self, page: Footprint, spec: StepSpec, *, last: bool) -> None:
        page.carried += _FLOAT
        page.size += _FLOAT * page.height * page.width

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        values, declared = sample.maps[step.name].values, step.model.range
        if tuple(values.shape) != (1, *size):
            return f"its map is {tuple(values.shape)}, not {(1, *size)}"
        if declared is None:
            return ""
        low, high = float(values.min()), float(values.max())
        slack = 1e-3 * (declared[1] - declared[0])
        if declared[0] - slack <= low and high <= declared[1] + slack:
            return ""
        return f"its values go from {low:.4g} to {high:.4g}; declare range=({low:.3g}, {high:.3g}) or leave it out"

    def improper(self, model: Model, returned: Any) -> str:
        if words := not_floating(returned).replace(" in [0, 1]", "").replace("divide by 255", "call .float()"):
            return words
        if model.range is None:
            return ""
        low, high = float(returned.min()), float(returned.max())
        least, largest = model.range
        if low < high and max(abs(low), abs(high)) * _FAR < max(abs(least), abs(largest)):
            unit = f" in {model.unit}" if model.unit else ""
            words = f"its values go from {low:.3g} to {high:.3g}, and range={model.range} is declared"
            return f"{words}; return them{unit}, or declare another range"
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        """As the base class, relative to the declared range, or to that of the values."""
        mine, theirs = one.maps[name].values, other.maps[name].values
        low, high = one.maps[name].range or (float(theirs.min()), float(theirs.max()))
        return (mine - theirs).abs() / max(high - low, 1e-6)

    def note(self, sample: Sample, name: str, counting: Counting) -> dict[str, Any]:
        """Return the minimum, the maximum and the mean."""
        map_ = sample.maps[name]
        values = map_.values
        numbers = {"minimum": float(values.min()), "maximum": float(values.max()), "mean": float(values.mean())}
        return {**numbers, "unit": map_.unit}

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """``map``: the minimum, the maximum and the mean of all pages, and the unit."""
        numbers = {
            "minimum": min(note["minimum"] for note in notes),
            "maximum": max(note["maximum"] for note in notes),
            "mean": sum(note["mean"] for note in notes) / len(notes),
        }
        line: dict[str, Any] = {name: float(f"{value:.6g}") for name, value in numbers.items()}
        return {"map": line if notes[0]["unit"] is None else {**line, "unit": notes[0]["unit"]}}


def _interpolated(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Shape: ``(1, h, w)`` to ``(1, *size)``."""
    if tuple(values.shape[-2:]) == size:
        return values
    return F.interpolate(values[None], size, mode="bilinear", antialias=True)[0]
