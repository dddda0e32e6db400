"""How far a picture is within a step, told to whoever runs the step in this very thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from imgai.sample import Source

Heard = Callable[[Source, str, int, int], None]
"""Is told of a picture, the task and model, and how many work items of how many are done."""

hears: ContextVar[Heard | None] = ContextVar("hears", default=None)
