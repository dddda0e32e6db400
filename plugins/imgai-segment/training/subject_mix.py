"""What the `subject` model is tuned on: every kind in its share, cut-outs on other grounds, and grounds alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from subject_pictures import Collection, Mix, Picture, Pictures
from torch import Tensor

SHARES = {
    "animals": 0.17,
    "cats": 0.16,
    "coco": 0.12,
    "balloons": 0.03,
    "furniture": 0.03,
    "food-plates": 0.01,
    "bottles": 0.05,
    "things": 0.13,
    "clothes": 0.01,
    "recyclables": 0.1,
    "groceries": 0.04,
    "people": 0.09,
    "video": 0.2,
}
"""How often a picture with a mask is of a kind."""


def kind_of(name: str) -> str:
    """The kind that a group of pictures belongs to: ``animals-tiger`` to ``animals``."""
    return name if name in SHARES else name.split("-")[0]


class Sample(NamedTuple):
    """An image, its mask, and whether the mask is known (1) or the teacher's to say (0)."""

    image: Image.Image
    mask: Image.Image
    known: int


class Broad(Pictures):
    """Samples from all kinds.

    cutouts: drawn things, to paste alone. unknown: photographs without a mask.
    parts: how often a sample is a picture with its mask, pasted, a ground alone, and a photograph without a mask.
    """

    def __init__(
        self,
        train: Collection,
        cutouts: list[Picture],
        photos: list[np.ndarray],
        unknown: list[np.ndarray],
        parts: tuple[float, float, float, float],
        size: int,
        seed: int,
    ) -> None:
        super().__init__({"people": train["people"]}, {}, [], photos, Mix(1, 1, 1), size, seed)
        self.kinds: dict[str, list[list[Picture]]] = {}
        for name, pictures in train.items():
            self.kinds.setdefault(kind_of(name), []).append(pictures)
        unnamed = self.kinds.keys() - SHARES.keys()
        if unnamed:
            raise ValueError(f"no share for {', '.join(sorted(unnamed))}")
        self.order = [kind for kind in SHARES if kind in self.kinds]
        shares = np.array([SHARES[kind] for kind in self.order])
        self.shares = shares / shares.sum()
        self.cutouts, self.unknown = cutouts, unknown
        self.parts = np.array(parts) / sum(parts)

    def batch(self, count: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images ``(B, 3, size, size)`` and masks ``(B, size, size)`` as uint8, and which masks are known."""
        self.size = size
        samples = [self._drawn() for _ in range(count)]
        images = torch.from_numpy(np.stack([np.asarray(s.image) for s in samples])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([np.asarray(s.mask) for s in samples]))
        return images, masks, torch.tensor([float(s.known) for s in samples])

    def _drawn(self) -> Sample:
        random = self.random
        part = random.choice(4, p=self.parts)
        known = 1
        if part == 0:
            image, mask = self._crop(self._any())
            if random.random() < 0.08:
                image, mask = self._paste(image, mask, self._clutter(), 0)
        elif part == 1:
            image, mask = self._pasted()
        elif part == 2:
            image, mask = self._ground()
        else:
            photo = self.unknown[random.integers(len(self.unknown))]
            image, mask = self._part(photo, 0.45), Image.new("L", (self.size, self.size))
            known = 0
        if random.random() < 0.5:
            flip = Image.Transpose.FLIP_LEFT_RIGHT
            image, mask = image.transpose(flip), mask.transpose(flip)
        return Sample(self._disturb(image), mask, known)

    def _any(self) -> Picture:
        groups = self.kinds[self.order[self.random.choice(len(self.order), p=self.shares)]]
        group = groups[self.random.integers(len(groups))]
        return group[self.random.integers(len(group))]

    def _object(self) -> Picture:
        if self.cutouts and self.random.random() < 0.15:
            return self.cutouts[self.random.integers(len(self.cutouts))]
        return self._any()

    def _person(self) -> Picture:
        return self._any()

    def _part(self, photo: np.ndarray, least: float) -> Image.Image:
        """A part of a photograph, stretched to the square."""
        height, width = photo.shape[:2]
        share = self.random.uniform(least, 1)
        aspect = np.exp(self.random.uniform(-0.25, 0.25))
        w, h = min(width, share * width * aspect), min(height, share * height / aspect)
        x, y = self.random.uniform(0, width - w), self.random.uniform(0, height - h)
        image = Image.fromarray(photo)
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR, (x, y, x + w, y + h))

    def _ground(self) -> tuple[Image.Image, Image.Image]:
        """A photograph without a subject, sometimes with patches of another: the mask is empty."""
        image = self._part(self.photos[self.random.integers(len(self.photos))], 0.4)
        mask = Image.new("L", (self.size, self.size))
        if self.random.random() < 0.2:
            image, mask = self._paste(image, mask, self._clutter(), 0)
        if self.random.random() < 0.1:
            image = image.filter(ImageFilter.GaussianBlur(self.random.uniform(1, 5)))
        return image, mask
