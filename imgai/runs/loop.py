"""Do the jobs of a run: start the engine, write and tell what comes out of it, hear signals."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.errors import EXIT_INTERRUPTED
from imgai.predict.spec import StepSpec
from imgai.runs.coco import write_fragments
from imgai.runs.entry import place_of, record_of
from imgai.runs.job import Job
from imgai.runs.options import RunOptions, Summary
from imgai.runs.pipe import Stdin, Stdout
from imgai.runs.progress import Progress
from imgai.runs.record import Records, to_line
from imgai.runs.signals import on_signal

if TYPE_CHECKING:
    from imgai.predict.chain import Chain
    from imgai.runs.folder import Folder


@dataclass(slots=True)
class Kept:
    """What a run leaves for the next one over the same steps: the loaded models."""

    chains: list[Chain] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a run has to do.

    count: of the jobs; None where they come one by one. exact: the one output was named. out: the folder of what is
    made. inputs: the real paths of files that are never written to.
    """

    jobs: Iterable[Job]
    count: int | None
    exact: bool
    out: Path
    inputs: frozenset[str]


def work_through(
    work: Work,
    specs: Sequence[StepSpec],
    options: RunOptions,
    records: Records,
    summary: Summary,
    console: Console,
    stdin: Stdin,
    stdout: Stdout | None,
    kept: Kept | None = None,
) -> None:
    """Do all of it; each input's record is written when it is finished, and what fails is told and passed over.

    Raises what no further input would escape: PluginError, InputError of a stream that breaks off, BrokenPipeError.
    """
    from imgai.predict.device import threads_kept, tune_allocator

    tune_allocator()
    from imgai.runs.folder import Folder
    from imgai.runs.write import Writer

    broken: BrokenPipeError | None = None
    writer = Writer(work.out, specs, options.outputs, work.inputs)
    folder = Folder(specs, options, writer, console, stdin, None if kept is None else kept.chains)
    if kept is not None:
        kept.chains = folder.chains
    with threads_kept(), on_signal(_interruption(folder, summary, console)), Progress(console, work.count) as progress:
        folder.start(work.jobs, work.count)
        while (job := _next(folder)) is not None:
            if "coco" in options.outputs.kinds:
                write_fragments(job, records)
            record = record_of(job, specs)
            line = to_line(record) if work.exact else _append(records, record, console)
            for words in job.words:
                console.warn(words)
            try:
                if options.json and broken is None:
                    console.out_line(line)
                if stdout is not None and job.error is None and broken is None:
                    _send(job, work.out, stdout)
            except BrokenPipeError as error:  # nobody reads any more: what is in hand is finished, and no more begun
                broken = error
                folder.stop()
            if job.error is None:
                summary.done += 1
            else:
                summary.failed += 1
                if job.plan.input.path is not None:
                    summary.failures.append(job.plan.input.path)
                console.fail(str(job.error))
                if options.fail_fast:
                    folder.stop()
            if job.plan.input.stream and job.plan.input.path is not None:
                job.plan.input.path.unlink(missing_ok=True)
            progress.advance(summary.done + summary.failed)
    if broken is not None:
        raise broken
    if folder.fatal is not None:
        raise folder.fatal


def _send(job: Job, out: Path, stdout: Stdout) -> None:
    """Send the files of a job to standard output."""
    for output in sorted(job.outputs, key=place_of):
        stdout.put(out / os.fsdecode(os.fsencode(output["path"])), output["path"])


def _next(folder: Folder) -> Job | None:
    """The next finished job. Wakes now and then, so that a signal is heard."""
    while True:
        try:
            return folder.finished.get(timeout=0.5)
        except queue.Empty:
            continue


def _append(records: Records, record: dict[str, Any], console: Console) -> str:
    try:
        return records.append(record)
    except OSError as error:
        console.fail(
            f"{records.path} cannot be written: {error.strerror}; the next run will do {record['input']} again"
        )
        return to_line(record)


def _interruption(folder: Folder, summary: Summary, console: Console) -> Callable[[], None]:
    """The first Ctrl-C (or SIGTERM) ends the run after the work in hand, the second ends it at once."""

    def interrupt() -> None:
        if summary.interrupted:
            # The threads are in the middle of it; what they have half written is swept by the next run.
            os._exit(EXIT_INTERRUPTED)
        summary.interrupted = True
        folder.stop()
        console.fail("interrupted: finishing what is in hand; once more to stop at once")

    return interrupt
