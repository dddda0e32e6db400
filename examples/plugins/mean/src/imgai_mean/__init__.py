"""imgai denoise --model mean: a model that is made of two others."""

from imgai.plugin import Model, hookimpl


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """One model, without weights of its own."""
    return (
        Model(
            name="mean",
            task="denoise",
            summary="The mean of photo and gaussian.",
            license="Apache-2.0",
            load="imgai_mean.network:load",
            uses=("denoise/photo", "denoise/gaussian"),
            parameters=2 * 1_929_344,
            multiple_of=8,
            minimum=16,
            tile=512,
            overlap=112,
        ),
    )
