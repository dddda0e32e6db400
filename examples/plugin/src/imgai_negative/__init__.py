"""imgai negative: film negatives as positives."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of ``imgai negative``."""

    strength: float = param(1.0, "How much of the positive; 0 is the picture as it was.", minimum=0, maximum=1)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task."""
    return (
        Task(
            name="negative",
            summary="Film negatives as positives.",
            default_model="linear",
            output=Output.IMAGE,
            params=Params,
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights."""
    return (
        Model(
            name="linear",
            task="negative",
            summary="White minus the picture.",
            license="Apache-2.0",
            load="imgai_negative.linear:load",
            tile=1024,
        ),
    )
