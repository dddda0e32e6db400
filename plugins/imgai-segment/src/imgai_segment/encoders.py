"""Any timm network with multi-scale features as an encoder, with a decoder: ``imgai train segment --from timm/NAME``.

The decoder is that of a U-Net (Ronneberger et al., MICCAI 2015): from the coarsest features on it doubles the size,
puts the encoder's features of that size beside its own, and convolves. https://github.com/huggingface/pytorch-image-models
"""

from __future__ import annotations

import difflib
from typing import Any

import torch
from kornia.enhance import Normalize
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext, UsageError, take_over

WIDTHS = (128, 96, 64, 48, 32)
"""Channels of the decoder, from the coarsest features on."""


def unit(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 convolution, normalised and rectified."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Decoded(nn.Module):
    """An encoder with a decoder. Shape: normalised ``(B, 3, h, w)``, multiples of 32, to logits ``(B, K, h, w)``."""

    def __init__(self, encoder: nn.Module, channels: list[int], classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        widths = [channels[-1], *WIDTHS[: len(channels) - 1]]
        skips = channels[-2::-1]
        self.decode = nn.ModuleList(
            nn.Sequential(unit(below + skip, wide), unit(wide, wide))
            for below, skip, wide in zip(widths, skips, widths[1:], strict=False)
        )
        self.head = nn.Conv2d(widths[-1], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        *skips, deep = self.encoder(x)
        for decode, skip in zip(self.decode, reversed(skips), strict=True):
            wide = F.interpolate(deep, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            deep = decode(torch.cat((wide, skip), 1))
        logits: Tensor = F.interpolate(self.head(deep), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return logits


def create(name: str, classes: int, *, pretrained: bool) -> tuple[Decoded, dict[str, Any]]:
    """The network of that name and timm's description of what its pictures are like.

    Raises ImportError without timm, UsageError for a name that means nothing or a network that gives no such features,
    OSError where its weights are not to be had.
    """
    try:
        import timm
        import timm.data
    except ImportError as error:
        raise ImportError("timm is not installed; pip install 'imgai-segment[timm]'") from error
    if not name:
        raise UsageError("name a network of timm: --from timm/resnet18, for one")
    if name.split(".")[0] not in timm.list_models():
        near = difflib.get_close_matches(name.split(".")[0], timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() has their names"
        raise UsageError(f"timm has no model called {name!r}", hint)
    try:
        encoder = timm.create_model(name, features_only=True, pretrained=pretrained)
    except (RuntimeError, AttributeError, ValueError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"{name} of timm gives no features of several sizes", "take resnet18, or convnext_tiny"
        ) from error
    except Exception as error:  # huggingface_hub has many ways to say that there is no network
        if not pretrained:
            raise
        raise OSError(
            f"the weights of timm/{name} are not on this machine and could not be fetched ({type(error).__name__}); "
            "run once with a network, or copy ~/.cache/huggingface from a machine that has them"
        ) from error
    info: Any = encoder.feature_info
    if len(set(info.reduction())) < 2:
        raise UsageError(f"all features of {name} are of one size", "take resnet18, or convnext_tiny")
    return Decoded(encoder, info.channels(), classes), timm.data.resolve_model_data_config(encoder)


def predictor(network: Decoded, config: dict[str, Any], device: torch.device) -> Predictor:
    """Make the predictor of a network."""
    normalize = Normalize(mean=torch.tensor(config["mean"]), std=torch.tensor(config["std"])).to(device)
    return Predictor(network=network.to(device), preprocess=normalize, postprocess=torch.sigmoid)


def load(context: LoadContext) -> Predictor:
    """Load a model trained from this one."""
    if context.weights is None:
        raise ValueError("this model has learned nothing yet")
    network, config = create(context.model_params.checkpoint, len(context.model.labels or ()), pretrained=False)
    network.load_state_dict(load_file(context.weights))
    return predictor(network.requires_grad_(False).eval(), config, context.device)


def train(context: TrainContext) -> Trainable:
    """Return a new decoder on timm's weights, or a trained network to continue from."""
    new = context.weights is None
    network, config = create(context.model_params.checkpoint, len(context.model.labels or ()), pretrained=new)
    if context.weights is not None:
        take_over(network, load_file(context.weights))
    elif network.head.bias is not None:
        nn.init.constant_(network.head.bias, -2.0)
    return Trainable(
        predictor=predictor(network, config, context.device),
        loss="dice+bce",
        is_head=lambda name: not name.startswith("encoder."),
        rate=1e-3 if new else 3e-4,
    )
