"""imgai classify: label pictures."""

from dataclasses import dataclass

from imgai.plugin import Model, Output, Task, Weights, hookimpl, param
from imgai_classify.labels import IDS, LABELS


@dataclass(frozen=True, slots=True)
class TimmParams:
    """Options of timm's checkpoints."""

    checkpoint: str = param("", "The checkpoint: the text after the slash in --model timm/NAME.")


@dataclass(frozen=True, slots=True)
class ZeroShotParams:
    """Options of zero-shot classification."""

    labels: str = param("", "The labels to choose from, separated by commas.", metavar="A,B,...")
    clip: str = param("ViT-B-32/laion2b_s34b_b79k", "Network and weights, as open_clip names them.", metavar="NAME/TAG")


TASK = Task(
    name="classify",
    summary="Classify pictures: tables, folders by label, keywords, heat maps.",
    default_model="imagenet",
    output=Output.SCORES,
    examples=(
        "imgai classify photos/ --out labels.csv",
        "imgai classify photos/ --sort-into sorted/",
        "imgai classify photos/ --explain gradcam --out labels.csv",
    ),
)

DATA = "ImageNet-1k (ILSVRC 2012); weights published by Google, converted to PyTorch by ML Illustrated"


def imagenet(name: str, summary: str, side: int, sha256: str, size: int, parameters: int) -> Model:
    """One of the two EfficientNet-Lites. side: of the pictures it was trained with, in pixels."""
    return Model(
        name=name,
        task=TASK.name,
        summary=summary,
        license="Apache-2.0",
        load="imgai_classify.efficientnet_lite:load",
        train="imgai_classify.efficientnet_lite:train",
        weights=Weights(
            file=f"imgai_classify:weights/{name}.safetensors",
            sha256=sha256,
            size=size,
            license="Apache-2.0",
            data=DATA,
        ),
        parameters=parameters,
        input_size=(side, side),
        crop=side / (side + 32),  # as the published preprocessing crops
        labels=LABELS,
        label_ids=IDS,
    )


MODELS = (
    imagenet(
        "imagenet",
        "The 1000 labels of ImageNet; EfficientNet-Lite0.",
        224,
        "4767fde81c36993a7b1491ae25c514f538165b8033d6e5291d64601d09695089",
        14_021_608,
        4_631_000,
    ),
    imagenet(
        "imagenet-accurate",
        "The same labels, more accurate and slower; EfficientNet-Lite2.",
        260,
        "2380fc653b2a9bc54fe769ee07947e343e6a359cea1e9f7b6c642dd4430960dd",
        18_363_576,
        6_063_024,
    ),
)

CNN = Model(
    name="cnn",
    task=TASK.name,
    summary="A small untrained network, to train on your own pictures.",
    license="Apache-2.0",
    load="imgai_classify.cnn:load",
    train="imgai_classify.cnn:train",
    untrained=True,
    labels=("a", "b"),
    input_size=(128, 128),
)
TIMM = Model(
    name="timm",
    task=TASK.name,
    summary="Any checkpoint of timm: --model timm/NAME; needs imgai-classify[timm].",
    license="LicenseRef-checkpoint",
    load="imgai_classify.checkpoints:load",
    train="imgai_classify.checkpoints:train",
    variant="checkpoint",
    params=TimmParams,
)
ZERO_SHOT = Model(
    name="zero-shot",
    task=TASK.name,
    summary='Labels of your own: --labels "invoice, receipt"; needs imgai-classify[zero-shot].',
    license="MIT",
    load="imgai_classify.zero_shot:load",
    params=ZeroShotParams,
)


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return the task of this plugin."""
    return (TASK,)


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return its models, the default first."""
    return (*MODELS, CNN, TIMM, ZERO_SHOT)
