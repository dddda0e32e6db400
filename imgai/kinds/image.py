"""The ``image`` kind: the picture in a file format, with the metadata of the input."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from imgai.images import write_image
from imgai.images.formats import format_of_suffix, formats, written_as
from imgai.images.held import lost
from imgai.images.rights import kept
from imgai.plugin import Page, Rendered


def render(pages: Iterable[Page]) -> Iterator[Rendered]:
    """Yield one file with all pages. An unchanged input is copied, because encoding it again could lose quality."""
    rest = iter(pages)
    first = next(rest)
    sample, params = first.sample, first.params
    read_as, source = sample.metadata.format, sample.source
    format_ = _asked(params.format) or _asked(first.suffix) or written_as(read_as, alpha=sample.alpha is not None)
    suffix = _suffix(source.name, read_as, format_)
    if (
        source.path is not None
        and format_ == read_as
        and params.quality is None
        and not sample.edited
        and params.metadata == "all"
    ):
        yield Rendered(partial(_copy, source.path), suffix)
        return
    asked_for = kept(sample.metadata, params.metadata) if params.metadata != "all" else sample.metadata
    missing = lost(asked_for, format_)
    samples = (page.sample for page in chain((first,), rest))
    if params.metadata != "all":
        samples = (dataclasses.replace(each, metadata=kept(each.metadata, params.metadata)) for each in samples)

    def write(file: BinaryIO) -> None:
        write_image(samples, file, format_, quality=params.quality)

    yield Rendered(write, suffix, record={"lost": missing} if missing else {})


def _asked(name: str | None) -> str | None:
    return format_of_suffix(name) if name else None


def _suffix(name: str, read_as: str, format_: str) -> str:
    """Return the suffix of the file: that of the input if it fits the format."""
    own = PurePosixPath(name).suffix
    suffixes = formats()[format_].suffixes
    return own if read_as == format_ and own.lower() in suffixes else suffixes[0]


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as original:
        shutil.copyfileobj(original, file)
