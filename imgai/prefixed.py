"""Prefixes for params of plugins whose names clash with options that were added to the host later."""

from __future__ import annotations

import dataclasses
import operator
import typing
from collections.abc import Collection
from typing import Any

from imgai.discovery import Plugin
from imgai.options import reserved_names
from imgai.sound import RESERVED_OPTIONS


def prefixed(plugin: Plugin, later: Collection[str] | None = None) -> Plugin:
    """Return the plugin with such params renamed: ``--undo`` of the task ``negative`` becomes ``--negative-undo``.

    later: the names of options that were added to the host since this version of the plugin API began.
    """
    taken = reserved_names() - RESERVED_OPTIONS if later is None else later
    if not taken:
        return plugin
    tasks = tuple(dataclasses.replace(task, params=_renamed(task.params, task.name, taken)) for task in plugin.tasks)
    models = tuple(
        model
        if model.params is None or model.variant  # a variant is also named after a slash: photo/soft
        else dataclasses.replace(model, params=_renamed(model.params, model.name, taken))
        for model in plugin.models
    )
    return dataclasses.replace(plugin, tasks=tasks, models=models)


def _renamed(params: type[Any], prefix: str, taken: Collection[str]) -> type[Any]:
    """Return a dataclass with the same fields; clashing ones are renamed and can be read by both names."""
    clashing = {field.name for field in dataclasses.fields(params) if field.name.rstrip("_") in taken}
    if not clashing:
        return params
    hints = typing.get_type_hints(params)
    start = prefix.replace("-", "_")
    names = {name: f"{start}_{name}" for name in clashing}
    fields = [
        (
            names.get(each.name, each.name),
            hints[each.name],
            dataclasses.field(default=each.default, metadata=each.metadata),
        )
        for each in dataclasses.fields(params)
    ]
    own = {name: value for name, value in vars(params).items() if not name.startswith("__") and name not in hints}
    aliases = own | {old: property(operator.attrgetter(new)) for old, new in names.items()}
    return dataclasses.make_dataclass(params.__name__, fields, namespace=aliases, frozen=True)
