"""Render one page as the files of a kind, in memory, for runs and for the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO, cast

from imgai.apart import is_interrupt, words_of
from imgai.errors import ImgaiError, PluginError
from imgai.outputs import output_of
from imgai.plugin import Kind, NoParams, Page, Rendered
from imgai.sample import Sample


def page_of(kind: Kind, sample: Sample, step: str, params: Any = NoParams(), suffix: str = "") -> Page:
    """Make the argument of a kind's render function. step: the name of the step whose output is written."""
    used = sample.ranges.get(step)
    ends = None if used is None else (used.low, used.high)
    return Page(sample, output_of(kind.of).carried(sample, step), params, suffix, ends)


def load(kind: Kind) -> None:
    """Import the functions of a kind. Raises PluginError, with the reason, if they cannot be imported."""
    for path in filter(None, (kind.render, kind.merge)):
        _function(kind.name, path)


def files(kind: Kind, pages: Page | Iterable[Page]) -> Iterator[Rendered]:
    """Yield the files of a kind with ``once="page"`` for one page, or with ``once="input"`` for all pages of an input.

    Raises PluginError if the kind returns files that it does not declare.
    """
    for file in _function(kind.name, kind.render)(pages):
        if not isinstance(file, Rendered):
            raise PluginError(f"{kind.render} must return an iterable of Rendered, not of {type(file).__name__}")
        if file.suffix.lower() not in kind.suffixes:
            raise PluginError(f"{kind.render} makes a {file.suffix} file; the kind {kind.name} does not declare that")
        yield file


def fragment(kind: Kind, page: Page) -> dict[str, Any]:
    """Return what a kind with ``once="run"`` keeps of one page until the end of the run; JSON-able."""
    return cast("dict[str, Any]", _function(kind.name, kind.render)(page))


def merge(kind: Kind, fragments: Iterator[tuple[str, dict[str, Any]]], file: BinaryIO, params: Any) -> None:
    """Write the file of a kind with ``once="run"``. fragments: pairs of page name and result of `fragment`."""
    _function(kind.name, kind.merge)(fragments, file, params)


@cache
def _function(kind: str, path: str) -> Callable[..., Any]:
    """Import a function named as ``"package.module:function"``."""
    module, _, name = path.partition(":")
    try:
        return cast("Callable[..., Any]", getattr(import_module(module), name))
    except ImgaiError:
        raise
    except BaseException as error:  # a plugin that exits while it is imported must not end the run
        if is_interrupt(error):
            raise
        text = words_of(error)
        raise PluginError(f"the kind {kind} cannot be loaded by {path}: {type(error).__name__}: {text}") from error
