"""imgai exposure: too dark, right or too light."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of ``imgai exposure``."""

    tolerance: float = param(0.15, "How far from middle grey the mean may be.", minimum=0.01, maximum=0.5)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task, whose models return a score for each label."""
    return (
        Task(
            name="exposure",
            summary="Too dark, right or too light.",
            default_model="mean",
            output=Output.SCORES,
            params=Params,
            examples=("imgai exposure photos/ --sort-into sorted/",),
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights and sees every picture 64 pixels large."""
    return (
        Model(
            name="mean",
            task="exposure",
            summary="By the mean lightness.",
            license="Apache-2.0",
            load="imgai_exposure.mean:load",
            labels=("dark", "right", "light"),
            input_size=(64, 64),
        ),
    )
