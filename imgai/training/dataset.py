"""A data set: pictures with targets from a folder, validated and split."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgai.errors import UsageError
from imgai.images import DEFAULT_MAX_PIXELS
from imgai.plugin import Output
from imgai.plural import counted
from imgai.training.example import Example
from imgai.training.findings import Findings
from imgai.training.layouts import LAYOUTS
from imgai.training.layouts.base import Asked, Layout
from imgai.training.split import split

__all__ = ["Dataset", "Example", "read_dataset"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures in parts, with the names of their classes.

    parts: "train" and "val", and "test" where the folder has one.
    report: what was left out and why, and what else a person should know; a line each.
    fingerprint: a digest of every picture and of what is right for it, by part.
    objects: of label pictures, whether they number objects rather than classes.
    """

    output: Output
    labels: tuple[str, ...]
    parts: Mapping[str, tuple[Example, ...]]
    report: tuple[str, ...]
    fingerprint: str
    folder: Path = field(default_factory=Path)
    objects: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS


def read_dataset(
    folder: Path,
    output: Output,
    *,
    group: str | None = None,
    labels: Sequence[str] | None = None,
    scale: int = 1,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Dataset:
    """Read every picture of a folder once, leave out what cannot be learned from, and split the rest.

    group: a regular expression; pictures for whose name it finds the same text (its first group, if it has one) stay
        on one side. labels: the names that classes must have, in this order; None: those of the folder.
    scale: of an IMAGE model, by how much a target's sides are longer than its input's.

    The split follows the pictures' content: the same folder is split alike at any time and under any name.

    Raises UsageError, with what to do, for a folder that has none of the layouts, or that nothing can be learned from.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name one that holds pictures and what is right for each")
    if output not in LAYOUTS:
        raise UsageError(f"models that give {output.value} cannot be trained")
    pattern = None
    if group is not None:
        try:
            pattern = re.compile(group)
        except re.error as error:
            raise UsageError(f"--group {group!r} is no regular expression: {error}") from error
    module, _, name = LAYOUTS[output].partition(":")
    findings = Findings()
    asked = Asked(folder, tuple(labels) if labels else None, max_pixels, findings, scale)
    layout: Layout = getattr(importlib.import_module(module), name)(asked)
    examples = [(part, _named(example, pattern)) for part, example in layout.examples()]
    if pattern is not None and (loose := sum(example.group == example.key for _, example in examples)):
        findings.note(f"--group finds nothing in the names of {counted(loose, 'picture')}: each is a group of its own")
    parts = split(examples, findings, by_class=layout.by_class)
    layout.check(parts)
    return Dataset(
        output=output,
        labels=layout.labels,
        parts=parts,
        report=findings.lines(),
        fingerprint=_fingerprint(parts, layout.labels),
        folder=folder,
        objects=layout.objects,
        max_pixels=max_pixels,
    )


def _named(example: Example, pattern: re.Pattern[str] | None) -> Example:
    """The example with its group."""
    match = pattern.search(example.name) if pattern else None
    if match is None:
        return example
    text = match[1] if match.re.groups and match[1] is not None else match[0]
    return dataclasses.replace(example, group=f"={text}")


def _fingerprint(parts: Mapping[str, tuple[Example, ...]], labels: Sequence[str]) -> str:
    digest = hashlib.sha256(repr(tuple(labels)).encode())
    for part in sorted(parts):
        for key in sorted(f"{example.key}{example.truth}" for example in parts[part]):
            digest.update(f"{part} {key}\n".encode())
    return digest.hexdigest()
