"""The hooks that a plugin may implement. There are no other extension points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgai.plugin import Contract, Format, Kind, Model, Task

hookspec = pluggy.HookspecMarker("imgai")


@hookspec
def imgai_register_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Return the tasks that this plugin adds.

    Each task becomes a sub-command of ``imgai``; the fields of its params are the options. The plugin must also
    register the task's default model. The hook is called every time the command line starts, so it should only
    return declarations and import nothing heavy.
    """


@hookspec
def imgai_register_models() -> Iterable[Model]:  # type: ignore[empty-body]
    """Return the models that this plugin adds to its own tasks or to the tasks of another plugin.

    A model's ``load`` names a function as ``"package.module:function"``; the module is imported
    only when the model is used.
    """


@hookspec
def imgai_register_kinds() -> Iterable[Kind]:  # type: ignore[empty-body]
    """Return the kinds that this plugin adds: values of ``--as`` for every task that returns their `Output`.

    A kind's ``render`` and ``merge`` name functions as ``"package.module:function"``; the module is imported
    only when the kind is used. The host registers its own kinds through this hook too.
    """


@hookspec
def imgai_register_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """Return the file formats that this plugin adds. Every task then accepts files in these formats.

    A format's functions are named as ``"package.module:function"``; the module is imported only when a file of the
    format is read or written. The host registers its own formats through this hook too.
    """


@hookspec
def imgai_contract() -> Contract:  # type: ignore[empty-body]
    """Return what the checks of the contract have to know of this plugin.

    Only ``imgai plugins check`` and `imgai.testing.PluginContract` call it.
    """
