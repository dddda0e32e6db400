"""MASK: pictures and label images of the same names, or COCO's JSON."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from imgai.bounded import read_bytes
from imgai.errors import InputError, UsageError
from imgai.images import orientation
from imgai.plural import counted
from imgai.training.example import Example
from imgai.training.labels import LabelFile, Shapes, Values, kind_of, mask_of, of_kind, values_of
from imgai.training.layouts.base import Asked, Entry, Layout, digest, in_order, plain
from imgai.training.layouts.coco import CocoPicture, read_coco
from imgai.training.layouts.pairs import paired
from imgai.training.pictures import label_pages, orientation_of

IMAGES, MASKS = ("images", "image", "imgs"), ("masks", "mask", "labels")
ENDINGS = ("", "_mask", "-mask", "_label", "_labels")
BACKGROUND = ("background", "_background_", "__background__")
ONE_CLASS, ONE_OBJECT = "foreground", "object"
"""The default name of a single class."""
_SIDEWAYS = (5, 6, 7, 8)


class MaskLayout(Layout):
    """``images/`` and ``masks/`` of the same names, or COCO's JSON with polygons or run-length encodings.

    What label pictures hold: 0 and 255 (or 1); with ``classes.txt``, a name a line, 0 and the number of a line; in 16
    bits and without ``classes.txt``, 0 and the number of an object.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._values: dict[str, Values] = {}
        self._names: tuple[str, ...] | None = None

    def entries(self) -> list[Entry]:
        folder, findings = self.asked.folder, self.asked.findings
        pairs = paired(folder, findings, IMAGES, MASKS, ENDINGS)
        if pairs is not None:
            self._names = self._listed()
            return pairs
        coco = read_coco(folder, findings)
        if coco is None:
            raise UsageError(
                f"{folder} has no images/ with masks/ beside it, and no COCO JSON",
                "put pictures into images/ and masks of the same names into masks/",
            )
        pictures, names = coco
        self.labels = in_order(names, self.asked)
        self.objects = len(names) == 1
        return [Entry(each.path, each.name, each.part, each) for each in pictures]

    def _listed(self) -> tuple[str, ...] | None:
        """The names in ``classes.txt``; None without one."""
        path = self.asked.folder / "classes.txt"
        if not path.is_file():
            return None
        try:
            lines = read_bytes(path, 1 << 24).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", "write it in UTF-8, a name a line") from error
        names = [line.strip() for line in lines if line.strip()]
        if names and names[0].lower() in BACKGROUND:
            names = names[1:]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if not names or twice:
            what = f"has {twice[0]!r} twice" if twice else "names no class"
            raise UsageError(f"{path} {what}", "write a name a line, the background left out")
        return tuple(names)

    def partners(self, entry: Entry) -> Iterator[np.ndarray]:
        if isinstance(entry.target, CocoPicture):
            return iter(())
        return label_pages(entry.target, entry.target.name, self.asked.max_pixels)

    def example(self, entry: Entry, page: int, pixels: np.ndarray, partner: np.ndarray | None) -> Example:
        if isinstance(entry.target, CocoPicture):
            return self._drawn(entry, entry.target, page, pixels)
        labels = partner
        if labels is None:
            raise InputError(f"{entry.name}: its mask has fewer pages")
        turn = 1
        if labels.shape != pixels.shape[:2]:
            turn = orientation_of(entry.path)
            if turn not in _SIDEWAYS or labels.shape[::-1] != pixels.shape[:2]:
                raise InputError(f"{entry.name}: its mask is of another size")
            # It was drawn on the pixels as they are stored, before the camera's note turns them.
            labels = orientation.apply(labels, turn)
            self.asked.findings.note("masks that lie as the camera stored the picture are turned with it")
        example = plain(
            entry,
            page,
            pixels,
            target=LabelFile(entry.target, page, turn=turn),
            truth=digest(np.ascontiguousarray(labels)),
        )
        self._values[example.name] = values_of(labels)
        return example

    def _drawn(self, entry: Entry, picture: CocoPicture, page: int, pixels: np.ndarray) -> Example:
        height, width = pixels.shape[:2]
        if page or (picture.height, picture.width) != (height, width):
            raise InputError(f"{entry.name}: it is of another size, or has more pages, than the JSON says")
        place = {label: index for index, label in enumerate(self.labels)}
        shapes, classes = [], set()
        for number, (label, annotation) in enumerate(picture.objects, 1):
            try:
                if not mask_of(annotation.get("segmentation"), height, width).any():
                    raise ValueError("it covers no pixel")
            except ValueError as error:
                raise InputError(f"{entry.name}: an object of it cannot be drawn: {error}") from error
            shapes.append((number if self.objects else place[label] + 1, annotation["segmentation"]))
            classes.add(place[label])
        target = Shapes(height, width, tuple(shapes))
        truth = digest(repr(shapes).encode())
        return plain(entry, page, pixels, target=target, classes=tuple(sorted(classes)), truth=truth)

    def examples(self) -> list[tuple[str | None, Example]]:
        loaded = super().examples()
        if not self._values:
            return loaded
        kind = self._kind()
        understood = []
        for part, example in loaded:
            assert isinstance(example.target, LabelFile)
            values = self._values[example.name]
            if self._names is not None and kind == "classes" and max(values.present) > len(self._names):
                why = f"its mask has the value {max(values.present)}, and classes.txt names {len(self._names)}"
                self.asked.findings.leave_out(why, example.name)
                continue
            least = 128 if kind == "soft" else 1
            inside = [value for value in values.present if value >= least]
            classes = tuple(value - 1 for value in inside) if kind == "classes" else (0,) * bool(inside)
            target = of_kind(example.target, kind)
            understood.append((part, dataclasses.replace(example, target=target, classes=classes)))
        if not understood:
            raise UsageError(f"{self.asked.folder}: no picture can be used: {self.asked.findings.lines()[-1]}")
        return understood

    def _kind(self) -> str:
        """Determine the meaning of the values, and set the labels."""
        kinds = list(self._values.values())
        kind = kind_of(kinds)
        if self._names is not None:
            # One class may be written as 255 as well as 1.
            kind = "binary" if kind == "binary" and len(self._names) == 1 else "classes"
            self.labels = in_order(self._names, self.asked)
            if self.labels != self._names:
                raise UsageError(
                    f"classes.txt names {', '.join(self._names)}, and the model {', '.join(self.labels)}",
                    "number the classes alike",
                )
            return kind
        if not kind:
            seen = sorted({value for values in kinds for value in values.present})
            text = ", ".join(map(str, seen[:6])) + (", ..." if len(seen) > 6 else "")
            raise UsageError(
                f"the values {text} of the masks in {self.asked.folder} may be numbers of classes or soft edges",
                "of classes: name them in classes.txt, a line each; soft masks: write 0 and 255, as imgai segment --as "
                "binary does; of objects: write their numbers in 16 bits, as --as labels does",
            )
        if kind == "soft":
            self.asked.findings.note("masks with soft edges: what is above the middle is taken for inside")
        self.objects = kind == "objects"
        self.labels = self.asked.labels or ((ONE_OBJECT if self.objects else ONE_CLASS),)
        if len(self.labels) != 1:
            raise UsageError(f"the masks in {self.asked.folder} have one class, and {len(self.labels)} are asked for")
        return kind

    def check(self, parts: Mapping[str, Sequence[Example]]) -> None:
        findings = self.asked.findings
        every = [example for examples in parts.values() for example in examples]
        empty = sum(not example.classes for example in every)
        if empty == len(every):
            raise UsageError(f"{self.asked.folder}: all masks are empty", "there must be something to learn")
        if empty:
            findings.note(
                f"{counted(empty, 'mask')} of {len(every)} show nothing: taken for pictures without an object"
            )
        full = [name for name, values in self._values.items() if len(values.present) == 1 and values.present[0]]
        if self._values and len(full) == len(self._values):
            raise UsageError(f"{self.asked.folder}: every mask has one value everywhere", "there must be a background")
        if full:
            findings.note(f"{counted(len(full), 'mask')} of {len(every)} are of one value everywhere ({full[0]})")
        for index, label in enumerate(self.labels):
            if not any(index in example.classes for example in parts["train"]):
                findings.note(f"no mask to learn from shows the class {label!r}")
            if not any(index in example.classes for example in parts["val"]):
                findings.note(f"no mask to be measured with shows the class {label!r}")
