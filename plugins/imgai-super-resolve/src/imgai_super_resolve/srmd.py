"""The network of `clean`: SRMDNF, a plain chain of convolutions that is told how the picture was shrunk.

Zhang, Zuo, Zhang, "Learning a Single Convolutional Super-Resolution Network for Multiple Degradations", 2018,
arXiv:1712.06116. The blur is told as its coordinates in a basis of blurs (15 numbers), as channels beside the colours.
Here they are fixed: those of the bicubic filter.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_super_resolve.turned import predictor, two_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from imgai.plugin import LoadContext

COORDINATES = 15
"""Numbers that describe a blur."""
DEPTH = 12
"""The number of convolutions."""
TWICE = (2,)
"""The scales whose answer is the mean of two looks, one of them upside down: where least has to be guessed it gains
0.11 dB."""


class Srmd(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``, around [0, 1].

    width: channels of the features. twice: the answer is the mean of two looks, one upside down; not in training.
    """

    def __init__(self, scale: int, width: int = 128, *, twice: bool = False) -> None:
        super().__init__()
        self.twice = twice
        widths = (3 + COORDINATES, *(width,) * (DEPTH - 1), 3 * scale**2)
        self.kernel = nn.Parameter(torch.zeros(COORDINATES))
        self.body = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        if self.training or not self.twice:
            return self._enlarged(image, self.body)
        return two_looks(self._enlarged, image, self.body, self.scale)

    def _enlarged(self, image: Tensor, layers: Iterable[Callable[[Tensor], Tensor]]) -> Tensor:
        count, _, height, width = image.shape
        kernel = self.kernel.to(image.dtype).view(1, -1, 1, 1).expand(count, -1, height, width)
        first, *between, last = layers
        x = F.relu(first(torch.cat((image, kernel), dim=1)))
        lost = image - image.to(x.dtype).float()  # by rounding, where the convolutions run in half precision
        for convolution in between:
            x = F.relu(convolution(x))
        with torch.autocast(image.device.type, enabled=False):  # it says the picture itself, which needs all its bits
            answer = F.pixel_shuffle(last(x.float()), self.scale)
        return answer + F.interpolate(lost, scale_factor=self.scale)


def load_weights(file: Path, scale: int, *, once: bool = False) -> Srmd:
    """The network of a file; `once` for one orientation, whatever the scale.

    Raises RuntimeError if the weights are those of another network.
    """
    state = load_file(file)
    if "kernel" not in state or "body.0.weight" not in state:
        raise RuntimeError(f"{file.name} holds no SRMD: there is no kernel and body.0.weight in it")
    network = Srmd(scale, state["body.0.weight"].shape[0], twice=scale in TWICE and not once)
    network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.eval()


def load(context: LoadContext) -> Predictor:
    """Load a model.

    Shape: ``(B, 3, h, w)`` in [0, 1] to ``(B, 3, h * scale, w * scale)``, around [0, 1]

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    turned = getattr(context.params, "tta", False)  # all eight are averaged outside of the network
    return predictor(context, partial(load_weights, once=turned))
