"""Find the architecture whose keys are most similar to those of a state dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def nearest(names: Mapping[str, object], registry: Iterable[Any]) -> str:
    """Return the message for a state dict of an unknown architecture. registry: spandrel's.

    Each architecture names the keys that it is told by; the nearest has the largest part of them.
    """
    scores = [(_share(entry.architecture, names), entry.architecture.name) for entry in registry]
    best, name = max(scores, default=(0.0, ""))
    if best < 0.05:
        return "none of its keys is that of a known architecture"
    return f"the nearest known is {name}, with {best:.0%} of the keys that tell it"


def _share(architecture: Any, names: Mapping[str, object]) -> float:
    """The part of the keys that tell an architecture which are there; those that tell several count for little."""
    condition = getattr(architecture, "_detect", None)
    return _met(condition, names) if hasattr(condition, "_keys") else 0.0


def _met(condition: Any, names: Mapping[str, object]) -> float:
    if isinstance(condition, str):
        return float(condition in names)
    parts = [_met(key, names) for key in condition._keys]
    if not parts:
        return 0.0
    return max(parts) if condition._kind == "any" else sum(parts) / len(parts)
