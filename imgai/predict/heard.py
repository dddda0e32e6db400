"""Progress within a step, reported to the caller in the same thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from imgai.sample import Source

Heard = Callable[[Source, str, int, int], None]
"""A callback: source, task and model, number of finished work items, number of work items."""

hears: ContextVar[Heard | None] = ContextVar("hears", default=None)
