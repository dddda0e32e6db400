"""A sample: one image, the results of the steps so far, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imgai.plugin import Metadata as Metadata

if TYPE_CHECKING:
    from torch import Tensor

    from imgai.images.range import Range
    from imgai.outputs.boxes import Boxes
    from imgai.outputs.data import Data
    from imgai.outputs.map import Map
    from imgai.outputs.mask import Mask
    from imgai.outputs.scores import Scores
    from imgai.plugin import Rendered


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a sample.

    path: the file; None for standard input.
    name: the path relative to the folder given as input, with ``/``; outputs get the same path in the output folder.
    page, pages: index of the page or frame, from 0, and their number.
    """

    path: Path | None
    name: str
    page: int = 0
    pages: int = 1


@dataclass(frozen=True, slots=True)
class GivenMask:
    """The mask that a step is given with a sample.

    values: ``(1, 1, H, W)`` bool, True where the step works; resized together with the image.
    path: the file that it was read from; None if it was made of the image's transparent pixels or given as an array.
    """

    values: Tensor
    path: Path | None = None


@dataclass(slots=True)
class Sample:
    """One image, the results of the steps so far, and where it came from.

    image: (1, 3, H, W) RGB. uint8 or uint16 as read, or float32 in [0, 1] after a step. It is often a view of an
        (H, W, 3) buffer, or an (H, W) buffer repeated three times, so do not write into it.
    alpha: (1, 1, H, W) with the dtype that was read, or None; resized together with the image.
    masks, scores, boxes, maps, data: results of steps, by the name of the step.
    given: masks that steps are given, by the name of the step.
    target: (H, W) in pixels, the size that the current step brings the image to.
    range: the range of values used by the pages that share this page's scale; None if it was not determined.
    ranges: the range that was stretched for a step's network, by the name of the step.
    edited: whether a step has changed the image; if not, it equals the file to the bit.
    passed: the file that became the image of the next step, by the name of the step, if it is also written.
    """

    image: Tensor
    source: Source
    metadata: Metadata
    alpha: Tensor | None = None
    masks: dict[str, Mask] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    boxes: dict[str, Boxes] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    range: Range | None = None
    ranges: dict[str, Range] = field(default_factory=dict)
    given: dict[str, GivenMask] = field(default_factory=dict)
    target: tuple[int, int] | None = None
    edited: bool = False
    passed: dict[str, Rendered] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return int(self.image.shape[-2])

    @property
    def width(self) -> int:
        return int(self.image.shape[-1])


@dataclass(frozen=True, slots=True)
class Failure:
    """Takes the place of a sample in a stream if the sample could not be read or predicted."""

    source: Source
    error: Exception
