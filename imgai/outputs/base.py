"""What the host asks of every output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from imgai.outputs.counting import Counting
    from imgai.plugin import Model, Predictor
    from imgai.predict.spec import StepSpec
    from imgai.sample import Sample

Place = tuple[float, float, float, float]
"""Where a part of an image lies: top, left, height and width as fractions of the image's sides."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """The step that predicts: one loaded model and what was asked of it.

    name: what the sample carries the result under.
    quantized: an image is given back at the depth of its file, not in float.
    explain: the label to show where the image speaks for; "" for the best; None shows nothing. explain_by: how.
    normalize: "auto", "none" or the ends of a range in the file's numbers, for a model that declares `normalize`.
    grow: pixels by which the transparent pixels grow, where they are the mask.
    """

    model: Model
    predictor: Predictor
    name: str
    quantized: bool = False
    explain: str | None = None
    explain_by: str = "gradcam"
    normalize: str | tuple[float, float] = "auto"
    grow: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a network with one input size saw of an image.

    image: ``(1, 3, H, W)`` uint8, uint16 or float, on the device.
    small: ``(3, h, w)`` of the same dtype, what the network was given.
    top, left, height, width: the part of the image that `small` shows, in pixels; where `small` has bars, that
        part reaches beyond the image.
    """

    image: Tensor
    small: Tensor
    top: float
    left: float
    height: float
    width: float

    def without_bars(self, values: Tensor) -> Tensor:
        """What lies on the image, of values for all that the network saw. Shape: ``(C, h, w)`` to ``(C, h', w')``."""
        rows = _inside(self.top, self.height, int(self.image.shape[-2]), int(values.shape[-2]))
        columns = _inside(self.left, self.width, int(self.image.shape[-1]), int(values.shape[-1]))
        return values[..., rows, columns]

    def on_image(self, x: float, y: float) -> tuple[float, float]:
        """A point as fractions of the image's sides, from fractions of what the network saw."""
        height, width = self.image.shape[-2:]
        return (self.left + x * self.width) / width, (self.top + y * self.height) / height


@dataclass(slots=True)
class Footprint:
    """The bytes that a page takes on its way through a chain.

    height, width: of its image after the steps so far, in pixels.
    depth: bytes a channel of the image as read.
    size: bytes in all, so far.
    carried: bytes a pixel of what follows the image's size (masks).
    """

    height: int
    width: int
    depth: int
    size: int
    carried: int = 0


class OutputType:
    """What the host does with what a model returns; a subclass for each `Output`.

    A model's answer to a batch is checked (`problem`, `finite`), split into images and bounded (`parts`), brought to
    the image (`whole` for a model with one input size, `kept` or `joined` for tiles) and added to the sample (`add`).
    """

    tiled: ClassVar[bool] = True
    """Whether a model may leave out `input_size`; the host then cuts tiles."""
    varies: ClassVar[bool] = False
    dense: ClassVar[bool] = True
    """Whether the model returns a value for each pixel; overlapping tiles are then blended."""
    reduced: ClassVar[bool] = False
    """Whether an image may be decoded smaller, if the model sees a small part of its pixels and nothing else does."""
    field: ClassVar[str] = ""
    """The field of a sample that holds the results of steps, by the name of the step; "" for its image."""
    bfloat16_levels: ClassVar[float] = 2.0
    """By how many levels of 255 bfloat16 may change an answer on average, for models that declare it."""

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        """What is wrong with a model's answer to a batch, with what to declare; empty if nothing is.

        Shape: images ``(B, 3, h, w)``, before the model's preprocess.
        """
        raise NotImplementedError

    def finite(self, returned: Any) -> list[bool]:
        """For each image of the batch whether all of its values are finite."""
        if not returned.numel():
            return [True] * len(returned)
        each = tuple(range(1, returned.ndim))  # NaN and infinities are extremes: a dozen times as fast as every value
        extremes = returned.amin(each).isfinite() & returned.amax(each).isfinite()
        finite: list[bool] = extremes.tolist()
        return finite

    def parts(self, returned: Any) -> Sequence[Any]:
        """The answer to each image of a batch, within the range that the output promises."""
        return list(returned)

    def passes(self, predictor: Predictor) -> bool:
        """Whether the model leaves every sample as it is."""
        return False

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Any:
        """The answer of a model with one input size, at the size of the image."""
        return answer

    def kept(self, rows: Tensor, sample: Sample, step: StepContext) -> Tensor:
        """Blended rows of a dense output ``(C, rows, W * scale)`` float as they are held in memory."""
        return rows

    def joined(self, answers: Sequence[tuple[Place, Any]], sample: Sample, step: StepContext) -> Any:
        """The answers to an image's tiles as one, for an output that is not dense and is tiled."""
        raise NotImplementedError

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        """The sample with the result, of the whole image."""
        raise NotImplementedError

    def carried(self, sample: Sample, name: str) -> Any:
        """What the sample carries of the step of that name: the sample itself where its image is the result."""
        return getattr(sample, self.field)[name] if self.field else sample

    def wavering(self, sample: Sample, variants: Sequence[tuple[Sample, tuple[int, ...]]], name: str) -> Sample:
        """The sample with a map of how much the answers to its variants differ, where `varies` is true.

        variants: samples after the step of that name, with the axes that they are mirrored along.
        """
        raise NotImplementedError

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        """The sample with its results of this output brought from one size (H, W) of the image to another."""
        return sample

    def weigh(self, page: Footprint, spec: StepSpec, *, last: bool) -> None:
        """Add the bytes that a step takes to those of the page. last: of the chain."""

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        """How a result breaks what its output promises, of an image that was of the size (H, W); empty if it does not.

        For tests of plugins.
        """
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        """How far two results of a step lie apart, number by number; 1 is all of the range. For tests of plugins."""
        raise NotImplementedError

    def improper(self, model: Model, returned: Any) -> str:
        """What is wrong with the numbers of an answer before they are bounded, and what to do; empty if nothing is.

        Of an answer that `problem` has nothing against. For tests of plugins.
        """
        return ""

    def reversed_channels(self, image: Tensor, returned: Any) -> bool:
        """Whether the answer has its channels in reverse, blue first. For tests of plugins.

        image: ``(1, 3, H, W)``, whose channels have little in common.
        """
        return False

    def note(self, sample: Sample, name: str, counting: Counting) -> Any:
        """What the record needs of one page, small."""
        return None

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """The fields of the record, from the notes of all pages in order."""
        return {}


def _inside(start: float, length: float, side: int, count: int) -> slice:
    """Which of `count` values along an axis lie on the image, whose side is `side` pixels.

    start, length: the part of the axis that the values cover, in pixels of the image.
    """
    first = max(0, round(-start / length * count))
    return slice(first, min(count, max(first + 1, round((side - start) / length * count))))
