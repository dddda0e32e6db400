"""imgai inpaint: fill scratches, dust, text and other small holes in pictures."""

from imgai.plugin import Model, Output, Task, Weights, hookimpl

TASK = Task(
    name="inpaint",
    summary="Fill scratches, dust, text and other small holes.",
    default_model="small",
    output=Output.IMAGE,
    inputs=("mask",),
    examples=(
        "imgai inpaint scan.tif --mask scratches.png --out clean/",
        "imgai inpaint scans/ --mask masks/ --grow 2 --out clean/",
        "imgai inpaint holes.png --out filled/",
    ),
)

SMALL = Model(
    name="small",
    task="inpaint",
    summary="Holes up to some 40 pixels across; larger ones become smooth.",
    license="Apache-2.0",
    load="imgai_inpaint.network:load",
    train="imgai_inpaint.learning:train",
    weights=Weights(
        file="imgai_inpaint:weights/small.safetensors",
        sha256="79d87b0b9c3f58e8868d77504e9b3b0887eb7eeda3266a56a9768e9afe7a2f57",
        size=3_872_280,
        license="Apache-2.0",
        data="photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0)",
    ),
    parameters=1_933_516,
    bfloat16=True,
    multiple_of=8,
    minimum=32,
    tile=256,
    overlap=64,
    hole=40,
)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return its model."""
    return (SMALL,)
