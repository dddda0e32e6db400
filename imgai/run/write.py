"""Write what was found in a sample, and note it in its job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imgai.errors import InputError
from imgai.images import write_image
from imgai.outputs import annotate, areas, render
from imgai.plugin import Output
from imgai.run.commit import commit, reason
from imgai.run.job import Job
from imgai.run.names import image_format, image_suffix
from imgai.run.options import OutputOptions, StepSpec
from imgai.run.shelf import Shelf
from imgai.sample import Sample


class Writer:
    """Knows where outputs go and what of them is wanted. Called by several threads at once."""

    def __init__(self, out: Path, spec: StepSpec, options: OutputOptions, inputs: frozenset[str]) -> None:
        """inputs: their real paths, which are never written to."""
        self._inputs = inputs
        self._out = out
        self._spec = spec
        self._options = options

    def write(self, job: Job, sample: Sample) -> None:
        """Write one page. Raises InputError for what cannot be written."""
        name = self._spec.task.name
        if self._spec.task.output is Output.MASK:
            self._write_mask(job, sample, name)
        elif self._spec.task.output is Output.IMAGE:
            self._write_image(job, sample)
        else:
            scores = sample.scores[name]
            job.scores = dict(zip(scores.labels, (round(value, 6) for value in scores.values.tolist()), strict=True))

    def _write_mask(self, job: Job, sample: Sample, name: str) -> None:
        mask, source = sample.masks[name], sample.source
        found = areas(mask, self._options.threshold)
        with job.lock:
            for label, area in found.items():
                job.areas.setdefault(label, {})[source.page] = area
        for kind in self._options.kinds:
            if kind == "coco":
                fragment = annotate(sample, mask, self._options.threshold)
                with job.lock:
                    job.fragments.append({"page": source.page, "pages": source.pages, **fragment})
                continue
            suffix = job.plan.exact.suffix if job.plan.exact is not None else ""
            for each in render(sample, mask, kind, self._options.threshold, suffix=suffix):
                path = job.plan.path(kind, each.suffix, label=each.label, page=source.page, pages=source.pages)
                size = self._commit(path, partial(_write_bytes, each.content))
                job.wrote(self._out, kind, path, size, source.page, each.label)

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


def _write_bytes(content: bytes, file: BinaryIO) -> None:
    file.write(content)
