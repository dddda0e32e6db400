"""The interface of outputs."""

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
"""The position of a part of an image: top, left, height and width as fractions of the image's sides."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """One loaded model and the options of its step.

    name: the key of the result in the sample.
    quantized: return images at the depth of their file, not in float.
    explain: the label to explain; "" for the best; None: no explanation. explain_by: the method.
    normalize: "auto", "none" or the ends of a range in the file's numbers, for a model that declares `normalize`.
    grow: pixels by which the mask grows if it is made of the transparent pixels.
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
    """The part of an image that a network with one input size sees.

    image: ``(1, 3, H, W)`` uint8, uint16 or float, on the device.
    small: ``(3, h, w)`` of the same dtype, the input of the network.
    top, left, height, width: the part of the image that `small` shows, in pixels; if `small` has letterbox bars, it
        extends beyond the image.
    """

    image: Tensor
    small: Tensor
    top: float
    left: float
    height: float
    width: float

    def without_bars(self, values: Tensor) -> Tensor:
        """Crop values for the network's input to the part without bars. Shape: ``(C, h, w)`` to ``(C, h', w')``."""
        rows = _inside(self.top, self.height, int(self.image.shape[-2]), int(values.shape[-2]))
        columns = _inside(self.left, self.width, int(self.image.shape[-1]), int(values.shape[-1]))
        return values[..., rows, columns]

    def on_image(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point from fractions of the network's input to fractions of the image's sides."""
        height, width = self.image.shape[-2:]
        return (self.left + x * self.width) / width, (self.top + y * self.height) / height


@dataclass(slots=True)
class Footprint:
    """An estimate of the memory that a page needs in a chain.

    height, width: the size of the image after the steps so far, in pixels.
    depth: bytes per channel of the image as read.
    size: the total in bytes so far.
    carried: bytes per pixel of results that are resized with the image (masks).
    """

    height: int
    width: int
    depth: int
    size: int
    carried: int = 0


class OutputType:
    """How the host processes the results of models; a subclass for each `Output`.

    A model's answer for a batch is checked (`problem`, `finite`), split into images and clamped (`parts`), mapped to
    the image (`whole` for a model with one input size, `kept` or `joined` for tiles) and added to the sample (`add`).
    """

    tiled: ClassVar[bool] = True
    """Whether models may omit `input_size`; the host then cuts tiles."""
    varies: ClassVar[bool] = False
    dense: ClassVar[bool] = True
    """Whether the model returns a value per pixel; overlapping tiles are then blended."""
    reduced: ClassVar[bool] = False
    """Whether an image may be decoded at a smaller size if nothing else needs its full size."""
    field: ClassVar[str] = ""
    """The field of a sample that holds the results of steps, by the name of the step; "" for its image."""
    bfloat16_levels: ClassVar[float] = 2.0
    """The mean difference that bfloat16 may make, in levels of 255, for models that declare it."""

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        """Return what is wrong with a model's answer for a batch, with advice; empty if nothing is.

        Shape: images ``(B, 3, h, w)``, before the model's preprocess.
        """
        raise NotImplementedError

    def finite(self, returned: Any) -> list[bool]:
        """Return for each image of the batch whether all values are finite."""
        if not returned.numel():
            return [True] * len(returned)
        each = tuple(range(1, returned.ndim))  # checking the extremes is a dozen times as fast as checking every value
        extremes = returned.amin(each).isfinite() & returned.amax(each).isfinite()
        finite: list[bool] = extremes.tolist()
        return finite

    def parts(self, returned: Any) -> Sequence[Any]:
        """Split the answer for a batch into images, and clamp values to the range of the output."""
        return list(returned)

    def passes(self, predictor: Predictor) -> bool:
        """Whether the model leaves every sample unchanged."""
        return False

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Any:
        """Map the answer of a model with one input size to the image."""
        return answer

    def kept(self, rows: Tensor, sample: Sample, step: StepContext) -> Tensor:
        """Convert blended rows of a dense output, ``(C, rows, W * scale)`` float, to the form kept in memory."""
        return rows

    def joined(self, answers: Sequence[tuple[Place, Any]], sample: Sample, step: StepContext) -> Any:
        """Join the answers for an image's tiles, for an output that is tiled but not dense."""
        raise NotImplementedError

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        """Return the sample with the result for the whole image."""
        raise NotImplementedError

    def carried(self, sample: Sample, name: str) -> Any:
        """Return the step's result in the sample; the sample itself if the result is its image."""
        return getattr(sample, self.field)[name] if self.field else sample

    def wavering(self, sample: Sample, variants: Sequence[tuple[Sample, tuple[int, ...]]], name: str) -> Sample:
        """Return the sample with an uncertainty map: how much the answers for its variants differ.

        variants: samples after the step of that name, with the axes along which they are mirrored.
        """
        raise NotImplementedError

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        """Resize the results of this output in a sample from one image size (H, W) to another."""
        return sample

    def sought(self, spec: StepSpec) -> Sequence[str]:
        """Return the classes that a step looks for, if its line names only those that were found."""
        return ()

    def weigh(self, page: Footprint, spec: StepSpec, *, last: bool) -> None:
        """Add the memory that a step needs to the estimate. last: it is the last step of the chain."""

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        """Return how a result for an image of the size (H, W) violates the output's definition; empty if it does not.

        For tests of plugins.
        """
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        """Return the elementwise difference of two results, as a fraction of the full range. For tests of plugins."""
        raise NotImplementedError

    def improper(self, model: Model, returned: Any) -> str:
        """Return what is wrong with unclamped values, with advice; empty if nothing is.

        The answer has passed `problem`. For tests of plugins.
        """
        return ""

    def reversed_channels(self, image: Tensor, returned: Any) -> bool:
        """Whether the answer is BGR instead of RGB. For tests of plugins.

        image: ``(1, 3, H, W)`` with uncorrelated channels.
        """
        return False

    def note(self, sample: Sample, name: str, counting: Counting) -> Any:
        """Return what the record needs from one page; small."""
        return None

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """Return the fields of the record, from the notes of all pages in order."""
        return {}


def _inside(start: float, length: float, side: int, count: int) -> slice:
    """Return which of `count` values along an axis are inside the image, whose side is `side` pixels.

    start, length: the interval that the values cover, in pixels of the image.
    """
    first = max(0, round(-start / length * count))
    return slice(first, min(count, max(first + 1, round((side - start) / length * count))))
