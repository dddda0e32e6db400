"""imgai palette: the main colours of a picture, as data."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of ``imgai palette``."""

    colors: int = param(5, "How many colours are named.", minimum=1, maximum=16)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task, whose models return what JSON can hold."""
    return (
        Task(
            name="palette",
            summary="The main colours of a picture.",
            default_model="histogram",
            output=Output.DATA,
            params=Params,
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights."""
    return (
        Model(
            name="histogram",
            task="palette",
            summary="The fullest cells of a colour histogram.",
            license="Apache-2.0",
            load="imgai_palette.histogram:load",
            input_size=(64, 64),
        ),
    )
