"""SCORES: a number for each of K labels ``(B, K)`` summing to 1, kept beside the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from imgai.outputs.base import OutputType, StepContext, View
from imgai.outputs.shape import not_a_tensor, not_floating, wrong_shape
from imgai.plugin import Model

if TYPE_CHECKING:
    from torch import Tensor

    from imgai.outputs.counting import Counting
    from imgai.sample import Sample

KEPT = 20
"""The number of labels in a record, which is the maximum of --top."""


@dataclass(slots=True)
class Scores:
    """The result of a SCORES step.

    values: ``(K,)`` float32 summing to 1, on the CPU; labels: K names.
    ids: the labels' names in a vocabulary, K, or None.
    heat: a saliency map for the label `explained`, ``(y, x)`` float32 in [0, 1], for the part of the image that the
        network saw: `seen` is its top, left, height and width in pixels.
    """

    values: Tensor
    labels: tuple[str, ...]
    ids: tuple[str, ...] | None = None
    heat: Tensor | None = None
    explained: int = 0
    seen: tuple[int, int, int, int] | None = None


class ScoresOutput(OutputType):
    """A vector of scores, which does not depend on the size of the image."""

    field: ClassVar[str] = "scores"
    tiled: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    reduced: ClassVar[bool] = True

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        import torch

        if not isinstance(returned, torch.Tensor):
            return not_a_tensor(returned)
        count = images.shape[0]
        shape = tuple(returned.shape)
        expected = (count, len(model.labels or ()) or (shape[1] if len(shape) == 2 else 0))
        if shape == expected:
            return ""
        advice = f"declare {shape[1]} labels" if len(shape) == 2 and shape[0] == count else ""
        return wrong_shape(shape, images, expected, advice)

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Scores:
        import torch

        model = step.model
        values = answer.to("cpu", torch.float32, copy=True)  # a view would keep the whole batch in memory
        scores = Scores(values, model.labels or (), model.label_ids)
        return scores if step.explain is None else _explained(scores, view, step)

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        return dataclasses.replace(sample, scores={**sample.scores, step.name: result})

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        values, count = sample.scores[step.name].values, len(step.model.labels or ())
        if tuple(values.shape) != (count,):
            return f"its scores are {tuple(values.shape)}, not {(count,)}"
        if float(values.min()) < 0 or abs(float(values.sum()) - 1) >= 1e-3:
            return f"its scores go down to {float(values.min()):.3g} and sum to {float(values.sum()):.3g}, not 1"
        return ""

    def improper(self, model: Model, returned: Any) -> str:
        if words := not_floating(returned):
            return words.replace(" in [0, 1]", "").replace("divide by 255", "call .float()")
        low, sums = float(returned.min()), returned.float().sum(1)
        if low < 0 or float((sums - 1).abs().max()) > 1e-3:
            return f"its scores go down to {low:.3g} and sum to {float(sums[0]):.3g}, not 1; return x.softmax(dim=1)"
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        return (one.scores[name].values - other.scores[name].values).abs()

    def note(self, sample: Sample, name: str, counting: Counting) -> Scores:
        """The scores, without the heat map."""
        return dataclasses.replace(sample.scores[name], heat=None)

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """``scores``: the best labels."""
        return {"scores": best(notes)}


def best(pages: Sequence[Scores]) -> dict[str, float]:
    """Return the labels with the highest scores, highest first, using the mean over pages."""
    if not pages:
        return {}
    import torch

    mean = torch.stack([scores.values for scores in pages]).mean(0)
    values, indices = mean.topk(min(KEPT, len(mean)))
    labels = pages[0].labels
    return {labels[index]: round(value, 6) for value, index in zip(values.tolist(), indices.tolist(), strict=True)}


def _explained(scores: Scores, view: View, step: StepContext) -> Scores:
    """Add the saliency map for a label."""
    from imgai.outputs.explain import heat

    index = scores.labels.index(step.explain) if step.explain else int(scores.values.argmax())
    seen = (int(view.top), int(view.left), int(view.height), int(view.width))
    return dataclasses.replace(scores, heat=heat(step, view.small[None], index), explained=index, seen=seen)
