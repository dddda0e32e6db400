"""Write what a sample's steps returned, and note it in its job."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from imgai.errors import InputError
from imgai.images.range import numbers
from imgai.kinds.files import files, fragment, load, page_of
from imgai.kinds.xmp import is_foreign, sidecar
from imgai.outputs import output_of
from imgai.plugin import Page, Rendered
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.commit import commit, reason
from imgai.runs.guard import Guard
from imgai.runs.job import Job
from imgai.runs.options import OutputOptions
from imgai.runs.record import counting_by
from imgai.runs.shelf import Shelf
from imgai.runs.sort import sort_into
from imgai.sample import Sample

Content = bytes | Callable[[BinaryIO], object]
"""What a file holds, or a function that writes it, once."""


class Writer:
    """Knows where outputs go and which kinds of them are asked for. Called by several threads at once."""

    def __init__(self, out: Path, specs: Sequence[StepSpec], options: OutputOptions, guard: Guard) -> None:
        """guard: says which files may be written. Raises PluginError for a kind that cannot be loaded."""
        self._guard = guard
        self._out = out
        self._options = options
        self._shared: set[Path] = set()
        self._shared_lock = Lock()
        *before, last = specs
        self._asked = [*((spec, spec.keep.kinds if spec.keep else ()) for spec in before), (last, options.kinds)]
        for _, kinds in self._asked:
            for each in kinds:
                load(each.kind)

    def write(self, job: Job, sample: Sample) -> None:
        """Write one page, and note what the record tells of it. Raises InputError for what cannot be written."""
        for spec, kinds in self._asked:
            note = output_of(spec.task.output).note(sample, spec.name, counting_by(kinds))
            if note is not None:
                job.note_output(spec.name, sample.source.page, note)
            if (used := sample.ranges.get(spec.name)) is not None:
                job.note_range(spec.name, sample.source.page, numbers(used, sample.metadata))
            for each in kinds:
                page = page_of(
                    each.kind, sample, spec.name, each.params, job.plan.suffix(each.kind) if not spec.keep else ""
                )
                if each.kind.once == "page":
                    self._write_files(job, page, spec, each, iter((page,)))
                elif each.kind.once == "input":
                    self._write_input(job, page, spec, each)
                else:
                    part = {"page": sample.source.page, "pages": sample.source.pages, **fragment(each.kind, page)}
                    job.tell(part.pop("notes", ()))
                    with job.lock:
                        job.fragments.setdefault(each.name, []).append(part)

    def _write_input(self, job: Job, page: Page, spec: StepSpec, kind: KindSpec) -> None:
        """Write when all pages are there; several devices may return them in any order."""
        pages, source = iter((page,)), page.sample.source
        if source.pages > 1:
            path = job.plan.path(kind.name, kind.kind.suffixes[0], keep=spec.keep)
            with job.lock:
                shelf = job.shelves.setdefault((spec.name, kind.name), Shelf(path))
            try:
                if shelf.put(page) < source.pages:
                    return
            except OSError as error:
                raise reason(path, error) from error
            pages = shelf.pages()
        self._write_files(job, page, spec, kind, pages)

    def _write_files(self, job: Job, page: Page, spec: StepSpec, kind: KindSpec, pages: Iterator[Page]) -> None:
        once = kind.kind.once == "page"
        number, count = (page.sample.source.page, page.sample.source.pages) if once else (0, 1)
        passed = page.sample.passed.get(spec.name)
        for each in (passed,) if passed is not None else files(kind.kind, page if once else pages):
            job.tell(each.notes)
            if each.name:
                self._write_shared(job, kind, each)
                continue
            path = job.plan.path(kind.name, each.suffix, label=each.label, page=number, pages=count, keep=spec.keep)
            content = self._not_named(path, each.content, job)
            self._guard.allow(kind.name, path, job.plan)
            written = commit(path, partial(_write, content))
            step = spec.keep.name if spec.keep else None
            job.wrote(self._out, kind.name, path, written, number, each.label, step, each.record)

    def _write_shared(self, job: Job, kind: KindSpec, file: Rendered) -> None:
        """Write a file that all pages make alike, unless one of them did. It is in the record of the first."""
        path = self._out / file.name
        with self._shared_lock:
            if path in self._shared:
                return
            content = self._not_named(path, file.content, job)
            self._guard.allow(kind.name, path, job.plan)
            written = commit(path, partial(_write, content))
            self._shared.add(path)
        job.wrote(self._out, kind.name, path, written, 0, None, more={**file.record, "shared": True})

    def _not_named(self, path: Path, content: Content, job: Job) -> Content:
        """The content of a file. Raises InputError for one that is there with other content and is not what was named.

        Beside a file that was named exactly (pages, another suffix, a list of classes) no record tells whose it is.
        """
        if job.plan.exact in (None, path) or self._guard.overwrite or not path.exists():
            return content
        made = io.BytesIO()
        _write(content, made)
        try:
            same = path.read_bytes() == made.getvalue()
        except OSError as error:
            raise reason(path, error) from error
        if not same:
            raise InputError(f"{path} would be overwritten, and imgai has no record of it", "--overwrite replaces it")
        return made.getvalue()

    def finish(self, job: Job) -> None:
        """Write what is written once of an input, when all of its pages are done."""
        options, source = self._options, job.plan.input.path
        if source is None or not (options.sort_into or options.write_xmp):
            return
        best = {
            k: v for k, v in list(job.best(self._asked[-1][0].name).items())[: options.top] if v >= options.threshold
        }
        if options.sort_into is not None:
            link = options.link and not job.plan.input.aside  # its file is deleted
            place, found = sort_into(options.sort_into, next(iter(best), None), job.plan, source, link=link)
            more = {"found": True} if found else {}
            job.wrote(self._out, "sorted", place, source.stat().st_size, 0, next(iter(best), None), more=more)
        if options.write_xmp:
            place = source.with_name(source.name + ".xmp")
            if is_foreign(place):
                job.words.append(f"{place} is there already, of another program; no keywords were written")
                return
            job.wrote(self._out, "xmp", place, commit(place, partial(_write, sidecar(list(best)))), 0, None)

    def close(self, job: Job) -> None:
        """Leave nothing of a job that is finished, well or not."""
        for shelf in job.shelves.values():
            shelf.clear()


def _write(content: Content, file: BinaryIO) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)
