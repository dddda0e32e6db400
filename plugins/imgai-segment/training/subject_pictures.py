"""The pictures that the `subject` model learns from: read, cropped, pasted together and disturbed."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor

Picture = tuple[np.ndarray, np.ndarray]
"""An image ``(H, W, 3)`` and its mask ``(H, W)`` of 0 and 255, both uint8."""
Collection = dict[str, list[Picture]]
"""Pictures by the group that they are drawn, and split, by."""


class Mix(NamedTuple):
    """How often a sample is a frame of a video, a picture of a person, or pasted together."""

    objects: float
    people: float
    pasted: float


def _read(path: Path) -> Picture:
    mask = Image.open(path.parent.parent / "masks" / f"{path.stem}.png").convert("1")
    return np.asarray(Image.open(path).convert("RGB")), np.asarray(mask).astype(np.uint8) * 255


def read_people(folder: Path) -> tuple[Collection, Collection]:
    """Those to train on, and every fifth, held out."""
    paths = sorted((folder / "images").glob("*.jpg"))
    held = set(paths[::5])
    return {"people": [_read(p) for p in paths if p not in held]}, {"people": [_read(p) for p in sorted(held)]}


def read_objects(folder: Path) -> tuple[Collection, Collection]:
    """The sequences to train on, and those of every third kind, held out; a kind is the name before the first "-"."""
    frames: dict[str, list[Path]] = {}
    for path in sorted((folder / "images").glob("*.jpg")):
        frames.setdefault(path.stem.rpartition("-")[0], []).append(path)
    held = set(sorted({name.split("-")[0] for name in frames})[::3])
    train, rest = (
        {name: [_read(p) for p in paths] for name, paths in frames.items() if (name.split("-")[0] in held) is out}
        for out in (False, True)
    )
    return train, rest


def read_things(folder: Path, leave: Container[str] = ()) -> list[Picture]:
    """Photographs of one thing each, with the masks beside this file; all but those to ``leave`` out to train on.

    The masks are GrabCut's (Rother et al., SIGGRAPH 2004), started from class activation maps, from the middle of
    the picture or from an earlier state of the model; those that came out right were picked by eye.
    """
    return [_masked(folder / f"{name}.avif", mask) for name, mask in _kept("subject_things.npz") if name not in leave]


def read_clothes(folder: Path) -> list[Picture]:
    """Garments laid out (``KIND/NAME.jpg``), with masks beside this file that were made in the same way."""
    return [_masked(folder / name, mask) for name, mask in _kept("subject_clothes.npz")]


def _kept(file: str) -> list[tuple[str, np.ndarray]]:
    """Names and masks, square, of 0 and 255, in a file beside this one."""
    with np.load(Path(__file__).with_name(file)) as kept:
        masks = np.unpackbits(kept["masks"], axis=-1) * np.uint8(255)
        return list(zip(kept["names"].tolist(), masks, strict=True))


def _masked(path: Path, small: np.ndarray) -> Picture:
    """A picture with its mask brought to its size."""
    image = Image.open(path).convert("RGB")
    mask = Image.fromarray(small).resize(image.size, Image.Resampling.BICUBIC).point([0] * 128 + [255] * 128)
    return np.asarray(image), np.asarray(mask)


def read_photos(folder: Path, side: int = 352, leave: Container[str] = ()) -> list[np.ndarray]:
    """Photographs that show no subject (picked by eye, the names beside this file) but those to leave out, shrunk."""
    names = Path(__file__).with_name("subject_grounds.txt").read_text(encoding="utf-8").split()
    paths = [folder / f"{name}.avif" for name in names if name not in leave]
    return [np.asarray(Image.open(p).convert("RGB").resize((side, side), Image.Resampling.BOX)) for p in paths]


class Pictures(torch.utils.data.IterableDataset[tuple[Tensor, Tensor]]):
    """Samples without end: an image ``(3, size, size)`` and its mask ``(size, size)``, uint8."""

    def __init__(
        self,
        people: Collection,
        objects: Collection,
        things: list[Picture],
        photos: list[np.ndarray],
        mix: Mix,
        size: int,
        seed: int,
    ) -> None:
        self.things = things
        self.people, self.objects, self.photos = people["people"], list(objects.values()), photos
        self.size = size
        self.mix = np.array(mix) / sum(mix)
        self.random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        while True:
            image, mask = self._sample()
            yield torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1), torch.from_numpy(np.asarray(mask).copy())

    def draw(self, random: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Samples that follow from the random numbers. Shape: ``(count, 3, size, size)``, ``(count, size, size)``"""
        self.random = random
        pairs = [self._sample() for _ in range(count)]
        images, masks = (torch.from_numpy(np.stack([np.asarray(pair[k]) for pair in pairs])) for k in (0, 1))
        return images.permute(0, 3, 1, 2), masks

    def _sample(self) -> tuple[Image.Image, Image.Image]:
        random = self.random
        kind = random.choice(3, p=self.mix)
        if kind == 0:
            image, mask = self._crop(self._object())
        elif kind == 1:
            image, mask = self._crop(self._person())
        else:
            image, mask = self._pasted()
        if random.random() < 0.5:
            flip = Image.Transpose.FLIP_LEFT_RIGHT
            image, mask = image.transpose(flip), mask.transpose(flip)
        return self._disturb(image), mask

    def _object(self) -> Picture:
        if self.things and self.random.random() < 0.4:
            return self.things[self.random.integers(len(self.things))]
        sequence = self.objects[self.random.integers(len(self.objects))]
        return sequence[self.random.integers(len(sequence))]

    def _person(self) -> Picture:
        return self.people[self.random.integers(len(self.people))]

    def _crop(self, picture: Picture) -> tuple[Image.Image, Image.Image]:
        """A part of the picture, of any shape, stretched to the square.

        Most of the subject stays in it, or most of it is the subject.
        """
        random = self.random
        pixels, truth = picture
        height, width = truth.shape
        box: tuple[float, float, float, float] = (0, 0, width, height)
        total = float((truth > 0).sum())
        near = random.random() < 0.25
        if random.random() < 0.75:
            for _ in range(8):
                area = np.exp(random.uniform(np.log(0.04 if near else 0.08), 0)) * width * height
                aspect = np.exp(random.uniform(np.log(0.6), np.log(1.9)))
                w, h = min(width, (area * aspect) ** 0.5), min(height, (area / aspect) ** 0.5)
                x, y = random.uniform(0, width - w), random.uniform(0, height - h)
                inside = float((truth[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1] > 0).sum())
                if inside < 0.85 * w * h and (inside > 0.35 * w * h if near else inside > 0.6 * total):
                    box = (x, y, x + w, y + h)
                    break
        image, mask = Image.fromarray(pixels), Image.fromarray(truth)
        if random.random() < 0.2:
            angle = random.uniform(-20, 20)
            image = image.rotate(angle, Image.Resampling.BILINEAR)
            mask = mask.rotate(angle, Image.Resampling.BILINEAR)
        square = (self.size, self.size)
        return (
            image.resize(square, Image.Resampling.BILINEAR, box),
            mask.resize(square, Image.Resampling.BILINEAR, box),
        )

    def _pasted(self) -> tuple[Image.Image, Image.Image]:
        """One or two subjects cut out and pasted on a photograph, or on another frame beside its own subject."""
        random = self.random
        square = (self.size, self.size)
        if random.random() < 0.8:
            photo = self.photos[random.integers(len(self.photos))]
            side = random.uniform(0.5, 1) * photo.shape[0]
            x, y = random.uniform(0, photo.shape[0] - side, 2)
            image = Image.fromarray(photo).resize(square, Image.Resampling.BILINEAR, (x, y, x + side, y + side))
            mask = Image.new("L", square)
            if random.random() < 0.25:
                image = image.filter(ImageFilter.GaussianBlur(random.uniform(1, 5)))
        else:
            image, mask = self._crop(self._object() if random.random() < 0.7 else self._person())
        if random.random() < 0.25:
            image, mask = self._paste(image, mask, self._clutter(), 0)
        for _ in range(2 if random.random() < 0.2 else 1):
            pixels, truth = self._object() if random.random() < 0.65 else self._person()
            if random.random() < 0.25:
                pixels = self._dye(pixels)
            image, mask = self._paste(image, mask, (pixels, truth), 255)
        if random.random() < 0.1:
            image, mask = self._paste(image, mask, self._clutter(), 0)
        return image, mask

    def _paste(
        self, image: Image.Image, mask: Image.Image, picture: Picture, label: int
    ) -> tuple[Image.Image, Image.Image]:
        random = self.random
        pixels, truth = picture
        ys, xs = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
        if not len(ys):
            return image, mask
        part = np.s_[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        cut, alpha = Image.fromarray(pixels[part]), Image.fromarray(truth[part])
        if random.random() < 0.5:
            flip = Image.Transpose.FLIP_LEFT_RIGHT
            cut, alpha = cut.transpose(flip), alpha.transpose(flip)
        least, most = (0.07, 0.8) if label else (0.02, 0.2)
        area = np.exp(random.uniform(np.log(least), np.log(most))) * self.size**2
        aspect = cut.width / cut.height * np.exp(random.uniform(-0.3, 0.3))
        w, h = (int(np.clip(v, 8, 1.2 * self.size)) for v in ((area * aspect) ** 0.5, (area / aspect) ** 0.5))
        cut = cut.resize((w, h), Image.Resampling.BILINEAR)
        alpha = alpha.resize((w, h), Image.Resampling.BILINEAR)
        cut = self._match(cut, image) if random.random() < 0.5 else self._jitter(cut)
        if random.random() < 0.5:
            alpha = alpha.filter(ImageFilter.MinFilter(3))
        x, y = (int(random.uniform(-0.15, 1.15 - v / self.size) * self.size) if v < self.size else (self.size - v) // 2
                for v in (w, h))  # fmt: skip
        image.paste(cut, (x, y), alpha.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.2))))
        mask.paste(label, (x, y), alpha)
        return image, mask

    def _texture(self, height: int, width: int) -> np.ndarray:
        photo = self.photos[self.random.integers(len(self.photos))]
        side = self.random.uniform(0.2, 0.7) * photo.shape[0]
        x, y = self.random.uniform(0, photo.shape[0] - side, 2)
        box = (x, y, x + side, y + side)
        return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR, box))

    def _clutter(self, side: int = 160) -> Picture:
        """A smooth closed shape filled with ground: an edge all round does not make a subject."""
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        angle, orders = np.arctan2(y, x), np.arange(1, 7)[:, None, None]
        size, phase = self.random.normal(0, 0.3, (6, 1, 1)) / orders, self.random.uniform(0, 7, (6, 1, 1))
        radius = 1 + (size * np.cos(orders * angle + phase)).sum(0)
        inside = np.hypot(x, y) < 0.95 * np.clip(radius, 0.2, None) / radius.max()
        return self._texture(side, side), (inside * 255).astype(np.uint8)

    def _dye(self, pixels: np.ndarray) -> np.ndarray:
        """Another coat: new colours, sometimes a photograph's texture, under the same light and shade."""
        random = self.random
        grey = pixels.mean(2, keepdims=True)
        if random.random() < 0.4:
            coat = self._texture(*pixels.shape[:2]).astype(np.float32)
            dyed = coat * (0.4 + grey / 180)
        else:
            colour = random.uniform(0, 255, 3) * np.exp(random.uniform(-2, 0.2))
            dyed = colour * (0.25 + grey / 170) if random.random() < 0.7 else pixels[..., random.permutation(3)]
        share = random.uniform(0.6, 1)
        out: np.ndarray = np.clip(share * dyed + (1 - share) * pixels, 0, 255).astype(np.uint8)
        return out

    def _match(self, cut: Image.Image, image: Image.Image) -> Image.Image:
        """Bring the cut-out's colours part of the way to those of the picture that it goes on."""
        ours, theirs = np.asarray(cut, np.float32), np.asarray(image.resize((32, 32)), np.float32)
        share = self.random.uniform(0, 0.6)
        mean, std = ours.mean((0, 1)), ours.std((0, 1)) + 1
        gain = (1 - share) + share * np.clip(theirs.std((0, 1)) / std, 0.5, 2)
        moved = (ours - mean) * gain + mean + share * (theirs.mean((0, 1)) - mean)
        return Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8))

    def _jitter(self, image: Image.Image) -> Image.Image:
        for enhance, reach in (
            (ImageEnhance.Brightness, 0.35),
            (ImageEnhance.Contrast, 0.35),
            (ImageEnhance.Color, 0.5),
        ):
            image = enhance(image).enhance(1 + self.random.uniform(-reach, reach))
        return image

    def _disturb(self, image: Image.Image) -> Image.Image:
        """Light, colour, blur, noise and JPEG, each now and then."""
        random = self.random
        if random.random() < 0.7:
            image = self._jitter(image)
        if random.random() < 0.3:
            gains = np.exp(random.normal(0, 0.1, 3))
            table = np.clip(np.arange(256) * gains[:, None], 0, 255).astype(np.uint8).ravel().tolist()
            image = image.point(table)
        if random.random() < 0.07:
            image = image.convert("L").convert("RGB")
        if random.random() < 0.12:
            image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2)))
        if random.random() < 0.12:
            noise = random.normal(0, random.uniform(3, 15), (self.size, self.size, 1 if random.random() < 0.5 else 3))
            image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
        if random.random() < 0.2:
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=int(random.uniform(25, 90)))
            image = Image.open(stream).convert("RGB")
        return image
