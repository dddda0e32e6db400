"""Test support for plugin authors: a contract to inherit from, steps, pictures, and a fake plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.errors import InputError, PluginError, UsageError
    from imgai.library.ask import load
    from imgai.outputs.boxes import Boxes
    from imgai.outputs.data import Data
    from imgai.outputs.map import Map
    from imgai.outputs.mask import Mask
    from imgai.outputs.scores import Scores
    from imgai.params import as_values
    from imgai.predict.step import Step
    from imgai.predict.weights import find as weights_file
    from imgai.sample import GivenMask, Metadata, Sample, Source
    from imgai.testing.contract import PluginContract
    from imgai.testing.images import discs, gradient, noise, scratches
    from imgai.testing.operators import declare_torchvision_operators
    from imgai.testing.steps import load_step, step_of

# Imported on demand: most of it needs torch, and `imgai.testing.fake` must be importable as a plugin without it.
_PLACES = {
    "Boxes": "imgai.outputs.boxes",
    "Data": "imgai.outputs.data",
    "GivenMask": "imgai.sample",
    "InputError": "imgai.errors",
    "Map": "imgai.outputs.map",
    "Mask": "imgai.outputs.mask",
    "Metadata": "imgai.sample",
    "PluginContract": "imgai.testing.contract",
    "PluginError": "imgai.errors",
    "Sample": "imgai.sample",
    "Scores": "imgai.outputs.scores",
    "Source": "imgai.sample",
    "Step": "imgai.predict.step",
    "UsageError": "imgai.errors",
    "as_values": "imgai.params",
    "declare_torchvision_operators": "imgai.testing.operators",
    "discs": "imgai.testing.images",
    "gradient": "imgai.testing.images",
    "load": "imgai.library.ask",
    "load_step": "imgai.testing.steps",
    "noise": "imgai.testing.images",
    "scratches": "imgai.testing.images",
    "step_of": "imgai.testing.steps",
    "weights_file": "imgai.predict.weights:find",
}

__all__ = [
    "Boxes",
    "Data",
    "GivenMask",
    "InputError",
    "Map",
    "Mask",
    "Metadata",
    "PluginContract",
    "PluginError",
    "Sample",
    "Scores",
    "Source",
    "Step",
    "UsageError",
    "as_values",
    "declare_torchvision_operators",
    "discs",
    "gradient",
    "load",
    "load_step",
    "noise",
    "scratches",
    "step_of",
    "weights_file",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'imgai.testing' has no attribute {name!r}")
    import importlib

    module, _, renamed = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), renamed or name)
