"""The figures of a measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of all images.

    values: by name; rates in [0, 1], PSNR in dB; None for what no image tells.
    main: the name of the one that says best how good the model is. More is better.
    classes: by class, its own figures. names, confusion: ``(N, N)`` counts of images, pixels or objects; a row for
        each of the names as it is, a column for what it was taken for.
    """

    pictures: int
    values: Mapping[str, float | None]
    main: str
    classes: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    confusion: np.ndarray | None = None

    @property
    def score(self) -> float | None:
        """The main figure."""
        return self.values[self.main]

    def summary(self) -> dict[str, Any]:
        """The figures of all classes, rounded, for people and for JSON."""
        rounded = {name: None if value is None else round(value, DIGITS) for name, value in self.values.items()}
        return {"pictures": self.pictures, **({"classes": len(self.classes)} if self.classes else {}), **rounded}


def mean(values: list[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def ratio(part: float, whole: float) -> float | None:
    """None where there is no whole."""
    return part / whole if whole else None
