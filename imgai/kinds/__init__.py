"""The host's kinds: how what a step returned is written. Declared here; each is made in its own file.

Nothing heavy is imported here: the command line reads these declarations at every start.
"""

from __future__ import annotations

from dataclasses import dataclass

from imgai.errors import UsageError
from imgai.images.formats import format_of_suffix, writable
from imgai.plugin import BoxesParams, Kind, MaskParams, Output, hookimpl, param


@dataclass(frozen=True, slots=True)
class ImageParams:
    """The options of images. None: the input's format, and the format's usual quality."""

    format: str | None = param(None, "Format of the pictures written.")
    quality: int | None = param(None, "For JPEG, WebP and AVIF.", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        if self.format is not None and format_of_suffix(self.format) not in writable():
            raise UsageError(f"--format cannot be {self.format!r}", f"it is one of {', '.join(writable()).lower()}")


@dataclass(frozen=True, slots=True)
class YoloParams(BoxesParams):
    """The options of ``yolo``."""

    yolo_scores: bool = param(False, "Add the score as a sixth number of each line.")


@dataclass(frozen=True, slots=True)
class CropsParams(BoxesParams):
    """The options of ``crops``."""

    crops_margin: float = param(0.0, "Margin around each box, as a part of its sides.", minimum=0, maximum=1)


@dataclass(frozen=True, slots=True)
class ColorParams:
    """The options of ``color``."""

    color_map: str = param("viridis", "The colours.", choices=("viridis", "plasma", "cividis", "turbo"))


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

BOXES = (
    Kind(
        name="json",
        of=Output.BOXES,
        summary="A JSON file for each picture: labels, scores and boxes in pixels.",
        render="imgai.kinds.boxes_json:render",
        suffixes=(".json",),
        params=BoxesParams,
    ),
    Kind(
        name="coco",
        of=Output.BOXES,
        summary="One coco.json of all inputs.",
        render="imgai.kinds.boxes_coco:render",
        suffixes=(".json",),
        once="run",
        merge="imgai.kinds.boxes_coco:merge",
        params=BoxesParams,
    ),
    Kind(
        name="yolo",
        of=Output.BOXES,
        summary="A text for each picture with a line for each object, and classes.txt.",
        render="imgai.kinds.yolo:render",
        suffixes=(".txt",),
        params=YoloParams,
    ),
    Kind(
        name="overlay",
        of=Output.BOXES,
        summary="The picture with a frame, the label and the score of each object.",
        render="imgai.kinds.boxes_overlay:render",
        suffixes=(".jpg", ".png"),
        params=BoxesParams,
    ),
    Kind(
        name="crops",
        of=Output.BOXES,
        summary="The part of the picture in each box, a PNG for each object.",
        render="imgai.kinds.crops:render",
        params=CropsParams,
    ),
)

MAP = (
    Kind(
        name="tiff",
        of=Output.MAP,
        summary="The values in 32-bit float, a TIFF.",
        render="imgai.kinds.tiff:render",
        suffixes=(".tif", ".tiff"),
    ),
    Kind(
        name="png16",
        of=Output.MAP,
        summary="The values in 16-bit levels, a PNG; scale and offset are in the record.",
        render="imgai.kinds.png16:render",
    ),
    Kind(
        name="color",
        of=Output.MAP,
        summary="The values in colour, for people to look at.",
        render="imgai.kinds.color:render",
        suffixes=(".png", ".jpg"),
        params=ColorParams,
    ),
)

DATA = (
    Kind(
        name="json",
        of=Output.DATA,
        summary="A JSON file for each picture.",
        render="imgai.kinds.data_json:render",
        suffixes=(".json",),
    ),
    Kind(
        name="text",
        of=Output.DATA,
        summary="A text for each picture: its text, or a line for each entry.",
        render="imgai.kinds.text:render",
        suffixes=(".txt",),
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
    return (*IMAGE, *MASK, *SCORES, *BOXES, *MAP, *DATA)
