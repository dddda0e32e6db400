"""Fine-tuning by ``imgai train segment --from subject`` on masks of whole pictures."""

from __future__ import annotations

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Trainable, TrainContext, take_over
from imgai_segment.subject import Subject, predictor


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy plus soft Dice of each class (Milletari et al. 2016, arXiv:1606.04797), at full size.

    Shape: ``(B, K, h / 2, w / 2)`` and ``(B, K, h, w)`` to a scalar
    """
    logits = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
    likely = logits.sigmoid()
    both = (likely * targets).sum((0, 2, 3))
    dice = 1 - (2 * both + 1) / (likely.sum((0, 2, 3)) + targets.sum((0, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, targets) + dice.mean()


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights; a head of its own where the classes are others."""
    assert context.weights is not None
    network = Subject(len(context.model.labels or ()))
    tensors = {name: value.float() for name, value in load_file(context.weights).items()}
    new = "out.weight" in take_over(network, tensors)
    if new:
        assert network.out.bias is not None
        nn.init.constant_(network.out.bias, -2.0)  # what is looked for is the smaller part of most pictures
    names = ("flip", "scale", "light", "color", "blur", "noise")
    return Trainable(
        predictor=predictor(network, context.device),
        loss=loss_of,
        augment=names,
        is_head=lambda name: name.startswith("out."),
        rate=1e-3 if new else 1e-4,
    )
