"""Optimizers over parameter groups with their own learning rates and weight decays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from imgai.errors import UsageError

RATES = {"adamw": 1e-3, "adam": 1e-3, "sgd": 2e-2, "rmsprop": 3e-4, "muon": 1e-3}
"""The optimizers, and the rate of each where nothing else is said."""
DECAYS = {"adamw": 0.01, "adam": 0.0, "sgd": 1e-4, "rmsprop": 0.0, "muon": 0.01}
"""The weight decay of each where nothing else is said.

That of adamw and muon is decoupled: a weight loses this part of itself times the rate. With the others it is added to
the gradient, and adam and rmsprop divide by the gradient's size: near the end of a training, where gradients are small,
0.01 moves every weight at the full rate, and a network that was good loses what it knew (Loshchilov and Hutter,
"Decoupled Weight Decay Regularization", arXiv:1711.05101).
"""
REST = 0.1
"""The learning rate of a pretrained body under a new head, as a fraction of that of the head."""


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal, for kernels inside a network; AdamW for all else.

    Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/), with the update scaled so that the rates of AdamW
    fit (Liu et al., "Muon is Scalable for LLM Training", arXiv:2502.16982). A kernel ``(O, I, h, w)`` is taken as a
    matrix of O rows.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], rate: float, momentum: float = 0.95) -> None:
        super().__init__(groups, {"lr": rate, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                if group["orthogonal"]:
                    self._turn(parameter, group["lr"], group["momentum"])
                else:
                    self._adam(parameter, group["lr"])

    def _turn(self, parameter: Tensor, rate: float, momentum: float) -> None:
        state = self.state[parameter]
        buffer = state.setdefault("momentum", torch.zeros_like(parameter))
        slope = parameter.grad
        assert slope is not None
        buffer.lerp_(slope, 1 - momentum)
        update = torch.lerp(slope, buffer, momentum).flatten(1)
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.add_(orthogonal(update).view_as(parameter), alpha=-rate * scale)

    def _adam(self, parameter: Tensor, rate: float, beta: float = 0.9, beta2: float = 0.99) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["first"], state["second"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        slope = parameter.grad
        state["first"].lerp_(slope, 1 - beta)
        state["second"].mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
        root = (state["second"] / (1 - beta2 ** state["step"])).sqrt_().add_(1e-8)
        parameter.addcdiv_(state["first"], root, value=-rate / (1 - beta ** state["step"]))


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """The nearest matrix whose singular values are all about 1, by a quintic Newton-Schulz iteration.

    Shape: ``(m, n)`` to the same
    """
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    turned: Tensor = x.T if matrix.shape[0] > matrix.shape[1] else x
    return turned


def make_optimizer(
    name: str,
    network: nn.Module,
    *,
    rate: float,
    weight_decay: float | None,
    is_head: Callable[[str], bool] | None = None,
    rest: float = 1.0,
) -> torch.optim.Optimizer:
    """An optimizer of that name over the parameters that require gradients.

    weight_decay: None is that of the optimizer in `DECAYS`; biases and what normalises do not decay. rest: what the
    rate of all but the head is multiplied by. Every group has its own rate as ``highest``. Raises UsageError for a name
    that there is not.
    """
    if name not in RATES:
        raise UsageError(f"there is no optimizer {name!r}", f"it is one of {', '.join(RATES)}")
    decay = DECAYS[name] if weight_decay is None else weight_decay
    learned = [(key, value) for key, value in network.named_parameters() if value.requires_grad]
    ends = {key for key, _ in (learned[:1] + [pair for pair in learned if pair[1].ndim > 1][-1:])}
    groups: dict[tuple[bool, bool, bool], list[Tensor]] = {}
    for key, value in learned:
        head = is_head is not None and is_head(key)
        inside = name == "muon" and value.ndim > 1 and not head and key not in ends
        groups.setdefault((head, value.ndim > 1, inside), []).append(value)
    made: list[dict[str, Any]] = []
    for (head, decays, inside), values in groups.items():
        highest = rate if head or is_head is None else rate * rest
        group = {"params": values, "lr": highest, "highest": highest, "weight_decay": decay if decays else 0.0}
        made.append(group | ({"orthogonal": inside} if name == "muon" else {}))
    if name == "muon":
        return Muon(made, rate)
    makers: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "rmsprop": torch.optim.RMSprop,
    }
    if name == "sgd":
        return torch.optim.SGD(made, lr=rate, momentum=0.9, nesterov=True)
    return makers[name](made, lr=rate)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Bring every group to this part of its highest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * factor
