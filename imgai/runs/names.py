"""Paths of outputs: the output folder mirrors the input tree, and no two inputs share an output."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imgai.errors import UsageError
from imgai.images.formats import format_of_suffix, picture_suffixes
from imgai.plugin import Kind
from imgai.predict.spec import Keep, KindSpec
from imgai.runs.naming import Naming
from imgai.runs.options import OutputOptions
from imgai.runs.scan import Input


def like_an_output(keeps: Sequence[Keep]) -> re.Pattern[str]:
    """Names that a page of a picture, or what is kept of it, might have; group 1 is the picture's own."""
    kept = (
        "|".join(f"{re.escape(keep.name)}(?:-(?:{'|'.join(each.name for each in keep.kinds)}))?" for keep in keeps)
        or "(?!)"
    )
    page = r"-p\d{4,}"
    return re.compile(rf"(.+?)(?:(?P<keep>-(?:{kept}))(?:{page})?|{page})")


_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


def safe_name(label: str) -> str:
    """A label as a part of a file's name, without what file systems do not take; it may be empty."""
    return _UNSAFE.sub("_", label).strip(". ")


@dataclass(frozen=True, slots=True)
class Plan:
    """One input and the path, without suffix, that its outputs begin with. exact: the very file, if it was named."""

    input: Input
    base: Path
    kinds: tuple[KindSpec, ...]
    exact: Path | None = None

    def suffix(self, kind: Kind) -> str:
        """Return the suffix for a kind if the file was named explicitly, else ""."""
        return _fitting(kind.suffixes, self.exact.name) if self.exact is not None else ""

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
            return self.exact if _fitting((suffix,), self.exact.name) else self.exact.with_suffix(suffix)
        name = self.base.name
        if keep is not None:
            name += f"-{keep.name}"
        several = len([other for other in (keep or self).kinds if other.kind.once != "run"]) > 1
        # a.json says it by its suffix; a.tif might be a picture, and of several kinds.
        if several and (suffix != f".{kind}" or suffix in picture_suffixes()):
            name += f"-{kind}"
        if pages > 1:
            name += f"-p{page + 1:04d}"
        if label is not None:
            name += f".{safe_name(label)}"
        return self.base.with_name(name + suffix)


def plan(
    inputs: Sequence[Input],
    out: Path,
    options: OutputOptions,
    tell: Callable[[str], None] = lambda _: None,
    keeps: Sequence[Keep] = (),
    naming: Naming | None = None,
) -> list[Plan]:
    """A plan for each input; no two share an output. Whether one is an input, `Guard.refuse` says.

    Inputs that differ in their suffix alone keep it in their outputs' names, and that is told.
    naming: what the files in the folder are called; None: as the input.
    """
    kinds = options.kinds
    if naming is not None and _is_file(out, inputs, kinds):
        raise UsageError(f"--name is for files in a folder, and --out {out} is a file", "leave out one of them")
    if naming is not None and not naming.unique and len(inputs) > 1:
        pair = " and ".join(item.name for item in inputs[:2])
        raise UsageError(f"--name {naming.template}: {pair} would be called the same", "put {stem} into it")
    if _is_file(out, inputs, kinds):
        _check_suffix(out, kinds[0])
        return [Plan(inputs[0], out.with_suffix(""), kinds, exact=out)]
    for each in kinds:
        if each.kind.once == "run" and out.suffix.lower() in each.kind.suffixes and not out.is_dir():
            made = f"{each.kind.stem or each.name}{each.kind.suffixes[0]}"
            raise UsageError(f"--out {out}: --as {each.name} is {made} in a folder", "name the folder")
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"--out {out} is a file", "name a folder, or one input and a name that ends as a picture's does"
        )
    groups: dict[str, list[int]] = {}
    bases = [stem_of(item.name) for item in inputs]
    for index, base in enumerate(bases):
        groups.setdefault(folded(base), []).append(index)
    for indices in groups.values():
        # Of one name in several folders they get numbers: a suffix would not tell them apart.
        if len({folded(PurePosixPath(inputs[index].name)) for index in indices}) > 1:
            for index in indices:
                bases[index] = PurePosixPath(inputs[index].name)
            names = ", ".join(inputs[index].name for index in indices[:3])
            tell(f"{len(indices)} inputs would share an output ({names}); theirs keep the suffix")
    pattern = like_an_output(keeps)
    for index, base in enumerate(bases):
        # a-p0001.png may be a picture in its own right beside the pages of a.tif, or a-segment.png beside what is kept.
        like = pattern.fullmatch(base.name)
        if like and folded(base.with_name(like[1])) in groups and base.name != PurePosixPath(inputs[index].name).name:
            bases[index] = PurePosixPath(inputs[index].name)
            what = "what is kept" if like["keep"] else "a page"
            tell(f"{inputs[index].name} is called like {what} of another input; its outputs keep the suffix")
    _number_what_still_clashes(bases, inputs, tell)
    if naming is not None:  # of different names it makes different ones
        bases = [base.with_name(naming(base.name)) for base in bases]
    return [Plan(item, out / base, kinds) for item, base in zip(inputs, bases, strict=True)]


def key_of(each: Plan) -> str:
    """Return the unique identifier of an input: its absolute path or address, or ``-``."""
    if each.input.aside or each.input.path is None:
        return each.input.shown
    return str(each.input.path.absolute())


class StreamPlans:
    """Plans for inputs that come one by one: no two share an output, whoever comes first."""

    def __init__(
        self, out: Path, kinds: tuple[KindSpec, ...], keeps: Sequence[Keep] = (), naming: Naming | None = None
    ) -> None:
        self._out = out
        self._naming = naming
        self._kinds = kinds
        self._like_an_output = like_an_output(keeps)
        self._taken: set[str] = set()
        self._plain: set[str] = set()  # inputs whose outputs have no suffix: it would not tell apart others of the name
        self._owners: set[str] = set()  # whose pages, or what is kept of them, would be called like one that is taken

    def plan(self, item: Input) -> Plan:
        """The plan for the next input; where its name is taken it keeps its suffix, or gets a number."""
        name, stem = PurePosixPath(item.name), stem_of(item.name)
        if not self._clashes(stem):
            self._plain.add(folded(name))
        base = _numbered(stem if folded(name) in self._plain else name, self._clashes)
        self._taken.add(folded(base))
        if like := self._like_an_output.fullmatch(base.name):
            self._owners.add(folded(base.with_name(like[1])))
        named = base if self._naming is None else base.with_name(self._naming(base.name))
        return Plan(item, self._out / named, self._kinds)

    def _clashes(self, base: PurePosixPath) -> bool:
        like = self._like_an_output.fullmatch(base.name)
        owner = folded(base.with_name(like[1])) if like else None
        return folded(base) in self._taken or owner in self._taken or folded(base) in self._owners


def _is_file(out: Path, inputs: Sequence[Input], kinds: tuple[KindSpec, ...]) -> bool:
    """Whether ``--out`` names one file: one input, one kind, and a name that ends as a picture's or the kind's does."""
    if len(inputs) != 1 or len(kinds) != 1 or kinds[0].kind.once == "run":
        return False
    return out.suffix.lower() in picture_suffixes().union(kinds[0].kind.suffixes) and not out.is_dir()


def _check_suffix(out: Path, kind: KindSpec) -> None:
    """Raise UsageError if the name would lie about what is in the file."""
    asked: str | None = getattr(kind.params, "format", None)
    if asked is not None and format_of_suffix(asked) != format_of_suffix(out.name):
        raise UsageError(f"--out {out} is not called like --format {asked}", "leave one of them out")
    if not _fitting(kind.kind.suffixes, out.name):
        named = format_of_suffix(out.name) or out.suffix
        raise UsageError(
            f"--out {out}: {kind.name} is not written as {named}", f"name it {out.stem}{kind.kind.suffixes[0]}"
        )


def _fitting(suffixes: Sequence[str], name: str) -> str:
    """That of the suffixes which a file of this name ends in, or which stands for the same format; "" if none does."""
    own = PurePosixPath(name).suffix.lower()
    if own in suffixes:
        return own
    format_ = format_of_suffix(name)
    return next((suffix for suffix in suffixes if format_ and format_of_suffix(suffix) == format_), "")


def stem_of(name: str) -> PurePosixPath:
    """A name without the suffix of a picture, a compressed one (``.nii.gz``) too."""
    path = PurePosixPath(name)
    if path.suffix.lower() == ".gz" and PurePosixPath(path.stem).suffix.lower() in picture_suffixes():
        path = path.with_name(path.stem)
    # Of "..png" nothing would be left but ".".
    return path.with_name(path.stem) if path.suffix.lower() in picture_suffixes() and path.stem.strip(".") else path


def folded(base: PurePosixPath) -> str:
    """Return a key that is equal for names which may be the same file."""
    # Some file systems fold case and compose accents: two names that differ in these alone may be one file there.
    return unicodedata.normalize("NFC", str(base)).casefold()


def _number_what_still_clashes(
    bases: list[PurePosixPath], inputs: Sequence[Input], tell: Callable[[str], None]
) -> None:
    """Inputs of one name from two folders get a number, in the order in which they were named."""
    taken: set[str] = set()
    for index, base in enumerate(bases):
        candidate = _numbered(base, lambda name: folded(name) in taken)
        if candidate != base:
            tell(f"{inputs[index].path} shares its name with another input; its outputs are called {candidate}")
        taken.add(folded(candidate))
        bases[index] = candidate


def _numbered(base: PurePosixPath, clashes: Callable[[PurePosixPath], bool]) -> PurePosixPath:
    """A name, with the lowest number from 2 on with which it clashes with none, if it does."""
    candidate, number = base, 1
    while clashes(candidate):
        number += 1
        candidate = base.with_name(f"{base.name}-{number}")
    return candidate
