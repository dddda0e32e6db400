"""Messages on stderr: failures, notices, and a summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.images.held import DEEP, NOT_CARRIED
from imgai.outputs import output_of
from imgai.plural import counted, plural
from imgai.runs.job import Job
from imgai.runs.listen import Listener

if TYPE_CHECKING:
    from imgai.runs.run import Run

_CARRYING = frozenset(("image", "cutout"))  # kinds whose files have the metadata of the picture
_COMMONEST = 5  # classes of objects that are counted in the last line
_NAMED = 3  # classes of which nothing was found that are named
_AGAIN = 10
"""The number of failures that are repeated at the end."""


class Words(Listener):
    def __init__(self, console: Console, *, json: bool) -> None:
        """json: inputs that a dry run would do are told on standard output already."""
        self._console = console
        self._json = json
        self._planned = 0
        self._begun: float | None = None
        self._labels: dict[str, None] = {}  # of the classes that were looked for
        self._told: set[str] = set()
        self._objects: Counter[str] = Counter()
        self._holding = self._empty = 0  # pictures with something in them, and without
        self._wide: list[str] = []  # pictures with holes wider than the model fills well
        self._hole = 0  # that width
        self._left: Counter[str] = Counter()  # by what is not carried, of how many pictures
        self._less_deep = 0  # pictures that have 8 bits now, and had more
        self._failures: list[str] = []
        self._exact: Path | None = None
        self._written: Path | None = None  # the one output that was named, where it is called otherwise

    def begin(self, run: Run, count: int | None) -> None:
        self._begun = time.monotonic()
        self._exact = run.plans[0].exact if run.exact else None
        for spec in run.specs:
            self._labels.update(dict.fromkeys(map(plural, output_of(spec.task.output).sought(spec))))

    def planned(self, job: Job, record: dict[str, Any]) -> None:
        if job.error is not None:
            self._console.fail(str(job.error))
            return
        self._planned += 1
        self._console.detail(f"would do {job.plan.input.shown}")
        for path in [] if self._json else record["writes"]:
            if path not in self._told:  # what is made of all inputs together is told once
                self._console.out_line(path)
                self._told.add(path)

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._notice(job, record)
        if job.error is not None:
            self._console.fail(str(job.error))
            if len(self._failures) < _AGAIN:
                self._failures.append(str(job.error))
            return
        self._count(record)
        if job.hole:
            self._wide.append(job.plan.input.name)
            self._hole = job.hole
        for output in record["outputs"]:
            if output.get("lost"):
                self._console.detail(f"{output['path']} does not hold {', '.join(output['lost'])}")
        self._less_deep += any(DEEP in output.get("lost", ()) for output in record["outputs"])
        if self._exact is not None:
            names = [Path(output["path"]).name for output in record["outputs"]]
            if names and self._exact.name not in names:
                self._written = self._exact.with_name(names[0])
                last = f" to {names[-1]}" if len(names) > 1 else ""
                self._console.warn(f"{self._exact} cannot be called so; it is {self._written}{last}")

    def _notice(self, job: Job, record: dict[str, Any]) -> None:
        """Say what a person should know of a file. What is not carried is said of the first; the others are counted."""
        for words in job.words:
            what = words.removeprefix(f"{job.plan.input.name}: ")
            if not what.endswith(NOT_CARRIED):
                self._console.warn(words)
            elif not _CARRYING.isdisjoint(output["kind"] for output in record["outputs"]):
                self._left[what] += 1
                (self._console.warn if self._left[what] == 1 else self._console.detail)(words)

    def end(self, run: Run) -> None:
        summary, options = run.summary, run.options
        failed = [f"{summary.failed} failed"] if summary.failed else []
        if options.dry_run:
            parts = [f"{self._planned} to do", f"{summary.skipped} done before", *failed]
            self._console.say(f"{', '.join(parts)}; nothing was written")
            return
        kinds = [*options.outputs.kinds, *(kind for spec in run.specs if spec.keep for kind in spec.keep.kinds)]
        if self._less_deep and not any(getattr(each.params, "format", None) for each in kinds):
            words = f"{counted(self._less_deep, 'picture')} of more than 8 bits got 8"
            self._console.warn(f"{words}, which is all that the format holds; --format png or tiff keeps them")
        for what, count in self._left.items():
            if count > 1:
                self._console.warn(f"{count:,} pictures: {what}")
        if self._wide:
            names = ", ".join(sorted(self._wide)[:_NAMED]) + (", ..." if len(self._wide) > _NAMED else "")
            has = "1 picture has a hole" if len(self._wide) == 1 else f"{len(self._wide):,} pictures have holes"
            words = f"{has} over twice as wide as the {self._hole} pixels that the model fills well"
            self._console.warn(f"{words}, and it will look smooth: {names}")
        if run.replaces is not None and self._written is None and (summary.done or options.outputs.table is not None):
            self._console.say(f"replaced {run.shown(run.replaces)}")
        parts = [f"{summary.done:,} done{self._speed(summary.done)}"]
        if summary.skipped:
            parts.append(f"{summary.skipped:,} done before (--force does them again)")
        found = self._found()
        where = ""
        if options.out is not None and run.stdout is None and summary.done + summary.skipped:
            table = options.outputs.table
            there = run.shown(table) if table is not None else run.destination.address
            where = f"; see {self._written or there or options.out}"
        self._console.say(", ".join([*parts, *failed]) + found + where)
        if summary.failed > 1 or (summary.failed and summary.done + summary.skipped):
            self._tell_again(run)
        if options.fail_if_empty and summary.empty:
            names = ", ".join(summary.empty[:_AGAIN]) + (", ..." if len(summary.empty) > _AGAIN else "")
            self._console.fail(f"nothing was found in {names}, and --fail-if-empty was given")
        first = not summary.skipped and not options.force and self._console.err.is_terminal
        if (following := _next(run, first=first)) and (summary.interrupted or not self._json):
            self._console.say(following)

    def _speed(self, done: int) -> str:
        """Return the duration: `` in 12.3 s, 1.1 a second``."""
        if not done or self._begun is None:
            return ""
        seconds = max(1e-3, time.monotonic() - self._begun)
        words = f" in {seconds:.1f} s" if seconds < 100 else f" in {seconds / 60:.1f} min"
        return words + (f", {rate_of(done, seconds)}" if done > 1 else "")

    def _count(self, record: dict[str, Any]) -> None:
        """Take in how many objects a picture holds, or whether its mask is empty."""
        counts = record.get("objects", record.get("classes"))
        if counts is None:
            return
        if "objects" in record:
            self._objects.update(counts)
            self._labels.update(dict.fromkeys(map(plural, counts)))  # of masks: all classes, also with 0
        else:
            self._labels.update(dict.fromkeys(counts))
        something = any(counts.values())
        self._holding += something
        self._empty += not something

    def _found(self) -> str:
        """What was found in the pictures of this run: ``: 1,204 nuclei in 12 pictures; nothing in 2``."""
        if not self._objects.total():
            return self._nothing()
        counts = self._objects.most_common()
        words = ", ".join(counted(count, label) for label, count in counts[:_COMMONEST])
        words += f" and {len(counts) - _COMMONEST} other classes" if len(counts) > _COMMONEST else ""
        words += f" in {counted(self._holding, 'picture')}"
        return f": {words}{self._nothing()}"

    def _nothing(self) -> str:
        """In how many pictures nothing was found: ``; no subject in 4``, ``; no people or cars in 2``."""
        labels = list(self._labels)
        what = f"no {' or '.join(filter(None, (', '.join(labels[:-1]), labels[-1])))}" if labels else "nothing"
        what = what if len(labels) <= _NAMED else "nothing"
        return f"; {what} in {self._empty:,}" if self._empty else ""

    def _tell_again(self, run: Run) -> None:
        """The failures, which may be many lines above by now."""
        for line in self._failures:
            self._console.say(f"  {line}")
        more = run.summary.failed - len(self._failures)
        words = [f"and {more} more"] if more > 0 else []
        kept = run.records.keep and not run.summary.unrecorded
        words += [f"all of them are in {run.records.shown}"] if kept else []
        if words:
            self._console.say("  " + "; ".join(words))


def rate_of(done: int, seconds: float) -> str:
    """Return the rate: ``12.5 a second``, or ``3.1 s each``."""
    rate = done / max(1e-3, seconds)
    return f"{rate:.1f} a second" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s each"


def _next(run: Run, *, first: bool) -> str:
    """What to do next; "" where that is plain. first: whether a person sees the first run into this folder."""
    summary, options = run.summary, run.options
    if summary.interrupted:
        return "interrupted; run the same command again to go on"
    if summary.failed and summary.done:
        return "next: mend what failed and run the same command again; it does only what is missing"
    if run.stdout is not None or run.exact or not summary.done or options.watch:
        return ""
    if options.report is None and options.outputs.kinds and first:
        return "next: look at everything on one page with --report report.html"
    return f"next: open {run.shown(options.report)}" if options.report is not None and not options.open else ""
