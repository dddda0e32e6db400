"""BOXES: COCO's JSON, or pictures and YOLO's texts called alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imgai.errors import InputError, UsageError
from imgai.plural import counted
from imgai.training.example import Box, Example
from imgai.training.layouts.base import NAMES, Asked, Entry, Layout, digest, in_order, parts_of, pictures, plain
from imgai.training.layouts.coco import CocoPicture, read_coco
from imgai.training.layouts.mask import IMAGES
from imgai.training.layouts.pairs import subfolder
from imgai.training.layouts.yolo import read_names, read_objects

_TEXTS = ("labels", "annotations")


class BoxesLayout(Layout):
    """COCO's JSON with ``bbox``; or ``images/``, ``labels/`` with a text for each, and ``classes.txt``."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._cut: dict[str, int] = {}
        self._none: dict[str, int] = {}

    def entries(self) -> list[Entry]:
        folder, findings = self.asked.folder, self.asked.findings
        texts = self._texts()
        if texts is not None:
            return texts
        coco = read_coco(folder, findings)
        if coco is None:
            raise UsageError(
                f"{folder} has no COCO JSON, and no images/ with labels/ beside it",
                "put pictures into images/ and YOLO's texts of the same names into labels/",
            )
        found, names = coco
        self.labels = in_order(names, self.asked)
        return [Entry(each.path, each.name, each.part, each) for each in found]

    def _texts(self) -> list[Entry] | None:
        """Pictures with the paths of their texts; None where there are none."""
        folder, findings = self.asked.folder, self.asked.findings
        entries: list[Entry] = []
        any_text = False
        for part, root in parts_of(folder, findings).items():
            images, labels = subfolder(root, IMAGES), subfolder(root, _TEXTS)
            if images is None or labels is None or not any(labels.rglob("*.txt")):
                continue
            any_text = True
            taken = set()
            for path, name in pictures(images, findings, folder):
                below = path.relative_to(images)
                text = labels / below.with_suffix(".txt")
                taken.add(text)
                side = part or (NAMES.get(below.parts[0].lower()) if len(below.parts) > 1 else None)
                entries.append(Entry(path, name, side, text))
            for text in sorted(labels.rglob("*.txt")):
                if text not in taken and text.name != "classes.txt":
                    findings.leave_out(f"there is no picture of the same name in {images.name}/", text.name)
        if not any_text:
            return None
        names = read_names(folder)
        if names is None and self.asked.labels is None:
            raise UsageError(
                f"{folder} does not say what its classes are called", "write a name a line into classes.txt"
            )
        self.labels = in_order(names, self.asked) if names is not None else self.asked.labels or ()
        if names is not None and self.labels[: len(names)] != names:
            raise UsageError(
                f"classes.txt names {', '.join(names)}, and the model {', '.join(self.labels)}",
                "number the classes alike",
            )
        return entries

    def example(self, entry: Entry, page: int, pixels: np.ndarray, partner: np.ndarray | None) -> Example:
        height, width = pixels.shape[:2]
        if isinstance(entry.target, CocoPicture):
            picture = entry.target
            if page or (picture.height, picture.width) != (height, width):
                raise InputError(f"{entry.name}: it is of another size, or has more pages, than the JSON says")
            boxes = self._of_coco(entry.name, picture)
        else:
            assert isinstance(entry.target, Path)
            if page:
                raise InputError(f"{entry.name}: it has several pages, and one text")
            boxes = read_objects(entry.target, entry.name) if entry.target.is_file() else ()
        kept, cut = [], 0
        for label, *corners in boxes:
            if label >= len(self.labels):
                raise InputError(f"{entry.name}: it has the class {label}, and {len(self.labels)} are named, from 0")
            x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in corners)
            cut += (x0, y0, x1, y1) != tuple(corners)
            if x1 - x0 >= 0.5 / width and y1 - y0 >= 0.5 / height:
                kept.append((label, x0, y0, x1, y1))
        self._cut[entry.name], self._none[entry.name] = cut, len(boxes) - len(kept)
        classes = tuple(sorted({box[0] for box in kept}))
        return plain(entry, page, pixels, target=tuple(kept), classes=classes, truth=digest(repr(kept).encode()))

    def _of_coco(self, name: str, picture: CocoPicture) -> tuple[Box, ...]:
        place = {label: index for index, label in enumerate(self.labels)}
        entries = []
        for label, annotation in picture.objects:
            try:
                x, y, width, height = (float(value) for value in annotation["bbox"])
            except (KeyError, TypeError, ValueError):
                raise InputError(f"{name}: an object of it has no bbox of four numbers") from None
            across, down = picture.width, picture.height
            entries.append((place[label], x / across, y / down, (x + width) / across, (y + height) / down))
        return tuple(entries)

    def check(self, parts: Mapping[str, Sequence[Example]]) -> None:
        findings = self.asked.findings
        none, cut = sum(self._none.values()), sum(self._cut.values())
        if none:
            findings.note(f"{counted(none, 'object')} left out: under half a pixel wide or high inside the picture")
        if cut:
            findings.note(f"{counted(cut, 'object')} reached beyond the picture: cut at its edge")
        every = [example for examples in parts.values() for example in examples]
        empty = sum(not example.classes for example in every)
        if empty == len(every):
            raise UsageError(f"{self.asked.folder}: no picture has an object", "there must be something to learn")
        if empty:
            findings.note(f"{counted(empty, 'picture')} of {len(every)} have no object: taken for background")
        counts = Counter(index for example in parts["train"] for index in example.classes)
        missing = [label for index, label in enumerate(self.labels) if not counts[index]]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            findings.note(f"no picture to learn from shows {shown}")
