"""A plugin that keeps the contract: a task of each output, a network of next to nothing each."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param


@dataclass(frozen=True)
class SoftenParams:
    strength: float = param(1.0, "How much of it is applied.", minimum=0, maximum=1)
    window: str = param("box", "The shape of the window.", choices=("box", "tent"))
    darken: bool = param(False, "Darken it too.")


@dataclass(frozen=True)
class DeepParams:
    rounds: int = param(1, "How often it is applied.", minimum=1, maximum=3)


TASKS = (
    Task(name="plant-soften", summary="Soften.", default_model="blur", output=Output.IMAGE, params=SoftenParams),
    Task(name="plant-inside", summary="Find light.", default_model="light", output=Output.MASK),
    Task(name="plant-weigh", summary="Dark or light.", default_model="mean", output=Output.SCORES),
    Task(name="plant-box", summary="Box what is light.", default_model="extent", output=Output.BOXES),
    Task(name="plant-height", summary="Heights.", default_model="relief", output=Output.MAP),
    Task(name="plant-tell", summary="Tell the colour.", default_model="colour", output=Output.DATA),
)

MODELS = (
    Model(
        name="blur",
        task="plant-soften",
        summary="A small window.",
        license="Apache-2.0",
        load="PACKAGE.networks:load_blur",
        weights=Weights(
            file="PACKAGE:weights/blur.safetensors",
            sha256="SHA256",
            size=0x51E5,
            license="CC0-1.0",
        ),
        params=DeepParams,
        tile=96,
        overlap=24,
    ),
    Model(
        name="light",
        task="plant-inside",
        summary="The mean of the channels.",
        license="MIT",
        load="PACKAGE.networks:load_light",
        labels=("light", "dark"),
        tile=64,
        overlap=8,
        multiple_of=2,
    ),
    Model(
        name="mean",
        task="plant-weigh",
        summary="The mean of the picture.",
        license="MIT",
        load="PACKAGE.networks:load_mean",
        labels=("dark", "light"),
        input_size=(32, 32),
    ),
    Model(
        name="extent",
        task="plant-box",
        summary="Around all that is light.",
        license="MIT",
        load="PACKAGE.networks:load_extent",
        labels=("light",),
        input_size=(32, 32),
    ),
    Model(
        name="relief",
        task="plant-height",
        summary="The mean of the channels.",
        license="MIT",
        load="PACKAGE.networks:load_relief",
        unit="m",
        range=(0.0, 100.0),
        tile=64,
        overlap=8,
    ),
    Model(
        name="colour",
        task="plant-tell",
        summary="The mean colour.",
        license="MIT",
        load="PACKAGE.networks:load_colour",
        input_size=(32, 32),
    ),
)


@hookimpl
def imgai_register_tasks():
    return TASKS


@hookimpl
def imgai_register_models():
    return MODELS
