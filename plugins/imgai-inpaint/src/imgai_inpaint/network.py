"""The network that fills small holes.

A U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597) of residual blocks without normalisation, in the manner of
DRUNet (Zhang et al. 2021, arXiv:2008.13751). It is given the picture with its holes filled smoothly and the mask, at
half the size with the four pixels of each cell as channels (FFDNet, Zhang et al. 2018, arXiv:1710.04026), and answers
with what is to be added to the fill.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor
from imgai_inpaint.fill import smooth_fill

WIDTHS = (48, 80, 128)
"""Channels at 1/2, 1/4 and 1/8 of the picture's size."""
BLOCKS = (2, 2, 4)
"""The number of residual blocks at each size, in the encoder and again in the decoder except for the last."""


class Block(nn.Module):
    """Two convolutions with a residual connection.

    Shape: ``(B, C, H, W)`` -> ``(B, C, H, W)``
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x)))
        return x + change


def blocks(width: int, count: int) -> nn.Sequential:
    """Return a sequence of residual blocks."""
    return nn.Sequential(*(Block(width) for _ in range(count)))


class InpaintNet(nn.Module):
    """The network, which fills the masked holes of a picture.

    Shape: ``(B, 4, H, W)`` in [0, 1], red, green, blue and the mask (1 in holes) -> ``(B, 3, H, W)`` around [0, 1],
    equal to the picture outside of holes. H and W are multiples of 8. What the picture holds in holes is not looked at.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, counts: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(16, widths[0], 3, padding=1)
        self.encode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, 2) for wide, deep in steps)
        self.middle = blocks(widths[-1], counts[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2) for wide, deep in steps)
        self.decode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        image, mask = x[:, :3], x[:, 3:]
        filled = smooth_fill(image, mask)
        made: Tensor = filled + mask * self.detail(filled, mask)
        return made

    def detail(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Predict the detail missing from the smooth fill.

        Shape: ``(B, 3, H, W)`` and ``(B, 1, H, W)`` to ``(B, 3, H, W)`` around 0.
        """
        x = self.stem(F.pixel_unshuffle(torch.cat((filled - 0.5, mask), 1), 2))  # (B, 16, H / 2, W / 2)
        skips = []
        for encode, down in zip(self.encode, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = decode(up(x) + skip)
        return F.pixel_shuffle(self.head(x), 2)


def load(context: LoadContext) -> Predictor:
    """Load the model.

    Shape: ``(B, 4, h, w)`` in [0, 1], h and w multiples of 8 -> ``(B, 3, h, w)``

    Raises:
        ValueError: the context names no weights, or the file holds those of another network.
    """
    name = context.model.name
    if context.weights is None:
        raise ValueError(f"the model {name} of inpaint needs its weights")
    network = InpaintNet()
    state = load_file(context.weights, device=str(context.device))
    try:
        network.load_state_dict({key: value.to(torch.float32) for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"{context.weights.name} does not hold the weights of {name}, a model of inpaint") from error
    return Predictor(network=network.to(context.device).eval())
