"""The API for plugin authors. A plugin imports nothing else from the host.

A plugin declares *tasks* (what to do to an image), *models* (named ways to do it), *kinds* (ways to write what a
model returns) and *formats* (image file formats), and registers each through its hook. Declarations hold strings and
numbers only: a model names the function that loads it as ``"package.module:function"``, and the host imports it when
the model is used. This module never imports torch, and the module with the declarations must not import it either.
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
    from imgai.plugin.contract import Contract
    from imgai.plugin.format import Channel, Format, Header, Metadata, Picture
    from imgai.plugin.kind import BoxesParams, Kind, MaskParams, Page, Rendered
    from imgai.plugin.predictor import LoadContext, Predictor, identity
    from imgai.plugin.training import Trainable, TrainContext, TrainParams, take_over

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "BoxesParams",
    "Channel",
    "Contract",
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

# Every start of the command line reads the tasks and models of all plugins. The names below are used by few commands,
# and creating a dataclass takes half a millisecond.
_LATER = {
    "Contract": "contract",
    **dict.fromkeys(("Channel", "Format", "Header", "Metadata", "Picture"), "format"),
    **dict.fromkeys(("BoxesParams", "Kind", "MaskParams", "Page", "Rendered"), "kind"),
    **dict.fromkeys(("LoadContext", "Predictor", "identity"), "predictor"),
    **dict.fromkeys(("TrainContext", "TrainParams", "Trainable", "take_over"), "training"),
}
"""Public names, by the module of this package that defines them. They are imported on first use."""

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
    """The type of result that the models of a task return. It determines how the host tiles, resizes and writes it."""

    IMAGE = "image"
    """``(B, 3, H * scale, W * scale)`` in [0, 1]. It becomes the image of the next step."""
    MASK = "mask"
    """``(B, K, H, W)`` in [0, 1] for K classes. The image is unchanged."""
    SCORES = "scores"
    """``(B, K)`` for K labels, summing to 1. The image is unchanged."""
    BOXES = "boxes"
    """``(B, M, 6)``: x0, y0, x1, y1 as fractions of the network's input (including letterbox bars and padding), a score
    in [0, 1] and a class index; rows with score 0 are padding. Non-maximum suppression within an image or tile is the
    model's; the host applies it across tiles. The image is unchanged."""
    MAP = "map"
    """``(B, 1, H, W)``, one value per pixel, of any range (`Model.unit`, `Model.range`). The image is unchanged."""
    DATA = "data"
    """A list of B dicts that can be written as JSON. Entries named ``box`` (x0, y0, x1, y1), ``points`` and
    ``polygon`` (lists of x, y), at any depth, are fractions of the network's input. The model declares `input_size`
    and is never tiled. The image is unchanged."""


@dataclass(frozen=True, slots=True)
class Param:
    """The description of a field of a params dataclass, created by `param`."""

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

    The field's annotation is the type of the option: ``bool``, ``int``, ``float``, ``str``, one of these ``| None``, or
    ``tuple[str, ...]`` for an option that may be given several times, or once with commas. The field's name with
    dashes is the name of the option.

    default: the value if the option is not given.
    help: one sentence for ``--help`` and the documentation.
    minimum, maximum: the range of numbers, inclusive.
    choices: the valid texts.
    metavar: the placeholder for the value in ``--help``.
    weighted: each text may end in a colon and a weight of at least 0: ``a:0.7``. `choices` are without weights.
    file: the text is the path of an existing file; its content is part of the digest of the outputs.
    selects: for a model's own params: giving this option without naming a model selects this model.
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
    """The params of a task or model without options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What to do to an image: a sub-command of ``imgai``.

    name: the name of the sub-command; lower-case words joined by dashes.
    summary: one line for ``--help``.
    default_model: the name of the model or family that is used by default.
    output: the type of result that the models of this task return.
    params: a frozen dataclass whose fields are created by `param`: the options of the sub-command.
    examples: about three commands, shown at the end of ``--help``.
    inputs: what models get in addition to the picture: ``("mask",)`` or nothing. The mask (``--mask FILE|FOLDER``, else
        the transparent pixels) says where an IMAGE model works. The network gets ``(B, 4, h, w)``: the picture, black
        where it is masked, and the mask, 1 inside and 0 outside. Its answer is used inside the mask; outside of it
        the pixels do not change. Tiles without a masked pixel are not predicted. Models of such a task have scale 1,
        no input_size and no longest; neither the task nor its models may have a param named mask or grow.
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
    """A file of trained parameters, with its checksum, size and licence.

    file: ``"package:path/inside.safetensors"`` for a file that the plugin ships, an ``https://`` address, which is
        downloaded once and checked, or a ``file://`` address for a user's own file.
    sha256: the digest of the file in lower-case hex.
    size: the size of the file in bytes.
    license: the SPDX identifier of the weights' licence.
    data: the data sets that the model was trained on.
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
    """A named way to do a task, with everything that the host must know to run it.

    name: lower-case words joined by dashes; unique within the task.
    task: the name of the task.
    summary: one line for ``imgai models``.
    license: the SPDX identifier of the model.
    load: ``"package.module:function"``; the function takes a `LoadContext` and returns a `Predictor`.
    weights: the file of trained parameters; None if the model has none.
    parameters: the number of trained parameters of the network.
    scale: output pixels per input pixel along one side (IMAGE only).
    family: the common name of models that differ only in `scale`. Users name the family (``photo``), and the host
        selects the member that suits the requested size (``photo-x4``).
    input_size: the fixed input size ``(H, W)`` of the network. The host resizes every image to it (bilinear,
        antialiased) and resizes masks back to the size of the image, with edges guided by the image. None: the network
        is fully convolutional, and the host cuts tiles.
    train_size: the side of the squares that ``imgai train`` teaches it on, and that what comes of it takes, where that
        is not its `input_size`, which a network may look at in parts.
    fit: how an image is brought to `input_size`: "stretch" ignores its aspect ratio; "letterbox" keeps the aspect ratio
        and adds grey bars (114 of 255), half on each side.
    crop: for SCORES models, the side of the central square that the network sees, as a fraction of the image's shorter
        side; it is resized bicubic, antialiased. None: the whole image, stretched.
    longest: for IMAGE models with scale 1, the maximum length of the longer side in pixels: a larger image is
        downscaled (antialiased), and the result is upscaled (bicubic). None: every image is processed at its own size.
    fraction: with `longest`, the maximum size at which the model works, as a fraction of the image's sides, up to 1.
    dpi: for MASK models for scanned pages, without an input_size: the resolution in dots per inch that the network
        expects. A picture of another resolution is resized to it, and the mask is resized back, guided by the picture.
    overview: the size of the view that `Predictor.survey` is given: (H, W) regardless of the image's shape, or the
        maximum length of the longer side, which keeps the shape.
    multiple_of, minimum: constraints on the sides that the network accepts, in pixels; the host pads by reflection and
        crops.
    tile, overlap: the side of a tile and the overlap of neighbouring tiles, in pixels.
    hole: for models that are given a mask, the width in pixels up to which holes are filled well. A run warns of
        pictures with holes of twice that width. None: any width.
    labels: the names of the K classes of a MASK, SCORES or BOXES model.
    label_ids: identifiers of the classes in a vocabulary (for example WordNet ids), one for each label.
    variant: the field of `params` that is set by the text after a slash: ``--model NAME/VARIANT``.
    unit: for MAP models, the unit of the values ("m"); None: relative values.
    range: for MAP models, the smallest and largest possible value; None: unknown.
    normalize: for microscopy models, two fractions of full scale, each over 0 and up to 1. If the values of a picture
        use a smaller part of the scale than the first (12 bits of a camera in 16, for example), the range in use is
        stretched to the second, for the network only. The range is determined once for all pages that share a scale;
        ``--normalize`` overrides it. Not for IMAGE models. ``(1, 1)`` stretches every picture to full scale; None
        stretches none.
    bfloat16: whether a CPU with bfloat16 instructions may run the network in bfloat16 unless ``--precision`` is given.
        Declare it only if the measured difference is within one level of 255 (for masks: the measure does not drop).
    auxiliary: the number of extra channels that a MASK model returns after its K classes, for `Predictor.instances`.
    params: a dataclass of further options that only this model has.
    ignores: params of the task that have no effect for this model; users who give one are warned.
    revision: increase it when the model gives different results than before with the same weights and params. Outputs
        of an earlier revision are then made again.
    train: ``"package.module:function"``, imported by ``imgai train`` only; the function takes a `TrainContext` and
        returns a `Trainable`. What `load` builds must then depend only on ``context.model`` (its labels, for example)
        and on the weights. None: the model cannot be trained.
    untrained: the model has no weights; it can be a starting point for ``imgai train --from``, but cannot be run.
    uses: other models that this one calls, as ``"denoise/photo"``; its load function gets each from
        `LoadContext.load`. Outputs also depend on their weights and revisions, and ``imgai models info`` lists their
        licences. If they belong to another plugin, yours must depend on it.
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
    train_size: int | None = None
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
    hole: int | None = None
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
        if self.train_size is not None and (self.train_size < 1 or self.input_size is None):
            raise ValueError(f"model {self.name}: train_size is at least 1, of a model with an input_size")
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
"""Fields of `Model` that are valid for one output only."""
NOT_OF: Mapping[str, Output] = {"normalize": Output.IMAGE}
"""Fields of `Model` that are valid for every output except this one."""
NEEDED_BY: Mapping[Output, str] = {Output.MASK: "labels"}
"""The field of `Model` that is required for an output."""


def param_of(field_: dataclasses.Field[Any]) -> Param | None:
    """Return the `Param` of a dataclass field, or None if the field was not created by `param`."""
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
