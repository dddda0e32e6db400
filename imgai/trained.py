"""Models that users have trained: weights files whose header declares the model.

The files are safetensors (https://github.com/huggingface/safetensors): the header is JSON, in which ``__metadata__``
may hold texts. The text under `KEY` is the declaration. It names a model of a plugin, which loads the weights, and the
fields in which the trained model differs. It cannot name code. This module does not import torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from imgai.errors import PluginError
from imgai.plugin import Model, Weights

KEY = "imgai"
SCHEMA = 1
SUFFIX = ".safetensors"
VARIABLE = "IMGAI_MODELS"
FILE = "a file"
"""Stands for the plugin in the header of a model that was fine-tuned from a file of another project."""

KEY_DIGITS = 16
"""Of the digest of a picture, how many are kept of those that a model learned from."""
_MOST_KEYS = 1024

_DIFFERS = (
    "summary", "license", "parameters", "scale", "input_size", "fit", "crop", "longest", "fraction", "multiple_of",
    "minimum", "tile", "overlap", "labels", "auxiliary", "unit", "range", "bfloat16",
)  # fmt: skip
"""The fields of `Model` that a file may set, all of them plain values."""
_LARGEST = 100 << 20  # bytes of a header; the same limit as in the format's own reader


def folder() -> Path:
    """Return the folder of the user's models: ``IMGAI_MODELS``, or a folder in the user's data folder."""
    import platformdirs

    asked = os.environ.get(VARIABLE)
    return Path(asked) if asked else platformdirs.user_data_path("imgai") / "models"


def place(name: str) -> Path:
    """Return the folder of the user's model of that name, which has all files of its training."""
    return folder() / name


def find(name: str) -> Path | None:
    """Return the file of the user's model of that name; None if there is none."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return None
    paths = (place(name) / f"{name}{SUFFIX}", folder() / f"{name}{SUFFIX}")
    return next((path for path in paths if path.is_file()), None)


def files() -> Iterator[Path]:
    """Yield the files of all of the user's models, sorted by name."""
    try:
        entries = sorted(folder().iterdir())
    except OSError:
        return
    for entry in entries:
        path = entry / f"{entry.name}{SUFFIX}" if entry.is_dir() else entry
        if path.suffix == SUFFIX and path.is_file() and not path.name.startswith("."):
            yield path


def declaration(path: Path) -> dict[str, Any] | None:
    """Return the declaration in a file; None for a valid weights file that imgai did not train.

    Raises PluginError, with the reason, for a file that cannot be read, is truncated, or is not safetensors.
    """
    header = _header(path)
    metadata = header.get("__metadata__")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if text is None:
        return None
    try:
        declared = json.loads(text)
    except (TypeError, ValueError):
        declared = None
    if not isinstance(declared, dict) or not isinstance(declared.get("base"), dict):
        raise PluginError(f"{path}: what its header says of the model cannot be read", "train it again")
    if declared.get("schema") != SCHEMA:
        raise PluginError(f"{path} was written by another version of imgai", "pip install --upgrade imgai")
    for name in ("task", "name"):
        if not isinstance(declared.get(name), str):
            raise PluginError(f"{path}: its header does not say the {name} of the model", "train it again")
    return declared


def declare(path: Path, declared: Mapping[str, Any], base: Model) -> Model:
    """Return the model in a file. declared: the result of `declaration`. base: the plugin's model that loads it.

    Raises PluginError for an invalid declaration.
    """
    said = declared.get("model")
    fields = {name: value for name, value in said.items() if name in _DIFFERS} if isinstance(said, dict) else {}
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    license_ = str(fields.get("license", base.license))
    weights = Weights(
        file=path.resolve().as_uri(),
        sha256=_sha256(path),
        size=path.stat().st_size,
        license=license_,
        data=str(declared.get("data", "")),
    )
    try:
        return dataclasses.replace(
            base,
            **fields,
            name=declared["name"],
            family=None,
            label_ids=None,
            variant=None,
            params=_settled(base.params, declared.get("params")),
            weights=weights,
            untrained=False,
        )
    except (TypeError, ValueError) as error:
        raise PluginError(f"{path}: what its header says of the model cannot be: {error}", "train it again") from error


def learned_from(keys: Iterable[str]) -> dict[str, Any]:
    """Return the training pictures listed in a header, by their digests: their number, and some of them.

    Those are the least: of other pictures, too, the ones with as low digests are a fair sample.
    """
    short = sorted({key[:KEY_DIGITS] for key in keys})
    return {"count": len(short), "least": short[:_MOST_KEYS]}


def described(model: Model, base: Model) -> dict[str, Any]:
    """Return the fields in which a trained model differs from its base, as `declare` reads them."""
    pairs = ((name, getattr(model, name), getattr(base, name)) for name in _DIFFERS)
    return {name: value for name, value, before in pairs if value != before}


def _settled(params: type[Any] | None, values: object) -> type[Any] | None:
    """Return the params of the base with the values used in training as defaults."""
    if params is None or not isinstance(values, dict) or not values:
        return params
    hints = typing.get_type_hints(params)
    fields = [
        (
            each.name,
            hints[each.name],
            dataclasses.field(default=values.get(each.name, each.default), metadata=dict(each.metadata)),
        )
        for each in dataclasses.fields(params)
    ]
    return dataclasses.make_dataclass(params.__name__, fields, frozen=True)


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            size = int.from_bytes(file.read(8), "little")
            if total < 8 or not 2 <= size <= min(_LARGEST, total - 8):
                raise PluginError(f"{path} is no file of weights (safetensors), or is cut off", "name another file")
            header = json.loads(file.read(size))
    except OSError as error:
        raise PluginError(f"{path} cannot be read: {error.strerror or error}", "check the path") from error
    except (ValueError, RecursionError):
        raise PluginError(f"{path} is no file of weights (safetensors)", "name another file") from None
    if not _is_sound(header):
        raise PluginError(f"{path} is no file of weights (safetensors)", "name another file")
    ends = [value["data_offsets"][1] for name, value in header.items() if name != "__metadata__"]
    if (whole := 8 + size + max(ends, default=0)) != total:
        raise PluginError(f"{path} is damaged: it has {total} bytes of {whole}", "copy it again")
    return typing.cast("dict[str, Any]", header)


def _is_sound(header: object) -> bool:
    """Whether every entry except the metadata has the position of its tensor."""
    if not isinstance(header, dict):
        return False
    for name, value in header.items():
        offsets = value.get("data_offsets") if isinstance(value, dict) else None
        sound = isinstance(offsets, list) and len(offsets) == 2 and all(type(each) is int for each in offsets)
        if name != "__metadata__" and not sound:
            return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
