"""The options of ``imgai train``, for the command line, --settings and the saved state of a training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgai.params import Option, option, options_of

OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop", "muon")
MINUTES = 20.0
"""The default duration in minutes."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Options of the data set and its batches."""

    group: str | None = option(
        None,
        "Keep pictures together in the split if this pattern matches the same text in their names.",
        metavar="REGEX",
    )
    size: int | None = option(None, "Side of the training crops in pixels.", minimum=16, shown="chosen")
    batch: int | None = option(None, "Pictures or crops per step.", minimum=1, shown="chosen")
    augment: str = option("light", "Strength of the augmentations.", choices=("none", "light", "strong"))
    balance: str = option(
        "auto",
        "Method for balancing rare classes; auto balances from a ratio of 3:1.",
        choices=("auto", "none", "weights", "oversample", "undersample"),
    )
    max_pixels: int = option(
        200_000_000,
        "Refuse images with more pixels.",
        minimum=1,
        base=1000,
        unit="a number of pixels, as 500M",
        metavar="PIXELS",
    )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Options of the initial network."""

    from_: str | None = option(
        None, "The model to start from: a name, or the path of a file; see: imgai models.", metavar="MODEL"
    )
    width: int | None = option(None, "Channels of the first stage, for networks with this option.", minimum=1)
    dropout: float = option(0.0, "Probability of dropout, for networks with this option.", minimum=0, maximum=0.9)
    freeze: bool = option(False, "Train only the head.")
    head_first: bool | None = option(
        None, "Train a new head first, on precomputed features.", negatable=True, shown="on a CPU"
    )


@dataclass(frozen=True, kw_only=True)
class LearningOptions:
    """Options of optimization and duration."""

    epochs: int | None = option(None, "Stop after this number of epochs.", minimum=1)
    minutes: float | None = option(
        None,
        "Stop after this number of minutes, unless --epochs ends earlier.",
        minimum=0.01,
        shown=f"{MINUTES:g} without --epochs",
    )
    patience: int | None = option(None, "Stop after this number of validations without improvement.", minimum=1)
    loss: str | None = option(
        None,
        "The loss: ce, focal, dice, bce, tversky, l1, charbonnier, ssim; or several: dice+bce.",
        shown="the model's",
    )
    label_smoothing: float = option(0.0, "Label smoothing factor.", minimum=0, maximum=0.5)
    optimizer: str = option("adamw", "The optimizer.", choices=OPTIMIZERS)
    rate: float | None = option(None, "The highest learning rate.", minimum=0, shown="the model's")
    weight_decay: float | None = option(
        None, "Weight decay factor.", minimum=0, shown="0.01 for adamw and muon, 0.0001 for sgd, 0 for adam and rmsprop"
    )
    l1: float = option(0.0, "L1 regularization factor.", minimum=0)
    ema: bool = option(True, "Keep a moving average of the weights.", negatable=True)
    amp: str = option(
        "auto",
        "Compute in bfloat16 where it is faster.",
        choices=("auto", "bf16", "off"),
    )
    seed: int = option(0, "Seed of all random numbers.", minimum=0)
    search: int = option(0, "First try this number of learning rates and sizes in short runs.", minimum=0, shown="none")
    devices: str = option(
        "auto", "Devices: auto, cpu, cuda; several, joined by commas, share the work: cuda:0,cuda:1 or cpu,cpu."
    )


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Options of results and output."""

    name: str | None = option(None, "Name of the trained model, for --model.")
    out: Path | None = option(
        None, "Write to this folder instead of your folder of models.", short="-o", metavar="FOLDER"
    )
    license: str = option("unstated", "Licence of the trained model, for its header and model card.", metavar="SPDX")
    tensorboard: bool = option(False, "Also write events for TensorBoard.")
    resume: bool = option(False, "Continue an interrupted training.", scope="typed")
    overwrite: bool = option(False, "Replace an existing model of that name.", scope="typed")
    dry_run: bool = option(
        False, "Print what would be done and the duration of an epoch, without training.", scope="typed"
    )
    settings: Path | None = option(None, "A TOML file of these options.", metavar="FILE", scope="typed")
    json: bool = option(False, "Print one event a line on stdout.", scope="typed")
    quiet: bool = option(False, "Print nothing but errors.", short="-q", scope="typed")
    verbose: bool = option(False, "Print more.", short="-v", scope="typed")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(DataOptions, NetworkOptions, LearningOptions, ResultOptions):
    """All options of ``imgai train TASK FOLDER``."""

    folder: Path = option(help="A folder of pictures with targets.", metavar="FOLDER", argument=True)


_PANELS: tuple[tuple[type[Any], str], ...] = (
    (NetworkOptions, "Network"),
    (LearningOptions, "Learning"),
    (DataOptions, "Pictures"),
    (ResultOptions, "Results"),
)
_LATER = frozenset(("folder", "epochs", "minutes", "patience", "devices", "name", "out"))
"""Options that may change, or are not saved, when a training is resumed."""


def train_options() -> list[Option]:
    """The options in the order in which ``--help`` shows them."""
    folder = next(each for each in options_of(TrainOptions) if each.name == "folder")
    return [folder, *(each for params, panel in _PANELS for each in options_of(params, panel))]


def kept_options() -> list[Option]:
    """Those that a settings file may hold, and that a training remembers."""
    return [each for each in train_options() if each.traits.scope != "typed" and each.name != "folder"]


def remembered(options: TrainOptions) -> dict[str, Any]:
    """Return the options that a resumed training needs, as JSON-able values."""
    values = {each.name: getattr(options, each.name) for each in kept_options()}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def differing(options: TrainOptions, before: dict[str, Any], typed: frozenset[str]) -> list[str]:
    """The names of what was typed otherwise than in the training that is to go on."""
    now = remembered(options)
    return sorted(name for name in typed & now.keys() if name not in _LATER and now[name] != before.get(name))


def resumed(options: TrainOptions, before: dict[str, Any], typed: frozenset[str]) -> TrainOptions:
    """The options of a training that goes on: as they were, but for what may be said anew."""
    known = {field.name for field in dataclasses.fields(TrainOptions)}
    old = {name: value for name, value in before.items() if name in known and name not in ("name", "out")}
    again = {name: getattr(options, name) for name in typed & _LATER if name in old}
    return dataclasses.replace(options, **{**old, **again})
