"""The collections that the `subject` model is tuned on, and what of them is held out.

Held out, always the same: of the animals one class, of the things one kind, of the other collections one picture in
five by a hash of its name, and the people and sequences that `subject_pictures` holds out. Research pictures (iseg,
flowers, cows) are only ever measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from subject_pictures import Collection, Picture, read_objects, read_people

SIDE = 448
"""The longest side that a picture is kept at."""
HELD_CLASSES = ("deer",)
HELD_THINGS = ("microcontrollers",)
LEARNED = ("cats", "coco", "balloons")
THINGS = ("furniture", "microcontrollers", "bottles", "food-plates")
MEASURED = ("iseg", "flowers", "cows")
SURE = 0.97
"""How sure a mask of `subject_teacher` must be, 1 where each pixel is 0 or 1."""
AREA = (0.04, 0.75)
"""The least and the largest share of a picture that it may cover."""
BORDER = 0.35
"""The largest share of the picture's border that it may cover: more is a close-up, or a ground."""


class Split(NamedTuple):
    """Pictures with their masks by kind: those to learn from and those held out."""

    train: Collection
    held: Collection


def held_out(name: str) -> bool:
    """Whether a picture of this name is one of the one in five that are held out."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 5 == 0


def read_pair(path: Path) -> Picture:
    """An image and the mask of its name in the folder ``masks`` beside its own, at most `SIDE` long."""
    image = Image.open(path).convert("RGB")
    mask = Image.open(path.parent.parent / "masks" / f"{path.stem}.png").convert("1").convert("L")
    scale = SIDE / max(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BOX)
        mask = mask.resize(size, Image.Resampling.BOX).point([0] * 128 + [255] * 128)
    return np.asarray(image), np.asarray(mask)


def _classes(folder: Path) -> dict[str, str]:
    """The class of each picture, by its file's name, from the manifest beside the collections."""
    rows = (folder / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {Path(row.split("\t")[2]).name: row.split("\t")[3] for row in rows}


class Paths(NamedTuple):
    """The images of each kind: those to learn from and those held out."""

    train: dict[str, list[Path]]
    held: dict[str, list[Path]]


def split(pairs: Path, things: Path) -> Paths:
    """Part the pictures of the collections in ``pairs`` and ``things`` (see `read_sources`)."""
    train: dict[str, list[Path]] = {}
    held: dict[str, list[Path]] = {}
    classes = _classes(pairs)
    for path in sorted((pairs / "animals" / "images").iterdir()):
        kind = classes[path.name]
        (held if kind in HELD_CLASSES else train).setdefault(f"animals-{kind}", []).append(path)
    for folder, kinds in ((pairs, LEARNED), (things, THINGS)):
        for kind in kinds:
            for path in sorted((folder / kind / "images").iterdir()):
                out = kind in HELD_THINGS or held_out(path.stem)
                (held if out else train).setdefault(kind, []).append(path)
    for kind in MEASURED:
        held[kind] = sorted((pairs / kind / "images").iterdir())
    return Paths(train, held)


def read_sources(pairs: Path, things: Path, people: Path, objects: Path) -> Split:
    """Read everything that has a mask.

    pairs, things: folders of collections, each with ``images`` and ``masks``, and ``manifest.tsv``.
    people, objects: see `subject_pictures`.
    """
    train, held = (
        {kind: [read_pair(path) for path in paths] for kind, paths in part.items()} for part in split(pairs, things)
    )
    for read, folder, prefix in ((read_people, people, ""), (read_objects, objects, "video-")):
        learned, rest = read(folder)
        train |= {prefix + kind: pictures for kind, pictures in learned.items()}
        held |= {prefix + kind: pictures for kind, pictures in rest.items()}
    return Split(train, held)


def read_taught(folder: Path) -> Collection:
    """Pictures of single things with the masks that `subject_teacher` made, by the collection; only sure masks."""
    found: Collection = {}
    for table in sorted(folder.glob("*/sure.tsv")):
        for row in table.read_text(encoding="utf-8").splitlines():
            name, sure, area, border = row.split("\t")[:4]
            if float(sure) > SURE and AREA[0] < float(area) < AREA[1] and float(border) < BORDER:
                found.setdefault(table.parent.name, []).append(read_pair(table.parent / "images" / name))
    return found


def empty_photos(folder: Path) -> list[Path]:
    """The 40 photographs without a subject that are only measured (`subject_empty.txt`)."""
    return [folder / f"{name}.avif" for name in names("subject_empty.txt")]


def read_empty(folder: Path) -> list[np.ndarray]:
    """The pixels of `empty_photos`."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in empty_photos(folder)]


def read_unknown(folder: Path, leave: Container[str], side: int = SIDE) -> list[np.ndarray]:
    """The photographs that are not known to be without a subject, shrunk, but for those to leave out."""
    known = set(names("subject_grounds.txt"))
    paths = [path for path in sorted(folder.glob("*.avif")) if path.stem not in known and path.stem not in leave]
    return [np.asarray(Image.open(p).convert("RGB").resize((side, side), Image.Resampling.BOX)) for p in paths]


def names(file: str) -> list[str]:
    """The names in a list beside this script."""
    return Path(__file__).with_name(file).read_text(encoding="utf-8").split()


def read_cutouts(folder: Path) -> list[Picture]:
    """Drawn things with an alpha channel (``*.webp``, ``*.png``), as pictures to paste."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix in (".webp", ".png"):
            image = Image.open(path).convert("RGBA")
            alpha = np.asarray(image)[..., 3]
            if (alpha > 127).mean() > 0.04:
                found.append((np.asarray(image.convert("RGB")), np.where(alpha > 127, 255, 0).astype(np.uint8)))
    return found
