"""The network of `photo`: a plain chain of convolutions at the small picture's size.

It is the SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833,
https://github.com/xinntao/Real-ESRGAN, BSD-3-Clause), in the form of its animevideov3: 3x3 convolutions with a PReLU
between each two, and the picture with every pixel repeated is added to what they make. The files hold the names of
its published checkpoints, so programs that know that network open them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kornia.filters import gaussian_blur2d
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_super_resolve.turned import predictor, two_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from imgai.plugin import LoadContext

TWICE = (4,)
"""The scales whose answer is the mean of two looks, one of them upside down: where most has to be guessed it is 0.2 dB
nearer to the teacher's, 0.1 once it is as crisp as one look."""
SHARPENED = 0.5
"""Of what a blur takes from such a mean, how much is added to it: a mean is softer than what it is taken of."""
BLUR, SIDE = 0.7, 5
"""The blur's standard deviation and the side of its kernel, in pixels of the large picture."""


class Srvgg(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``, around [0, 1].

    width: channels of the features. depth: convolutions between the first and the last.
    twice: the answer is the mean of two looks, one upside down, and sharpened; not in training.
    """

    def __init__(self, scale: int, width: int = 64, depth: int = 16, *, twice: bool = False) -> None:
        super().__init__()
        self.twice = twice
        layers: list[nn.Module] = []
        for number in range(depth + 1):
            layers += [nn.Conv2d(width if number else 3, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * scale**2, 3, padding=1))
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        if self.training or not self.twice:
            return self._enlarged(image, self.body)
        mean = two_looks(self._enlarged, image, self.body, self.scale)
        return mean + SHARPENED * (mean - gaussian_blur2d(mean, SIDE, (BLUR, BLUR)))

    def _enlarged(self, x: Tensor, layers: Iterable[Callable[[Tensor], Tensor]]) -> Tensor:
        repeated = F.interpolate(x, scale_factor=self.scale)
        for layer in layers:
            x = layer(x)
        return F.pixel_shuffle(x, self.scale) + repeated


def load_weights(file: Path, scale: int, *, once: bool = False) -> Srvgg:
    """The network of a file; `once` for one orientation, whatever the scale.

    Raises RuntimeError if the weights are those of another network.
    """
    state = load_file(file)
    if "body.0.weight" not in state:
        raise RuntimeError(f"{file.name} holds no SRVGGNetCompact: there is no body.0.weight in it")
    depth = sum(value.ndim == 4 for value in state.values()) - 2
    network = Srvgg(scale, state["body.0.weight"].shape[0], depth, twice=scale in TWICE and not once)
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
