"""A model of imgai segment: what is lighter than Otsu's threshold of the whole picture."""

from imgai.plugin import Model, hookimpl


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model for a task of another plugin: it looks at the whole picture once, small, and then at tiles."""
    return (
        Model(
            name="otsu",
            task="segment",
            summary="What is light, by Otsu's threshold; touching discs apart.",
            license="Apache-2.0",
            load="imgai_otsu.threshold:load",
            labels=("light",),
            overview=256,
            tile=1024,
            overlap=0,
        ),
    )
