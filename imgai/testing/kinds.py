"""Look up kinds by the names that ``--as`` takes."""

from __future__ import annotations

from typing import Any

from imgai.params import as_values
from imgai.plugin import Output
from imgai.predict.spec import KindSpec
from imgai.registry import Registry


def named_kinds(*names: str, of: Output | None = None, **params: Any) -> tuple[KindSpec, ...]:
    """Return the host's kinds of these names, with params.

    of: the output, if kinds of several outputs have the name. params: values of their options.
    Raises UsageError for options that one of the kinds does not have.
    """
    registry = Registry([])  # the host's own declarations only
    outputs = reversed(Output) if of is None else (of,)
    declared = {kind.name: kind for output in outputs for kind in registry.kinds(output)}
    return tuple(KindSpec(declared[name], as_values(declared[name].params, params)) for name in names)
