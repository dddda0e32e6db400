"""IMAGE: a new image ``(B, 3, H * scale, W * scale)`` in [0, 1], which takes the place of the sample's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from imgai.images.depth import quantize
from imgai.images.resize import resize
from imgai.outputs.base import Footprint, OutputType, StepContext, View
from imgai.outputs.shape import not_a_tensor, not_floating, out_of_range, wrong_shape
from imgai.plugin import Model, Predictor, identity
from imgai.sample import Sample

if TYPE_CHECKING:
    from imgai.outputs.counting import Counting
    from imgai.predict.spec import StepSpec

_CHANNELS = 4  # three of the image, one of its alpha
_FLOAT = 4  # bytes
_OVERSHOOT = 0.4
"""The tolerance for values beyond [0, 1] before clamping; networks overshoot at sharp edges."""


class ImageOutput(OutputType):
    """The result replaces the image; alpha is resized with it."""

    bfloat16_levels: ClassVar[float] = 0.25

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        if not isinstance(returned, Tensor):
            return not_a_tensor(returned)
        count, _, height, width = images.shape
        shape = tuple(returned.shape)
        expected = (count, 3, height * model.scale, width * model.scale)
        if shape == expected:
            return ""
        advice = ""
        if len(shape) == 4 and shape[:2] == (count, 3) and shape[2] % height == 0:
            scale = shape[2] // height
            if scale and shape[3] == width * scale:
                advice = f"declare scale={scale}"
        return wrong_shape(shape, images, expected, advice)

    def parts(self, returned: Any) -> Sequence[Any]:
        return list(returned.clamp(0, 1))

    def passes(self, predictor: Predictor) -> bool:
        return predictor.network is identity

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Any:
        size = (sample.height * step.model.scale, sample.width * step.model.scale)
        return self.kept(resize(view.without_bars(answer)[None], size)[0], sample, step)

    def kept(self, rows: Tensor, sample: Sample, step: StepContext) -> Tensor:
        """As the base class; one channel for grey images, and the depth of the file if the step is the last."""
        rows = rows.mean(dim=0, keepdim=True) if sample.metadata.gray else rows
        return quantize(rows, sample.metadata.depth) if step.quantized else rows

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        alpha, size = sample.alpha, (int(result.shape[-2]), int(result.shape[-1]))
        if alpha is not None and tuple(alpha.shape[-2:]) != size:
            alpha = resize(alpha, size, mode="bicubic")
            alpha = quantize(alpha, sample.metadata.depth) if step.quantized else alpha
        return dataclasses.replace(sample, image=result.expand(3, -1, -1)[None], alpha=alpha, edited=True)

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        shape, expected = tuple(sample.image.shape), (1, 3, *(side * step.model.scale for side in size))
        if shape != expected:
            return f"its image is {shape}, not {expected}"
        inside = float(sample.image.min()) >= 0 and float(sample.image.max()) <= 1
        return "" if inside else "its image has values outside of 0 to 1"

    def improper(self, model: Model, returned: Any) -> str:
        return not_floating(returned) or out_of_range(returned, _OVERSHOOT)

    def reversed_channels(self, image: Tensor, returned: Any) -> bool:
        """Whether red correlates with blue of the input and vice versa, more than each with itself."""
        answer = resize(returned.float(), (int(image.shape[-2]), int(image.shape[-1])))
        both = torch.cat([image[0, :3], answer[0]]).flatten(1)
        alike = torch.corrcoef(both + torch.linspace(0, 1e-4, both.shape[1]))[:3, 3:]
        crossed, straight = torch.stack((alike[0, 2], alike[2, 0])), torch.stack((alike[0, 0], alike[2, 2]))
        return bool((crossed > 0.8).all() and (straight < 0.5).all())

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        return (one.image - other.image).abs()

    def note(self, sample: Sample, name: str, counting: Counting) -> dict[str, Any] | None:
        """For a step with a mask: the mask's file, and the fraction of the image that it covers."""
        mask = sample.given.get(name)
        if mask is None:
            return None
        return {"path": None if mask.path is None else str(mask.path), "part": float(mask.values.float().mean())}

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """As the base class; the fraction is the mean over all pages."""
        part = sum(note["part"] for note in notes) / len(notes)
        return {"mask": {"path": notes[0]["path"], "part": round(part, 6)}}

    def weigh(self, page: Footprint, spec: StepSpec, *, last: bool) -> None:
        """Add the new image in float, or at the depth of the file for the last step."""
        if spec.task.inputs:  # the mask, what is unknown, and a copy of the image without what is masked
            page.size += (2 + 3 * page.depth) * page.height * page.width
        each = _CHANNELS * (page.depth if last else _FLOAT)
        height, width, scale = page.height, page.width, spec.model.scale
        if spec.size is None:
            target = height * scale, width * scale
        else:
            factor = spec.size.factor(height, width)
            target = round(height * factor), round(width * factor)
            # What a network makes may be larger than what was asked for, and both are there while it is resized.
            larger = (model.scale for model in spec.models if model.scale >= factor)
            scale = min(larger, default=max(model.scale for model in spec.models)) if factor > 1 else 0
            page.size += each * target[0] * target[1]
        page.size += each * height * width * scale**2
        if target != (height, width):
            page.size += page.carried * target[0] * target[1]  # what earlier steps found follows
        page.height, page.width = target
