"""Checks of `Predictor.instances`, which numbers the objects of a mask."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator

import numpy as np

from imgai.testing.fault import Fault
from imgai.testing.images import discs
from imgai.testing.subject import Subject, called, short

_LARGEST = 10_000  # bytes


def instances(subject: Subject) -> Iterator[Fault]:
    """`Predictor.instances` numbers the objects of masks of any size, and can be sent to another process."""
    for step in subject.distinct:
        function = step.predictor.instances
        if function is None:
            continue
        where = f"{called(step)}: instances"
        if words := _not_sent(function):
            yield Fault(where, words, "let it be a module's function, or a functools.partial of one")
        channels = len(step.model.labels or ()) + step.model.auxiliary
        for name, maps in _maps(channels).items():
            if (fault := _fault(where, name, function, maps)) is not None:
                yield fault
                break


def _not_sent(function: Callable[..., object]) -> str:
    try:
        size = len(pickle.dumps(function))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        return f"it cannot be pickled: {short(error)}"
    return f"it carries {size} bytes; leave the network out" if size >= _LARGEST else ""


def _maps(channels: int) -> dict[str, np.ndarray]:
    """Return masks to number: discs in a wide picture, an empty and a full mask, one pixel."""
    _, inside = discs(48, 80, count=6, seed=3)
    first = np.repeat(inside.numpy().astype(np.float32)[None] * 0.9, channels, axis=0)
    if channels > 1:
        first[1:] *= 0.5
    return {
        "discs": first,
        "nothing": np.zeros((channels, 33, 47), np.float32),
        "everything": np.ones((channels, 33, 47), np.float32),
        "one pixel": np.ones((channels, 1, 1), np.float32),
    }


def _fault(where: str, name: str, function: Callable[..., object], maps: np.ndarray) -> Fault | None:
    given = maps.copy()
    try:
        numbers = np.asarray(function(given, 0.5))
    except Exception as error:
        return Fault(where, f"of {name} of {maps.shape[1]}x{maps.shape[2]} pixels it fails: {short(error)}")
    if not np.array_equal(given, maps):
        return Fault(where, "it writes into the maps that it is given", "copy them first")
    if numbers.shape != maps.shape[1:]:
        what = "they are transposed" if numbers.shape == maps.shape[:0:-1] else f"return {maps.shape[1:]}"
        return Fault(where, f"of {name} it returns numbers of the shape {numbers.shape}", what)
    if numbers.dtype.kind not in "iu":
        advice = "return int32: 0 for the background, 1, 2, 3 for the objects"
        return Fault(where, f"it returns {numbers.dtype}, which numbers nothing", advice)
    if numbers.size and numbers.min() < 0:
        return Fault(where, f"it returns {numbers.min()}", "the background is 0, objects count from 1")
    if name == "discs" and numbers.max() == 0 and maps[0].max() >= 0.5:
        return Fault(where, "of six discs it numbers none", "is the threshold that it is given the one it uses?")
    return None
