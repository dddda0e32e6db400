"""For authors of plugins: a contract to inherit, steps and pictures to try, a plugin that needs no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.testing.contract import PluginContract
    from imgai.testing.images import discs, gradient, noise
    from imgai.testing.steps import load_step, step_of

__all__ = ["PluginContract", "discs", "gradient", "load_step", "noise", "step_of"]

# Imported on demand: all of it needs torch, and `imgai.testing.fake` is a declaration.
_MODULES = {
    "PluginContract": "contract",
    "discs": "images",
    "gradient": "images",
    "load_step": "steps",
    "noise": "images",
    "step_of": "steps",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(name)
    import importlib

    return getattr(importlib.import_module(f"imgai.testing.{_MODULES[name]}"), name)
