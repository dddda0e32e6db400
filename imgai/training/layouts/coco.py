"""COCO's JSON (https://cocodataset.org/#format-data): pictures, categories and objects, of boxes and of masks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgai.bounded import read_bytes
from imgai.errors import UsageError
from imgai.training.findings import Findings
from imgai.training.layouts.base import NAMES

_LARGEST = 4 << 30


@dataclass(slots=True)
class CocoPicture:
    """A picture that a JSON names, and its objects: the name of the category and the annotation as it is written."""

    path: Path
    name: str
    part: str | None
    height: int
    width: int
    objects: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def coco_files(folder: Path) -> list[Path]:
    """The JSON files of the folder, of its ``annotations/`` and of its parts that are COCO's."""
    places = [folder, folder / "annotations", *(path for path in folder.iterdir() if NAMES.get(path.name.lower()))]
    return [path for place in places if place.is_dir() for path in sorted(place.glob("*.json")) if path.is_file()]


def read_coco(folder: Path, findings: Findings) -> tuple[list[CocoPicture], tuple[str, ...]] | None:
    """Every picture with its objects, and the names of the categories in the order of their ids; None without a JSON.

    A JSON whose name, or whose folder's, has ``train``, ``val`` or ``test`` in it is of that part.

    Raises UsageError for a JSON that is none of COCO's.
    """
    files = coco_files(folder)
    if not files:
        return None
    pictures: list[CocoPicture] = []
    names: dict[str, int] = {}
    for path in files:
        document = _document(path)
        try:
            categories = {int(each["id"]): str(each["name"]) for each in document.get("categories", ())}
            for number, name in categories.items():
                names.setdefault(name, number)
            pictures += _pictures(path, folder, document, categories, findings)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{path} is not as COCO's JSON is: {type(error).__name__} {error}") from error
    return pictures, tuple(sorted(names, key=lambda name: (names[name], name)))


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bytes(path, _LARGEST))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(document, dict) or not {"images", "annotations", "categories"} <= set(document):
        raise UsageError(f"{path} is not COCO's JSON: it needs images, annotations and categories", "move it elsewhere")
    return document


def _pictures(
    path: Path, folder: Path, document: dict[str, Any], categories: dict[int, str], findings: Findings
) -> Iterator[CocoPicture]:
    objects = defaultdict[int, list[tuple[str, dict[str, Any]]]](list)
    for annotation in document["annotations"]:
        if annotation.get("iscrowd") and "bbox" in annotation:
            findings.note(f"{path.name}: objects marked as crowds are left out")
            continue
        if int(annotation["category_id"]) not in categories:
            raise ValueError(f"annotation {annotation.get('id')} has a category that is not named")
        objects[int(annotation["image_id"])].append((categories[int(annotation["category_id"])], annotation))
    part = _part(path)
    known = set()
    for image in document["images"]:
        known.add(int(image["id"]))
        file = _file(str(image["file_name"]), path, folder)
        name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name
        yield CocoPicture(file, name, part, int(image["height"]), int(image["width"]), objects[int(image["id"])])
    if strays := len([number for number in objects if number not in known]):
        findings.note(f"{path.name}: objects of {strays} pictures that it does not name are left out")


def _part(path: Path) -> str | None:
    words = path.stem.lower().replace("-", "_").replace(".", "_").split("_")
    for word in (*words, path.parent.name.lower()):
        for name, part in NAMES.items():
            if word == name or (word.startswith(name) and word[len(name) :].isdigit()):
                return part
    return None


def _file(name: str, path: Path, folder: Path) -> Path:
    """Where a picture is: beside the JSON, in ``images/``, or in the folder of its part; the first place if nowhere."""
    places = [
        path.parent,
        path.parent / "images",
        folder,
        folder / "images",
        path.parent / path.stem,
        folder / path.stem,
    ]
    places += [folder / "images" / path.stem, folder / (_part(path) or "."), folder / "images" / (_part(path) or ".")]
    tried = [place / name for place in places]
    return next((file for file in tried if file.is_file()), tried[1])
