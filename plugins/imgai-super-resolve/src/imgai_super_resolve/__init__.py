"""imgai super-resolve: larger pictures, with the detail that is in them and none that is not."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param


@dataclass(frozen=True, slots=True)
class SuperResolveParams:
    """What can be asked of every model."""

    tta: bool = param(False, "Average eight turned and mirrored answers: eight times as slow, a little truer.")


TASK = Task(
    name="super-resolve",
    summary="Enlarge pictures by any factor from 1 to 8.",
    default_model="photo",
    output=Output.IMAGE,
    params=SuperResolveParams,
)

DATA = "photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0)"
PARAMETERS = {2: 410_700, 3: 417_195, 4: 426_288}
FILES = {
    "photo-x2": ("043bc229cfa8535cf62ea23d6da5c16214df4f0bf4e2f5bd2ca96443bd7e418c", 4_461_130),
    "photo-x3": ("b1c24d5cb1aa5f744f162e61663ba8834e35c9fb567d3ea1d74411d2aad1221e", 4_474_120),
    "photo-x4": ("b29f5ab79e2a878943e896e412788847af6a615168365a66d79093c39cf59831", 4_492_306),
    "clean-x2": ("ab68e87ef738c38a7a0e35d5d1970ec961b827348ca0bda1921ba4f3074344d2", 4_461_130),
    "clean-x3": ("0fbfd58fcf7abcecbe4edf7dfbd1a878eebc838b639d3229e7446f41df6f1922", 4_474_120),
    "clean-x4": ("ac4246cef2e382a5a5c4bc079b9c65ff1076ab21f99cdb22355ae7c3d4cb69ea", 4_492_306),
}
"""Digest and bytes of each model's weights."""
SUMMARIES = {
    "photo": "Real pictures: slightly blurred, noisy or compressed.",
    "clean": "Pictures without a fault, as papers measure: shrunk by a bicubic filter.",
}


def model(family: str, scale: int) -> Model:
    """The declaration of one member of a family."""
    name = f"{family}-x{scale}"
    sha256, size = FILES[name]
    return Model(
        name=name,
        family=family,
        task=TASK.name,
        summary=SUMMARIES[family],
        license="Apache-2.0",
        load="imgai_super_resolve.span:load",
        weights=Weights(
            file=f"imgai_super_resolve:weights/{name}.safetensors",
            sha256=sha256,
            size=size,
            license="Apache-2.0",
            data=DATA,
        ),
        parameters=PARAMETERS[scale],
        scale=scale,
        minimum=8,
        tile=256,
        overlap=24,
    )


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Two families of three scales, the default first."""
    return tuple(model(family, scale) for family in SUMMARIES for scale in (2, 3, 4))
