"""imgai blobs: bright spots as boxes."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of ``imgai blobs``."""

    contrast: float = param(2.0, "How many standard deviations brighter than the mean a spot is.", minimum=0)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task, whose models return boxes."""
    return (
        Task(
            name="blobs",
            summary="Bright spots as boxes.",
            default_model="bright",
            output=Output.BOXES,
            params=Params,
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights. It sees every picture whole, with bars where it is not square."""
    return (
        Model(
            name="bright",
            task="blobs",
            summary="What is brighter than the rest.",
            license="Apache-2.0",
            load="imgai_blobs.bright:load",
            labels=("small", "large"),
            input_size=(256, 256),
            fit="letterbox",
        ),
    )
