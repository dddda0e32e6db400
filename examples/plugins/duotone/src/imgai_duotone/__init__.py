"""imgai duotone: pictures in two colours."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, hookimpl, param

COLORS = ("black", "navy", "maroon", "teal", "orange", "gold", "pink", "white")


@dataclass(frozen=True)
class Params:
    """The options of ``imgai duotone``."""

    dark: str = param("navy", "What black becomes.", choices=COLORS)
    light: str = param("gold", "What white becomes.", choices=COLORS)
    strength: float = param(1.0, "How much of it is applied.", minimum=0, maximum=1)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task, whose models return a picture."""
    return (
        Task(
            name="duotone",
            summary="Pictures in two colours.",
            default_model="ramp",
            output=Output.IMAGE,
            params=Params,
            examples=("imgai duotone photos/ --dark maroon --light pink --out posters/",),
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights, and looks at a pixel alone: tiles need no overlap."""
    return (
        Model(
            name="ramp",
            task="duotone",
            summary="A straight line from one colour to the other.",
            license="Apache-2.0",
            load="imgai_duotone.ramp:load",
            tile=1024,
            overlap=0,
        ),
    )
