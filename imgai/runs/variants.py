"""The same pictures through several chains, one beside the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from imgai import __version__
from imgai.console import Console
from imgai.errors import EXIT_INTERRUPTED, EXIT_OK, ImgaiError
from imgai.options import OutputOptions, RunOptions
from imgai.predict.spec import KindSpec, StepSpec
from imgai.report.page import Run as About
from imgai.report.page import Table
from imgai.runs.album import Album, check_report, write_contact, write_report
from imgai.runs.guard import Inputs
from imgai.runs.listeners.report import Show
from imgai.runs.names import Plan
from imgai.runs.run import Run
from imgai.runs.signals import on_signal


@dataclass(frozen=True, slots=True)
class Variant:
    """A chain, and what it is called. kinds: as which its result is shown."""

    title: str
    specs: tuple[StepSpec, ...]
    kinds: tuple[KindSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a variant. seconds: including loading. error: the reason if it could not be run."""

    title: str
    seconds: float
    done: int = 0
    failed: int = 0
    error: ImgaiError | None = None
    devices: tuple[str, ...] = ()


def side_by_side(
    variants: Sequence[Variant], options: RunOptions, console: Console, *, title: str, forgiving: bool = False
) -> tuple[list[Outcome], int]:
    """Take the inputs through each variant, and write `options.report` and `options.contact`; nothing else is written.

    forgiving: a variant that cannot be loaded is told and left out. Returns how each went, and the exit code. Raises
    what a run raises.
    """
    check_report(options.report, options.contact, Inputs())
    asked = dataclasses.replace(options, report=None, contact=None, json=False, out=None, outputs=OutputOptions())
    outcomes: list[Outcome] = []
    plans: Sequence[Plan] = []
    with TemporaryDirectory(prefix="imgai-compare-", ignore_cleanup_errors=True) as folder:
        album = Album(Path(folder), "compare")
        code = EXIT_OK
        for variant in variants:
            console.say(variant.title)
            show = Show(album, title=variant.title, more=bool(plans), sides=len(variants) + 1, kinds=variant.kinds)
            run = Run(variant.specs, asked, console, collect=lambda row: None, listeners=(show,))
            begun = time.monotonic()
            try:
                with on_signal(run.interrupt):
                    for _ in run:
                        pass
            except ImgaiError as error:
                if not forgiving:
                    raise
                console.warn(f"{variant.title} is left out: {error}")
                outcomes.append(Outcome(variant.title, time.monotonic() - begun, error=error))
                continue
            plans = plans or run.plans
            seconds, summary = time.monotonic() - begun, run.summary
            outcomes.append(Outcome(variant.title, seconds, summary.done, summary.failed, devices=tuple(run.devices)))
            code = max(code, summary.exit_code)
            if summary.interrupted:
                code = EXIT_INTERRUPTED
                break
        if plans:
            seen = next((place for place, each in enumerate(variants, 1) if each.kinds), 1)
            _write(album, plans, outcomes, options, console, title, seen)
    return outcomes, code


def _write(
    album: Album,
    plans: Sequence[Plan],
    outcomes: Sequence[Outcome],
    options: RunOptions,
    console: Console,
    title: str,
    shown: int,
) -> None:
    if options.report is not None:
        write_report(album, plans, options.report, _about(outcomes, album.entries(plans), title, shown))
        console.say(f"the report is {options.report}")
    if options.contact is not None:
        write_contact(album, plans, options.contact, every_side=True)
        console.say(f"the contact sheet is {options.contact}")


def _about(outcomes: Sequence[Outcome], entries: Iterator[object], title: str, shown: int) -> About:
    count = sum(1 for _ in entries)
    rows = [
        [each.title, f"{each.seconds:.1f}", f"{each.done / each.seconds:.2f}", str(each.failed)]
        if each.error is None
        else [each.title, None, None, str(each.error)]
        for each in outcomes
    ]
    devices = list(dict.fromkeys(device for each in outcomes for device in each.devices))
    return About(
        title,
        [f"imgai {__version__}", datetime.now().strftime("%Y-%m-%d %H:%M"), *devices],
        [(f"{count:,}", "pictures" if count != 1 else "picture", True)],
        tables=[Table("Side by side", ["steps", "seconds", "pictures a second", "failed"], rows)],
        shown=shown,
    )
