"""Batches of pictures and targets, prepared in parallel with training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgai.errors import UsageError
from imgai.images.depth import to_float
from imgai.images.resize import resize
from imgai.plugin import Model
from imgai.training.augment import DEFAULTS, Amounts, amounts, relit
from imgai.training.cache import Cache
from imgai.training.choose import window_of
from imgai.training.dataset import Dataset, Example
from imgai.training.order import Order
from imgai.training.pictures import page_of, pages
from imgai.training.targets import boxes_in, one_hot, padded
from imgai.training.windows import GREY, Window, cut, turned

MEMORY = 1 << 30
"""The size of the cache of decoded pictures in bytes."""
_BYTES = 8
"""Bytes of a pixel that is kept, with what is right for it, about."""
_POINTS = 512
"""Places inside of objects that are remembered of a picture, for crops that show some."""
_LARGE = 0.25
"""The part of a picture that is inside, above which any crop shows some."""

Target = Callable[[np.ndarray], np.ndarray]
Spoil = Callable[[Tensor, torch.Generator], Tensor]


class Batches:
    """The pictures of one part, cut to a size, changed at random and gathered; the same for the same seed and step.

    part: "train", "val" or "test". model: how pictures are cut follows from its `input_size`, `fit`, `crop`, `scale`.
    size: the side of crops, or (H, W) of what `input_size` makes of a picture (pixels).
    augment: "none", "light" or "strong". names: the augmentations that may be used; None: those that suit the output.
    balance: see `Order`; of MASK, unless it is "none", half of the crops show an object where one is small.
    target, spoil: as in `imgai.plugin.Trainable`. memory: bytes of decoded pictures that are kept.

    Raises UsageError where the input is to be made from clean pictures and nothing makes it.
    """

    def __init__(
        self,
        dataset: Dataset,
        part: str,
        *,
        model: Model,
        size: int | tuple[int, int],
        batch: int,
        augment: str = "light",
        names: tuple[str, ...] | None = None,
        balance: str = "auto",
        seed: int = 0,
        target: Target | None = None,
        spoil: Spoil | None = None,
        memory: int = MEMORY,
    ) -> None:
        self.dataset, self.examples, self.model = dataset, dataset.parts[part], model
        self.size = (size, size) if isinstance(size, int) else size
        self.seed, self.target, self.spoil = seed, target, spoil
        self.kind = dataset.output.value
        self.amounts: Amounts = amounts(augment, DEFAULTS[self.kind] if names is None else names)
        self.order = Order(self.examples, batch, balance, seed)
        self._focus = self.kind == "mask" and balance != "none"
        self._cache: Cache[tuple[np.ndarray, ...]] = Cache(memory)
        self._memory = memory
        self._stacks = defaultdict[Path, list[Example]](list)
        for example in sorted(self.examples, key=lambda example: example.page):
            self._stacks[example.image].append(example)
        self._clean = self.kind == "image" and any(example.target is None for example in self.examples)
        if self._clean and spoil is None and model.scale == 1:
            raise UsageError(
                f"{dataset.folder} has clean pictures alone, and {model.name} cannot spoil them",
                "put pictures as they are into input/ and as they should be into target/",
            )

    @property
    def steps(self) -> int:
        """The number of steps per epoch."""
        return self.order.steps

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The images of a step, ``(B, 3, h, w)`` float32 in [0, 1], and their targets as `Trainable.loss` takes them.

        Raises InputError for a picture that can no longer be read.
        """
        made = [
            self._made(self.examples[index], np.random.default_rng((self.seed, 3, step, place)))
            for place, index in enumerate(self.order.step(step))
        ]
        images = torch.stack([image for image, _ in made])
        if self.kind == "boxes":
            return images, padded([target for _, target in made])
        targets = torch.stack([target for _, target in made])
        if self._clean:
            generator = torch.Generator().manual_seed(
                int(np.random.default_rng((self.seed, 4, step)).integers(1 << 62))
            )
            images = self.spoil(targets, generator) if self.spoil else shrunk(targets, self.model.scale)
        return images, targets

    def _made(self, example: Example, rng: np.random.Generator) -> tuple[Tensor, Any]:
        """One picture and its target."""
        pixels, *others = self._read(example)
        mirror = self.amounts.flip and rng.random() < 0.5
        square = self.size[0] == self.size[1]
        turns = int(rng.integers(4) if square else 2 * rng.integers(2)) if self.amounts.turn else 0
        if self._clean:
            window = self._window(pixels, rng, scale=self.model.scale)
            return torch.zeros(0), _image(turned(cut(pixels, window), mirror, turns))
        window = self._window(pixels, rng, focus=others[1] if len(others) > 1 else None)
        boxed = self.model.fit == "letterbox"
        mode = "bicubic" if self.model.crop is not None else "bilinear"
        seen = turned(cut(pixels, window, mode=mode, fill=GREY if boxed else None), mirror, turns)
        if self.kind == "image":
            scale = self.model.scale
            large = window.scaled(scale)
            return _image(seen), _image(turned(cut(others[0], large), mirror, turns))
        image = relit(seen, self.amounts, rng)
        if self.kind == "scores":
            return image, torch.tensor(example.target)
        if self.kind == "boxes":
            assert isinstance(example.target, tuple)
            return image, boxes_in(example.target, example.size, window, mirror, turns)
        if self.target is not None:
            maps = turned(cut(others[0], window, fill=0 if boxed else None), mirror, turns)
            return image, _image(maps, maps.shape[2])
        labels = turned(cut(others[0], window, mode="nearest", fill=0 if boxed else None), mirror, turns)
        return image, torch.from_numpy(one_hot(labels, len(self.dataset.labels), objects=self.dataset.objects))

    def _window(self, pixels: np.ndarray, rng: np.random.Generator, **more: Any) -> Window:
        picture = (int(pixels.shape[0]), int(pixels.shape[1]))
        return window_of(self.model, self.size, picture, self.amounts, rng, **more)

    def _read(self, example: Example) -> tuple[np.ndarray, ...]:
        """The decoded picture; with labels or maps and places in them, or with the picture that it should be."""
        if len(self._stacks[example.image]) > 1 and (example.image, example.page) not in self._cache:
            self._fill(example.image)
        return self._cache.get((example.image, example.page), lambda: self._decoded(example))

    def _fill(self, path: Path) -> None:
        """Keep all pages of a file, in order: asked for by chance, each would decode all those before it again."""
        examples = self._stacks[path]
        if sum(_BYTES * height * width for height, width in (each.size for each in examples)) > self._memory // 2:
            return
        for each in examples:
            self._cache.get((path, each.page), partial(self._decoded, each))

    def _decoded(self, example: Example) -> tuple[np.ndarray, ...]:
        most = self.dataset.max_pixels
        pixels = _page(example.image, example, most, "image")
        if self.kind == "image" and isinstance(example.target, Path):
            return pixels, _page(example.target, example, most, "target")
        if self.kind != "mask":
            return (pixels,)
        assert example.target is not None
        assert not isinstance(example.target, (int, tuple, Path))
        labels = example.target.read(most)
        points = _points(labels, objects=self.dataset.objects) if self._focus else np.zeros((0, 2), np.int32)
        if self.target is not None:
            maps = np.ascontiguousarray(np.moveaxis(self.target(labels), 0, 2))
            return pixels, (maps.clip(0, 1) * 255 + 0.5).astype(np.uint8), points
        return pixels, labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.int32), points


def shrunk(images: Tensor, scale: int) -> Tensor:
    """Pictures as a camera with fewer pixels would see them: bicubic, antialiased.

    Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H / scale, W / scale)``
    """
    return resize(images, (images.shape[-2] // scale, images.shape[-1] // scale), mode="bicubic")


def _page(path: Path, example: Example, most: int, what: str) -> np.ndarray:
    return page_of(path, example.page, partial(pages, path, example.name, most), what)


def _points(labels: np.ndarray, *, objects: bool) -> np.ndarray:
    """Places inside, as many of each class; none where most of the picture is inside. Shape: ``(N, 2)`` int32"""
    inside = labels > 0
    if not 0 < inside.mean() <= _LARGE:
        return np.zeros((0, 2), np.int32)
    kinds = inside.astype(np.uint8) if objects else labels
    values = np.unique(kinds[inside])
    points = []
    for value in values:
        places = np.flatnonzero(kinds == value)
        step = max(1, len(places) * len(values) // _POINTS)
        points.append(np.stack(np.divmod(places[::step], labels.shape[1]), axis=1))
    return np.concatenate(points).astype(np.int32)


def _image(pixels: np.ndarray, channels: int = 3) -> Tensor:
    """Shape: ``(h, w)`` or ``(h, w, C)`` uint8 or uint16 to ``(C, h, w)`` float32 in [0, 1]"""
    planes = torch.from_numpy(np.ascontiguousarray(pixels))
    return to_float(planes.permute(2, 0, 1) if pixels.ndim == 3 else planes.expand(channels, -1, -1)).contiguous()
