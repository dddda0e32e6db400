"""The listeners that a run has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imgai.options import PRINTED
from imgai.runs.listen import Listener
from imgai.runs.listeners.keep import Ended
from imgai.runs.listeners.labels import Labels
from imgai.runs.listeners.lines import Lines
from imgai.runs.listeners.merged import Merged, Parts
from imgai.runs.listeners.progress import Progress
from imgai.runs.listeners.send import Send
from imgai.runs.listeners.words import Words
from imgai.runs.merged import of_run

if TYPE_CHECKING:
    from imgai.kinds.table import Row
    from imgai.runs.run import Run


def standard_listeners(run: Run, collect: Callable[[Row], None] | None) -> list[Listener]:
    """Those that the options of a run ask for, in the order in which they hear of an event.

    The record is kept before anybody is told of it, and what is made of all inputs before its record.
    collect: see `Labels`.
    """
    options, console = run.options, run.console
    if options.dry_run:
        return [*([Lines(console)] if options.json else []), Words(console, json=options.json)]
    chosen: list[Listener] = []
    if kinds := of_run(options.outputs.kinds):
        chosen.append(Merged(kinds, run.records))
    if options.report is not None or options.contact is not None:
        from imgai.runs.listeners.report import Report  # and with it torch

        chosen.append(Report(options.report, options.contact, console))
    if run.specs[-1].task.output in PRINTED:
        chosen.append(Labels(collect))
    if options.on is not None and run.destination.address is None:
        chosen.append(Ended(run.records, console))
    elif options.on is None and not run.exact:
        chosen.append(run.destination.keeper(console))
    if options.json:
        chosen.append(Lines(console))
    if run.stdout is not None:
        chosen.append(Send(run.stdout, run.out, console))
    chosen.append(Words(console, json=options.json))
    return [*chosen, Progress(console)]


def worker_listeners(run: Run) -> list[Listener]:
    """Those of a worker of a cluster: it keeps what others cannot know, and tells nobody."""
    kinds = of_run(run.options.outputs.kinds)
    return [*([Parts(kinds, run.records)] if kinds else []), run.destination.keeper(run.console)]
