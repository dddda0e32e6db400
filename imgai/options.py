"""The host's own options, declared as a plugin's are: one dataclass a group, each field made by `option`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.params import option
from imgai.plugin import Output

if TYPE_CHECKING:
    from imgai.predict.spec import KindSpec

METHODS = ("gradcam", "occlusion", "integrated-gradients", "uncertainty")
"""How a picture can be explained; the second and third by captum."""
KEPT = 20
"""The most labels of an image: as many are kept in the record."""
LARGEST = 8.0
"""The largest factor along a side."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the networks run on.

    device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, several joined by commas, or ``mps``.
    precision: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
    batch: tiles or images in one call of a network; None chooses. tile: the side of a tile in pixels; None is the
        model's own.
    backend: what runs the networks.
    """

    device: str = option(
        "auto",
        "Where the networks run: auto, cpu, cuda, cuda:1, several joined by commas, or mps.",
        offered=("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps"),
    )
    precision: str = option(
        "auto",
        "Number format of the networks; auto takes a shorter one where it is faster.",
        choices=("auto", "fp32", "fp16", "bf16"),
    )
    batch: int | None = option(None, "Tiles or images in one call of a network.", minimum=1, shown="chosen")
    tile: int | None = option(None, "Side of a tile in pixels.", minimum=32, shown="the model's")
    backend: str = option(
        "auto",
        "What runs the networks; auto is the fastest that is installed and gives the same pixels.",
        choices=("auto", "torch", "compile", "onnx", "openvino"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoresOptions:
    """What is made of scores.

    top: labels an image, the best first. threshold: the least score of a label.
    sort_by: the order of the rows. excel: a CSV table begins with a byte order mark.
    sort_into: a folder with a folder for each label, which gets the files that it is best for.
    link: link the files there instead of copying them.
    write_xmp: write the labels as keywords into a sidecar beside each input.
    explain: the method; explain_label: the label to explain, None for the best.
    """

    top: int = option(1, "Number of labels for each image.", minimum=1, maximum=KEPT)
    threshold: float = option(0.0, "Leave out labels with a lower score.", minimum=0, maximum=1)
    sort_by: str | None = option(
        None,
        "Order of the rows: by path, by label, the highest score first, or the smallest margin first.",
        choices=("path", "label", "score", "margin"),
        shown="as named",
    )
    excel: bool = option(
        False, "Begin a CSV table with a byte order mark, so that Excel reads it as UTF-8.", negatable=True
    )
    sort_into: Path | None = option(
        None, "Copy each file into a folder for its best label.", metavar="FOLDER", trusted=True
    )
    link: bool = option(False, "With --sort-into: link instead of copying.", trusted=True)
    write_xmp: bool = option(False, "Write the labels as keywords into FILE.xmp beside each file.", trusted=True)
    explain: str | None = option(None, "Show for each image which parts speak for its label.", choices=METHODS)
    explain_label: str | None = option(None, "Explain this label instead of the best.", metavar="LABEL")


PRINTED: dict[Output, type[Any]] = {Output.SCORES: ScoresOptions}
"""The options of outputs that are printed, or gathered in one table; those of the others are options of kinds."""


SEARCHED = (Output.MASK, Output.BOXES)
"""Outputs in which there may be nothing."""


@dataclass(frozen=True, slots=True)
class OutputOptions(ScoresOptions):
    """What is written of the last step.

    kinds: what its output is written as; none where labels are only printed.
    table: the file that the labels of all inputs go to; CSV, JSON lines or Parquet by its ending.
    """

    kinds: tuple[KindSpec, ...] = ()
    table: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Basics:
    """What a run and a measurement share.

    threads: that decode, and as many again that encode; None chooses by the cores.
    memory: budget in bytes for the decoded images in flight.
    report, contact: files to look at when all is done. open: show the report in a browser.
    """

    json: bool = option(False, "Print one record a line on stdout.", scope="recipe")
    quiet: bool = option(False, "Print nothing but errors.", short="-q", scope="settings")
    verbose: bool = option(False, "Print more.", short="-v", scope="settings")
    threads: int | None = option(None, "Threads that decode, and as many that encode.", minimum=1, shown="by cores")
    memory: int = option(
        1 << 30,
        "Memory for decoded images in flight.",
        minimum=1,
        base=1024,
        unit="bytes, as 512M or 2G",
        metavar="SIZE",
    )
    max_pixels: int = option(
        200_000_000,
        "Refuse images with more pixels.",
        minimum=1,
        base=1000,
        unit="a number of pixels, as 500M",
        metavar="PIXELS",
        trusted=True,
    )

    report: Path | None = option(
        None, "Also write an HTML page to look at everything: before, after, what was found.", metavar="FILE.html",
        scope="recipe",
    )  # fmt: skip
    contact: Path | None = option(
        None, "Also write a contact sheet: all pictures, small, in one.", metavar="FILE.jpg", scope="recipe"
    )
    open: bool = option(False, "Open the report in a browser at the end.", scope="typed")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions(Basics):
    """What a run is told.

    name: what files in the folder are called. log: a file that messages are added to.
    part: the inputs that are this worker's, as ``2/8``. steal: go on with those of the others.
    channel: of pictures that have several, the one to look at. dpi: dots per inch of every picture; None: as it says.
    out: the output folder, or the one output file; None where labels are only printed.
    outputs: what is written. avoid: other folders of outputs, which are no inputs.
    """

    inputs: tuple[str, ...] = option(
        help="Files, folders, globs, - (an image or a tar stream on stdin) or @list.txt (a file of names).",
        metavar="INPUTS",
        argument=True,
        plain=True,
        scope="typed",
    )
    out: Path | None = option(
        None,
        "The output folder; mirrors the input tree. - is standard output.",
        short="-o",
        metavar="FOLDER",
        scope="recipe",
    )
    force: bool = option(False, "Process every input again, even if its output is up to date.", scope="recipe")
    overwrite: bool = option(
        False, "Also replace files in --out that imgai did not make, or another task made.", scope="recipe"
    )
    no_clobber: bool = option(False, "Do not replace the one file, or the table, that --out names.", scope="recipe")
    name: str | None = option(
        None,
        "How files in --out are called, of {stem}, {task}, {model}, {ext}; so they can lie beside the originals.",
        metavar="NAME",
        scope="recipe",
    )
    dry_run: bool = option(False, "Print what would be done and write nothing.", scope="typed")
    fail_fast: bool = option(False, "Stop at the first input that fails.")
    fail_if_empty: bool = option(False, "Exit with 1 if nothing was found in one of the pictures.", scope="settings")
    log: Path | None = option(
        None, "Also add all messages to this file, with the time.", metavar="FILE", scope="settings", trusted=True
    )
    channel: str | None = option(
        None, "Use this channel alone: its number from 1, its name, or red, green, blue.", metavar="CHANNEL"
    )
    dpi: float | None = option(
        None, "Resolution of the pictures in dots per inch, in place of what they state.", minimum=1, maximum=100_000
    )
    watch: bool = option(False, "Keep running; process files as they arrive.", scope="recipe")
    part: str | None = option(
        None, "Take this part of the inputs alone: 2/8 is the second of eight.", metavar="I/N", scope="typed"
    )
    steal: bool = option(False, "With --part: go on with what the other parts have left.", scope="typed")
    null: bool = option(False, "Names in @lists end with NUL instead of a newline.", short="-0", scope="recipe")
    outputs: OutputOptions = field(default_factory=OutputOptions)
    machine: Machine = field(default_factory=Machine)
    avoid: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainOptions(RunOptions):
    """The options of ``imgai chain``. keep: names of steps before the last whose masks are written too."""

    inputs: tuple[str, ...] = option(
        help="Files, folders, globs, - or @list.txt; then the steps, each in quotes.",
        metavar="INPUTS... STEPS...",
        argument=True,
        plain=True,
        scope="typed",
    )
    keep: tuple[str, ...] = option(
        (),
        "Also write the masks of this step (its name; segment-2 is the second of two).",
        metavar="STEP",
        scope="typed",
    )
    save_recipe: Path | None = option(
        None, "Also write the steps to a file for imgai run.", metavar="FILE", scope="typed"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainFormat:
    """What ``imgai chain`` takes for its last step, so that it need not stand in the quotes."""

    format: str | None = option(None, "Format of the pictures of the last step.", scope="typed")
    quality: int | None = option(
        None, "Of the pictures of the last step, for JPEG, WebP and AVIF.", minimum=1, maximum=100, scope="typed"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeOptions(RunOptions):
    """The options of ``imgai run``. recipe: None with list."""

    recipe: str | None = option(
        None,
        "A TOML file, or the name of a recipe of yours or of imgai's: product, say.",
        metavar="RECIPE",
        argument=True,
        scope="typed",
    )
    inputs: tuple[str, ...] = option(
        (),
        "Files, folders, globs, - (an image or a tar stream on stdin) or @list.txt (a file of names).",
        argument=True,
        plain=True,
        scope="typed",
    )
    list: bool = option(False, "List the recipes that have a name, and do nothing.", scope="typed")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateOptions(Basics):
    """The options of ``imgai evaluate``."""

    folder: Path = option(help="Pictures whose answer is known.", metavar="DIR", argument=True, scope="typed")
    out: Path | None = option(
        None,
        "The folder for pictures.csv and, of classes, classes.csv, confusion.csv and confusion.png.",
        short="-o",
        metavar="FOLDER",
        scope="typed",
    )
    compare: tuple[str, ...] = option(
        (), "Measure these models side by side, in place of --model.", metavar="MODEL", scope="typed"
    )
    threshold: float = option(
        0.5, "Mask values and box scores at or above this count.", minimum=0, maximum=1, scope="typed"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareOptions(Basics):
    """The options of ``imgai compare``. with_: chains in the command's own words."""

    inputs: tuple[str, ...] = option(
        help="Files, folders, globs or @list.txt.", argument=True, plain=True, scope="typed"
    )
    with_: tuple[str, ...] = option(
        (), "A step, or several joined by |, in quotes; may be given several times.", metavar="STEP", plain=True,
        scope="typed",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class TryOptions(Basics):
    """The options of ``imgai try``."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What every step of a chain takes."""

    model: str | None = option(
        None, "The model to use: its name, or the path of a file; see: imgai models.", short="-m"
    )


@dataclass(frozen=True, slots=True)
class SizeOptions:
    """The size of the output, asked for in one way; the shape is kept.

    scale: factor along a side. width, height: pixels; both together are a box to fit into.
    megapixels: area in millions of pixels.
    """

    scale: float | None = option(None, "Factor along a side; need not be whole.", minimum=1, maximum=LARGEST)
    width: int | None = option(None, "Width in pixels; with --height, a box to fit into.", minimum=1)
    height: int | None = option(None, "Height in pixels.", minimum=1)
    megapixels: float | None = option(None, "Area in millions of pixels.", minimum=0)


@dataclass(frozen=True, slots=True)
class NormalizeOptions:
    """Which range of values a model of microscopy is shown: "auto", "none", or two numbers of the file."""

    normalize: str = option(
        "auto",
        "Stretch this range of values for the network, where a picture uses a small part of its scale.",
        metavar="auto|none|LOW,HIGH",
    )


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """The mask that a task with ``inputs=("mask",)`` is given beside each picture.

    mask: a file for all pictures, or a folder with one for each; None: their transparent pixels.
    """

    mask: Path | None = option(
        None,
        "Where to work: white in a picture of the same size. A file for all, or a folder with one of each one's name.",
        metavar="FILE|FOLDER",
        shown="what is transparent",
    )
    grow: int = option(0, "Pixels by which the mask grows on every side.", minimum=0, maximum=1000)


@dataclass(frozen=True, slots=True)
class KindOptions:
    """In which ways an output is written. as_: names of kinds."""

    as_: tuple[str, ...] = option((), "What to write; may be given several times.", metavar="KIND")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Where the output of a task that makes scores goes. out: None prints the labels."""

    out: Path | None = option(
        None, "The table: a file that ends in .csv, .jsonl or .parquet.", short="-o", metavar="FILE", scope="recipe"
    )


INPUTS: dict[str, type[Any]] = {"mask": MaskOptions}
"""By `Task.inputs`: the options of what models are given beside a picture. Params of such tasks alone are kept from
them, so that they turn off no plugin that had a param of the name before."""
GROUPS = (
    Machine,
    RunOptions,
    ChainOptions,
    RecipeOptions,
    EvaluateOptions,
    CompareOptions,
    StepOptions,
    SizeOptions,
    NormalizeOptions,
    KindOptions,
    TableOptions,
    ScoresOptions,
)


def reserved_names() -> frozenset[str]:
    """The names of the fields above, which no param of a plugin may have."""
    declared = (each for group in GROUPS for each in fields(group) if "imgai" in each.metadata)
    return frozenset({each.name.rstrip("_") for each in declared} | {"help", "version"})
