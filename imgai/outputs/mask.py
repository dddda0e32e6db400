"""MASK: ``(B, K + auxiliary, H, W)`` in [0, 1] for K classes. The image is unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import quantize
from imgai.images.upsample import upsample
from imgai.outputs.base import Footprint, OutputType, StepContext, View
from imgai.outputs.counting import Counting, areas_of, selected, surely
from imgai.outputs.shape import not_a_tensor, not_floating, wrong_shape
from imgai.plugin import Model
from imgai.sample import Sample

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec

_HEAT = 768
"""The longer side of an uncertainty map in pixels."""
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(slots=True)
class Mask:
    """The result of a MASK step, at the size of the image.

    values: ``(K + auxiliary, H, W)`` uint8 on the CPU; 255 is 1.0.
    labels: the names of the K classes.
    instances: the model's `Predictor.instances`, which separates touching objects; None: connected components.
    heat: a saliency map for the class `explained`, or an uncertainty map, ``(y, x)`` float32 in [0, 1], for the whole
        image.
    """

    values: Tensor
    labels: tuple[str, ...]
    instances: Callable[[np.ndarray, float], np.ndarray] | None = None
    heat: Tensor | None = None
    explained: int = 0
    _numbered: dict[Counting, list[tuple[str, np.ndarray]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> tuple[Any, ...]:
        """Leave out the object numbers, which are larger than the mask and can be computed from it."""
        return self.values, self.labels, self.instances, self.heat, self.explained

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.values, self.labels, self.instances, self.heat, self.explained = state
        self._numbered = {}

    def inside(self, index: int, threshold: float) -> np.ndarray:
        """Return where a class is at or above the threshold. Shape: ``(H, W)`` bool.

        With several classes a pixel may belong to more than one.
        """
        # A value of 0 is never inside, so that a threshold of 0 means any value above 0.
        return np.asarray(self.values[index].numpy() >= max(1, round(threshold * 255)))

    def objects(self, threshold: float, min_size: int = 0, exclude_edges: bool = False) -> list[tuple[str, np.ndarray]]:
        """Return the name and the objects of each class, numbered from 1; 0 is the background.

        A model with `Predictor.instances` gives a single map, under the name of its first class. Otherwise objects are
        8-connected components. The result is cached and shared by all kinds: do not write into it.

        min_size: leave out objects with fewer pixels; 0: leave out specks that the model is not sure of (see `surely`);
        1: leave out none. exclude_edges: leave out objects that touch an edge of the image.

        Shape: ``(H, W)`` int32 each.
        """
        counting = Counting(threshold, min_size, exclude_edges)
        if counting not in self._numbered:
            plain = Counting(threshold, min(min_size, 1))
            if plain not in self._numbered:
                self._numbered[plain] = self._all_objects(threshold, specks=min_size > 0)
            if counting != plain:
                self._numbered[counting] = [
                    (label, selected(numbers, counting)) for label, numbers in self._numbered[plain]
                ]
        return self._numbered[counting]

    def _all_objects(self, threshold: float, *, specks: bool) -> list[tuple[str, np.ndarray]]:
        if self.instances is not None:
            maps = self.values.numpy().astype(np.float32) / 255
            return [(self.labels[0], np.asarray(self.instances(maps, threshold), dtype=np.int32))]
        from scipy import ndimage

        objects = []
        for index, label in enumerate(self.labels):
            numbers = ndimage.label(self.inside(index, threshold), _EIGHT_NEIGHBOURS, output=np.int32)[0]
            numbers = np.asarray(numbers) if specks else surely(np.asarray(numbers), self.values[index].numpy())
            objects.append((label, numbers))
        return objects

    def areas(self, threshold: float) -> dict[str, float]:
        """Return the fraction of the image that each class covers, 0 to 1."""
        return {label: round(float(self.inside(index, threshold).mean()), 6) for index, label in enumerate(self.labels)}


def _largest(numbers: np.ndarray) -> int:
    return int(numbers.max(initial=0))


def _distinct(numbers: np.ndarray) -> int:
    return int((areas_of(numbers)[1:] > 0).sum())


class MaskOutput(OutputType):
    """Stored in 8 bits on the CPU, row by row as tiles are finished."""

    field: ClassVar[str] = "masks"
    varies: ClassVar[bool] = True

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        if not isinstance(returned, Tensor):
            return not_a_tensor(returned)
        count, _, height, width = images.shape
        shape = tuple(returned.shape)
        expected = (count, len(model.labels or ()) + model.auxiliary, height, width)
        if shape == expected:
            return ""
        advice = ""
        if len(shape) == 4 and shape[2:] == (height, width):
            advice = f"declare labels and auxiliary for {shape[1]} channels together"
        elif len(shape) == 2 and shape[0] == count:
            advice = f"declare {shape[1]} labels"
        return wrong_shape(shape, images, expected, advice)

    def parts(self, returned: Any) -> Sequence[Any]:
        return list(returned.clamp(0, 1))

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Any:
        values = upsample(view.without_bars(answer), view.without_bars(view.small), view.image)
        return values if step.explain is None else _explained(values, answer, view, step)

    def kept(self, rows: Tensor, sample: Sample, step: StepContext) -> Tensor:
        return quantize(rows, 8).cpu()

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        values, heat, explained = result if isinstance(result, tuple) else (result, None, 0)
        mask = Mask(values.cpu(), step.model.labels or (), step.predictor.instances, heat, explained)
        return dataclasses.replace(sample, masks={**sample.masks, step.name: mask})

    def wavering(self, sample: Sample, variants: Sequence[tuple[Sample, tuple[int, ...]]], name: str) -> Sample:
        mask = sample.masks[name]
        count, factor = len(mask.labels), min(1.0, _HEAT / max(sample.height, sample.width))
        size = max(1, round(sample.height * factor)), max(1, round(sample.width * factor))
        found = [
            F.interpolate(
                each.masks[name].values[None, :count].flip(axes).float(), size, mode="bilinear", antialias=True
            )
            for each, axes in [(sample, ()), *variants]
        ]
        spread = torch.cat(found).std(0, correction=0).amax(0) / 127.5
        return dataclasses.replace(
            sample, masks={**sample.masks, name: dataclasses.replace(mask, heat=spread.clamp(0, 1))}
        )

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        masks = {}
        for name, mask in sample.masks.items():
            values = F.interpolate(mask.values[None], after, mode="bilinear", antialias=True)[0]
            masks[name] = dataclasses.replace(mask, values=values)
        return dataclasses.replace(sample, masks=masks)

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        channels = len(step.model.labels or ()) + step.model.auxiliary
        shape = tuple(sample.masks[step.name].values.shape)
        return "" if shape == (channels, *size) else f"its mask is {shape}, not {(channels, *size)}"

    def improper(self, model: Model, returned: Any) -> str:
        if words := not_floating(returned):
            return words
        low, high = float(returned.min()), float(returned.max())
        if low < -1e-3 or high > 1 + 1e-3:
            return (
                f"its values go from {low:.3g} to {high:.3g}, where 0 to 1 is due; are they logits? return x.sigmoid()"
            )
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        return (one.masks[name].values.float() - other.masks[name].values.float()).abs() / 255

    def weigh(self, page: Footprint, spec: StepSpec, *, last: bool) -> None:
        channels = len(spec.model.labels or ()) + spec.model.auxiliary
        page.carried += channels
        page.size += channels * page.height * page.width

    def note(self, sample: Sample, name: str, counting: Counting) -> dict[str, Any]:
        """Return the area of each class, and the number of objects if a kind numbers them anyway."""
        mask = sample.masks[name]
        areas = {"classes": mask.areas(counting.threshold)}
        if not counting.numbered:
            return areas
        objects = mask.objects(counting.threshold, counting.min_size, counting.exclude_edges)
        # Numbers assigned by a model may have gaps.
        count = _largest if mask.instances is None else _distinct
        return areas | {"objects": {label: count(numbers) for label, numbers in objects}}

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """``classes``: the area of each class, the mean over pages. ``objects``: their number, the sum over pages."""
        by_label: dict[str, list[float]] = {}
        total: dict[str, int] = {}
        for note in notes:
            for label, area in note["classes"].items():
                by_label.setdefault(label, []).append(area)
            for label, count in note.get("objects", {}).items():
                total[label] = total.get(label, 0) + count
        line: dict[str, Any] = {
            "classes": {label: round(sum(areas) / len(areas), 6) for label, areas in by_label.items()}
        }
        if any("objects" in note for note in notes):
            line["objects"] = {label: count for label, count in total.items() if count}
        return line


def _explained(values: Tensor, answer: Tensor, view: View, step: StepContext) -> tuple[Tensor, Tensor, int]:
    """Add the saliency map of the requested class, or of the class that covers the largest area."""
    from imgai.outputs.explain import heat

    labels = step.model.labels or ()
    index = labels.index(step.explain) if step.explain else int(answer[: len(labels)].mean((1, 2)).argmax())
    return values, view.without_bars(heat(step, view.small[None], index)[None])[0], index
