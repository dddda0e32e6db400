"""Fine-tuning by ``imgai train segment --from document`` on your own pages."""

from __future__ import annotations

from imgai.plugin import LoadContext, Trainable, TrainContext, UsageError
from imgai_segment.document import load


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights. Raises UsageError for several classes."""
    labels = context.model.labels or ()
    if len(labels) != 1:
        raise UsageError(
            f"document tells ink from paper, and there are the classes {', '.join(labels)}",
            "train --from unet for several",
        )
    return Trainable(
        predictor=load(LoadContext(model=context.model, device=context.device, weights=context.weights)),
        loss="dice+bce",
        augment=("scale", "light", "color", "blur", "noise"),
        is_head=lambda name: name.startswith("head."),
        rate=2e-4,
    )
