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
    "photo-x2": ("143636096bbb28bc3ccde5fbdf756acc9051dde96bc64486945c3419d1f100be", 4_461_130),
    "photo-x3": ("b1c24d5cb1aa5f744f162e61663ba8834e35c9fb567d3ea1d74411d2aad1221e", 4_474_120),
    "photo-x4": ("b29f5ab79e2a878943e896e412788847af6a615168365a66d79093c39cf59831", 4_492_306),
    "clean-x2": ("8f8579670ee48b8f1cb9dfd39f18196f8b07b375e32e1a19efb3a6d219851440", 4_461_130),
    "clean-x3": ("0fbfd58fcf7abcecbe4edf7dfbd1a878eebc838b639d3229e7446f41df6f1922", 4_474_120),
    "clean-x4": ("3d39023ca25d847bd8ded90054c9b061638c7990321a30cab0c852d4a8700877", 4_492_306),
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
    """The one task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Two families of three scales, the default first."""
    return tuple(model(family, scale) for family in SUMMARIES for scale in (2, 3, 4))
