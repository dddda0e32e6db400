"""Zero-shot classification with user-defined labels by CLIP models: the extra `zero-shot`.

CLIP (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021,
arXiv:2103.00020) through open_clip. Each label becomes sentences, whose mean direction is the label's; a picture's
scores are the softmax of its likeness to each. They say which of the labels fits best, not whether one fits at all.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from kornia.enhance import Normalize
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Predictor, UsageError

SENTENCES = ("a photo of a {}.", "a picture of the {}.", "a scan of a {}.", "{}.")


class Likeness(nn.Module):
    """Shape: ``(B, 3, H, W)`` normalised images to ``(B, K)``, how like each of the K labels they are."""

    def __init__(self, network: Any, words: Tensor) -> None:
        super().__init__()
        self.network = network
        self.words = words

    def forward(self, images: Tensor) -> Tensor:
        seen = F.normalize(self.network.encode_image(images), dim=1)
        scale: Tensor = self.network.logit_scale.exp()
        return scale * seen @ self.words.T


def load(context: LoadContext) -> Predictor:
    """Load the network and embed the labels.

    Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, K)``, which sum to 1

    Raises:
        ImportError: open_clip is not installed.
        UsageError: there are not two labels, or no such checkpoint.
        OSError: its weights are neither on this machine nor to be had.
    """
    labels = names(context.model_params.labels)
    name, _, weights = context.model_params.clip.partition("/")
    if not weights:  # open_clip would use random weights
        raise UsageError(f"--clip {name} does not say which weights; as in --clip ViT-B-32/laion2b_s34b_b79k")
    network, tokenize = create(name, weights)
    return predictor(context, network.to(context.device), tokenize, labels)


def names(text: str) -> tuple[str, ...]:
    """``invoice, receipt`` as labels. Raises UsageError unless there are two, all different."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(found) < 2:
        raise UsageError('give at least two labels to choose from: --labels "invoice, receipt, letter"')
    if len(set(found)) < len(found):
        raise UsageError(f"--labels names {next(name for name in found if found.count(name) > 1)!r} twice")
    return found


def create(name: str, weights: str | None) -> tuple[Any, Any]:
    """The network and its tokenizer. Raises as `load` does."""
    try:
        import open_clip
    except ImportError as error:
        raise ImportError("open_clip is not installed; pip install 'imgai-classify[zero-shot]'") from error
    if name not in open_clip.list_models():
        raise UsageError(f"open_clip has no network called {name!r}; open_clip.list_models() has their names")
    if weights is not None and weights not in (known := open_clip.list_pretrained_tags_by_model(name)):
        raise UsageError(f"open_clip has no weights {weights!r} of {name}; there are {', '.join(known) or 'none'}")
    try:
        network = open_clip.create_model(name, pretrained=weights)
        return network.eval(), open_clip.get_tokenizer(name)
    except Exception as error:  # huggingface_hub raises many types of errors without a network
        raise OSError(
            f"the weights of {name}/{weights} are not on this machine and could not be fetched "
            f"({type(error).__name__}); run once with a network, or copy ~/.cache/huggingface from one that has them"
        ) from error


def predictor(context: LoadContext, network: Any, tokenize: Any, labels: tuple[str, ...]) -> Predictor:
    """The network with its preprocessing and the labels in words."""
    with torch.inference_mode():
        directions = []
        for label in labels:
            sentences = tokenize([sentence.format(label) for sentence in SENTENCES]).to(context.device)
            directions.append(F.normalize(network.encode_text(sentences), dim=1).mean(0))
        words = F.normalize(torch.stack(directions), dim=1)
    config = network.visual.preprocess_cfg
    size = config["size"]
    model = dataclasses.replace(
        context.model, input_size=(size, size) if isinstance(size, int) else tuple(size), crop=1.0, labels=labels
    )
    mean, deviation = torch.tensor(config["mean"]), torch.tensor(config["std"])
    return Predictor(
        preprocess=Normalize(mean=mean, std=deviation).to(context.device),
        network=Likeness(network, words),
        postprocess=lambda likeness: likeness.softmax(1),
        model=model,
    )
