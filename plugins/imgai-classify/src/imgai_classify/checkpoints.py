"""Any checkpoint of timm (https://github.com/huggingface/pytorch-image-models) as a model: the extra `timm`."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

import torch
from kornia.enhance import Normalize
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext, UsageError, take_over
from imgai_classify.labels import IDS, LABELS


def load(context: LoadContext) -> Predictor:
    """Load the checkpoint that ``--model timm/NAME`` names, from timm's cache or its hub; or what was trained from it.

    Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, K)`` probabilities, which sum to 1

    Raises:
        ImportError: timm is not installed.
        UsageError: no checkpoint is named, or timm has none of that name, or it has no classes.
        OSError: its weights are neither on this machine nor to be had.
    """
    name = context.model_params.checkpoint
    if context.weights is None:
        return predictor(context, create(name, pretrained=True).to(context.device))
    network = create(name, pretrained=False, classes=len(context.model.labels or ()))
    network.load_state_dict(load_file(context.weights))
    return predictor(context, network.to(context.device).requires_grad_(False), context.model.labels)


def train(context: TrainContext) -> Trainable:
    """The checkpoint with a head for labels of one's own, or what was trained from it. Raises as `load` does."""
    labels = context.model.labels or ()
    network = create(
        context.model_params.checkpoint,
        pretrained=context.weights is None,
        classes=len(labels),
        dropout=context.params.dropout,
    )
    if context.weights is not None:
        take_over(network, load_file(context.weights))
    classifier: Any = getattr(network, "get_classifier", lambda: None)
    head = classifier()
    names = {name for name, parameter in network.named_parameters() if any(parameter is own for own in _own(head))}
    return Trainable(
        predictor=predictor(context, network.to(context.device), labels),
        loss="ce",
        is_head=names.__contains__,
        rate=5e-4,
    )


def _own(head: Any) -> list[nn.Parameter]:
    return list(head.parameters()) if isinstance(head, nn.Module) else []


def create(name: str, *, pretrained: bool, classes: int | None = None, dropout: float = 0.0) -> nn.Module:
    """The network of that name. classes: of a head of its own; None: that of the checkpoint. Raises as `load` does."""
    try:
        import timm
    except ImportError as error:
        raise ImportError("timm is not installed; pip install 'imgai-classify[timm]'") from error
    if not name:
        raise UsageError("name a checkpoint of timm: --model timm/mobilenetv3_large_100.ra_in1k, for one")
    try:
        more: dict[str, Any] = {} if classes is None else {"num_classes": classes, "drop_rate": dropout}
        network: nn.Module = timm.create_model(name, pretrained=pretrained, **more)
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


def predictor(context: LoadContext | TrainContext, network: Any, labels: tuple[str, ...] | None = None) -> Predictor:
    """The network with its own preprocessing and labels. labels: those that it was trained for; None: its own."""
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
        labels=labels or (LABELS if known else _labels(network, count)),
        label_ids=IDS if known and not labels else None,
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
