"""Run a chain over whatever was named: scan, plan, leave out what is done, do the rest, tell."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgai.console import Console
from imgai.errors import InputError, UsageError
from imgai.plugin import Output
from imgai.predict.spec import StepSpec
from imgai.runs.coco import write_coco
from imgai.runs.commit import sweep
from imgai.runs.job import Job
from imgai.runs.loop import Kept, Work, work_through
from imgai.runs.names import Plan, StreamPlans, check_format, key_of, plan
from imgai.runs.options import RunOptions, Summary
from imgai.runs.pipe import Stdin, Stdout, is_piped
from imgai.runs.record import SCHEMA, Records, digest, to_line
from imgai.runs.scan import STDIN, Input, scan
from imgai.runs.tell import tell_labels

if TYPE_CHECKING:
    from imgai.kinds.table import Row


def run(
    specs: Sequence[StepSpec],
    options: RunOptions,
    console: Console,
    collect: Callable[[Row], None] | None = None,
    *,
    accept: Callable[[Input], bool] | None = None,
    kept: Kept | None = None,
) -> Summary:
    """Take every input through the steps and write what they find.

    collect: is given the labels of each input, in place of showing them.
    accept: whether an input is taken at all; if it is given, that there is nothing to do is no error, and not told.
    kept: of an earlier run over the same steps, on the same devices.

    Raises UsageError if there is nothing to do or what was asked makes no sense, PluginError if a model
    cannot be loaded. A file that fails is told, recorded and passed over.
    """
    check_format(options.outputs)
    if options.outputs.xmp and STDIN in options.inputs:
        raise UsageError("--write-xmp writes beside the pictures, and - is beside none", "name files or folders")
    stdin = Stdin()
    if not is_piped(options.out):
        return _run(specs, options, console, collect, stdin, accept=accept, kept=kept)
    if options.json:
        raise UsageError("--json and --out - both want standard output", "leave out one of them")
    if "coco" in options.outputs.kinds:
        raise UsageError("--as coco is of all pictures together, and cannot go through a pipe", "name a folder")
    tar = _is_several(options, stdin)
    if not tar and len(options.outputs.kinds) + sum(spec.keep is not None for spec in specs) > 1:
        raise UsageError("--out - takes one file of one picture", "write one kind, or name a folder")
    stdout = Stdout(tar=tar)
    with tempfile.TemporaryDirectory(prefix="imgai-") as made:
        summary = _run(specs, dataclasses.replace(options, out=Path(made)), console, collect, stdin, stdout)
        if not tar and stdout.members > 1:
            console.fail("the picture has several pages, and their files went out one after the other")
            summary.failed += 1
        stdout.close()
    return summary


def _is_several(options: RunOptions, stdin: Stdin) -> bool:
    """Whether what was named may be more than one picture: then a tar stream goes out."""
    if len(options.inputs) != 1:
        return True
    (name,) = options.inputs
    if name == STDIN:
        return stdin.is_tar()
    return not Path(name).is_file()


def _run(
    specs: Sequence[StepSpec],
    options: RunOptions,
    console: Console,
    collect: Callable[[Row], None] | None,
    stdin: Stdin,
    stdout: Stdout | None = None,
    *,
    accept: Callable[[Input], bool] | None = None,
    kept: Kept | None = None,
) -> Summary:
    folder = _folder_of(options)
    if STDIN in options.inputs and stdin.is_tar():
        return _run_stream(specs, options, console, collect, stdin, stdout)
    if STDIN in options.inputs and options.outputs.sort_into is not None:
        raise UsageError("--sort-into copies files, and a picture on - has no name", "name files, or send a tar stream")
    table = options.outputs.table
    out = folder if table is None else table.parent
    keep = options.out is not None and stdout is None
    records = Records(out, table="" if table is None else table.name, keep=keep)
    records.load()
    avoid = [*options.avoid, folder] if keep else [*options.avoid]
    if (sorted_into := options.outputs.sort_into) is not None:
        if sorted_into.is_dir() and any(Path(name).is_dir() and sorted_into.samefile(name) for name in options.inputs):
            raise UsageError(f"--sort-into {sorted_into} is an input: the copies would be sorted again", "name another")
        avoid.append(sorted_into)
    inputs = scan(options.inputs, avoid=avoid, made=records.made(), null=options.null, tell=console.warn)
    if accept is not None and not inputs:
        return Summary()
    if not inputs:
        raise UsageError("there is no picture in what was named", "name files, or folders that hold pictures")
    keeps = [spec.keep for spec in specs if spec.keep is not None]
    plans = plan(inputs, folder, options.outputs, tell=console.warn, keeps=keeps)
    exact = plans[0].exact is not None
    if exact:
        out = folder.parent
        records = Records(out, keep=keep)
    if table is not None:
        _refuse_to_overwrite(table, inputs)
    jobs, skipped = _divide(plans, specs, options, records)
    if accept is not None:
        jobs = [job for job in jobs if accept(job.plan.input)]
        if not jobs:
            return Summary(skipped=len(skipped))
    summary = Summary(skipped=len(skipped))
    if options.json and accept is None:
        for each, mark in skipped:
            told = {"schema": SCHEMA, "input": each.input.shown, "path": key_of(each), "status": "skipped"}
            console.out_line(to_line(told | {"outputs": records.outputs(key_of(each)), "digest": mark}))
    if options.dry_run:
        _tell_plans(jobs, skipped, options, console)
        return summary
    if jobs:
        if out.exists() and records.keep:
            sweep(out, below=not exact and table is None)  # beside a single file may lie a whole home
        paths = frozenset(os.path.realpath(item.path) for item in inputs if item.path is not None)
        work = Work(jobs, len(jobs), exact, out, paths)
        work_through(work, specs, options, records, summary, console, stdin, stdout, kept)
    _finish(plans, specs, options, records, summary, console, collect, out, piped=stdout is not None)
    return summary


def _run_stream(
    specs: Sequence[StepSpec],
    options: RunOptions,
    console: Console,
    collect: Callable[[Row], None] | None,
    stdin: Stdin,
    stdout: Stdout | None,
) -> Summary:
    """Take the members of the tar stream on standard input, as they come."""
    if len(options.inputs) > 1:
        raise UsageError("a tar stream on standard input comes alone", "leave out the other inputs")
    if options.dry_run:
        raise UsageError("--dry-run cannot tell what a stream will bring", "leave it out")
    out, table = _folder_of(options), options.outputs.table
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file, and a tar stream brings many", "name a folder")
    out = table.parent if table is not None else out
    records = Records(out, table="" if table is None else table.name, keep=options.out is not None and stdout is None)
    plans: list[Plan] = []
    keeps = [spec.keep for spec in specs if spec.keep is not None]
    each_plan = StreamPlans(_folder_of(options), options.outputs.kinds, keeps)
    summary = Summary()

    def jobs() -> Iterator[Job]:
        for item in stdin.members(Path(staged)):
            plans.append(each_plan.plan(item))
            yield Job(plans[-1], "")

    broken: InputError | None = None
    with tempfile.TemporaryDirectory(prefix="imgai-") as staged:
        try:
            work_through(
                Work(jobs(), None, False, out, frozenset()), specs, options, records, summary, console, stdin, stdout
            )
        except InputError as error:  # the stream breaks off: what was whole is done
            if not plans:
                raise
            broken = error
    if not plans:
        raise UsageError("there is no picture in the tar stream on standard input")
    _finish(plans, specs, options, records, summary, console, collect, out, piped=stdout is not None)
    if broken is not None:
        raise broken
    return summary


def _finish(
    plans: list[Plan],
    specs: Sequence[StepSpec],
    options: RunOptions,
    records: Records,
    summary: Summary,
    console: Console,
    collect: Callable[[Row], None] | None,
    out: Path,
    *,
    piped: bool,
) -> None:
    """What is made of all inputs together, and the last words."""
    if "coco" in options.outputs.kinds and not summary.interrupted:
        write_coco(plans, out, records)
    if specs[-1].task.output is Output.SCORES:
        tell_labels(plans, specs[-1], options, records, console, collect)
    _tell(summary, options, console, piped=piped)


def _folder_of(options: RunOptions) -> Path:
    """Where files go: beside a table, the folder that is called like it."""
    if options.outputs.table is not None:
        return options.outputs.table.with_suffix("")
    return options.out if options.out is not None else Path()


def _refuse_to_overwrite(table: Path, inputs: Sequence[Input]) -> None:
    if any(item.path is not None and os.path.realpath(item.path) == os.path.realpath(table) for item in inputs):
        raise UsageError(f"{table} is an input, and would be overwritten", "choose another --out")
    if table.is_dir():
        raise UsageError(f"--out {table} is a folder", "name a file that ends in .csv, .jsonl or .parquet")


def _divide(
    plans: list[Plan], specs: Sequence[StepSpec], options: RunOptions, records: Records
) -> tuple[list[Job], list[tuple[Plan, str]]]:
    """What is to be done, and what was done before and has not changed."""
    jobs, skipped = [], []
    for each in plans:
        try:
            base = "" if each.exact else each.base.relative_to(records.out).as_posix()
            mark = digest(each.input, specs, options.outputs, base)
        except OSError:
            mark = ""
        if not options.force and mark and each.exact is None and records.unchanged(key_of(each), mark):
            skipped.append((each, mark))
        else:
            jobs.append(Job(each, mark))
    return jobs, skipped


def _tell_plans(jobs: list[Job], skipped: list[tuple[Plan, str]], options: RunOptions, console: Console) -> None:
    for job in jobs:
        if job.plan.input.error is not None:
            console.fail(str(job.plan.input.error))
        elif options.json:
            record = {
                "schema": SCHEMA,
                "input": job.plan.input.shown,
                "status": "planned",
                "output": str(job.plan.base),
            }
            console.out_line(to_line(record))
        else:
            console.say(f"would do {job.plan.input.shown} -> {job.plan.exact or job.plan.base}")
    console.say(f"{len(jobs)} to do, {len(skipped)} done before; nothing was written")


def _tell(summary: Summary, options: RunOptions, console: Console, *, piped: bool) -> None:
    parts = [f"{summary.done} done"]
    if summary.skipped:
        parts.append(f"{summary.skipped} done before (--force does them again)")
    if summary.failed:
        parts.append(f"{summary.failed} failed")
    place = f"; see {options.out}" if options.out is not None and not piped else ""
    console.say(", ".join(parts) + place)
    if summary.interrupted:
        console.fail("interrupted; run the same command again to go on")
