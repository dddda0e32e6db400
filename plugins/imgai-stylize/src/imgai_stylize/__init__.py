"""imgai stylize: repaint pictures in built-in styles or in the style of any picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param

if TYPE_CHECKING:
    from imgai.plugin import Contract

PAINTINGS = (
    "tahiti",
    "houses-at-auvers",
    "cafe-terrace",
    "olive-trees",
    "self-portrait",
    "starry-night",
    "wheat-field",
    "great-wave",
)
"""Styles that the network has learned, in the order of its table."""
DRAWINGS = ("mosaic", "pencil", "halftone", "watercolour")
"""Styles that are drawn by rules; as in `imgai_stylize.drawn`, which needs torch."""


@dataclass(frozen=True, slots=True)
class StylizeParams:
    """Options of both models."""

    strength: float = param(1.0, "How much of the style is applied.", minimum=0, maximum=1)
    style_scale: float = param(1.0, "Size of the brush strokes: 2 makes them twice as large.", minimum=0.1, maximum=8)
    keep_colors: bool = param(False, "Keep the colours of the input.")


@dataclass(frozen=True, slots=True)
class BuiltInParams:
    """Options of `built-in` alone."""

    style: tuple[str, ...] = param(
        ("starry-night",),
        "The style. Several are blended, with optional weights: --style great-wave:0.7 --style mosaic:0.3.",
        choices=(*PAINTINGS, *DRAWINGS),
        weighted=True,
        metavar="STYLE",
    )


@dataclass(frozen=True, slots=True)
class AnyParams:
    """Options of `any` alone."""

    style_image: str | None = param(
        None, "Take the style of this picture; implies --model any.", file=True, selects=True, metavar="FILE"
    )


TASK = Task(
    name="stylize",
    summary="Render pictures in the style of a painting, of another picture, or as a drawing.",
    default_model="built-in",
    output=Output.IMAGE,
    params=StylizeParams,
    examples=(
        "imgai stylize photos/ --style starry-night --out painted/",
        "imgai stylize photos/ --style pencil --out drawn/",
        "imgai stylize photos/ --style-image painting.jpg --out painted/",
    ),
)

MODELS = (
    Model(
        name="built-in",
        task="stylize",
        summary="Eight paintings and four drawing styles, by name.",
        license="Apache-2.0",
        load="imgai_stylize.painting:load_built_in",
        weights=Weights(
            file="imgai_stylize:weights/paintings.safetensors",
            sha256="242417cf33e5427e8c313d44fe9fc418e7e22a8bc7848b9b62dc73cd38e63a98",
            size=1_916_672,
            license="Apache-2.0",
            data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0), eight paintings (public domain)",
        ),
        parameters=957_516,
        bfloat16=True,
        longest=1280,
        overview=1280,
        multiple_of=8,
        minimum=16,
        tile=1280,
        overlap=288,
        revision=3,
        params=BuiltInParams,
    ),
    Model(
        name="any",
        task="stylize",
        summary="The style of any picture, without training.",
        license="Apache-2.0",
        load="imgai_stylize.painting:load_any",
        weights=Weights(
            file="imgai_stylize:weights/any.safetensors",
            sha256="4c1f21b1b7cab375160992b7ec47b5dad36c7070ba59d158bd7831ab0d8f85a0",
            size=3_828_680,
            license="Apache-2.0",
            data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0), eight paintings (public domain), ImageNet",
        ),
        parameters=1_910_956,
        bfloat16=True,
        longest=1280,
        overview=1280,
        multiple_of=8,
        minimum=16,
        tile=1280,
        overlap=288,
        revision=3,
        params=AnyParams,
    ),
)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return its models, the default first."""
    return MODELS


@hookimpl
def imgai_contract() -> "Contract":
    """Return what the checks of the contract have to know."""
    from imgai.plugin import Contract  # which no other command needs

    # Brush strokes follow edges that are farther away than a tile's overlap, and no one compares paintings by levels.
    return Contract(seam_levels=16.0, bfloat16_levels=2.0)
