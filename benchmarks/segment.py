"""How good the masks are: the product's own steps over pictures that no model was trained on.

The folders are those of the training scripts; what was held out is what those scripts hold out.
"""

from __future__ import annotations

from imgai.step import Step

HELD_OUT_SEQUENCES = ("blackswan", "car", "goat", "libby", "soapbox")
MAX_PIXELS = 10**8


def step(model: str) -> Step:
    """One of the plugin's models, as the command line would load it."""
    import torch

    from imgai.chain import load_step
    from imgai.plugin import NoParams
    from imgai.registry import load_registry

    registry = load_registry()
    return load_step(
        registry.task("segment"),
        registry.model("segment", model),
        params=NoParams(),
        model_params=NoParams(),
        device=torch.device("cpu"),
        precision=torch.float32,
    )
