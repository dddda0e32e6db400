"""Kinds: ways to write what a model returned, and what their functions are given and return."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imgai.plugin import NoParams, Output, are_suffixes, check_name, check_params, param

if TYPE_CHECKING:
    from typing import BinaryIO

    from imgai.sample import Sample


@dataclass(frozen=True, slots=True)
class MaskParams:
    """The options that kinds of masks share: the params of a kind that needs them, or the base of these params."""

    threshold: float = param(0.5, "Mask values at or above this count as inside.", minimum=0, maximum=1)


@dataclass(frozen=True, slots=True)
class BoxesParams:
    """The options that kinds of boxes share: the params of a kind that needs them, or the base of these params."""

    threshold: float = param(0.5, "Objects with a lower score are left out.", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A way to write what a step returned: a value of ``--as``.

    name: lower-case words joined by dashes; unique among the kinds of one `Output`.
    of: the output that it writes.
    summary: one line for ``--help`` and the documentation.
    render: ``"package.module:function"``, imported when it is used. Of ``once="page"`` the function takes a `Page`
        and returns an iterable of `Rendered`, the files of that page. Of ``once="input"`` it takes an iterable of all
        pages of one input, in order. Of ``once="run"`` it takes a `Page` and returns a JSON-able dict;
        people are told its ``notes``, a list of texts, if it has any.
    suffixes: what the name of a file may end in, the usual one first; ``("*",)``: those of every format that is
        written, which the registry fills in.
    once: ``"page"``: files for each page; ``"input"``: files for all pages of an input together; ``"run"``: one file
        for the whole run, called like the kind (``coco.json``).
    stem: of ``once="run"``: what that file is called, without its suffix; the name of the kind where it is empty.
    merge: of ``once="run"``: ``"package.module:function"``, which takes an iterator of pairs (name of the page, what
        ``render`` returned for it), a binary file to write to, and the values of the options.
    params: a frozen dataclass of the kind's options, made by `param`. Names of a plugin's own fields begin with the
        kind's name (``yolo_digits``); a field that the host's kinds of that output share (`MaskParams.threshold`)
        is inherited.
    files: of ``once="page"``: how many files a page has, so that their names are known before a run. ``"one"``;
        ``"labels"``: one for each class of a model that has several; ``"found"``: as many as something is found.
    shared: the names of files that every page makes alike (`Rendered.name`), so that those of somebody else are seen
        before a run.
    passes: before the last step of a chain, it also becomes the image and alpha of the next step.
    revision: raise it when the same input gives other files than before; it is a part of the digest.
    """

    name: str
    of: Output
    summary: str
    render: str
    suffixes: tuple[str, ...] = (".png",)
    once: str = "page"
    stem: str = ""
    merge: str = ""
    params: type[Any] = NoParams
    files: str = "one"
    shared: tuple[str, ...] = ()
    passes: bool = False
    revision: int = 1

    def __post_init__(self) -> None:
        check_name("kind", self.name)
        check_params(f"kind {self.name}", self.params)
        if self.once not in ("page", "input", "run"):
            raise ValueError(f"kind {self.name}: once must be 'page', 'input' or 'run', not {self.once!r}")
        if self.files not in ("one", "labels", "found"):
            raise ValueError(f"kind {self.name}: files must be 'one', 'labels' or 'found', not {self.files!r}")
        if bool(self.merge) != (self.once == "run"):
            raise ValueError(f"kind {self.name}: merge is declared together with once='run'")
        if self.stem and self.once != "run":
            raise ValueError(f"kind {self.name}: stem is declared together with once='run'")
        for function in (self.render, self.merge) if self.merge else (self.render,):
            if not re.fullmatch(r"[\w.]+:\w+", function):
                raise ValueError(f"kind {self.name}: {function!r} must read 'package.module:function'")
        if self.suffixes != ("*",) and not are_suffixes(self.suffixes):
            raise ValueError(f"kind {self.name}: suffixes are lower-case and begin with a dot, as in '.png'")
        if self.passes and self.once != "page":
            raise ValueError(f"kind {self.name}: only a kind with once='page' can be passed to the next step")


@dataclass(frozen=True, slots=True)
class Page:
    """The argument of a kind's ``render``: one page of one input after a step.

    sample: the image, its source and its metadata.
    output: what the step returned: a mask, scores, boxes, a map or data; of ``Output.IMAGE`` the sample itself.
    params: the values of the kind's options, an instance of `Kind.params`.
    suffix: what the name of the file is to end in, where the user named the file; else "".
    range: of a model that declares `normalize`, the ends of the range of values that was stretched for it, as fractions
        of full scale, 0 black and 1 white; None where nothing was stretched. A kind that shows the picture stretches it
        in the same way.
    """

    sample: Sample
    output: Any
    params: Any = NoParams()
    suffix: str = ""
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that a kind made, before it is written.

    content: its bytes, or a function that writes them to a binary file.
    suffix: what its name ends in, one of `Kind.suffixes`.
    label: the class that it shows, which becomes a part of its name; None where it shows all.
    record: further JSON-able entries about this file for the record.
    name: the whole name of a file that every page makes alike (``classes.txt``); it is written once a run, into the
        output folder. "" for all others.
    notes: remarks for the user about how it was made, one line each.
    """

    content: bytes | Callable[[BinaryIO], object]
    suffix: str
    label: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()
