"""Where each input's outputs go: below the output folder, as the inputs lie below theirs, each its own."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imgai.errors import UsageError
from imgai.images.formats import EXTENSIONS, SUFFIXES, WRITABLE, format_of_suffix, written_as
from imgai.run.options import Keep, OutputOptions
from imgai.run.scan import Input

_PAGE = re.compile(r"(.+)-p\d{4,}")


@dataclass(frozen=True, slots=True)
class Plan:
    """One input and the path, without suffix, that its outputs begin with. exact: the very file, if it was named."""

    input: Input
    base: Path
    kinds: tuple[str, ...]
    exact: Path | None = None

    def path(
        self,
        kind: str,
        suffix: str,
        *,
        label: str | None = None,
        page: int = 0,
        pages: int = 1,
        keep: Keep | None = None,
    ) -> Path:
        """The file for one kind of output of one page, counted from 0. keep: of a step before the last."""
        if keep is None and self.exact is not None and label is None and pages == 1:
            # More objects than 16 bits can number make a TIFF; it must not be called PNG.
            return self.exact.with_suffix(suffix) if kind == "labels" else self.exact
        name = self.base.name
        if keep is not None:
            name += f"-{keep.name}"
        if len([other for other in (keep or self).kinds if other != "coco"]) > 1:
            name += f"-{kind}"
        if pages > 1:
            name += f"-p{page + 1:04d}"
        if label is not None:
            name += f".{label}"
        return self.base.with_name(name + suffix)


def plan(
    inputs: Sequence[Input],
    out: Path,
    options: OutputOptions,
    tell: Callable[[str], None] = lambda _: None,
    keeps: Sequence[Keep] = (),
) -> list[Plan]:
    """A plan for each input; no two share an output, and none is an input.

    Inputs that differ in their suffix alone keep it in their outputs' names, and that is told.
    """
    kinds = options.kinds
    if _is_file(out, inputs, kinds):
        _check_suffix(out, kinds[0])
        plans = [Plan(inputs[0], out.with_suffix(""), kinds, exact=out)]
        _refuse_to_overwrite(plans, inputs, options, keeps)
        return plans
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"--out {out} is a file", "name a folder, or one input and a name that ends as a picture's does"
        )
    groups: dict[str, list[int]] = {}
    bases = [_stem(item.name) for item in inputs]
    for index, base in enumerate(bases):
        groups.setdefault(_key(base), []).append(index)
    for indices in groups.values():
        if len(indices) > 1:
            for index in indices:
                bases[index] = PurePosixPath(inputs[index].name)
            names = ", ".join(inputs[index].name for index in indices[:3])
            tell(f"{len(indices)} inputs would share an output ({names}); theirs keep the suffix")
    for index, base in enumerate(bases):
        # a-p0001.png may be a picture in its own right beside the pages of a.tif.
        page = _PAGE.fullmatch(base.name)
        if page and _key(base.with_name(page[1])) in groups and base.name != PurePosixPath(inputs[index].name).name:
            bases[index] = PurePosixPath(inputs[index].name)
            tell(f"{inputs[index].name} is called like a page of another input; its outputs keep the suffix")
        # a-segment.png may be one beside what a chain keeps of a.tif.
        for keep in keeps:
            stem, dash, rest = base.name.rpartition(f"-{keep.name}")
            if dash and not rest and stem and _key(base.with_name(stem)) in groups and base == bases[index]:
                bases[index] = PurePosixPath(inputs[index].name)
                tell(f"{inputs[index].name} is called like what is kept of another input; its outputs keep the suffix")
    _number_what_still_clashes(bases, inputs, tell)
    plans = [Plan(item, out / base, kinds) for item, base in zip(inputs, bases, strict=True)]
    _refuse_to_overwrite(plans, inputs, options, keeps)
    return plans


def key_of(each: Plan) -> str:
    """What tells an input from every other, from whichever folder the command is run: its whole path, or ``-``."""
    if each.input.stream or each.input.path is None:
        return each.input.shown
    return str(each.input.path.absolute())


class StreamPlans:
    """Plans for inputs that come one by one: no two share an output, whoever comes first."""

    def __init__(self, out: Path, kinds: tuple[str, ...]) -> None:
        self._out = out
        self._kinds = kinds
        self._taken: set[str] = set()

    def plan(self, item: Input) -> Plan:
        """The plan for the next input; where its name is taken it keeps its suffix, or gets a number."""
        name = PurePosixPath(item.name)
        candidates = [_stem(item.name), name]
        number = 1
        while _key(candidates[0]) in self._taken:
            if len(candidates) == 1:
                number += 1
                candidates.append(name.with_name(f"{name.name}-{number}"))
            del candidates[0]
        self._taken.add(_key(candidates[0]))
        return Plan(item, self._out / candidates[0], self._kinds)


def check_format(options: OutputOptions) -> None:
    """Raise UsageError for a format that pictures are not written in."""
    if options.format is not None and format_of_suffix(options.format) not in WRITABLE:
        raise UsageError(f"--format cannot be {options.format!r}", f"it is one of {', '.join(WRITABLE).lower()}")


def image_format(item_format: str, options: OutputOptions, exact: Path | None) -> str:
    """The format in which an image is written: as asked, as the output's name says, or as it was read."""
    if options.format is not None and (asked := format_of_suffix(options.format)):
        return asked
    if exact is not None and (named := format_of_suffix(exact.name)):
        return named
    return written_as(item_format)


def image_suffix(item: Input, item_format: str, format_: str) -> str:
    """The suffix of a written image: the input's own where it fits the format."""
    own = PurePosixPath(item.name).suffix
    if item_format == format_ and own.lower() in SUFFIXES[format_]:
        return own
    return SUFFIXES[format_][0]


def _is_file(out: Path, inputs: Sequence[Input], kinds: tuple[str, ...]) -> bool:
    """Whether ``--out`` names one file: one input, one kind, and a name that ends as a picture's does."""
    named = out.suffix.lower() in EXTENSIONS and not out.is_dir()
    return named and len(inputs) == 1 and len(kinds) == 1 and kinds != ("coco",)


def _check_suffix(out: Path, kind: str) -> None:
    """Raise UsageError if the name would lie about what is in the file."""
    named = format_of_suffix(out.name)
    allowed = {"image": WRITABLE, "overlay": ("JPEG", "PNG")}.get(kind, ("PNG",))
    if named not in allowed:
        what = "an image" if kind == "image" else f"a {kind}" if kind != "overlay" else "an overlay"
        raise UsageError(
            f"--out {out}: {what} is not written as {named}",
            f"name it {out.stem}{SUFFIXES[allowed[-1] if kind != 'image' else 'PNG'][0]}",
        )


def _stem(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    return path.with_name(path.stem) if path.suffix.lower() in EXTENSIONS else path


def _key(base: PurePosixPath) -> str:
    # Some file systems fold case and compose accents: two names that differ in these alone may be one file there.
    return unicodedata.normalize("NFC", str(base)).casefold()


def _number_what_still_clashes(
    bases: list[PurePosixPath], inputs: Sequence[Input], tell: Callable[[str], None]
) -> None:
    """Inputs of one name from two folders get a number, in the order in which they were named."""
    taken: set[str] = set()
    for index, base in enumerate(bases):
        candidate, number = base, 1
        while _key(candidate) in taken:
            number += 1
            candidate = base.with_name(f"{base.name}-{number}")
        if number > 1:
            tell(f"{inputs[index].path} shares its name with another input; its outputs are called {candidate}")
        taken.add(_key(candidate))
        bases[index] = candidate


def _refuse_to_overwrite(
    plans: list[Plan], inputs: Sequence[Input], options: OutputOptions, keeps: Sequence[Keep]
) -> None:
    """Raise UsageError if what would be written is one of the inputs."""
    paths = {os.path.realpath(item.path): item for item in inputs if item.path is not None}
    for each in plans:
        for kind, keep in [(kind, of) for of in (None, *keeps) for kind in (of or options).kinds]:
            suffixes = [".png", ".jpg", ".tif"] if kind != "image" else [PurePosixPath(each.input.name).suffix]
            for suffix in suffixes:
                target = each.path(kind, suffix, keep=keep)
                if kind in ("mask", "binary", "cutout", "labels") and suffix == ".jpg":
                    continue
                if os.path.realpath(target) in paths:
                    raise UsageError(f"{target} is an input, and would be overwritten", "choose another --out")
