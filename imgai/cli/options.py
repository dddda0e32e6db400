"""The options that are the host's, declared as functions whose signatures Typer reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from imgai.plugin import Output
from imgai.size import LARGEST

_RUN = "Run"
_OUTPUT = "Output"
_MACHINE = "Machine"


def options_of(declared: Callable[..., None]) -> list[inspect.Parameter]:
    """The parameters of one of the functions below."""
    return list(inspect.signature(declared, eval_str=True).parameters.values())


def run_options(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, - (an image on standard input) or @list.txt (a file of names).",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The folder for what is made; mirrors the input tree.",
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


def mask_options(
    *,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="What to write: mask, binary, cutout, overlay, labels or coco; may be given several times.",
            metavar="KIND",
            rich_help_panel=_OUTPUT,
            show_default="mask",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0.0, max=1.0, help="From where on a soft mask counts as inside.", rich_help_panel=_OUTPUT
        ),
    ] = 0.5,
) -> None:
    """What a task that makes masks can write."""


def image_options(
    *,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="Format of the pictures written.", rich_help_panel=_OUTPUT, show_default="the input's"
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality", min=1, max=100, help="For JPEG, WebP and AVIF.", rich_help_panel=_OUTPUT, show_default="chosen"
        ),
    ] = None,
) -> None:
    """What a task that makes images can write."""


def scores_options() -> None:
    """A task that makes scores writes records alone."""


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


OUTPUT_OPTIONS: dict[Output, Callable[..., None]] = {
    Output.MASK: mask_options,
    Output.IMAGE: image_options,
    Output.SCORES: scores_options,
}
