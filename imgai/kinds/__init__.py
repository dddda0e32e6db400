"""The declarations of the host's kinds. Each kind is implemented in a file of its own.

Nothing heavy may be imported here, because commands read these declarations.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgai.errors import UsageError
from imgai.images.formats import format_of_suffix, writable
from imgai.plugin import BoxesParams, Kind, MaskParams, Output, hookimpl, param

CUTOUT_FORMATS = ("png", "jpeg", "webp", "tiff")


def _metadata() -> Any:
    return param(
        "all",
        "Metadata to write: all; rights (creator, copyright, terms of use; no place, no camera); none.",
        choices=("all", "rights", "none"),
    )


@dataclass(frozen=True, slots=True)
class ImageParams:
    """The options of images. None: the format of the input, and the default quality of the format."""

    format: str | None = param(None, "Format of the pictures written.")
    quality: int | None = param(None, "Quality of JPEG, WebP and AVIF.", minimum=1, maximum=100)
    metadata: str = _metadata()

    def __post_init__(self) -> None:
        if self.format is not None and format_of_suffix(self.format) not in writable():
            raise UsageError(f"--format cannot be {self.format!r}", f"it is one of {', '.join(writable()).lower()}")


@dataclass(frozen=True, slots=True)
class CutoutParams(MaskParams):
    """The options of ``cutout``. min_area: None drops parts under 0.01 that the model is not sure of."""

    alpha: str = param(
        "clean",
        "clean: decide uncertain areas away from the edge, keep the edge soft; soft: the mask as it is.",
        choices=("clean", "soft", "hard"),
    )
    islands: str = param(
        "all", "Keep all parts, only the largest, or main: those of at least a tenth of the largest.",
        choices=("all", "largest", "main"),
    )  # fmt: skip
    min_area: float | None = param(
        None, "Drop parts and fill holes smaller than this fraction of the largest part.", minimum=0, maximum=1
    )
    background: str = param(
        "transparent",
        "The background: transparent, a colour (white, #f4f4f4), blur (the blurred picture) or the path of a picture.",
        metavar="COLOUR|blur|FILE",
    )
    crop: bool = param(False, "Crop to the subject.")
    margin: float = param(
        0.05, "Margin around the subject with --crop, as a fraction of its longer side.", minimum=0, maximum=0.45
    )
    canvas: str | None = param(None, "Fit every cut-out into a canvas of this size in pixels.", metavar="WIDTHxHEIGHT")
    gravity: str = param("center", "Position on the canvas.", choices=("center", "top", "bottom", "left", "right"))
    shadow: bool = param(False, "Draw a soft shadow below.")
    format: str | None = param(None, "Format of the cut-outs; default: PNG.", choices=CUTOUT_FORMATS)
    quality: int | None = param(None, "Quality of JPEG and WebP.", minimum=1, maximum=100)
    metadata: str = _metadata()

    def __post_init__(self) -> None:
        if self.canvas is not None:
            canvas_of(self.canvas)
        if self.format == "jpeg" and self.background == "transparent":
            raise UsageError("a JPEG holds no transparency", "add --background white, or leave out --format jpeg")
        for path in self.files.values():
            if not Path(path).is_file():
                words = f"--background {path} is no colour, and there is no such file"
                raise UsageError(words, "it is transparent, blur, a colour as white or #f4f4f4, or a picture")

    @property
    def files(self) -> dict[str, str]:
        """Files named by the values, whose content is part of the digest."""
        named = self.background not in ("transparent", "blur") and not is_color(self.background)
        return {"background": self.background} if named else {}


def canvas_of(text: str) -> tuple[int, int]:
    """Parse ``2000x1500`` as width and height; a single number is used for both. Raises UsageError."""
    parts = text.lower().replace("×", "x").split("x")
    sides = [int(part) for part in parts if part.strip().isdecimal() and len(part) < 7]
    sides = sides * 2 if len(parts) == 1 else sides
    if len(sides) != 2 or not all(0 < side <= 65_535 for side in sides) or sides[0] * sides[1] > 200_000_000:
        raise UsageError(f"--canvas cannot be {text!r}", "it is a width and a height in pixels, as in 2000x2000")
    return sides[0], sides[1]


def is_color(text: str) -> bool:
    """Whether a text is a colour: a CSS name, or ``#f4f4f4``."""
    if re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text):
        return True
    if not re.fullmatch(r"[A-Za-z]+", text):
        return False
    from PIL import ImageColor

    return text.lower() in ImageColor.colormap


@dataclass(frozen=True, slots=True)
class ObjectsParams(MaskParams):
    """The options of kinds that number the objects of a mask."""

    min_size: int = param(
        0, "Leave out objects of fewer pixels; 0: specks that the model is not sure of; 1: none.", minimum=0
    )
    exclude_edges: bool = param(False, "Leave out objects that touch an edge of the picture.")


@dataclass(frozen=True, slots=True)
class PageParams(MaskParams):
    """The options of pages in black and white."""

    dewarp: bool = param(False, "Find the sheet of paper, correct its perspective and crop to it.")
    crop_page: bool = param(False, "Crop to the sheet of paper.")
    deskew: bool = param(False, "Rotate the page so that its lines are level.")


@dataclass(frozen=True, slots=True)
class InkParams(PageParams):
    """The options of ``ink``."""

    ink: str = param("tiff", "Format of pages in black and white.", choices=("tiff", "png", "pdf"))


@dataclass(frozen=True, slots=True)
class LabelsParams(ObjectsParams):
    """The options of ``labels``."""

    labels: str = param("png", "Format of the label images.", choices=("png", "tiff"))


@dataclass(frozen=True, slots=True)
class CocoParams(ObjectsParams):
    """The options of ``coco`` of masks."""

    coco: str = param("rle", "Encoding of shapes: exact run lengths, or outer outlines.", choices=("rle", "polygons"))


def _excel() -> Any:
    return param(False, "Begin the table with a byte order mark, so that Excel reads it as UTF-8.")


def _pixel_size() -> Any:
    return param(None, "Size of a pixel in micrometres; default: as stated in the file.")


@dataclass(frozen=True, slots=True)
class TableParams(ObjectsParams):
    """The options of tables of the objects of a mask. pixel_size: micrometres."""

    pixel_size: float | None = _pixel_size()
    excel: bool = _excel()

    def __post_init__(self) -> None:
        _check_pixel_size(self.pixel_size)


def _check_pixel_size(size: float | None) -> None:
    if size is not None and not 0 < size < math.inf:
        raise UsageError(f"--pixel-size cannot be {size:g}", "it takes a number of micrometres above 0")


@dataclass(frozen=True, slots=True)
class CountedParams(BoxesParams):
    """The options of kinds of boxes: which boxes are counted."""

    min_size: int = param(0, "Leave out boxes with an area of fewer pixels.", minimum=0)
    exclude_edges: bool = param(False, "Leave out boxes that touch an edge of the picture.")


@dataclass(frozen=True, slots=True)
class BoxesTableParams(CountedParams):
    """The options of tables of boxes. pixel_size: micrometres."""

    pixel_size: float | None = _pixel_size()
    excel: bool = _excel()

    def __post_init__(self) -> None:
        _check_pixel_size(self.pixel_size)


@dataclass(frozen=True, slots=True)
class YoloParams(CountedParams):
    """The options of ``yolo``."""

    yolo_scores: bool = param(False, "Add the score as a sixth number of each line.")


@dataclass(frozen=True, slots=True)
class CropsParams(CountedParams):
    """The options of ``crops``."""

    crops_margin: float = param(0.0, "Margin around each box, as a fraction of its sides.", minimum=0, maximum=1)


@dataclass(frozen=True, slots=True)
class ColorParams:
    """The options of ``color``."""

    color_map: str = param("viridis", "The colours.", choices=("viridis", "plasma", "cividis", "turbo"))


@dataclass(frozen=True, slots=True)
class HeatParams:
    """The options of ``heat`` of masks."""

    explain: str | None = param(
        None, "Show evidence for a class (gradcam) or where the mask is unstable.", choices=("gradcam", "uncertainty")
    )
    explain_label: str | None = param(None, "Explain this class instead of the largest.", metavar="LABEL")


IMAGE = (
    Kind(
        name="image",
        of=Output.IMAGE,
        summary="The picture, in the format of the input unless --format is given.",
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
        summary="The soft mask, an 8-bit PNG for each class.",
        render="imgai.kinds.mask:render",
        files="labels",
        params=MaskParams,
    ),
    Kind(
        name="binary",
        of=Output.MASK,
        summary="The thresholded mask, a PNG for each class.",
        render="imgai.kinds.binary:render",
        files="labels",
        params=MaskParams,
    ),
    Kind(
        name="cutout",
        of=Output.MASK,
        summary="The picture with the mask as alpha; background colour is removed from the edge.",
        render="imgai.kinds.cutout:render",
        suffixes=(".png", ".jpg", ".webp", ".tif"),
        params=CutoutParams,
        passes=True,
        revision=2,
    ),
    Kind(
        name="overlay",
        of=Output.MASK,
        summary="The picture with each class tinted and outlined.",
        render="imgai.kinds.overlay:render",
        suffixes=(".jpg", ".png"),
        params=ObjectsParams,
        revision=2,
    ),
    Kind(
        name="labels",
        of=Output.MASK,
        summary="Objects numbered from 1 in a 16-bit PNG or TIFF.",
        render="imgai.kinds.labels:render",
        files="labels",
        suffixes=(".png", ".tif"),
        params=LabelsParams,
        revision=3,
    ),
    Kind(
        name="coco",
        of=Output.MASK,
        summary="One coco.json for all inputs, with the outline and run lengths of every object.",
        render="imgai.kinds.coco:render",
        suffixes=(".json",),
        once="run",
        merge="imgai.kinds.coco:merge",
        params=CocoParams,
        revision=3,
    ),
    Kind(
        name="csv",
        of=Output.MASK,
        summary="One counts.csv for all inputs: the number of objects of each class and the area they cover.",
        render="imgai.kinds.counts:render",
        suffixes=(".csv",),
        once="run",
        stem="counts",
        merge="imgai.kinds.counts:merge",
        params=TableParams,
        revision=2,
    ),
    Kind(
        name="objects",
        of=Output.MASK,
        summary="One objects.csv for all inputs: a row for each object with its measures.",
        render="imgai.kinds.measured:render",
        suffixes=(".csv",),
        once="run",
        merge="imgai.kinds.measured:merge",
        params=TableParams,
        revision=2,
    ),
    Kind(
        name="ink",
        of=Output.MASK,
        summary="Black on white in 1 bit: a TIFF in Group 4, with all pages of the input.",
        render="imgai.kinds.ink:render",
        suffixes=(".tif", ".png", ".pdf"),
        once="input",
        params=InkParams,
    ),
    Kind(
        name="pdf",
        of=Output.MASK,
        summary="One pages.pdf for all inputs, black on white: a page for each picture.",
        render="imgai.kinds.ink:fragment",
        suffixes=(".pdf",),
        once="run",
        stem="pages",
        merge="imgai.kinds.ink:merge",
        params=PageParams,
    ),
    Kind(
        name="rois",
        of=Output.MASK,
        summary="The outlines of the objects as ImageJ regions, a zip file for each picture.",
        render="imgai.kinds.rois:render",
        suffixes=(".zip",),
        once="input",
        params=ObjectsParams,
        revision=2,
    ),
    Kind(
        name="heat",
        of=Output.MASK,
        summary="A heat map over the grey picture: evidence for the class, or where the mask is unstable.",
        render="imgai.kinds.heat:render",
        suffixes=(".jpg",),
        params=HeatParams,
    ),
)

BOXES = (
    Kind(
        name="json",
        of=Output.BOXES,
        summary="A JSON file for each picture: labels, scores and boxes in pixels.",
        render="imgai.kinds.boxes_json:render",
        suffixes=(".json",),
        params=CountedParams,
    ),
    Kind(
        name="coco",
        of=Output.BOXES,
        summary="One coco.json for all inputs.",
        render="imgai.kinds.boxes_coco:render",
        suffixes=(".json",),
        once="run",
        merge="imgai.kinds.boxes_coco:merge",
        params=CountedParams,
    ),
    Kind(
        name="yolo",
        of=Output.BOXES,
        summary="A text file for each picture with a line for each object, and classes.txt.",
        render="imgai.kinds.yolo:render",
        suffixes=(".txt",),
        shared=("classes.txt",),
        params=YoloParams,
    ),
    Kind(
        name="overlay",
        of=Output.BOXES,
        summary="The picture with a frame, the label and the score of each object.",
        render="imgai.kinds.boxes_overlay:render",
        suffixes=(".jpg", ".png"),
        params=CountedParams,
    ),
    Kind(
        name="crops",
        of=Output.BOXES,
        summary="The part of the picture in each box, a PNG for each object.",
        render="imgai.kinds.crops:render",
        files="found",
        params=CropsParams,
    ),
    Kind(
        name="csv",
        of=Output.BOXES,
        summary="One counts.csv for all inputs: the number of objects of each class and the area they cover.",
        render="imgai.kinds.counts:render_boxes",
        suffixes=(".csv",),
        once="run",
        stem="counts",
        merge="imgai.kinds.counts:merge",
        params=BoxesTableParams,
    ),
    Kind(
        name="objects",
        of=Output.BOXES,
        summary="One objects.csv for all inputs: a row for each object with its measures.",
        render="imgai.kinds.measured:render_boxes",
        suffixes=(".csv",),
        once="run",
        merge="imgai.kinds.measured:merge",
        params=BoxesTableParams,
    ),
)

MAP = (
    Kind(
        name="tiff",
        of=Output.MAP,
        summary="The values as a 32-bit float TIFF.",
        render="imgai.kinds.tiff:render",
        suffixes=(".tif", ".tiff"),
    ),
    Kind(
        name="png16",
        of=Output.MAP,
        summary="The values as a 16-bit PNG; scale and offset are in the record.",
        render="imgai.kinds.png16:render",
    ),
    Kind(
        name="color",
        of=Output.MAP,
        summary="The values in false colour.",
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
        summary="A text file for each picture: its text, or a line for each entry.",
        render="imgai.kinds.text:render",
        suffixes=(".txt",),
    ),
)

SCORES = (
    Kind(
        name="heat",
        of=Output.SCORES,
        summary="A heat map over the grey picture: evidence for its label.",
        render="imgai.kinds.heat:render",
        suffixes=(".jpg",),
    ),
)


@hookimpl
def imgai_register_kinds() -> tuple[Kind, ...]:
    """Return the kinds of every output, the default kind first."""
    return (*IMAGE, *MASK, *SCORES, *BOXES, *MAP, *DATA)
