"""Start a run from what a command line asks for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imgai.console import Console

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

    gc.enable()  # the command line starts without it
    console = Console(quiet=options.quiet, verbose=options.verbose)
    if options.watch:
        from imgai.runs.watch import watch

        return watch(list(specs), options, console)
    return run(list(specs), options, console, collect, accept=accept).exit_code
