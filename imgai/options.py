"""The host's own options, declared like those of plugins: one dataclass per group, each field created by `option`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.params import option
from imgai.plugin import Output

if TYPE_CHECKING:
    from imgai.predict.spec import KindSpec

METHODS = ("gradcam", "occlusion", "integrated-gradients", "uncertainty")
"""Methods of explanation; the second and third are implemented by captum."""
KEPT = 20
"""The maximum number of labels per image, which is also the number kept in the record."""
LARGEST = 8.0
"""The largest scale factor along a side."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The device and how networks run on it.

    device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, several joined by commas, or ``mps``.
    precision: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
    batch: tiles or images per call of the network; None: chosen automatically. tile: the side of a tile in pixels;
        None: as declared by the model.
    backend: what runs the networks.
    """

    device: str = option(
        "auto",
        "Where the networks run: auto, cpu, cuda, cuda:1, several joined by commas, or mps.",
        offered=("auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps"),
    )
    precision: str = option(
        "auto",
        "Number format of the networks; auto uses half precision where it is faster.",
        choices=("auto", "fp32", "fp16", "bf16"),
    )
    batch: int | None = option(None, "Tiles or images per call of the network.", minimum=1, shown="chosen")
    tile: int | None = option(None, "Side of a tile in pixels.", minimum=32, shown="the model's")
    backend: str = option(
        "auto",
        "Runtime of the networks; auto: the fastest that is installed and gives the same pixels.",
        choices=("auto", "torch", "compile", "onnx", "openvino"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoresOptions:
    """The options of tasks that return scores.

    top: the number of labels per image, best first. threshold: the minimum score of a label.
    sort_by: the order of rows. excel: begin a CSV table with a byte order mark.
    sort_into: a folder that gets a sub-folder for each label with the files whose best label it is.
    link: link files there instead of copying them.
    write_xmp: write the labels as keywords into a sidecar beside each input.
    explain: the method of explanation. explain_label: the label to explain; None for the best.
    """

    top: int = option(1, "Number of labels per image.", minimum=1, maximum=KEPT)
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
        None, "Copy each file into a sub-folder named after its best label.", metavar="FOLDER", trusted=True
    )
    link: bool = option(False, "With --sort-into: link instead of copying.", trusted=True)
    write_xmp: bool = option(False, "Write the labels as keywords into FILE.xmp beside each file.", trusted=True)
    explain: str | None = option(None, "Show which parts of each image are evidence for its label.", choices=METHODS)
    explain_label: str | None = option(None, "Explain this label instead of the best.", metavar="LABEL")


PRINTED: dict[Output, type[Any]] = {Output.SCORES: ScoresOptions}
"""The options of outputs that are printed or collected in one table; for other outputs, kinds have the options."""


SEARCHED = (Output.MASK, Output.BOXES)
"""Outputs that may be empty."""


@dataclass(frozen=True, slots=True)
class OutputOptions(ScoresOptions):
    """How the output of the last step is written.

    kinds: the kinds that it is written as; empty if labels are only printed.
    table: the file for the labels of all inputs; CSV, JSON lines or Parquet, by its suffix.
    """

    kinds: tuple[KindSpec, ...] = ()
    table: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Basics:
    """Options shared by runs and measurements.

    threads: the number of decoding threads, and of encoding threads; None: chosen by the number of cores.
    memory: the budget in bytes for decoded images in flight.
    report, contact: files with an overview of the results. open: show the report in a browser.
    """

    json: bool = option(False, "Print one record a line on stdout.", scope="recipe")
    quiet: bool = option(False, "Print nothing but errors.", short="-q", scope="settings")
    verbose: bool = option(False, "Print more.", short="-v", scope="settings")
    threads: int | None = option(None, "Number of decoding and of encoding threads.", minimum=1, shown="by cores")
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
        None, "Also write an HTML page with all pictures: before, after, results.", metavar="FILE.html",
        scope="recipe", address=True,
    )  # fmt: skip
    contact: Path | None = option(
        None, "Also write a contact sheet: thumbnails of all pictures.", metavar="FILE.jpg", scope="recipe",
        address=True,
    )  # fmt: skip
    open: bool = option(False, "Open the report in a browser at the end.", scope="typed")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions(Basics):
    """The options of a run.

    name: the pattern for names of output files. log: a file that messages are appended to.
    part: the share of the inputs for this worker, as ``2/8``. steal: continue with the shares of other workers.
    on: the cluster that processes the inputs. workers, gpus_per_worker: how many workers, and GPUs of each.
    channel: the channel to use of pictures with several. dpi: dots per inch of every picture; None: as stated in the
        file.
    out: the output folder, or the output file; None if labels are only printed.
    outputs: how the last step is written. avoid: other output folders, which must not be read as inputs.
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
        address=True,
    )
    force: bool = option(False, "Process every input again, even if its output is up to date.", scope="recipe")
    overwrite: bool = option(
        False, "Also replace files in --out that were not made by imgai, or by another task.", scope="recipe"
    )
    no_clobber: bool = option(False, "Do not replace an existing file or table named by --out.", scope="recipe")
    name: str | None = option(
        None,
        "Pattern for file names in --out: {stem}, {task}, {model}, {ext}. With it --out may be the input folder.",
        metavar="NAME",
        scope="recipe",
    )
    dry_run: bool = option(False, "Print what would be done and write nothing.", scope="typed")
    fail_fast: bool = option(False, "Stop at the first input that fails.")
    fail_if_empty: bool = option(False, "Exit with 1 if any picture has an empty result.", scope="settings")
    log: Path | None = option(
        None, "Also append all messages to this file, with the time.", metavar="FILE", scope="settings", trusted=True
    )
    channel: str | None = option(
        None, "Use only this channel: its number from 1, its name, or red, green, blue.", metavar="CHANNEL"
    )
    dpi: float | None = option(
        None, "Resolution of the pictures in dots per inch; overrides the files.", minimum=1, maximum=100_000
    )
    watch: bool = option(False, "Keep running; process files as they arrive.", scope="recipe")
    part: str | None = option(
        None, "Process only this part of the inputs: 2/8 is the second of eight.", metavar="I/N", scope="typed"
    )
    steal: bool = option(False, "With --part: continue with unfinished inputs of the other parts.", scope="typed")
    on: str | None = option(
        None, "Process on the workers of a Ray cluster: ray, or ray://HOST:PORT.", metavar="CLUSTER", scope="typed"
    )
    workers: int | None = option(
        None, "With --on: number of workers, each on one core.", minimum=1, maximum=10_000, shown="a core each",
        scope="typed",
    )  # fmt: skip
    gpus_per_worker: float | None = option(
        None, "With --on: GPUs of each worker; 0.5 lets two share one.", minimum=0, maximum=64, scope="typed"
    )
    null: bool = option(False, "Names in @lists end with NUL instead of a newline.", short="-0", scope="recipe")
    outputs: OutputOptions = field(default_factory=OutputOptions)
    machine: Machine = field(default_factory=Machine)
    avoid: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainOptions(RunOptions):
    """The options of ``imgai chain``. keep: names of steps before the last whose masks are also written."""

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
    """Options of the last step that ``imgai chain`` also accepts outside of the quotes."""

    format: str | None = option(None, "Format of the pictures of the last step.", scope="typed")
    quality: int | None = option(
        None, "Quality of JPEG, WebP and AVIF files of the last step.", minimum=1, maximum=100, scope="typed"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeOptions(RunOptions):
    """The options of ``imgai run``. recipe: None if `list` is given."""

    recipe: str | None = option(
        None,
        "A TOML file, or the name of a recipe, for example product; see --list.",
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
    list: bool = option(False, "List the named recipes and exit.", scope="typed")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateOptions(Basics):
    """The options of ``imgai evaluate``."""

    folder: Path = option(help="A folder of pictures with ground truth.", metavar="DIR", argument=True, scope="typed")
    out: Path | None = option(
        None,
        "The folder for pictures.csv and, of classes, classes.csv, confusion.csv and confusion.png.",
        short="-o",
        metavar="FOLDER",
        scope="typed",
    )
    compare: tuple[str, ...] = option(
        (), "Measure these models side by side, instead of --model.", metavar="MODEL", scope="typed"
    )
    threshold: float = option(
        0.5, "Mask values and box scores at or above this count.", minimum=0, maximum=1, scope="typed"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareOptions(Basics):
    """The options of ``imgai compare``. with_: chains, written as on the command line."""

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
    """The options of every step of a chain."""

    model: str | None = option(
        None, "The model to use: its name, or the path of a file; see: imgai models.", short="-m"
    )


@dataclass(frozen=True, slots=True)
class SizeOptions:
    """The output size, given in one of several ways; the aspect ratio is kept.

    scale: factor along a side. width, height: pixels; both together are a box to fit into.
    megapixels: area in millions of pixels.
    """

    scale: float | None = option(None, "Factor along a side, not necessarily whole.", minimum=1, maximum=LARGEST)
    width: int | None = option(None, "Width in pixels; with --height, a box to fit into.", minimum=1)
    height: int | None = option(None, "Height in pixels.", minimum=1)
    megapixels: float | None = option(None, "Area in millions of pixels.", minimum=0)


@dataclass(frozen=True, slots=True)
class NormalizeOptions:
    """The range of values that is stretched for a microscopy model: "auto", "none", or two numbers of the file."""

    normalize: str = option(
        "auto",
        "Range of values to stretch for the network, for pictures that use a small part of their scale.",
        metavar="auto|none|LOW,HIGH",
    )


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """The mask for tasks with ``inputs=("mask",)``.

    mask: a file for all pictures, or a folder with a mask for each; None: the transparent pixels.
    """

    mask: Path | None = option(
        None,
        "Where to work: white in a picture of the same size. A file for all, or a folder with files of the same names.",
        metavar="FILE|FOLDER",
        shown="transparent pixels",
    )
    grow: int = option(0, "Pixels by which the mask grows on every side.", minimum=0, maximum=1000)


@dataclass(frozen=True, slots=True)
class KindOptions:
    """The ways in which an output is written. as_: names of kinds."""

    as_: tuple[str, ...] = option((), "What to write; may be given several times.", metavar="KIND")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The output of tasks that return scores. out: None prints the labels."""

    out: Path | None = option(
        None, "The table to write: a .csv, .jsonl or .parquet file.", short="-o", metavar="FILE", scope="recipe",
        address=True,
    )  # fmt: skip


INPUTS: dict[str, type[Any]] = {"mask": MaskOptions}
"""The options of further inputs, by `Task.inputs`. Their names are reserved only for tasks with such inputs, so that
plugins with older params of these names still work."""
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
    """Return the names of the fields above, which params of plugins may not have."""
    declared = (each for group in GROUPS for each in fields(group) if "imgai" in each.metadata)
    return frozenset({each.name.rstrip("_") for each in declared} | {"help", "version"})
