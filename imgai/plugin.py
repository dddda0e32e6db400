"""What the author of a plugin imports, and all that one needs of the host.

A plugin declares *tasks* (what to do to an image), *models* (named ways to do it), *kinds* (ways to write what a
model returns) and *formats* (ways in which files hold pictures), and registers each through its hook. Declarations
hold strings and numbers only: a model names the function that loads it as ``"package.module:function"``, and the host
imports it when the model is used. This module never imports torch, and neither may the module that declares.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import pluggy

from imgai.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np
    import torch
    from torch import Tensor

    from imgai.sample import Sample

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "BoxesParams",
    "Channel",
    "Format",
    "Header",
    "Kind",
    "LoadContext",
    "MaskParams",
    "Metadata",
    "Model",
    "NoParams",
    "Output",
    "Page",
    "Param",
    "Picture",
    "Predictor",
    "Rendered",
    "Task",
    "TrainContext",
    "TrainParams",
    "Trainable",
    "UnsupportedError",
    "UsageError",
    "Weights",
    "hookimpl",
    "identity",
    "param",
    "take_over",
]

API_VERSION = 1
ENTRY_POINT_GROUP = f"imgai.plugins.v{API_VERSION}"

hookimpl = pluggy.HookimplMarker("imgai")
"""Mark a function of a plugin as the implementation of one of the hooks in `imgai.hookspecs`."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MODEL_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Output(Enum):
    """What a task's models return; it decides what the host does with it."""

    IMAGE = "image"
    """``(B, 3, H * scale, W * scale)`` in [0, 1]; becomes the image of the next step."""
    MASK = "mask"
    """``(B, K, H, W)`` in [0, 1], K classes; kept beside the image."""
    SCORES = "scores"
    """``(B, K)`` summing to 1; kept beside the image."""
    BOXES = "boxes"
    """``(B, M, 6)``: x0, y0, x1, y1 as fractions of what the network saw (bars and padding included), a score in
    [0, 1] and the index of a class; rows with score 0 fill up. Overlapping boxes of one object are the model's to
    remove; the host removes those that two tiles both found. Kept beside the image."""
    MAP = "map"
    """``(B, 1, H, W)`` of any range, a value for each pixel (`Model.unit`, `Model.range`); kept beside the image."""
    DATA = "data"
    """A list of B dicts of what JSON can hold. ``box`` (x0, y0, x1, y1), ``points`` and ``polygon`` (lists of x, y)
    in them, at any depth, hold fractions of what the network saw. The model declares `input_size` and is never tiled.
    Kept beside the image."""


@dataclass(frozen=True, slots=True)
class Param:
    """How one field of a params dataclass is offered to people; made by `param`."""

    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    metavar: str | None = None
    weighted: bool = False
    file: bool = False
    selects: bool = False


def param(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] | None = None,
    metavar: str | None = None,
    weighted: bool = False,
    file: bool = False,
    selects: bool = False,
) -> Any:
    """Declare a field of a params dataclass.

    The field's annotation (``bool``, ``int``, ``float``, ``str``, one of these ``| None``, or ``tuple[str, ...]``:
    an option that may be given several times, or once with commas) is its type; its name with dashes is the option.

    minimum, maximum: inclusive.
    weighted: each of several texts may end in a colon and a number of at least 0, its weight: ``a:0.7``. The choices
        are without it.
    file: the text is the path of a file that must be there; what is in it is a part of the settings.
    selects: of a model's own params: who gives it and names no model means this model.
    """
    about = Param(
        help=help,
        minimum=minimum,
        maximum=maximum,
        choices=None if choices is None else tuple(choices),
        metavar=metavar,
        weighted=weighted,
        file=file,
        selects=selects,
    )
    return field(default=default, metadata={"imgai": about})


@dataclass(frozen=True, slots=True)
class NoParams:
    """The params of a task or model that has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What to do to an image: a sub-command of ``imgai``.

    name: lower-case words joined by dashes; the sub-command.
    summary: one line for ``--help``.
    default_model: the name of the model, or of the family, that is used unless another is asked for.
    output: what the models of this task return.
    params: a frozen dataclass whose fields are made by `param`; the sub-command's options.
    examples: commands that ``--help`` ends with, about three.
    """

    name: str
    summary: str
    default_model: str
    output: Output
    params: type[Any] = NoParams
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name("task", self.name)
        _check_params(f"task {self.name}", self.params)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """A file of trained parameters, with what a user must be able to know about it.

    file: ``"package:path/inside.safetensors"`` for a file that the plugin ships, or an
        ``https://`` address, fetched once and checked. A file of the user's own is a ``file://`` address.
    sha256: lower-case hex digest of the file.
    size: bytes.
    license: SPDX identifier of the weights.
    data: the collections the model was trained on.
    """

    file: str
    sha256: str
    size: int
    license: str
    data: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"weights {self.file}: sha256 must be 64 lower-case hex digits")
        if self.size <= 0:
            raise ValueError(f"weights {self.file}: size must be the file's size in bytes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A named way to do a task, and all that the host must know to run it.

    load: ``"package.module:function"``; the function takes a `LoadContext` and returns a `Predictor`.
    parameters: how many numbers the network holds.
    scale: output pixels per input pixel along one side (IMAGE only).
    family: models that differ in `scale` alone share a family's name; people ask for the family
        (``photo``), and the host takes the member that a picture needs (``photo-x4``).
    input_size: ``(H, W)`` that the network takes. The host resizes every image to it (bilinear,
        antialiased) and brings masks back to the image's own size with edges that follow the
        image. None: fully convolutional; the host cuts tiles.
    fit: how an image becomes `input_size`: "stretch" resizes it to that shape; "letterbox" keeps its shape and fills
        what is left with grey bars (114 of 255), half on each side.
    crop: of a SCORES model, the part of the shorter side whose central square is seen, resized bicubic,
        antialiased; as the network was trained. None: the whole image, whatever its shape.
    longest: the most pixels along the longer side that an IMAGE model with scale 1 works at: a larger image is shrunk
        to it (antialiased) and what comes back is enlarged (bicubic). None: every image at its own size.
    fraction: with `longest`: the largest part of an image's own sides that the model works at, 1 being all of them.
    dpi: of a MASK model without an input_size, for pictures of pages: the dots per inch that it reads best at. A
        picture of another resolution is brought to it, and the mask back, with strokes as the picture has them.
    overview: how large a view of what is worked at `Predictor.survey` is given: (H, W), whatever the image's shape, or
        the longer side at most, in the image's shape.
    multiple_of, minimum: sides that the network takes (pixels); the host pads by reflection and crops.
    tile, overlap: the side of a tile and how far neighbours overlap (pixels).
    labels: names of the K classes of a MASK or SCORES model.
    label_ids: what the classes are called in a vocabulary (WordNet ids, say); as many as labels.
    variant: the field of `params` that is set by what follows a slash: ``--model NAME/VARIANT``.
    unit: of a MAP model, what its values count ("m"); None: relative.
    range: of a MAP model, the least and the largest value that it gives; None: unknown.
    normalize: of a model of microscopy, two parts of the scale, over 0 and up to 1. Of a picture whose values use less
        than the first (a camera's 12 bits in 16, say), the range that is used is stretched to the second, for the
        network alone. It is found once for all pages that share a scale, and ``--normalize`` says otherwise. Not for
        IMAGE models. ``(1, 1)`` stretches every picture to all of the scale; None takes each as it is.
    bfloat16: a CPU with bfloat16 instructions may run the network in it unless ``--precision`` says otherwise; for
        networks whose answer was seen to stay within a level of 255 (masks: whose measure stays).
    auxiliary: extra channels that a MASK model returns after its K classes, kept for `Predictor.instances`.
    params: a dataclass of further options that only this model takes.
    revision: raise it when the model gives other results than before with the same weights and params: outputs of an
        earlier revision are then made again.
    train: ``"package.module:function"``, imported by ``imgai train`` alone; the function takes a `TrainContext` and
        returns a `Trainable`. What `load` builds must then follow from ``context.model`` (its labels, say) and from
        the weights. None: the model cannot be trained.
    untrained: the model has no weights and is what ``imgai train --from`` begins with; it cannot be run.
    """

    name: str
    task: str
    summary: str
    license: str
    load: str
    weights: Weights | None = None
    parameters: int | None = None
    scale: int = 1
    family: str | None = None
    input_size: tuple[int, int] | None = None
    fit: str = "stretch"
    crop: float | None = None
    longest: int | None = None
    fraction: float = 1.0
    dpi: int | None = None
    overview: tuple[int, int] | int | None = None
    multiple_of: int = 1
    minimum: int = 1
    tile: int = 256
    overlap: int = 16
    labels: tuple[str, ...] | None = None
    label_ids: tuple[str, ...] | None = None
    variant: str | None = None
    auxiliary: int = 0
    unit: str | None = None
    range: tuple[float, float] | None = None
    normalize: tuple[float, float] | None = None
    bfloat16: bool = False
    params: type[Any] | None = None
    revision: int = 1
    train: str | None = None
    untrained: bool = False

    def __post_init__(self) -> None:
        _check_name("model", self.name)
        _check_name("task", self.task)
        if self.family is not None:
            _check_name("family", self.family)
        if not re.fullmatch(r"[\w.]+:\w+", self.load):
            raise ValueError(f"model {self.name}: load must read 'package.module:function', not {self.load!r}")
        if min(self.scale, self.multiple_of, self.minimum, self.tile) < 1:
            raise ValueError(f"model {self.name}: scale, multiple_of, minimum and tile are at least 1")
        if not 0 <= 2 * self.overlap < self.tile:
            raise ValueError(f"model {self.name}: overlap must be under half of tile")
        if self.crop is not None and not (0 < self.crop <= 1 and self.input_size is not None):
            raise ValueError(f"model {self.name}: crop is over 0 and at most 1, of a model with an input_size")
        if self.fit not in ("stretch", "letterbox"):
            raise ValueError(f"model {self.name}: fit is 'stretch' or 'letterbox', not {self.fit!r}")
        if self.fit == "letterbox" and (self.input_size is None or self.crop is not None):
            raise ValueError(f"model {self.name}: fit='letterbox' is of a model with an input_size and without crop")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"model {self.name}: range is a smaller and a larger number, not {self.range}")
        if self.normalize is not None and not all(0 < part <= 1 for part in self.normalize):
            raise ValueError(f"model {self.name}: normalize is two numbers over 0 and up to 1, not {self.normalize}")
        if self.label_ids is not None and len(self.label_ids) != len(self.labels or ()):
            raise ValueError(f"model {self.name}: label_ids are as many as labels")
        if self.variant is not None and self.variant not in {
            field_.name for field_ in dataclasses.fields(self.params or NoParams)
        }:
            raise ValueError(f"model {self.name}: variant must name a field of params, not {self.variant!r}")
        if self.longest is not None and (self.scale != 1 or self.input_size is not None):
            raise ValueError(f"model {self.name}: longest is of a model with scale 1 and without an input_size")
        if not 0 < self.fraction <= 1 or (self.fraction < 1 and self.longest is None):
            raise ValueError(f"model {self.name}: fraction is over 0 and at most 1, of a model with longest")
        if self.train is not None and not re.fullmatch(r"[\w.]+:\w+", self.train):
            raise ValueError(f"model {self.name}: train must read 'package.module:function', not {self.train!r}")
        if self.untrained and (self.train is None or self.weights is not None):
            raise ValueError(f"model {self.name}: untrained is of a model with train and without weights")
        if self.dpi is not None and (self.dpi < 1 or self.input_size is not None or self.auxiliary):
            raise ValueError(f"model {self.name}: dpi is of a model without an input_size and without auxiliary")
        if self.auxiliary < 0:
            raise ValueError(f"model {self.name}: auxiliary counts channels, so it is not negative")
        if self.params is not None:
            _check_params(f"model {self.name}", self.params)


@dataclass(frozen=True, slots=True)
class MaskParams:
    """The options that kinds of masks share: the params of a kind that needs them, or the base of these params."""

    threshold: float = param(0.5, "Mask values at or above this count as inside.", minimum=0, maximum=1)


@dataclass(frozen=True, slots=True)
class BoxesParams:
    """The options that kinds of boxes share: the params of a kind that needs them, or the base of these params."""

    threshold: float = param(0.5, "Objects with a lower score are left out.", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A way to write what a step returned: a value of ``--as``.

    name: lower-case words joined by dashes; unique among the kinds of one `Output`.
    of: the output that it writes.
    summary: one line for ``--help`` and the documentation.
    render: ``"package.module:function"``, imported when it is used. Of ``once="page"`` the function takes a `Page`
        and returns an iterable of `Rendered`, the files of that page. Of ``once="input"`` it takes an iterable of all
        pages of one input, in order. Of ``once="run"`` it takes a `Page` and returns a JSON-able dict;
        people are told its ``notes``, a list of texts, if it has any.
    suffixes: what the name of a file may end in, the usual one first; ``("*",)``: those of every format that is
        written, which the registry fills in.
    once: ``"page"``: files for each page; ``"input"``: files for all pages of an input together; ``"run"``: one file
        for the whole run, called like the kind (``coco.json``).
    stem: of ``once="run"``: what that file is called, without its suffix; the name of the kind where it is empty.
    merge: of ``once="run"``: ``"package.module:function"``, which takes an iterator of pairs (name of the page, what
        ``render`` returned for it), a binary file to write to, and the values of the options.
    params: a frozen dataclass of the kind's options, made by `param`. Names of a plugin's own fields begin with the
        kind's name (``yolo_digits``); a field that the host's kinds of that output share (`MaskParams.threshold`)
        is inherited.
    passes: before the last step of a chain, it also becomes the image and alpha of the next step.
    revision: raise it when the same input gives other files than before; it is a part of the digest.
    """

    name: str
    of: Output
    summary: str
    render: str
    suffixes: tuple[str, ...] = (".png",)
    once: str = "page"
    stem: str = ""
    merge: str = ""
    params: type[Any] = NoParams
    passes: bool = False
    revision: int = 1

    def __post_init__(self) -> None:
        _check_name("kind", self.name)
        _check_params(f"kind {self.name}", self.params)
        if self.once not in ("page", "input", "run"):
            raise ValueError(f"kind {self.name}: once must be 'page', 'input' or 'run', not {self.once!r}")
        if bool(self.merge) != (self.once == "run"):
            raise ValueError(f"kind {self.name}: merge is declared together with once='run'")
        if self.stem and self.once != "run":
            raise ValueError(f"kind {self.name}: stem is declared together with once='run'")
        for function in (self.render, self.merge) if self.merge else (self.render,):
            if not re.fullmatch(r"[\w.]+:\w+", function):
                raise ValueError(f"kind {self.name}: {function!r} must read 'package.module:function'")
        if self.suffixes != ("*",) and not _are_suffixes(self.suffixes):
            raise ValueError(f"kind {self.name}: suffixes are lower-case and begin with a dot, as in '.png'")
        if self.passes and self.once != "page":
            raise ValueError(f"kind {self.name}: only a kind with once='page' can be passed to the next step")


@dataclass(frozen=True, slots=True)
class Page:
    """What a kind's ``render`` is given: one page of one input after a step.

    sample: the image, its source and its metadata.
    output: what the step returned: a mask, scores, boxes, a map or data; of ``Output.IMAGE`` the sample itself.
    params: the values of the kind's options, an instance of `Kind.params`.
    suffix: what the name of the file is to end in, where the user named the file; else "".
    range: of a model that declares `normalize`, the ends of the range of values that was stretched for it, as parts of
        the scale, 0 black and 1 white; None where the picture was seen as it is. A kind that shows the picture shows
        it stretched alike.
    """

    sample: Sample
    output: Any
    params: Any = NoParams()
    suffix: str = ""
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that a kind made, before it is written.

    content: its bytes, or a function that writes them to a binary file.
    suffix: what its name ends in, one of `Kind.suffixes`.
    label: the class that it shows, which becomes a part of its name; None where it shows all.
    record: further JSON-able entries about this file for the record.
    name: the whole name of a file that every page makes alike (``classes.txt``); it is written once a run, into the
        output folder. "" for all others.
    notes: what a person should know of how it was made, a line each.
    """

    content: bytes | Callable[[BinaryIO], object]
    suffix: str
    label: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channel of a picture a page is: its number from 1, of how many, and its name, where the file has one."""

    number: int
    of: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture, carried to the output.

    format: the name of the `Format` that the file is in ("JPEG", "PNG", "TIFF", ...).
    depth: bits a channel, 8 or 16.
    gray: the file holds one channel; the image then repeats it three times.
    icc, exif, xmp: as in the file; the orientation that exif and xmp tell is already reset to 1.
    cicp: the four code points of a PNG of high dynamic range, which a profile does not tell in full.
    iptc: the records of IPTC IIM. texts: key and value, as PNG has them; a comment's key is "Comment".
    dpi: dots per inch, horizontal and vertical.
    duration: how long an animation shows this frame, in milliseconds; loop: how often (0: for ever;
        None: once).
    poster: what programs show that know no animation; no frame of it.
    full: (height, width) of the picture that was read, upright; also where it was decoded smaller.
    values: the numbers of the file that became 0 and the largest of the pixels; None: 0, and 255 or 65535.
    series: pages of one number share a scale (a stack, a time series); those of other numbers (other channels) do not.
    notes: what a person should know of how it was read; the host fills it in.
    pixel_size: micrometres across and down, where the file tells what a pixel measures (OME, ImageJ, DICOM).
    channel: where each page holds one channel of a picture (OME, ImageJ): which.
    quality: of a JPEG: the quality, 1 to 100, that its tables tell, and "4:4:4", "4:2:2" or "4:2:0" for its colour.
    """

    format: str
    depth: int = 8
    gray: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    cicp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    duration: int | None = None
    loop: int | None = None
    poster: bool = False
    full: tuple[int, int] | None = None
    values: tuple[float, float] | None = None
    series: int = 0
    notes: tuple[str, ...] = ()
    pixel_size: tuple[float, float] | None = None
    channel: Channel | None = None
    quality: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """A picture as its file announces it, before a pixel is decoded.

    width, height: of the largest page, in pixels. pages: how many pages or frames are read.
    format: the name of the `Format`; the host fills it in.
    """

    width: int
    height: int
    pages: int = 1
    format: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page or frame of a file, decoded and turned upright.

    pixels: ``(H, W)`` for grey, or ``(H, W, 3)``, uint8 or uint16. alpha: ``(H, W)`` of the same dtype, or None.
    notes: what a person should know of how it was read, a line each; said once a file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A way in which files hold pictures.

    The functions are named as ``"package.module:function"`` and imported when they are used. What they raise becomes
    one line that calls the file damaged; `UnsupportedError` is for a sound file of a kind that is not read, and an
    ImportError says that `extra` is missing.

    name: in capitals, as people know it ("JPEG").
    suffixes: what the names of its files end in, the usual one first; the first is what is written.
    magic: regular expressions for the first 132 bytes of its files (``.`` matches any byte). Of several formats that
        match, the one whose expression matches most bytes is taken.
    check: a function of a ``Path | bytes`` that says whether a file whose magic fits is of this format; it is asked
        before formats without a check, so that a format which begins like another can be told from it.
    probe: ``(source: Path | bytes) -> Header``, from the header alone; pixel bombs are refused by what it says.
    read: ``(source: Path | bytes, least: int | None) -> Iterator[Picture]``, a page at a time. Where `least` is not
        None, a picture may be decoded smaller, with sides of at least that many pixels. Empty: files of the format
        are known, and not read; `extra` then says what would read them.
    write: ``(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None``. Empty: it is not written.
    deep: pictures of it may have 16 bits; else ``write`` is given 8.
    alpha: ``write`` takes pictures with alpha; else they are laid over white.
    pages: ``write`` takes several pages or frames.
    paged: its files usually hold several pages or frames, so that a run looks ahead for the names of their outputs.
    longest: the most pixels along a side that a file can hold; None: there is no such limit.
    becomes: the format in which a picture read from it is written, where it has no ``write``.
    extra: the extra of imgai that brings what reads it: ``pip install "imgai[extra]"``.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    check: str = ""
    probe: str = ""
    read: str = ""
    write: str = ""
    deep: bool = False
    alpha: bool = False
    pages: bool = False
    paged: bool = False
    longest: int | None = None
    becomes: str = "PNG"
    extra: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Z0-9]*", self.name):
            raise ValueError(f"format name {self.name!r} must be of capital letters and digits")
        if not _are_suffixes(self.suffixes):
            raise ValueError(f"format {self.name}: suffixes are lower-case and begin with a dot, as in '.png'")
        if bool(self.read) != bool(self.probe):
            raise ValueError(f"format {self.name}: probe and read are declared together")
        for function in filter(None, (self.check, self.probe, self.read, self.write)):
            if not re.fullmatch(r"[\w.]+:\w+", function):
                raise ValueError(f"format {self.name}: {function!r} must read 'package.module:function'")
        for pattern in self.magic:
            re.compile(pattern, re.DOTALL)


def _no_reader(path: Path) -> Tensor:
    raise UsageError(f"{path} cannot be read", "the host loads models with a reader")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadContext:
    """What a model's load function is given. It may raise `UsageError` for params that cannot be.

    device: where the predictor will run; load parameters straight to it.
    weights: the verified weights file on disk; None where the model declares none.
    params: the task's params with the values asked for.
    model_params: the model's own params; `NoParams()` where it has none.
    read_image: the host's reader, for a picture that is a param: the path of a file to ``(1, 3, H, W)`` float32 in
        [0, 1], its first page, upright and in sRGB. Raises `UsageError`, with the reason, for what an input would be
        refused for: no picture, damaged, more than ``--max-pixels``.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: Any = NoParams()
    model_params: Any = NoParams()
    read_image: Callable[[Path], Tensor] = _no_reader


FIELDS_OF: Mapping[str, Output] = {
    "scale": Output.IMAGE,
    "auxiliary": Output.MASK,
    "dpi": Output.MASK,
    "unit": Output.MAP,
    "range": Output.MAP,
}
"""Fields of `Model` that are for models of one output alone."""
NOT_OF: Mapping[str, Output] = {"normalize": Output.IMAGE}
"""Fields of `Model` that are for models of every other output."""
NEEDED_BY: Mapping[Output, str] = {Output.MASK: "labels"}
"""The field of `Model` that models of an output cannot do without."""


def identity(value: Any) -> Any:
    """Return what is given: the preprocess or postprocess of a model that needs none.

    As the network of an IMAGE model it says that these params change nothing (a strength of 0, say): the host
    then leaves the picture alone, to the bit.
    """
    return value


@dataclass(frozen=True, slots=True)
class Predictor:
    """A loaded model. The host calls ``postprocess(network(preprocess(image)))``, batched.

    preprocess: a kornia chain (any callable); ``(B, 3, h, w)`` float32 in [0, 1] on the device to what
        the network takes. h and w are the model's `input_size`, or a tile's.
    network: the learned part alone, so that the host can autocast, fuse, compile or export it.
    postprocess: the network's output (a tensor, or a tuple or dict of them), as float32, to what `Output` promises, at
        the same h and w (times scale for IMAGE).
    survey: a look at the whole image, resized to the model's `overview`, before any of its tiles: ``(1, 3, h, w)``
        float32 in [0, 1] to ``(N,)`` numbers of one's own. The network then takes three: ``network(prepared, notes,
        place)`` with notes ``(B, N)``, what the survey said of each image, and place ``(B, 4)``, where in it the tile
        is: top, left, height and width as fractions of the image's sides.
    sees_whole: the network needs no survey of an image that is one tile: its notes are then ``(B, 0)``.
    detail: for models that declare `longest`: how much of the image's own fine detail, lost in shrinking it, is added
        to what comes back: 0 none, 1 all.
    instances: for MASK models, ``(K + auxiliary, H, W)`` float32 NumPy array in [0, 1] and a threshold
        to numbered objects ``(H, W)`` int32, 0 the background. None: connected components. A sample carries it,
        so it can be pickled: a module's function, or a `functools.partial` of one.
    explain: for SCORES models, and MASK models with an `input_size`, preprocessed images ``(B, C, h, w)`` and the
        index of a label to where they speak for it, ``(B, y, x)`` from 0 on, at any size. None: the model cannot say.
    model: the declaration, where parts of it (labels, input_size, crop) are known only when the model is loaded.
    """

    network: Callable[..., Any]
    preprocess: Callable[[Tensor], Tensor] = identity
    postprocess: Callable[[Any], Any] = identity
    survey: Callable[[Tensor], Tensor] | None = None
    sees_whole: bool = False
    detail: float = 0.0
    instances: Callable[[np.ndarray, float], np.ndarray] | None = None
    explain: Callable[[Tensor, int], Tensor] | None = None
    model: Model | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainParams:
    """What a person may choose of a network that is trained, and what its size may depend on.

    size: the side of the square crops that it is trained on, or of what its `input_size` makes of a picture (pixels).
    width: how many channels its first stage has; None: the model's own, or as `size` suggests.
    dropout: the part of the features that is left out at random, from 0 on and under 1; for networks that have it.
    """

    size: int = 256
    width: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainContext:
    """What a model's train function is given. It may raise `UsageError` for what cannot be.

    model: the declaration that the trained model will have: the data set's labels instead of the model's own.
    device: where it is trained.
    weights: the verified weights file to start from; None where the model declares none. It may hold a head for other
        labels than the model's: see `take_over`.
    params: what was chosen of the network. model_params: the model's own params, as `LoadContext` has them.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: TrainParams = TrainParams()
    model_params: Any = NoParams()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """What ``imgai train`` needs of a model; it reads pictures, cuts, augments, steps, measures and saves.

    predictor: as `load` would return it, with the base's weights and a head for the labels of the context. Its network
        is a `torch.nn.Module` whose parameters are trained, all that require gradients.
    loss: what the network returned and the target to a scalar; or the name of one of the host's, a value of ``--loss``.
        The host's are of logits (MASK, SCORES) or of an image (IMAGE). Targets are int64 ``(B,)`` for SCORES; float32
        ``(B, K, h, w)`` in [0, 1] for MASK, or what `target` makes; float32 ``(B, 3, h * scale, w * scale)`` for IMAGE;
        for BOXES a float32 ``(B, M, 5)``: class, then x0, y0, x1, y1 as fractions, class -1 filling up.
    save: the network to the tensors that `load` reads, by name. None: its ``state_dict()``.
    target: of a MASK model: a picture of labels as it was read, ``(H, W)`` int32 (0 the background; the index of a
        class from 1 on, or the number of an object), to what the loss takes, ``(C, H, W)`` float32. None: a map for
        each class.
    spoil: of an IMAGE model: clean pictures ``(B, 3, h * scale, w * scale)`` in [0, 1] and a `torch.Generator` to the
        pictures that the network is given, ``(B, 3, h, w)``; for data sets of clean pictures alone.
    augment: the augmentations that keep what a picture shows, of "flip", "turn", "scale", "light", "color", "blur" and
        "noise". None: those that suit the output.
    is_head: whether a parameter of that name belongs to the head, which is trained first and at the full rate.
    rate: the learning rate that suits the network and AdamW; None: the host's.
    """

    predictor: Predictor
    loss: Callable[[Any, Tensor], Tensor] | str
    save: Callable[[Any], Mapping[str, Tensor]] | None = None
    target: Callable[[np.ndarray], np.ndarray] | None = None
    spoil: Callable[[Tensor, torch.Generator], Tensor] | None = None
    augment: tuple[str, ...] | None = None
    is_head: Callable[[str], bool] | None = None
    rate: float | None = None


def take_over(network: Any, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Load into a `torch.nn.Module` the tensors whose name and shape fit it; the others of it stay as they are.

    Returns the names of those that stay: the head, where it is for other labels.
    """
    own = network.state_dict()
    fits = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict({**own, **fits})
    return tuple(name for name in own if name not in fits)


def param_of(field_: dataclasses.Field[Any]) -> Param | None:
    """The `Param` of a dataclass field, or None if it was not made by `param`."""
    about: Mapping[str, Any] = field_.metadata
    return about.get("imgai")


def _are_suffixes(suffixes: tuple[str, ...]) -> bool:
    return bool(suffixes) and all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in suffixes)


def _check_name(what: str, name: str) -> None:
    if not (_MODEL_NAME if what == "model" else _NAME).fullmatch(name):
        raise ValueError(f"{what} name {name!r} must be lower-case words joined by dashes")


def _check_params(whose: str, params: type[Any]) -> None:
    if not (isinstance(params, type) and dataclasses.is_dataclass(params)):
        raise TypeError(f"{whose}: params must be a dataclass, not {params!r}")
    for field_ in dataclasses.fields(params):
        if param_of(field_) is None:
            raise TypeError(f"{whose}: declare {field_.name} with imgai.plugin.param(default, help)")
