"""A sample: one image with what was found in it and where it came from."""

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
    """Where a sample came from.

    path: the file; None for standard input.
    name: the path relative to the input that named it, with ``/``; mirrored below the output folder.
    page, pages: which page or frame of how many, from 0.
    """

    path: Path | None
    name: str
    page: int = 0
    pages: int = 1


@dataclass(frozen=True, slots=True)
class GivenMask:
    """Where a step works on a sample.

    values: ``(1, 1, H, W)`` bool, True where it works; follows the image's size.
    path: the file that it was read from; None: the image's transparent pixels, or a mask that is no file.
    """

    values: Tensor
    path: Path | None = None


@dataclass(slots=True)
class Sample:
    """One image with what was found in it and where it came from.

    image: (1, 3, H, W) RGB. uint8 or uint16 as read, or float32 in [0, 1] after a step. Often a view
        of one (H, W, 3) buffer, or of one (H, W) buffer repeated: do not write into it.
    alpha: (1, 1, H, W) of the same dtype as read, or None; follows the image's geometry.
    masks, scores, boxes, maps, data: what steps returned beside the image, by the name of the step.
    given: what steps are given beside the image, by the name of the step.
    target: (H, W) in pixels that the step under way brings the image to.
    range: the range of values that the pages use which share this one's scale; None where it was not looked for.
    ranges: by the name of the step, the range that was stretched for its network.
    edited: a step has changed the image; until then it is what the file holds, to the bit.
    passed: by the name of the step, the file that became the image of the next, where it is written too.
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
    """What takes a sample's place in a stream when it could not be read or predicted."""

    source: Source
    error: Exception
