"""The host's kinds: how what a step returned is written. Declared here; each is made in its own file.

Nothing heavy is imported here: the command line reads these declarations at every start.
"""

from __future__ import annotations

from dataclasses import dataclass

from imgai.errors import UsageError
from imgai.images.formats import format_of_suffix, writable
from imgai.plugin import Kind, MaskParams, Output, hookimpl, param


@dataclass(frozen=True, slots=True)
class ImageParams:
    """The options of images. None: the input's format, and the format's usual quality."""

    format: str | None = param(None, "Format of the pictures written.")
    quality: int | None = param(None, "For JPEG, WebP and AVIF.", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        if self.format is not None and format_of_suffix(self.format) not in writable():
            raise UsageError(f"--format cannot be {self.format!r}", f"it is one of {', '.join(writable()).lower()}")


IMAGE = (
    Kind(
        name="image",
        of=Output.IMAGE,
        summary="The picture, in the input's format unless another is asked for.",
        render="imgai.kinds.image:render",
        suffixes=("*",),
        once="input",
        params=ImageParams,
    ),
)

MASK = (
    Kind(
        name="mask",
        of=Output.MASK,
        summary="The mask in 256 levels, a PNG for each class.",
        render="imgai.kinds.mask:render",
        params=MaskParams,
    ),
    Kind(
        name="binary",
        of=Output.MASK,
        summary="Black and white, a PNG for each class.",
        render="imgai.kinds.binary:render",
        params=MaskParams,
    ),
    Kind(
        name="cutout",
        of=Output.MASK,
        summary="The picture with the mask as its alpha, edge colours cleaned of the background.",
        render="imgai.kinds.cutout:render",
        params=MaskParams,
        passes=True,
    ),
    Kind(
        name="overlay",
        of=Output.MASK,
        summary="The picture with each class tinted and outlined.",
        render="imgai.kinds.overlay:render",
        suffixes=(".jpg", ".png"),
        params=MaskParams,
    ),
    Kind(
        name="labels",
        of=Output.MASK,
        summary="Objects numbered from 1 in a 16-bit PNG.",
        render="imgai.kinds.labels:render",
        suffixes=(".png", ".tif"),
        params=MaskParams,
    ),
    Kind(
        name="coco",
        of=Output.MASK,
        summary="One coco.json of all inputs, with outlines and run lengths of every object.",
        render="imgai.kinds.coco:render",
        suffixes=(".json",),
        once="run",
        merge="imgai.kinds.coco:merge",
        params=MaskParams,
    ),
)

SCORES = (
    Kind(
        name="heat",
        of=Output.SCORES,
        summary="The picture in grey, and in colour where it speaks for its label.",
        render="imgai.kinds.heat:render",
        suffixes=(".jpg",),
    ),
)


@hookimpl
def imgai_register_kinds() -> tuple[Kind, ...]:
    """The kinds of every output, the usual one first."""
    return (*IMAGE, *MASK, *SCORES)
