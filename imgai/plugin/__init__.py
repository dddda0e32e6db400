"""The API for authors of plugins; a plugin imports nothing else of the host.

A plugin declares *tasks* (what to do to an image), *models* (named ways to do it), *kinds* (ways to write what a
model returns) and *formats* (ways in which files hold pictures), and registers each through its hook. Declarations
hold strings and numbers only: a model names the function that loads it as ``"package.module:function"``, and the host
imports it when the model is used. This module never imports torch, and neither may the module that declares.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pluggy

from imgai.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from imgai.plugin.format import Channel, Format, Header, Metadata, Picture
    from imgai.plugin.kind import BoxesParams, Kind, MaskParams, Page, Rendered
    from imgai.plugin.predictor import LoadContext, Predictor, identity
    from imgai.plugin.training import Trainable, TrainContext, TrainParams, take_over

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

# Every start of the command line reads the tasks and models of all plugins; what follows is used by few commands, and
# making a dataclass takes half a millisecond.
_LATER = {
    **dict.fromkeys(("Channel", "Format", "Header", "Metadata", "Picture"), "format"),
    **dict.fromkeys(("BoxesParams", "Kind", "MaskParams", "Page", "Rendered"), "kind"),
    **dict.fromkeys(("LoadContext", "Predictor", "identity"), "predictor"),
    **dict.fromkeys(("TrainContext", "TrainParams", "Trainable", "take_over"), "training"),
}
"""Public names by the module of this package that has them; imported when they are first used."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MODEL_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Output(Enum):
    """What the models of a task return. The host tiles, transforms and writes it accordingly."""

    IMAGE = "image"
    """``(B, 3, H * scale, W * scale)`` in [0, 1]; becomes the image of the next step."""
    MASK = "mask"
    """``(B, K, H, W)`` in [0, 1], K classes; kept beside the image."""
    SCORES = "scores"
    """``(B, K)`` summing to 1; kept beside the image."""
    BOXES = "boxes"
    """``(B, M, 6)``: x0, y0, x1, y1 as fractions of what the network saw (bars and padding included), a score in
    [0, 1] and the index of a class; rows with score 0 are padding. The model suppresses overlapping boxes of one
    object; the host suppresses those of one object in two tiles. Kept beside the image."""
    MAP = "map"
    """``(B, 1, H, W)``, one value a pixel, of any range (`Model.unit`, `Model.range`); kept beside the image."""
    DATA = "data"
    """A list of B dicts that can be written as JSON. Entries called ``box`` (x0, y0, x1, y1), ``points`` and
    ``polygon`` (lists of x, y), at any depth, are fractions of what the network saw. The model declares `input_size`
    and is never tiled. Kept beside the image."""


@dataclass(frozen=True, slots=True)
class Param:
    """How a field of a params dataclass is offered as an option; made by `param`."""

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
    weighted: each text may end in a colon and a weight, a number of at least 0: ``a:0.7``. The choices are without it.
    file: the text is the path of an existing file; its content is hashed into the digest of the outputs.
    selects: of a model's own params: giving this option without naming a model chooses the model.
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
    inputs: what a model is given beside each picture: ``("mask",)`` or nothing. A mask (``--mask FILE|FOLDER``, else
        the transparent pixels) says where an IMAGE model works. The network is given ``(B, 4, h, w)``: the picture,
        black where it is masked, and the mask, 1 inside and 0 outside. What it answers is taken inside of the mask;
        outside of it the picture is kept to the bit. Tiles without a masked pixel are not predicted. Models of such a
        task have scale 1, no input_size and no longest; no param of it or of them is called mask or grow.
    """

    name: str
    summary: str
    default_model: str
    output: Output
    params: type[Any] = NoParams
    examples: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("task", self.name)
        check_params(f"task {self.name}", self.params)
        if self.inputs not in ((), ("mask",)):
            raise ValueError(f'task {self.name}: inputs is () or ("mask",), not {self.inputs!r}')
        if self.inputs and self.output is not Output.IMAGE:
            raise ValueError(f"task {self.name}: inputs are of a task whose output is an image")


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """A file of trained parameters, with its origin, size and licence.

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
    parameters: the number of trained parameters of the network.
    scale: output pixels per input pixel along one side (IMAGE only).
    family: the name that models which differ only in `scale` share. Users name the family
        (``photo``), and the host takes the member that fits the picture (``photo-x4``).
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
    dpi: of a MASK model without an input_size, for scanned pages: its resolution in dots per inch. A picture of another
        resolution is resized to it, and the mask is resized back, its edges guided by the picture.
    overview: how large a view of what is worked at `Predictor.survey` is given: (H, W), whatever the image's shape, or
        the longer side at most, in the image's shape.
    multiple_of, minimum: sides that the network takes (pixels); the host pads by reflection and crops.
    tile, overlap: the side of a tile and how far neighbours overlap (pixels).
    labels: names of the K classes of a MASK or SCORES model.
    label_ids: identifiers of the classes in a vocabulary (WordNet ids, for example), one for each label.
    variant: the field of `params` that is set by what follows a slash: ``--model NAME/VARIANT``.
    unit: of a MAP model, the unit of its values ("m"); None: relative values.
    range: of a MAP model, the smallest and largest value that it returns; None: unknown.
    normalize: of a model of microscopy, two parts of the scale, over 0 and up to 1. Of a picture whose values use less
        than the first (a camera's 12 bits in 16, say), the range that is used is stretched to the second, for the
        network alone. It is found once for all pages that share a scale, and ``--normalize`` says otherwise. Not for
        IMAGE models. ``(1, 1)`` stretches every picture to all of the scale; None takes each as it is.
    bfloat16: a CPU with bfloat16 instructions may run the network in it unless ``--precision`` says otherwise; for
        networks whose answer was seen to stay within a level of 255 (masks: whose measure stays).
    auxiliary: extra channels that a MASK model returns after its K classes, kept for `Predictor.instances`.
    params: a dataclass of further options that only this model takes.
    ignores: params of its task that this model has no use for: who gives one is told so.
    revision: raise it when the model gives other results than before with the same weights and params: outputs of an
        earlier revision are then made again.
    train: ``"package.module:function"``, imported by ``imgai train`` alone; the function takes a `TrainContext` and
        returns a `Trainable`. What `load` builds must then follow from ``context.model`` (its labels, say) and from
        the weights. None: the model cannot be trained.
    untrained: the model has no weights and is what ``imgai train --from`` begins with; it cannot be run.
    uses: the models that this one is made of, as ``"denoise/photo"``: its load gets each by `LoadContext.load`. Their
        weights and revisions are a part of what outputs depend on, and ``imgai models info`` tells their licences.
        They may be of other plugins, which yours then depends on.
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
    ignores: tuple[str, ...] = ()
    revision: int = 1
    train: str | None = None
    untrained: bool = False
    uses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("model", self.name)
        check_name("task", self.task)
        if self.family is not None:
            check_name("family", self.family)
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
        for used in self.uses:
            task, _, name = used.partition("/")
            if not (_NAME.fullmatch(task) and _MODEL_NAME.fullmatch(name)):
                raise ValueError(f"model {self.name}: uses are written as 'denoise/photo', not {used!r}")
        if f"{self.task}/{self.name}" in self.uses or len(set(self.uses)) < len(self.uses):
            raise ValueError(f"model {self.name}: uses are other models, each once")
        if self.auxiliary < 0:
            raise ValueError(f"model {self.name}: auxiliary counts channels, so it is not negative")
        if self.params is not None:
            check_params(f"model {self.name}", self.params)


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


def param_of(field_: dataclasses.Field[Any]) -> Param | None:
    """The `Param` of a dataclass field, or None if it was not made by `param`."""
    about: Mapping[str, Any] = field_.metadata
    return about.get("imgai")


def are_suffixes(suffixes: tuple[str, ...]) -> bool:
    return bool(suffixes) and all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in suffixes)


def check_name(what: str, name: str) -> None:
    if not (_MODEL_NAME if what == "model" else _NAME).fullmatch(name):
        raise ValueError(f"{what} name {name!r} must be lower-case words joined by dashes")


def check_params(whose: str, params: type[Any]) -> None:
    if not (isinstance(params, type) and dataclasses.is_dataclass(params)):
        raise TypeError(f"{whose}: params must be a dataclass, not {params!r}")
    for field_ in dataclasses.fields(params):
        if param_of(field_) is None:
            raise TypeError(f"{whose}: declare {field_.name} with imgai.plugin.param(default, help)")
