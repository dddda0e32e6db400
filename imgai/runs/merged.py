"""Kinds with one file per run: the part of each input is stored beside the records and merged at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from imgai.errors import ImgaiError
from imgai.predict.spec import KindSpec
from imgai.runs.commit import commit
from imgai.runs.guard import Guard
from imgai.runs.job import Job, output_of_run
from imgai.runs.names import Plan, key_of
from imgai.runs.records import Records


def of_run(kinds: Sequence[KindSpec]) -> list[KindSpec]:
    """Return the kinds with one file per run."""
    return [each for each in kinds if each.kind.once == "run"]


def merged_path(out: Path, kind: KindSpec) -> Path:
    """Return the path of the file of a kind."""
    return out / f"{kind.kind.stem or kind.name}{kind.kind.suffixes[0]}"


def has_parts(each: Plan, kinds: Sequence[KindSpec], records: Records) -> bool:
    """Whether what an earlier run kept of an input is there and whole."""
    return all(records.has_part(kind.name, key_of(each)) for kind in of_run(kinds))


def write_parts(job: Job, kinds: Sequence[KindSpec], records: Records) -> None:
    """Store the parts of one input's pages."""
    try:
        for kind in of_run(kinds):
            if job.error is not None:
                records.drop_part(kind.name, key_of(job.plan))  # what an earlier run made of it is no longer true
                continue
            pages = job.fragments.pop(kind.name, [])
            in_order = sorted(pages, key=lambda fragment: int(fragment["page"]))
            records.keep_part(kind.name, key_of(job.plan), in_order)
    except (ImgaiError, OSError) as error:
        job.failed(error)


def write_merged(
    plans: Sequence[Plan], out: Path, kinds: Sequence[KindSpec], records: Records, guard: Guard, run: str
) -> list[dict[str, Any]]:
    """Write the one file of each kind of the run, of every input done now or before; return the outputs of the record.

    run: what is run, by name.

    Raises InputError if it cannot be written.
    """
    from imgai.kinds.files import merge

    outputs = []
    for kind in of_run(kinds):
        path, parts = merged_path(out, kind), _parts(plans, kind, records)
        guard.allow(kind.name, path)
        try:
            written = commit(path, partial(_merge, merge, kind, parts))
            records.deliver(path, run)
        except OSError as error:
            raise records.refusal(error, path) from error
        outputs.append(output_of_run(kind.name, path, written, out))
    return outputs


def _parts(plans: Sequence[Plan], kind: KindSpec, records: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the stored part of every page, with the name of the page."""
    names = _names(plans)
    kept = records.parts(kind.name, map(key_of, plans))
    for name, pages in zip(names, kept, strict=True):
        for page in pages or ():  # none: it failed, and was told
            yield name + (f"#{page['page'] + 1}" if page["pages"] > 1 else ""), page


def _names(plans: Sequence[Plan]) -> list[str]:
    """The inputs' paths below the folder that was named, or below one that holds all that were named."""
    paths = [each.input.path for each in plans]
    roots = {
        os.path.abspath(path)[: -len(each.input.name)] or os.sep  # noqa: PTH100 - links stay as they are
        for each, path in zip(plans, paths, strict=True)
        if path is not None and not each.input.aside
    }
    if len(roots) <= 1 or os.name == "nt":
        return [each.input.name for each in plans]
    root = os.path.commonpath(roots)
    return [
        each.input.name if path is None else PurePath(os.path.relpath(path, root)).as_posix()
        for each, path in zip(plans, paths, strict=True)
    ]


def _merge(merge: Any, kind: KindSpec, parts: Iterator[tuple[str, dict[str, Any]]], file: BinaryIO) -> None:
    merge(kind.kind, parts, file, kind.params)
