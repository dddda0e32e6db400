"""The result of calling a chain: a sample after its steps."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imgai.errors import UsageError
from imgai.images.depth import to_float
from imgai.kinds.files import files, fragment, merge, page_of
from imgai.params import as_values
from imgai.plugin import Kind, Rendered
from imgai.runs.commit import commit
from imgai.runs.record import record_of_page

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from imgai.library.chain import Asked
    from imgai.sample import Sample


class Box(NamedTuple):
    """A detected object: class name, score in [0, 1], and edges in pixels of the image."""

    label: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


class Result:
    """An image and the output of the last step. Attributes for other outputs are empty or None.

    sample: the host's own object with all data. `steps` has the results of every step.
    """

    def __init__(
        self, asked: Asked, sample: Sample, read: tuple[int, int], seconds: float = 0.0, index: int = -1
    ) -> None:
        """read: height and width of the page as it was read. index: the step that this result belongs to."""
        self.sample = sample
        self._read = read
        self._asked = asked
        self._seconds = seconds
        self._spec = asked.specs[index]

    def __repr__(self) -> str:
        about = f"{self._spec.name}, {self.sample.width}x{self.sample.height} pixels"
        return f"<imgai result: {about}>"

    @cached_property
    def image(self) -> Tensor:
        """The image after all steps. Shape: ``(3, H, W)`` float32 in [0, 1], RGB."""
        return to_float(self.sample.image[0])

    @cached_property
    def masks(self) -> Mapping[str, Tensor]:
        """The mask of each class, by class name. Shape: ``(H, W)`` float32 in [0, 1]."""
        mask = self.sample.masks.get(self._spec.name)
        return {} if mask is None else {label: to_float(mask.values[i]) for i, label in enumerate(mask.labels)}

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The score of each label, highest first; scores sum to 1."""
        scores = self.sample.scores.get(self._spec.name)
        if scores is None:
            return {}
        values, indices = scores.values.sort(descending=True, stable=True)
        return {scores.labels[i]: value for i, value in zip(indices.tolist(), values.tolist(), strict=True)}

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """The detected objects, highest score first."""
        boxes = self.sample.boxes.get(self._spec.name)
        rows = [] if boxes is None else boxes.values.tolist()
        return tuple(Box(boxes.labels[int(label)], score, *edges) for *edges, score, label in rows if boxes is not None)

    @cached_property
    def map(self) -> Tensor | None:
        """The value of each pixel, in the model's unit. Shape: ``(H, W)`` float32. None for other outputs."""
        carried = self.sample.maps.get(self._spec.name)
        return None if carried is None else carried.values[0]

    @cached_property
    def data(self) -> Mapping[str, Any] | None:
        """The model's answer as JSON-able values; coordinates are pixels of the image. None for other outputs."""
        carried = self.sample.data.get(self._spec.name)
        return None if carried is None else carried.value

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """The record that a run would write for the image; see docs/runs.md."""
        return record_of_page(self.sample, self._read, self._asked.specs, self._asked.outputs, self._seconds)

    @cached_property
    def steps(self) -> Mapping[str, Result]:
        """The result of each step, by name (``task-2`` for the second step of a task), all with the final image."""
        specs = self._asked.specs
        return {
            spec.name: Result(self._asked, self.sample, self._read, self._seconds, i) for i, spec in enumerate(specs)
        }

    def render(self, kind: str | None = None, *, label: str | None = None, **options: Any) -> bytes:
        """Return the content of an output file.

        kind: a value of ``--as``; None for the default kind of the output.
        label: the class, for kinds that write one file per class.
        options: the options of the kind (``threshold=0.4``).

        Raises UsageError for an unknown kind or option, and if `label` is needed but missing.
        """
        declared = self._kind(kind)
        return _bytes(self._rendered(declared, label, options, declared.suffixes[0]))

    def picture(self, kind: str | None = None, *, label: str | None = None, **options: Any) -> Image:
        """Return the output of a kind as a PIL image, with 8 bits per channel for colour. Arguments as in `render`."""
        from PIL import Image

        declared = self._kind(kind)
        suffix = ".png" if {".png", "*"} & set(declared.suffixes) else declared.suffixes[0]
        image = Image.open(io.BytesIO(_bytes(self._rendered(declared, label, options, suffix))))
        image.load()
        return image

    def save(self, path: str | Path, kind: str | None = None, *, label: str | None = None, **options: Any) -> Path:
        """Write an output file atomically, with the same metadata as the command would. Returns its path.

        The suffix of `path` selects the format. Raises the errors of `render`, UsageError if `path` is the input
        itself, and InputError if the file cannot be written.
        """
        path, source = Path(path), self.sample.source.path
        if source is not None and os.path.realpath(path) == os.path.realpath(source):
            raise UsageError(f"{path} is the input, and would be overwritten", "choose another path")
        declared = self._kind(kind)
        if "*" not in declared.suffixes and path.suffix.lower() not in declared.suffixes:
            raise UsageError(f"{path}: {declared.name} is not written as that", f"use {', '.join(declared.suffixes)}")
        content = self._rendered(declared, label, options, path.suffix).content
        commit(path, lambda file: content(file) if callable(content) else file.write(content))
        return path

    def _kind(self, name: str | None) -> Kind:
        registry, output = self._asked.registry, self._spec.task.output
        if name is not None:
            return registry.kind(output, name)
        if not (kinds := registry.kinds(output)):
            raise UsageError(f"{self._spec.task.name} returns nothing that is written as a file")
        return kinds[0]

    def _rendered(self, kind: Kind, label: str | None, options: dict[str, Any], suffix: str) -> Rendered:
        names = {field.name for field in dataclasses.fields(kind.params)}
        asked = {name: value for name, value in self._asked.values.items() if name in names}
        params = as_values(kind.params, {**asked, **options})
        page = page_of(kind, self.sample, self._spec.name, params, "" if suffix == "*" else suffix)
        if kind.once == "run":
            file = io.BytesIO()
            merge(kind, iter([(self.sample.source.name, fragment(kind, page))]), file, params)
            return Rendered(file.getvalue(), kind.suffixes[0])
        made = list(files(kind, page if kind.once == "page" else iter((page,))))
        chosen = made if label is None else [each for each in made if each.label == label]
        if len(chosen) == 1:
            return chosen[0]
        labels = ", ".join(str(each.label) for each in made)
        if label is None:
            raise UsageError(f"{kind.name} makes {len(made)} files, one for each class", f"say label=, one of {labels}")
        raise UsageError(f"there is no class {label!r}", f"there is {labels}")


def _bytes(rendered: Rendered) -> bytes:
    if not callable(rendered.content):
        return rendered.content
    file = io.BytesIO()
    rendered.content(file)
    return file.getvalue()
