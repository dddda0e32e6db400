"""Start a run from the values of a command line, and turn what goes wrong into a line and an exit code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, ImgaiError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from imgai.kinds.table import Row
    from imgai.predict.spec import StepSpec
    from imgai.runs.options import OutputOptions


def start(
    values: dict[str, Any],
    steps: Callable[[], tuple[list[StepSpec], OutputOptions]],
    *,
    avoid: tuple[Path, ...] = (),
    collect: Callable[[Row], None] | None = None,
    then: Callable[[int], int] = lambda code: code,
) -> int:
    """Run the steps over what was named, and return the exit code.

    values: of `run_options` and `machine_options`.
    steps: what is run and what is written of it; may raise as a run does.
    avoid: folders of what is made besides.
    collect: is given the labels of each input. then: what comes after the run, from exit code to exit code.
    """
    console = Console(quiet=values["quiet"], verbose=values["verbose"])
    try:
        from imgai.options import Machine
        from imgai.params import as_values
        from imgai.runs.options import RunOptions

        specs, outputs = steps()
        console.quiet, console.verbose = values["quiet"], values["verbose"]  # a recipe may have said so
        options = RunOptions(
            inputs=values["inputs"],
            out=values["out"],
            outputs=outputs,
            avoid=avoid,
            force=values["force"],
            dry_run=values["dry_run"],
            fail_fast=values["fail_fast"],
            json=values["json_"],
            quiet=values["quiet"],
            verbose=values["verbose"],
            null=values["null"],
            machine=as_values(Machine, {name: values[name] for name in ("device", "precision", "batch", "tile")}),
            threads=values["threads"],
            memory=_bytes(values["memory"]),
            max_pixels=_pixels(values["max_pixels"]),
        )
        from imgai.runs import run

        if values.get("watch"):
            from imgai.runs.watch import watch

            return then(watch(specs, options, console))
        return then(run(specs, options, console, collect).exit_code)
    except ImgaiError as error:
        for line in (str(error), *error.more):
            console.fail(line)
        return error.exit_code
    except BrokenPipeError:
        from imgai.runs.pipe import silence_stdout

        silence_stdout()
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def _bytes(text: str) -> int:
    """``512M`` as bytes, in powers of 1024."""
    return _scaled(text, 1024, "--memory", "bytes, as 512M or 2G")


def _pixels(text: str) -> int:
    """``200M`` as pixels, in powers of 1000."""
    return _scaled(text, 1000, "--max-pixels", "a number of pixels, as 500M")


def _scaled(text: str, base: int, name: str, takes: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{name} cannot be {text!r}", f"it takes {takes}")
    return int(float(found[1]) * base ** " KMGT".index(found[2].upper() or " "))
