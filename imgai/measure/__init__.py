"""Measures of outputs, one file per output: call `update` for each image, then `compute`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from imgai.plugin import Output

if TYPE_CHECKING:
    from imgai.measure.figures import Figures

MEASURES = {
    Output.SCORES: "imgai.measure.scores:ScoresMeasure",
    Output.MASK: "imgai.measure.mask:MaskMeasure",
    Output.IMAGE: "imgai.measure.image:ImageMeasure",
    Output.BOXES: "imgai.measure.boxes:BoxesMeasure",
}
"""The measure of each output, imported on first use."""


class Measure(Protocol):
    """Compares a model's results with the ground truth.

    found: what a sample carries of the step: `Scores`, `Mask`, `Boxes`, or the sample itself of an image.
    true: the class of SCORES by name, a `TrueMask`, a `TrueBoxes`, or the pixels ``(3, H, W)`` of IMAGE, in sRGB.

    alone: of the figures of one image, that by which models are compared. rank: that by which images are put in order.
    More is better.
    """

    alone: ClassVar[str]
    rank: ClassVar[str]

    def update(self, predicted: Any, true: Any) -> dict[str, float | None]:
        """Add one image. Returns its figures by name; None if a figure is undefined."""

    def compute(self) -> Figures:
        """Return the figures over all images so far."""


def measure_of(
    output: Output, labels: tuple[str, ...] = (), *, threshold: float = 0.5, border: int = 0, masked: str = ""
) -> Measure:
    """A new measure. labels: the names of the model's classes. threshold: masks and boxes count from it.

    border: of pictures, the pixels at each edge that do not count. masked: the name of a step that works in a mask, of
    which the masked pixels alone count.

    Raises KeyError for an output that nothing measures.
    """
    module, _, name = MEASURES[output].partition(":")
    more: dict[str, Any] = {**({"border": border} if border else {}), **({"masked": masked} if masked else {})}
    measure: Measure = getattr(importlib.import_module(module), name)(labels, threshold, **more)
    return measure
