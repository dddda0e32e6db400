"""imgai super-resolve: larger pictures, crisp or faithful."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param


@dataclass(frozen=True, slots=True)
class SuperResolveParams:
    """Options of every model."""

    tta: bool = param(
        False, "Average the results of eight turned and mirrored copies: eight times as slow, a little more accurate."
    )


TASK = Task(
    name="super-resolve",
    summary="Enlarge pictures by any factor from 1 to 8.",
    default_model="photo",
    output=Output.IMAGE,
    params=SuperResolveParams,
    examples=(
        "imgai super-resolve old/ --scale 2 --out large/",
        "imgai super-resolve old/ --width 3000 --out large/",
        "imgai super-resolve scans/ --model faithful --out large/",
    ),
)

PHOTOGRAPHS = "photographs (CC0, Unsplash, Pexels, CC BY, CC BY-SA 4.0)"


@dataclass(frozen=True, slots=True)
class Family:
    """Models that differ only in scale. For other scales the next larger one is used, and its result downscaled.

    load: as in `Model`. license, data: of the weights. overlap: of tiles, more than the network sees around a pixel.
    parameters: by scale. files: digest and bytes of the weights, by scale.
    """

    summary: str
    load: str
    license: str
    data: str
    overlap: int
    parameters: dict[int, int]
    files: dict[int, tuple[str, int]]


SPAN_PARAMETERS = {2: 410_700, 3: 417_195, 4: 426_288}
FAMILIES = {
    "photo": Family(
        summary="Small pictures from the web, crisp and clean; adds plausible detail.",
        load="imgai_super_resolve.srvgg:load",
        license="BSD-3-Clause",
        data=f"{PHOTOGRAPHS}; Real-ESRGAN x4plus as the teacher",
        overlap=24,
        parameters={2: 600_652, 4: 621_424},
        files={
            2: ("fd9835b9bcd74786870a7b7f23086ba433dbed271172428032b3ad1f376466ad", 1_205_456),
            4: ("9563644331a4dbc613506a4bf7762c03793cd401d6f745b54396344712e5faa8", 1_247_008),
        },
    ),
    "faithful": Family(
        summary="Adds no detail; removes blur, noise and JPEG artefacts.",
        load="imgai_super_resolve.span:load",
        license="Apache-2.0",
        data=PHOTOGRAPHS,
        overlap=24,
        parameters=SPAN_PARAMETERS,
        files={
            2: ("043bc229cfa8535cf62ea23d6da5c16214df4f0bf4e2f5bd2ca96443bd7e418c", 4_461_130),
            3: ("b1c24d5cb1aa5f744f162e61663ba8834e35c9fb567d3ea1d74411d2aad1221e", 4_474_120),
            4: ("158766e0b36afc31e637fd770e302531a85c5387cb63d99e7b0772a5c69774ff", 4_492_306),
        },
    ),
    "clean": Family(
        summary="Clean pictures downscaled by a bicubic filter, as in benchmarks.",
        load="imgai_super_resolve.srmd:load",
        license="BSD-3-Clause",
        data="SRMDNF's weights (its own pictures); photographs for 15 of the numbers",
        overlap=32,
        parameters={2: 1_510_555, 3: 1_527_850, 4: 1_552_063},
        files={
            2: ("222f9633da1dfc0c09e10e1c06c36a17a6a4ccd814576377c5871718b99dde4d", 3_023_126),
            3: ("9441d5c3beb73b7e72b9a7da978fe7b0e423383771e8a7ae9f0cf86cbe24b0f0", 3_057_716),
            4: ("84b1353b01c23092ea775894bbdc70e6c822dd6169d36f4f48ecea15c13b2bb7", 3_106_142),
        },
    ),
}
"""The families with their purpose, the default first."""


def model(name: str, scale: int) -> Model:
    """Declare one member of a family."""
    family = FAMILIES[name]
    sha256, size = family.files[scale]
    return Model(
        name=f"{name}-x{scale}",
        family=name,
        task=TASK.name,
        summary=family.summary,
        license=family.license,
        load=family.load,
        train=f"imgai_super_resolve.training:train_{name}",
        weights=Weights(
            file=f"imgai_super_resolve:weights/{name}-x{scale}.safetensors",
            sha256=sha256,
            size=size,
            license=family.license,
            data=family.data,
        ),
        parameters=family.parameters[scale],
        scale=scale,
        minimum=8,
        tile=256,
        overlap=family.overlap,
    )


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return three families of two or three scales, the default first."""
    return tuple(model(name, scale) for name, family in FAMILIES.items() for scale in family.files)
