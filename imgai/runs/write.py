"""Write what was found in a sample, and note it in its job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imgai.discovery import host
from imgai.errors import InputError
from imgai.images import write_image
from imgai.kinds.files import files, fragment, page_of
from imgai.kinds.xmp import is_foreign, sidecar
from imgai.outputs import output_of
from imgai.plugin import MaskParams, Output
from imgai.predict.spec import StepSpec
from imgai.runs.commit import commit, reason
from imgai.runs.job import Job
from imgai.runs.names import image_format, image_suffix
from imgai.runs.options import OutputOptions
from imgai.runs.shelf import Shelf
from imgai.runs.sort import sort_into
from imgai.sample import Sample


class Writer:
    """Knows where outputs go and what of them is wanted. Called by several threads at once."""

    def __init__(self, out: Path, specs: Sequence[StepSpec], options: OutputOptions, inputs: frozenset[str]) -> None:
        """inputs: their real paths, which are never written to."""
        self._inputs = inputs
        self._out = out
        self._specs = specs
        self._options = options
        self._kinds = {kind.name: kind for kind in host().kinds if kind.of is Output.MASK}

    def write(self, job: Job, sample: Sample) -> None:
        """Write one page. Raises InputError for what cannot be written."""
        *before, last = self._specs
        for spec in self._specs:
            note = output_of(spec.task.output).note(sample, spec.name, self._threshold(spec))
            if note is not None:
                job.note_output(spec.name, sample.source.page, note)
        for spec in before:
            if spec.keep is not None:
                self._write_mask(job, sample, spec, spec.keep.kinds)
        if last.task.output is Output.MASK:
            self._write_mask(job, sample, last, self._options.kinds)
        elif last.task.output is Output.IMAGE:
            self._write_image(job, sample)
        elif "heat" in self._options.kinds:
            self._write_heat(job, sample, last)

    def _threshold(self, spec: StepSpec) -> float:
        if spec is self._specs[-1]:
            return self._options.threshold
        return spec.keep.threshold if spec.keep is not None else 0.5

    def _write_mask(self, job: Job, sample: Sample, spec: StepSpec, kinds: tuple[str, ...]) -> None:
        source, keep, threshold = sample.source, spec.keep, self._threshold(spec)
        suffix = job.plan.exact.suffix if job.plan.exact is not None and keep is None else ""
        for kind in kinds:
            declared = self._kinds[kind]
            page = page_of(declared, sample, spec.name, MaskParams(threshold), suffix)
            if declared.once == "run":
                part = fragment(declared, page)
                with job.lock:
                    job.fragments.append({"page": source.page, "pages": source.pages, **part})
                continue
            for each in files(declared, page):
                path = job.plan.path(
                    kind, each.suffix, label=each.label, page=source.page, pages=source.pages, keep=keep
                )
                size = self._commit(path, partial(_write, each.content))
                job.wrote(self._out, kind, path, size, source.page, each.label, keep.name if keep else None)

    def _write_image(self, job: Job, sample: Sample) -> None:
        """Write the file; of several pages, which may come from several devices in any order, when all are there."""
        format_ = image_format(job.format, self._options, job.plan.exact)
        path = job.plan.path("image", image_suffix(job.plan.input, job.format, format_))
        frames: Iterable[Sample] = [sample]
        edited = sample.edited
        if sample.source.pages > 1:
            with job.lock:
                shelf = job.shelf = job.shelf or Shelf(path)
            try:
                if shelf.put(sample) < sample.source.pages:
                    return
            except OSError as error:
                raise reason(path, error) from error
            frames, edited = shelf.pages(), shelf.edited
        quality, source = self._options.quality, job.plan.input.path
        if source is not None and format_ == job.format and quality is None and not edited:
            # Nothing was changed: encoding it again could only lose.
            size = self._commit(path, partial(_copy, source))
        else:
            size = self._commit(path, lambda file: write_image(frames, file, format_, quality=quality))
        job.wrote(self._out, "image", path, size, 0, None)

    def _write_heat(self, job: Job, sample: Sample, spec: StepSpec) -> None:
        from imgai.kinds.heat import heat  # brings kornia, which takes long and is seldom needed

        source, scores = sample.source, sample.scores[spec.name]
        path = job.plan.path("heat", ".jpg", page=source.page, pages=source.pages)
        size = self._commit(path, partial(_write, heat(sample, scores)))
        job.wrote(self._out, "heat", path, size, source.page, scores.labels[scores.explained])

    def finish(self, job: Job) -> None:
        """Write what is written once of an input, when all of its pages are done."""
        options, source = self._options, job.plan.input.path
        if source is None or not (options.sort_into or options.xmp):
            return
        best = {k: v for k, v in list(job.best(self._specs[-1].name).items())[: options.top] if v >= options.threshold}
        if options.sort_into is not None:
            link = options.link and not job.plan.input.stream  # its file is deleted
            place = sort_into(options.sort_into, next(iter(best), None), job.plan, source, link=link)
            job.wrote(self._out, "sorted", place, source.stat().st_size, 0, next(iter(best), None))
        if options.xmp:
            place = source.with_name(source.name + ".xmp")
            if is_foreign(place):
                job.words.append(f"{place} is there already, of another program; no keywords were written")
                return
            size = commit(place, partial(_write, sidecar(list(best))))
            job.wrote(self._out, "xmp", place, size, 0, None)

    def close(self, job: Job) -> None:
        """Leave nothing of a job that is finished, well or not."""
        if job.shelf is not None:
            job.shelf.clear()

    def _commit(self, path: Path, write: Callable[[BinaryIO], object]) -> int:
        # The plan has refused what it could foresee; labels and formats show only now.
        if os.path.realpath(path) in self._inputs:
            raise InputError(f"{path} is an input, and would be overwritten", "choose another --out")
        return commit(path, write)


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as original:
        shutil.copyfileobj(original, file)


def _write(content: bytes | Callable[[BinaryIO], object], file: BinaryIO) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)
