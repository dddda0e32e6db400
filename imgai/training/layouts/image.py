"""IMAGE: pairs of input and target pictures of the same names; or clean pictures only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from imgai.errors import InputError, UsageError
from imgai.training.example import Example
from imgai.training.layouts.base import Entry, Layout, parts_of, pictures, plain
from imgai.training.layouts.pairs import paired, subfolder
from imgai.training.pictures import key_of, pages

INPUTS, TARGETS = ("input", "inputs", "noisy"), ("target", "targets", "clean")


class ImageLayout(Layout):
    """``input/`` and ``target/`` of the same names; or pictures in any folders, from which inputs are made."""

    def entries(self) -> list[Entry]:
        folder, findings = self.asked.folder, self.asked.findings
        pairs = paired(folder, findings, INPUTS, TARGETS)
        if pairs is not None:
            return pairs
        lonely = subfolder(folder, INPUTS)
        if lonely is not None:
            raise UsageError(
                f"{folder} has {lonely.name}/ and no target/", "put the pictures as they should be into target/"
            )
        found = []
        for part, root in parts_of(folder, findings).items():
            found += [Entry(path, name, part) for path, name in pictures(root, findings, folder)]
        return found

    def partners(self, entry: Entry) -> Iterator[np.ndarray]:
        if entry.target is None:
            return iter(())
        return pages(entry.target, entry.target.name, self.asked.max_pixels)

    def example(self, entry: Entry, page: int, pixels: np.ndarray, partner: np.ndarray | None) -> Example:
        if entry.target is None:
            return plain(entry, page, pixels, target=None)
        target = partner
        if target is None:
            raise InputError(f"{entry.name}: its target has fewer pages")
        scale = self.asked.scale
        if target.shape[:2] != (scale * pixels.shape[0], scale * pixels.shape[1]):
            what = "another size" if scale == 1 else f"another size than {scale} times as wide and high"
            raise InputError(f"{entry.name}: its target is of {what}")
        return plain(entry, page, pixels, target=entry.target, truth=key_of(target))

    def check(self, parts: Mapping[str, Sequence[Example]]) -> None:
        same = sum(example.truth == example.key for part in parts.values() for example in part)
        if same and same == sum(map(len, parts.values())):
            raise UsageError(
                f"{self.asked.folder}: every input is the same as its target", "there must be something to learn"
            )
        if same:
            self.asked.findings.note(f"{same} inputs are the same as their targets")
