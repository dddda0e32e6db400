"""Any checkpoint of timm (https://github.com/huggingface/pytorch-image-models) as a model: the extra `timm`."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

import torch
from kornia.enhance import Normalize
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, UsageError
from imgai_classify.labels import IDS, LABELS


def load(context: LoadContext) -> Predictor:
    """Load the checkpoint that ``--model timm/NAME`` names, from timm's cache or its hub.

    Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, K)`` probabilities, which sum to 1

    Raises:
        ImportError: timm is not installed.
        UsageError: no checkpoint is named, or timm has none of that name, or it has no classes.
        OSError: its weights are neither on this machine nor to be had.
    """
    name = context.model_params.checkpoint
    network = create(name, pretrained=True)
    return predictor(context, network.to(context.device))


def create(name: str, *, pretrained: bool) -> nn.Module:
    """The network of that name. Raises as `load` does."""
    try:
        import timm
    except ImportError as error:
        raise ImportError("timm is not installed; pip install 'imgai-classify[timm]'") from error
    if not name:
        raise UsageError("name a checkpoint of timm: --model timm/mobilenetv3_large_100.ra_in1k, for one")
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained)
    except RuntimeError as error:
        if "Unknown model" not in str(error):
            raise
        near = difflib.get_close_matches(name.split(".")[0], timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_pretrained() has their names"
        raise UsageError(f"timm has no model called {name!r}; {hint}") from error
    except Exception as error:  # huggingface_hub has many ways to say that there is no network
        if not pretrained:
            raise
        raise OSError(
            f"the weights of timm/{name} are not on this machine and could not be fetched ({type(error).__name__}); "
            "run once with a network, or copy ~/.cache/huggingface from a machine that has them"
        ) from error
    return network.eval()


def predictor(context: LoadContext, network: Any) -> Predictor:
    """The network with its own preprocessing and labels."""
    import timm.data

    config = timm.data.resolve_model_data_config(network)
    count = network.num_classes
    if not count:
        raise UsageError(f"{context.model.name}: this checkpoint has features alone and no classes; name another")
    known = count == len(LABELS)
    model = dataclasses.replace(
        context.model,
        input_size=tuple(config["input_size"][1:]),
        crop=config["crop_pct"],
        labels=LABELS if known else _labels(network, count),
        label_ids=IDS if known else None,
    )
    mean, deviation = torch.tensor(config["mean"]), torch.tensor(config["std"])

    def explain(images: Tensor, label: int) -> Tensor:
        """Grad-CAM (Selvaraju et al., ICCV 2017, arXiv:1610.02391) of what the network's head is given."""
        with torch.inference_mode(False), torch.enable_grad():
            features = network.forward_features(images.clone()).detach().requires_grad_()
            (slope,) = torch.autograd.grad(network.forward_head(features)[:, label].sum(), features)
        places, channels = _axes(network, features)
        weighted = features.detach() * slope.mean(places, keepdim=True)
        return _grid(network, weighted.sum(channels)).clamp_min(0)

    return Predictor(
        preprocess=Normalize(mean=mean, std=deviation).to(context.device),
        network=network,
        postprocess=lambda logits: logits.softmax(1),
        explain=explain,
        model=model,
    )


def _labels(network: Any, count: int) -> tuple[str, ...]:
    """What the checkpoint calls its classes; numbers where it does not say."""
    names = network.pretrained_cfg.get("label_names") or ()
    return tuple(names) if len(names) == count else tuple(f"class {index}" for index in range(count))


def _axes(network: Any, features: Tensor) -> tuple[tuple[int, ...], int]:
    """Which dimensions of a network's features count places, and which its channels."""
    if features.ndim == 3:  # (B, N, C): tokens
        return (1,), 2
    if features.shape[1] != network.num_features and features.shape[3] == network.num_features:
        return (1, 2), 3
    return (2, 3), 1


def _grid(network: Any, values: Tensor) -> Tensor:
    """Values of tokens as a picture. Shape: ``(B, y, x)`` or ``(B, N)`` to ``(B, y, x)``."""
    if values.ndim == 3:
        return values
    tokens = values[:, getattr(network, "num_prefix_tokens", 0) :]
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1]:
        raise ValueError("this network's tokens are no square; --explain cannot show them")
    return tokens.view(-1, side, side)
