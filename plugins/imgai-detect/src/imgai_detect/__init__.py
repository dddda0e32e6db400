"""imgai detect: find people, animals, vehicles and objects."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param
from imgai_detect.labels import LABELS

if TYPE_CHECKING:
    from imgai.plugin import Contract


@dataclass(frozen=True, slots=True)
class DetectParams:
    """Options of every model."""

    classes: tuple[str, ...] = param(
        (), "Classes to look for: one or more, with commas between; all, if left out.", metavar="NAMES"
    )
    tiled: bool = param(
        False, "Also look at the picture in tiles at its full size, for small objects in large pictures."
    )


TASK = Task(
    name="detect",
    summary="Find objects: a box, a class and a score for each.",
    default_model="nanodet",
    output=Output.BOXES,
    params=DetectParams,
    examples=(
        "imgai detect photos/ --as overlay --out boxes/",
        "imgai detect photos/ --classes person,dog --as coco --out boxes/",
        "imgai detect aerial.tif --tiled --threshold 0.35 --as csv --out counts/",
    ),
)

MODELS = (
    Model(
        name="nanodet",
        task="detect",
        summary="People, animals, vehicles and things: COCO's 80 classes.",
        license="Apache-2.0",
        load="imgai_detect.nanodet:load",
        train="imgai_detect.training:train",
        weights=Weights(
            file="imgai_detect:weights/nanodet.safetensors",
            sha256="d6ac92021cce9501e747ce7c2823d3409c6e36f4b7882d27c4dafe1b97366b2a",
            size=7_578_376,
            license="Apache-2.0",
            data="COCO train2017 (Flickr's Creative Commons photographs; annotations CC BY 4.0)",
        ),
        parameters=3_786_068,
        labels=LABELS,
        input_size=(416, 416),
        fit="letterbox",
    ),
)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return its models."""
    return MODELS


@hookimpl
def imgai_contract() -> "Contract":
    """Return what the checks of the contract have to know."""
    from imgai.plugin import Contract  # which no other command needs

    # Only pictures larger than what the network sees alone are tiled.
    return Contract(unseen=("tiled",))
