"""``model.toml`` beside ``model.onnx``: properties of a network that the graph does not contain."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from imgai.errors import PluginError

LASTS = ("none", "sigmoid", "softmax")
HEADS = ("yolox", "nanodet")


@dataclass(frozen=True, slots=True)
class Notes:
    """The contents of such a file; None: as determined from the graph.

    mean, std: of the values that the network takes, after `range`, a number or one for each channel.
    range: what white is for the network, 1 or 255. bgr: it takes blue first.
    size: the side, or height and width, that pictures are brought to. letterbox: in their own shape, with bars.
    crop: as in `Model`, for scores.
    labels: of its classes. last: what is still to be done to its output. output: the number of the output, from 0.
    head: how boxes are told. license: of the weights.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    range: float | None = None
    bgr: bool | None = None
    size: tuple[int, int] | None = None
    letterbox: bool | None = None
    crop: float | None = None
    labels: tuple[str, ...] | None = None
    last: str | None = None
    output: int | None = None
    head: str | None = None
    license: str | None = None


def notes_of(path: Path) -> Notes:
    """The notes beside a file; empty where there are none. Raises PluginError, with the key, for a mistake in them."""
    beside = path.with_suffix(".toml")
    if not beside.is_file():
        return Notes()
    try:
        given = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PluginError(f"{beside} cannot be read: {' '.join(str(error).split())}") from None
    known = [field.name for field in fields(Notes)]
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(known)}"
            raise PluginError(f"{beside}: there is no {key!r}", hint)
        values[key] = _value(beside, key, value)
    return Notes(**values)


def _value(path: Path, key: str, value: Any) -> Any:
    if key in ("mean", "std"):
        numbers = value if isinstance(value, list) else [value]
        good = len(numbers) in (1, 3) and all(_number(each) for each in numbers)
        if good and (key == "mean" or all(each > 0 for each in numbers)):
            return tuple(float(each) for each in numbers)
        raise PluginError(f"{path}: {key} is a number, or three, not {value!r}")
    if key == "size":
        sides = value if isinstance(value, list) else [value, value]
        if len(sides) == 2 and all(type(each) is int and 1 <= each <= 8192 for each in sides):
            return tuple(sides)
        raise PluginError(f"{path}: size is a number of pixels, or height and width, not {value!r}")
    if key == "labels":
        if isinstance(value, list) and value and all(isinstance(each, str) and each for each in value):
            return tuple(value)
        raise PluginError(f"{path}: labels are a list of texts")
    if key == "crop":
        if _number(value) and 0 < value <= 1:
            return float(value)
        raise PluginError(f"{path}: crop is over 0 and at most 1, not {value!r}")
    choices: dict[str, tuple[Any, ...]] = {"last": LASTS, "head": HEADS, "range": (1, 255)}
    if key in choices:
        if value in choices[key] and not isinstance(value, bool):
            return value
        raise PluginError(f"{path}: {key} is one of {', '.join(map(str, choices[key]))}, not {value!r}")
    types: dict[str, type[Any]] = {"bgr": bool, "letterbox": bool, "output": int, "license": str}
    if type(value) is types[key]:
        return value
    raise PluginError(f"{path}: {key} cannot be {value!r}")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
