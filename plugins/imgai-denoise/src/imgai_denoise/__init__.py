"""imgai denoise: remove noise, colour blotches and JPEG artefacts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param

if TYPE_CHECKING:
    from imgai.plugin import Contract


@dataclass(frozen=True, slots=True)
class DenoiseParams:
    """Options of every denoiser."""

    strength: float = param(1.0, "How much of the denoising is applied.", minimum=0, maximum=1)


TASK = Task(
    name="denoise",
    summary="Remove noise: camera noise, colour blotches, JPEG blocks.",
    default_model="photo",
    output=Output.IMAGE,
    params=DenoiseParams,
    examples=(
        "imgai denoise photos/ --out clean/",
        "imgai denoise photos/ --strength 0.6 --out clean/",
        "imgai denoise night.jpg --out night-clean.png",
    ),
)

MODELS = (
    Model(
        name="photo",
        task="denoise",
        summary="Photographs, as JPEG or developed from raw; clean ones hardly change.",
        license="Apache-2.0",
        load="imgai_denoise.network:load",
        train="imgai_denoise.training:train",
        weights=Weights(
            file="imgai_denoise:weights/photo.safetensors",
            sha256="620c2f0bb21aac622b5ff436d2ab9d4e0de3a6790d9022c7cdf88716b4e87a03",
            size=3_861_456,
            license="Apache-2.0",
            data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0)",
        ),
        parameters=1_929_344,
        revision=2,
        bfloat16=True,
        multiple_of=8,
        minimum=16,
        tile=512,
        overlap=112,
    ),
    Model(
        name="gaussian",
        task="denoise",
        summary="White Gaussian noise of any level up to sigma 60, as benchmarks use it.",
        license="MIT",
        load="imgai_denoise.ffdnet:load",
        train="imgai_denoise.training:train_gaussian",
        weights=Weights(
            file="imgai_denoise:weights/gaussian.safetensors",
            sha256="98619c2320a1d616e4e5541d5badc18548084f3158a4c434af2b0425db9b30ec",
            size=1_846_628,
            license="MIT",
            data="FFDNet's (its own pictures), then photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0)",
        ),
        parameters=922_062,
        bfloat16=True,
        multiple_of=8,
        minimum=16,
        tile=1024,
        overlap=192,
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

    # FFDNet, of `gaussian`, says the picture itself and not what is taken off; see its card.
    return Contract(bfloat16_levels=0.5)
