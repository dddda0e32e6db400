"""The classes of pictures by the names of their folders, or by WordNet ids that their names begin with."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgai.console import Console
from imgai.errors import UsageError
from imgai.images.formats import picture_suffixes
from imgai.kinds.table import Row
from imgai.plugin import Model
from imgai.runs.scan import Input
from imgai.sample import Sample

_ID = re.compile(r"n\d{8}")


class Classes:
    """The inputs whose class is known: those below these folders, and these files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = frozenset(paths)

    def __contains__(self, item: Input) -> bool:
        return item.path is not None and not self._paths.isdisjoint((item.path, *item.path.parents))


def known_classes(folder: Path, model: Model, others: Iterable[Model], console: Console) -> Classes:
    """Look at the names before any image is read. What lies in no class is told, and left out.

    Raises UsageError if nothing is left.
    """
    names = _names(model, others)
    known: list[Path] = []
    strays: list[Path] = []
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        if path.name.startswith(".") or not (is_folder or path.suffix.lower() in picture_suffixes()):
            continue
        word = match[0] if (match := _ID.match(path.name)) else path.name if is_folder else ""
        sure = word in names or _plain(word) in names
        (known if sure or (word and not model.labels) else strays).append(path)
    if not known:
        if strays and not strays[0].is_dir():
            raise UsageError(
                f"{strays[0]} lies in no folder for its class, and its name begins with no WordNet id",
                "make a folder for each class",
            )
        if strays:
            raise _no_class(strays[0].name, model, names)
        raise UsageError(f"{folder} has no folder of images", "make a folder for each class")
    if strays:
        more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        console.warn(f"{strays[0]}{more}: no class of the model {model.name}; left out")
    return Classes(known)


def _no_class(word: str, model: Model, names: dict[str, str]) -> UsageError:
    near = difflib.get_close_matches(_plain(word), names, n=1, cutoff=0.5)
    hint = f"did you mean {names[near[0]]!r}?" if near else f"see: imgai models info {model.task}/{model.name}"
    return UsageError(f"the model {model.name} knows no class {word!r}", hint)


def _names(model: Model, others: Iterable[Model]) -> dict[str, str]:
    """Return the names of classes in folder and file names, mapped to the labels of the model."""
    if model.labels:
        names = {_plain(label): label for label in model.labels}
        return names | dict(zip(model.label_ids or (), model.labels, strict=False))
    return {i: label for other in others for i, label in zip(other.label_ids or (), other.labels or (), strict=False)}


def truths(rows: Sequence[Row], folder: Path, model: Model, others: Iterable[Model] = ()) -> dict[str, str]:
    """The class of each row's path, as the model calls it. Raises UsageError where a name says none that it knows.

    others: the task's models. What a model that declares no labels (it has those of a checkpoint, say) calls its
    classes is seen from its answers, and what an identifier stands for is looked up with the others.
    """
    names = _names(model, others)
    if not model.labels:
        names |= {_plain(label): label for row in rows for label, _ in row.scores}
    classes = {}
    for row in rows:
        path = row.path
        relative = Path(path).relative_to(folder)
        word = relative.parts[0] if len(relative.parts) > 1 else ""
        if match := _ID.match(word or relative.name):
            word = match[0]
        if not word:
            raise UsageError(
                f"{path} lies in no folder for its class, and its name begins with no WordNet id",
                "make a folder for each class",
            )
        label = names.get(word) or names.get(_plain(word)) or (None if model.labels else word)
        if label is None:
            raise _no_class(word, model, names)
        classes[path] = label
    return classes


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()


def class_of(folder: Path, model: Model, others: Iterable[Model], sample: Sample) -> str:
    """The class of a sample, as the model calls it. Raises UsageError where its name says none."""
    path = str(sample.source.path)
    labels = tuple((label, 0.0) for scores in sample.scores.values() for label in scores.labels)
    return truths([Row(path, scores=labels)], folder, model, others)[path]
