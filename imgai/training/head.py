"""Train a new head first, on features that are computed once, which makes its steps cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from imgai.training.optimizers import make_optimizer, set_rates

ROUNDS = 60
"""The number of epochs for the head."""
RATE = 3e-3
_BATCH = 64
_LARGEST = 1 << 30  # bytes of features that are kept


def find_head(network: nn.Module, is_head: Callable[[str], bool]) -> nn.Module | None:
    """The smallest part of a network that holds all parameters of its head, and none of the rest; None if none does."""
    head = {name for name, _ in network.named_parameters() if is_head(name)}
    best: nn.Module | None = None
    for name, part in network.named_modules():
        mine = {f"{name}.{inner}" if name else inner for inner, _ in part.named_parameters()}
        if head and head <= mine and mine <= head:
            best = part
    return best


def train_head(
    network: nn.Module,
    head: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    loss: Callable[[Any, Tensor], Tensor],
    *,
    seed: int,
    weight_decay: float | None = None,
) -> int:
    """Train the head alone, on what the rest of the network makes of the batches. Returns how many steps that took.

    batches: what the network takes and the targets, on its device; a few rounds of all pictures. Nothing is done, and
    0 returned, where the head's answer is not that of the network, or the features are too large to be kept.
    """
    features, targets = _features(network, head, batches)
    if not features:
        return 0
    inputs, truths = torch.cat(features), torch.cat(targets)
    order = torch.Generator().manual_seed(seed)
    optimizer = make_optimizer("adamw", head, rate=RATE, weight_decay=weight_decay)
    count = -(-len(inputs) // _BATCH)
    total = ROUNDS * count
    head.train()
    for step in range(total):
        if step % count == 0:
            shuffled = torch.randperm(len(inputs), generator=order)
        chosen = shuffled[step % count * _BATCH :][:_BATCH].to(inputs.device)
        set_rates(optimizer, 1 - step / total)
        optimizer.zero_grad(set_to_none=True)
        value = loss(head(inputs[chosen]), truths[chosen])
        if bool(torch.isfinite(value)):
            value.backward()
            optimizer.step()
    return total


def _features(
    network: nn.Module, head: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Compute the inputs of the head and the targets, batch by batch; empty if the head cannot be separated."""
    given: list[Tensor] = []
    answers: list[Any] = []

    def note(_: nn.Module, inputs: tuple[Any, ...], answer: Any) -> None:
        given.append(inputs[0] if len(inputs) == 1 and isinstance(inputs[0], Tensor) else None)  # type: ignore[arg-type]
        answers.append(answer)

    features: list[Tensor] = []
    targets: list[Tensor] = []
    network.eval()
    handle = head.register_forward_hook(note)
    try:
        with torch.no_grad():
            for images, target in batches:
                given.clear()
                answers.clear()
                answer = network(images)
                if len(given) != 1 or given[0] is None or answers[0] is not answer:
                    return [], []
                features.append(given[0].clone())
                targets.append(target)
                if sum(each.numel() * each.element_size() for each in features) > _LARGEST:
                    return [], []
    finally:
        handle.remove()
        network.train()
    return features, targets
