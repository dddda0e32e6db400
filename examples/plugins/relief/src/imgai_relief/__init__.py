"""imgai relief: how steep the brightness is, as a map."""

from imgai.plugin import Model, Output, Task, hookimpl


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """One task, whose models return a value for each pixel."""
    return (
        Task(
            name="relief",
            summary="How steep the brightness is.",
            default_model="sobel",
            output=Output.MAP,
        ),
    )


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, which needs no weights."""
    return (
        Model(
            name="sobel",
            task="relief",
            summary="The length of Sobel's gradient.",
            license="Apache-2.0",
            load="imgai_relief.sobel:load",
            unit="a pixel",
            range=(0, 1),
            tile=512,
        ),
    )
