"""Start a run from the options of a command line."""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgai import __version__
from imgai.console import Console, prints_aside
from imgai.errors import ImgaiError, UsageError
from imgai.log import Log

if TYPE_CHECKING:
    from imgai.kinds.table import Row
    from imgai.options import RunOptions
    from imgai.predict.spec import StepSpec
    from imgai.runs.scan import Input


def start(
    specs: Sequence[StepSpec],
    options: RunOptions,
    collect: Callable[[Row], None] | None = None,
    accept: Callable[[Input], bool] | None = None,
) -> int:
    """Run the steps over the inputs, once or as they arrive, and return the exit code. Raises what a run raises.

    collect: is given the labels of each input, which are not printed then. accept: whether an input is taken.
    """
    from imgai.runs import run
    from imgai.stores import address_of

    gc.enable()  # the command line starts without it
    console = Console(quiet=options.quiet, verbose=options.verbose)
    if options.log is not None and not options.dry_run:
        _check_log(options, options.log)
        console.log = Log(options.log)
        console.log.add(f"imgai {__version__}: {shlex.join(['imgai', *sys.argv[1:]])}")
    if options.open and options.report is None:
        raise UsageError("--open is for --report", "add --report report.html")
    if options.open and address_of(options.report) is not None:
        raise UsageError("--open is for a report on this machine", "leave it out, or name a file here")
    if options.watch:
        from imgai.runs.watch import watch

        if options.report is not None or options.contact is not None:
            raise UsageError("--watch goes on without an end, so there is neither --report nor --contact")
        with prints_aside():
            return watch(list(specs), options, console)
    try:
        with prints_aside():
            code = run(list(specs), options, console, collect, accept=accept).exit_code
    except ImgaiError as error:
        if console.log is not None:
            console.log.add(f"error: {error}")
        raise
    if options.open and not options.dry_run:
        open_page(options.report, console)
    return code


def _check_log(options: RunOptions, log: Path) -> None:
    """Raise UsageError where the log would be one of the files that are read or written."""
    outputs = options.outputs
    named = (
        ("--out", options.out),
        ("--out", outputs.table),
        ("--report", options.report),
        ("--contact", options.contact),
    )
    real = os.path.realpath(log)
    for option, path in named:
        if path is not None and os.path.realpath(path) == real:
            raise UsageError(f"--log and {option} both name {log}", "name another file")
    if any(os.path.realpath(name.removeprefix("@")) == real for name in options.inputs):
        raise UsageError(f"--log names {log}, which is an input", "name another file")


def open_page(path: Path | None, console: Console) -> None:
    """Open a page in the user's browser, or print its path."""
    import webbrowser

    if path is None or not path.exists():
        return
    with contextlib.suppress(webbrowser.Error, OSError):
        if webbrowser.open(path.absolute().as_uri()):
            return
    console.say(f"no browser was found; open {path}")
