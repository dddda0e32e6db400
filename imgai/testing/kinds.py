"""Kinds by name, as ``--as`` has them."""

from __future__ import annotations

from typing import Any

from imgai.discovery import host
from imgai.params import as_values
from imgai.plugin import Output
from imgai.predict.spec import KindSpec


def named_kinds(*names: str, of: Output | None = None, **params: Any) -> tuple[KindSpec, ...]:
    """The host's kinds of these names. of: the output, where kinds of several outputs have the name.

    Raises UsageError for options that one of them does not have.
    """
    declared = {kind.name: kind for kind in reversed(host().kinds) if of in (None, kind.of)}
    return tuple(KindSpec(declared[name], as_values(declared[name].params, params)) for name in names)
