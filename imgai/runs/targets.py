"""Predict the output files of an input before it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from imgai.errors import ImgaiError
from imgai.images.formats import HEAD, detect, format_of_suffix, formats, written_as
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.names import Plan


def targets(plan: Plan, specs: Sequence[StepSpec], *, sure: bool = False) -> Iterator[tuple[Path, str]]:
    """Each path with its kind. Of several pages the first: whoever has made that has made the others too.

    sure: leave out those that depend on how many pages an input has, or on what is found in it.
    """
    format_ = format_of_suffix(plan.input.name)
    paged = not sure and format_ is not None and formats()[format_].paged
    for spec in specs:
        labels = spec.model.labels or ()
        for each in spec.keep.kinds if spec.keep is not None else plan.kinds if spec is specs[-1] else ():
            if each.kind.once == "run":
                continue
            suffix = _suffix(plan, each)
            by_label = labels if len(labels) > 1 and each.kind.once == "page" else ()
            if sure and each.kind.files == "found":
                continue
            if sure:
                shown: tuple[str | None, ...] = by_label if by_label and each.kind.files == "labels" else (None,)
            else:  # what a kind of a plugin does not declare is looked for too
                shown = (None, *by_label)
            for label in shown:
                yield plan.path(each.name, suffix, label=label, keep=spec.keep), each.name
                if paged and each.kind.once == "page":
                    yield plan.path(each.name, suffix, label=label, pages=2, keep=spec.keep), each.name


def shared_targets(out: Path, specs: Sequence[StepSpec], kinds: Sequence[KindSpec]) -> Iterator[tuple[Path, str]]:
    """The files in the output folder that every input makes alike, each with its kind. kinds: of the last step."""
    for of in (*(spec.keep.kinds for spec in specs if spec.keep is not None), kinds):
        for each in of:
            for name in each.kind.shared:
                yield out / name, each.name


def _read_as(plan: Plan) -> str | None:
    """The format of an input: by its content if it is a file of this machine, else by its name."""
    path, named = plan.input.path, format_of_suffix(plan.input.name)
    if path is None or plan.input.remote is not None:
        return named
    try:
        if not path.is_file():  # a pipe would be waited for without end
            return named
        with path.open("rb") as file:
            found = detect(path, file.read(HEAD))
    except (OSError, ImgaiError):  # told when it is read
        return named
    return found.name if found is not None else named


def _suffix(plan: Plan, kind: KindSpec) -> str:
    """Return the suffix of the file: as requested, that of the input, or the default of the kind."""
    if plan.exact is not None:
        return plan.exact.suffix
    for option in ("format", kind.name):  # an option that is called as its kind may say the format (`InkParams.ink`)
        asked = getattr(kind.params, option, None)
        if isinstance(asked, str) and (suffix := _suffix_of(asked, kind.kind.suffixes)):
            return suffix
    own = PurePosixPath(plan.input.name).suffix
    if kind.kind.once == "page" or not hasattr(kind.params, "format"):
        return kind.kind.suffixes[0]
    format_ = _read_as(plan)
    written = formats()[written_as(format_)].suffixes[0] if format_ else ""
    if own.lower() in kind.kind.suffixes and format_ in (None, format_of_suffix(own)):
        return own
    return written if written in kind.kind.suffixes else kind.kind.suffixes[0]


def _suffix_of(asked: str, suffixes: tuple[str, ...]) -> str:
    """The suffix of files of a format, "" if a kind has none such."""
    format_ = format_of_suffix(asked)
    known = (f".{asked.lower()}",) if format_ is None else formats()[format_].suffixes
    return next((suffix for suffix in known if suffix in suffixes), "")
