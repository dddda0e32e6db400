"""For authors of plugins: a contract to inherit, pictures to try, a plugin that needs no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.testing.contract import PluginContract

__all__ = ["PluginContract"]


def __getattr__(name: str) -> object:
    # On demand, because the contract needs torch and `imgai.testing.fake` is a declaration.
    if name == "PluginContract":
        from imgai.testing.contract import PluginContract

        return PluginContract
    raise AttributeError(name)
