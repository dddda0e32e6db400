"""imgai segment: cut out subjects, find nuclei, separate ink from paper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param

if TYPE_CHECKING:
    from imgai.plugin import Contract


@dataclass(frozen=True, slots=True)
class TimmParams:
    """Options of encoders of timm."""

    checkpoint: str = param("", "The encoder: the text after the slash in --from timm/NAME.")


TASK = Task(
    name="segment",
    summary="Segment pictures: cut out subjects, number nuclei, separate ink from paper.",
    default_model="subject",
    output=Output.MASK,
    examples=(
        "imgai segment photos/ --as cutout --background white --crop --out shop/",
        "imgai segment cells/ --model nuclei --as labels --as csv --out counted/",
        "imgai segment scans/ --model document --as ink --out pages/",
    ),
)

MODELS = (
    Model(
        name="subject",
        task="segment",
        summary="The main subject: people, animals, vehicles, objects.",
        license="Apache-2.0",
        load="imgai_segment.subject:load",
        train="imgai_segment.subject_training:train",
        weights=Weights(
            file="imgai_segment:weights/subject.safetensors",
            sha256="a5693bd9abce5d784bd7f9fc6b102960610ab2485994d57605ff5cb373c41f2d",
            size=10_253_700,
            license="Apache-2.0",
            data="ImageNet (the encoder), DAVIS 2016, Clothing Co-Parsing, animals, cats, things, COCO, TrashNet, "
            "Grocery Store (CC BY 4.0, MIT, public domain, CC0), photographs (CC0, Unsplash, Pexels, CC BY, "
            "CC BY-SA 4.0)",
        ),
        parameters=5_119_246,
        revision=2,
        bfloat16=True,
        labels=("subject",),
        input_size=(896, 896),
        train_size=448,
    ),
    Model(
        name="nuclei",
        task="segment",
        summary="Nuclei in microscopy; --as labels numbers them and separates touching ones.",
        license="Apache-2.0",
        load="imgai_segment.nuclei:load",
        train="imgai_segment.nuclei_training:train",
        weights=Weights(
            file="imgai_segment:weights/nuclei.safetensors",
            sha256="2c1527fde726c8bceb80565866f3f817600b4475a379cd176214ad8f96d303ca",
            size=2_423_952,
            license="Apache-2.0",
            data="BBBC038, corrected (CC0)",
        ),
        parameters=1_209_988,
        bfloat16=True,
        labels=("nucleus",),
        normalize=(0.1, 0.6),
        auxiliary=2,
        multiple_of=16,
        minimum=32,
        tile=512,
        overlap=64,
    ),
    Model(
        name="document",
        task="segment",
        summary="Ink on paper, of scanned and photographed pages.",
        license="Apache-2.0",
        load="imgai_segment.document:load",
        train="imgai_segment.document_training:train",
        weights=Weights(
            file="imgai_segment:weights/document.safetensors",
            sha256="01acdd2bcf23472be819280493271fd5648276afc2211f3323c77f9d82e50713",
            size=2_064_214,
            license="Apache-2.0",
            data="pages drawn by the training script",
        ),
        parameters=1_029_879,
        bfloat16=True,
        labels=("ink",),
        multiple_of=32,
        minimum=32,
        tile=512,
        overlap=64,
        dpi=200,
        revision=2,
    ),
    Model(
        name="unet",
        task="segment",
        summary="An untrained U-Net, to train on your own pictures.",
        license="Apache-2.0",
        load="imgai_segment.unet:load",
        train="imgai_segment.unet:train",
        untrained=True,
        labels=("foreground",),
        multiple_of=16,
        minimum=32,
        tile=512,
        overlap=64,
    ),
)


TIMM = Model(
    name="timm",
    task="segment",
    summary="A network of timm, to train: --from timm/NAME; needs imgai-segment[timm].",
    license="LicenseRef-checkpoint",
    load="imgai_segment.encoders:load",
    train="imgai_segment.encoders:train",
    untrained=True,
    labels=("foreground",),
    variant="checkpoint",
    params=TimmParams,
    multiple_of=32,
    minimum=64,
    tile=512,
    overlap=64,
)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return its models, the default first."""
    return (*MODELS, TIMM)


@hookimpl
def imgai_contract() -> "Contract":
    """Return what the checks of the contract have to know."""
    from imgai.plugin import Contract  # which no other command needs

    # Maps that are cut at one half; blocks of colour are nothing that the networks know.
    return Contract(seam_levels=24.0)
