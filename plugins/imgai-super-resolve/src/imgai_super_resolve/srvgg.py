"""The network of `photo`: a plain chain of convolutions at the small picture's size.

It is the SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833,
https://github.com/xinntao/Real-ESRGAN, BSD-3-Clause), in the form of its animevideov3: 3x3 convolutions with a PReLU
between each two, and the picture with every pixel repeated is added to what they make. The files hold the names of
its published checkpoints, so programs that know that network open them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_super_resolve.turned import predictor

if TYPE_CHECKING:
    from pathlib import Path

    from imgai.plugin import LoadContext


class Srvgg(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``, around [0, 1].

    width: channels of the features. depth: convolutions between the first and the last.
    """

    def __init__(self, scale: int, width: int = 64, depth: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth + 1):
            layers += [nn.Conv2d(width if number else 3, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * scale**2, 3, padding=1))
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        detail = F.pixel_shuffle(self.body(image), self.scale)
        return detail + F.interpolate(image, scale_factor=self.scale)


def load_weights(file: Path, scale: int) -> Srvgg:
    """The network of a file. Raises RuntimeError if the weights are those of another network."""
    state = load_file(file)
    if "body.0.weight" not in state:
        raise RuntimeError(f"{file.name} holds no SRVGGNetCompact: there is no body.0.weight in it")
    depth = sum(value.ndim == 4 for value in state.values()) - 2
    network = Srvgg(scale, width=state["body.0.weight"].shape[0], depth=depth)
    network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.eval()


def load(context: LoadContext) -> Predictor:
    """Load a model.

    Shape: ``(B, 3, h, w)`` in [0, 1] to ``(B, 3, h * scale, w * scale)``, around [0, 1]

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    return predictor(context, load_weights)
