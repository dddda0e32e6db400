"""The options that are the host's, declared as functions whose signatures Typer reads."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, get_args

import typer

from imgai.plugin import Output
from imgai.predict.size import LARGEST

KEPT = 20
"""The most labels a picture can get: so many are kept in the record."""
_RUN = "Run"
_OUTPUT = "Output"
_MACHINE = "Machine"


def options_of(declared: Callable[..., None]) -> list[inspect.Parameter]:
    """The parameters of one of the functions below, each with an option of its own, that may be changed."""
    return [_own(parameter) for parameter in _parameters(declared)]


@cache
def _parameters(declared: Callable[..., None]) -> tuple[inspect.Parameter, ...]:
    # Annotations take long to evaluate, and a chain asks for the same ones at every step.
    return tuple(inspect.signature(declared, eval_str=True).parameters.values())


def _own(parameter: inspect.Parameter) -> inspect.Parameter:
    kind, *about = get_args(parameter.annotation)
    return parameter.replace(annotation=Annotated[(kind, *map(copy.copy, about))])


def run_options(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, - (an image or a tar stream on stdin) or @list.txt (a file of names).",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The folder for what is made; mirrors the input tree. - is standard output.",
            rich_help_panel=_RUN,
            show_default=False,
            metavar="FOLDER",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="The model to use; see: imgai models.", rich_help_panel=_RUN, show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do all again, also what is there and unchanged.", rich_help_panel=_RUN)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and write nothing.", rich_help_panel=_RUN)
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input that fails.", rich_help_panel=_RUN)
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print one record a line on stdout.", rich_help_panel=_RUN)
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: take what comes into the folders.", rich_help_panel=_RUN)
    ] = False,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names in @lists end with NUL, not a new line.", rich_help_panel=_RUN)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.", rich_help_panel=_RUN)] = False,
) -> None:
    """The options that every task's command begins with, read by their signature."""


def machine_options(
    *,
    device: Annotated[
        str,
        typer.Option(
            "--device", help="auto, cpu, cuda, cuda:1, several joined by commas, or mps.", rich_help_panel=_MACHINE
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, fp32, fp16 or bf16.", rich_help_panel=_MACHINE)
    ] = "auto",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Work items a batch.", rich_help_panel=_MACHINE, show_default="chosen"),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile", min=32, help="Side of a tile in pixels.", rich_help_panel=_MACHINE, show_default="the model's"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="Threads that read and write.", rich_help_panel=_MACHINE, show_default="by cores"
        ),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", help="Budget for pictures in flight, as 512M or 2G.", rich_help_panel=_MACHINE)
    ] = "1G",
    max_pixels: Annotated[
        str,
        typer.Option("--max-pixels", help="Refuse pictures with more pixels, as 500M.", rich_help_panel=_MACHINE),
    ] = "200M",
) -> None:
    """The options about the machine, which stand last."""


def kind_options(
    *,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="What to write.",
            metavar="KIND",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
) -> None:
    """Which kinds of an output are written."""


def scores_options(
    *,
    top: Annotated[
        int,
        typer.Option("--top", min=1, max=KEPT, help="How many labels a picture gets.", rich_help_panel=_OUTPUT),
    ] = 1,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0.0, max=1.0, help="Leave out labels with a lower score.", rich_help_panel=_OUTPUT
        ),
    ] = 0.0,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            "--sort-into",
            help="Copy each file into a folder for its best label.",
            metavar="FOLDER",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="With --sort-into: link instead of copying.", rich_help_panel=_OUTPUT)
    ] = False,
    write_xmp: Annotated[
        bool,
        typer.Option(
            "--write-xmp", help="Write the labels as keywords into FILE.xmp beside each file.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            help="gradcam: show for each picture where it speaks for its label.",
            metavar="gradcam",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None,
    explain_label: Annotated[
        str | None,
        typer.Option(
            "--explain-label",
            help="Show it for this label instead of the best.",
            metavar="LABEL",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None,
) -> None:
    """What a task that makes scores can tell and write."""


def labels_out(
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The table: a file that ends in .csv, .jsonl or .parquet.",
            rich_help_panel=_RUN,
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Where the labels go; without it they are shown."""


def size_options(
    *,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale", min=1, max=LARGEST, help="Factor along a side; need not be whole.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width", min=1, help="Width in pixels; with --height, a box to fit into.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    height: Annotated[
        int | None, typer.Option("--height", min=1, help="Height in pixels.", rich_help_panel=_OUTPUT)
    ] = None,
    megapixels: Annotated[
        float | None, typer.Option("--megapixels", min=0, help="Area in millions of pixels.", rich_help_panel=_OUTPUT)
    ] = None,
) -> None:
    """The sizes that a task can bring pictures to."""


OUTPUT_OPTIONS: dict[Output, Callable[..., None]] = {Output.SCORES: scores_options}
"""The options of outputs that are told rather than written; those of the others are options of their kinds."""
