"""Kinds by name, as ``--as`` has them."""

from __future__ import annotations

from typing import Any

from imgai.params import as_values
from imgai.plugin import Output
from imgai.predict.spec import KindSpec
from imgai.registry import Registry


def named_kinds(*names: str, of: Output | None = None, **params: Any) -> tuple[KindSpec, ...]:
    """The host's kinds of these names. of: the output, where kinds of several outputs have the name.

    Raises UsageError for options that one of them does not have.
    """
    registry = Registry([])  # the host's own declarations alone
    outputs = reversed(Output) if of is None else (of,)
    declared = {kind.name: kind for output in outputs for kind in registry.kinds(output)}
    return tuple(KindSpec(declared[name], as_values(declared[name].params, params)) for name in names)
