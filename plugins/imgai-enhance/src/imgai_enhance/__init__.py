"""imgai enhance: exposure, contrast, white balance, saturation and haze, corrected as an editor would."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param

PARTS = ("white-balance", "exposure", "haze", "contrast", "saturation")
"""The parts of a correction, as in `imgai_enhance.look`, which needs torch."""


@dataclass(frozen=True, slots=True)
class EnhanceParams:
    """Options of both models."""

    strength: float = param(1.0, "How much of the correction is applied.", minimum=0, maximum=1)
    only: tuple[str, ...] = param(
        (), "Correct only these, separated by commas; all by default.", choices=PARTS, metavar="PARTS"
    )


@dataclass(frozen=True, slots=True)
class LowLightParams:
    """Options of `low-light` alone."""

    noise: float = param(
        0.5, "How much of the grain is removed; colour noise is reduced twice as strongly.", minimum=0, maximum=1
    )


TASK = Task(
    name="enhance",
    summary="Correct exposure, contrast, white balance, saturation and haze.",
    default_model="auto",
    output=Output.IMAGE,
    params=EnhanceParams,
    examples=(
        "imgai enhance photos/ --out better/",
        "imgai enhance photos/ --only exposure,contrast --out better/",
        "imgai enhance night/ --model low-light --out light/",
    ),
)

MODELS = (
    Model(
        name="auto",
        task="enhance",
        summary="Photographs of any kind; well-exposed ones hardly change.",
        license="Apache-2.0",
        load="imgai_enhance.network:load",
        train="imgai_enhance.training:train",
        weights=Weights(
            file="imgai_enhance:weights/auto.safetensors",
            sha256="a56341810b30f409fca0bdbe08baafe58e240b881441b340b2b9a1f85774da61",
            size=2_391_170,
            license="Apache-2.0",
            data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0); for casts also animals (CC BY 4.0), cats "
            "(public domain), people (Apache-2.0); first layers: ImageNet",
        ),
        parameters=1_191_285,
        overview=(160, 160),
        tile=1024,
        overlap=0,
    ),
    Model(
        name="low-light",
        task="enhance",
        summary="Very dark night and indoor photographs; also removes the noise revealed by brightening.",
        license="Apache-2.0",
        load="imgai_enhance.network:load",
        train="imgai_enhance.training:train",
        weights=Weights(
            file="imgai_enhance:weights/low-light.safetensors",
            sha256="a0428f9bb24a45100d72805148ef71cc5c7e985d19212bd7c1847aaec2601ef3",
            size=5_550_460,
            license="Apache-2.0",
            data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0); first layers: ImageNet",
        ),
        parameters=2_770_338,
        bfloat16=True,
        overview=(160, 160),
        multiple_of=8,
        minimum=16,
        tile=640,
        overlap=32,
        params=LowLightParams,
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
