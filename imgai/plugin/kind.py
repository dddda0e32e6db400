"""Kinds: ways to write what a model returned, with the arguments and results of their functions."""

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
    """Options shared by kinds of masks: the `Kind.params` of a kind, or the base class of its params."""

    threshold: float = param(0.5, "Mask values at or above this count as inside.", minimum=0, maximum=1)


@dataclass(frozen=True, slots=True)
class BoxesParams:
    """Options shared by kinds of boxes: the `Kind.params` of a kind, or the base class of its params."""

    threshold: float = param(0.5, "Objects with a lower score are left out.", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A way to write the output of a step: a value of ``--as``.

    name: lower-case words joined by dashes; unique among the kinds of one `Output`.
    of: the output that the kind writes.
    summary: one line for ``--help`` and the documentation.
    render: ``"package.module:function"``, imported on first use. With ``once="page"`` the function takes a `Page` and
        returns an iterable of `Rendered`, the files of that page. With ``once="input"`` it takes an iterable of all
        pages of one input, in order. With ``once="run"`` it takes a `Page` and returns a JSON-able dict; if the dict
        has ``notes``, a list of texts, they are shown to the user.
    suffixes: valid suffixes of the file, the default first; ``("*",)``: those of every format that can be written,
        which the registry fills in.
    once: ``"page"``: files for each page; ``"input"``: files for all pages of an input together; ``"run"``: one file
        for the whole run, named after the kind (``coco.json``).
    stem: with ``once="run"``, the name of that file without its suffix; empty: the name of the kind.
    merge: with ``once="run"``, ``"package.module:function"``; the function takes an iterator of pairs (name of the
        page, result of ``render``), a binary file to write to, and the values of the options.
    params: a frozen dataclass of the kind's options, created by `param`. Names of a plugin's own fields begin with the
        name of the kind (``yolo_digits``); fields that the host's kinds of that output share
        (`MaskParams.threshold`) are inherited.
    files: with ``once="page"``, the number of files per page, so that their names are known before a run: ``"one"``;
        ``"labels"``: one per class of a model with several classes; ``"found"``: one per detected object.
    shared: the names of files that are the same for all pages (`Rendered.name`), so that a run can check beforehand
        whether such a file of another origin exists.
    passes: if it is written by a step before the last of a chain, it also becomes the next step's image and alpha.
    revision: increase it when the same input gives different files than before; it is part of the digest.
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
    output: the output of the step: a mask, scores, boxes, a map or data; for ``Output.IMAGE`` the sample itself.
    params: the values of the kind's options, an instance of `Kind.params`.
    suffix: the suffix of the file if the user named the file, else "".
    range: for models that declare `normalize`, the ends of the range of values that was stretched for the network, as
        fractions of full scale, 0 black and 1 white; None if nothing was stretched. A kind that shows the picture
        stretches it in the same way.
    """

    sample: Sample
    output: Any
    params: Any = NoParams()
    suffix: str = ""
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of a kind's ``render``: a file before it is written.

    content: the bytes, or a function that writes them to a binary file.
    suffix: the suffix of the file, one of `Kind.suffixes`.
    label: the class that the file is about, which becomes part of its name; None if it is about all classes.
    record: further JSON-able entries about this file for the record.
    name: the complete name of a file that is the same for all pages (``classes.txt``); it is written once per run, into
        the output folder. "" for all other files.
    notes: messages for the user, one line each.
    """

    content: bytes | Callable[[BinaryIO], object]
    suffix: str
    label: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()
