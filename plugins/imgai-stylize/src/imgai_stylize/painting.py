"""The predictors of both models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
from kornia.filters import gaussian_blur2d
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, UsageError, identity
from imgai_stylize import PAINTINGS
from imgai_stylize.displacement import Bend, bend
from imgai_stylize.drawn import DRAWINGS
from imgai_stylize.eye import Eye
from imgai_stylize.network import Painter, StyleNet, pack, unpack

LONGEST, DRAWN_LONGEST = 1280, 2560
"""Pixels along the longer side at which pictures are painted, and drawn, at a style-scale of 1."""
FRACTION = 0.8
"""Of their own sides, at which small pictures are painted: the finest strokes are then more than a pixel wide."""
LARGEST_STYLE, LEAST_STYLE = 640, 32
"""The longer side at which a style's picture is looked at, and the least of either."""


class Mixture(nn.Module):
    """A tile painted in a blend of styles, with drawings blended in.

    Shape: ``(B, 3, H, W)`` in [0, 1], ``(B, N)``, ``(B, 4)`` -> ``(B, 3, H, W)``

    style: ``(1, SIZE)``, the numbers of the blend; None where nothing is painted.
    share: of what is painted, in the whole.
    drawings: what is drawn, and its share.
    """

    def __init__(
        self,
        network: StyleNet | None,
        style: Tensor | None,
        share: float,
        drawings: list[tuple[Callable[[Tensor, Tensor], Tensor], float]],
        *,
        strength: float = 1.0,
        keep_colors: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.style = style
        self.share = share
        self.drawings = drawings
        self.strength = strength
        self.keep_colors = keep_colors

    def survey(self, view: Tensor) -> Tensor:
        """The statistics of the whole picture, which all of its tiles are painted with; and its size.

        Shape: ``(1, 3, h, w)`` in [0, 1] -> ``(N,)``
        """
        size = torch.tensor([float(view.shape[-2]), float(view.shape[-1])], device=view.device)
        if self.network is None or self.style is None:
            return size
        painter = Painter(self.style, None)
        height, width = (-(-max(side, 16) // 8) * 8 for side in view.shape[-2:])
        bent = bend(height, width, 0.0, 0.0, view.device).there(extended(view, height, width))  # as the tiles are
        self.network.paint(bent, painter)
        return torch.cat((size, pack(painter.used)[0]))

    def forward(self, image: Tensor, notes: Tensor, place: Tensor) -> Tensor:
        made = torch.zeros_like(image)
        # A tile's place is told in fractions of the picture, so that its size in pixels follows from its own.
        height, width = image.shape[-2:]
        origin = (place[:, :2] / place[:, 2:] * torch.tensor([height, width], device=image.device)).round()
        if self.network is not None and self.style is not None:
            style = self.style.expand(len(image), -1)
            whole = unpack(notes[:, 2:]) if notes.shape[1] else None  # None: the tile is the picture
            bends = [bend(height, width, top, left, image.device) for top, left in origin.tolist()]
            with torch.autocast(image.device.type, enabled=False):
                seen = each(bends, Bend.there, steadied(image))
            painted = self.network(seen, style, whole).float()
            with torch.autocast(image.device.type, enabled=False):
                made = self.share * each(bends, Bend.back, painted)
        planes = image.float().contiguous()
        for drawing, share in self.drawings:
            made = made + share * drawing(planes, origin)
        if self.keep_colors:
            luma = rgb_to_ycbcr(made.clamp(0, 1))[:, :1]
            made = ycbcr_to_rgb(torch.cat((luma, rgb_to_ycbcr(image)[:, 1:]), dim=1)).clamp(0, 1)
        return made if self.strength == 1 else image + self.strength * (made - image)


def each(bends: Sequence[Bend], function: Callable[[Bend, Tensor], Tensor], images: Tensor) -> Tensor:
    """A batch whose images are bent one by one: each lies at another place. Shape: ``(B, 3, H, W)``, kept"""
    return torch.cat([function(bend, image[None]) for bend, image in zip(bends, images, strict=True)])


def extended(view: Tensor, height: int, width: int) -> Tensor:
    """Continued at the right and below by its last row and column. Shape: ``(1, 3, h, w)`` -> ``(1, 3, H, W)``"""
    down, across = height - view.shape[-2], width - view.shape[-1]
    return nn.functional.pad(view, (0, across, 0, down), mode="replicate")


def steadied(image: Tensor) -> Tensor:
    """A little blurred, so that the grain of a frame, which is another in the next, does not become a stroke.

    Shape: ``(B, 3, H, W)``, kept
    """
    planes = (
        image.contiguous()
    )  # filters of each channel alone take twenty times as long where channels are interleaved
    return gaussian_blur2d(planes, (5, 5), (0.7, 0.7), border_type="replicate")


def load_built_in(context: LoadContext) -> Predictor:
    """The built-in styles: paintings by the network, drawings by rules, or both.

    Shape: ``(B, 3, h, w)`` in [0, 1] -> the same, h and w multiples of 8 and at least 16

    Raises:
        ValueError: the context names no weights, or the file holds those of another network.
    """
    if _strength(context) == 0:
        return Predictor(network=identity)
    asked = getattr(context.model_params, "style", ("starry-night",))
    weights = dict.fromkeys((*PAINTINGS, *DRAWINGS), 0.0)
    for text in asked:
        name, _, weight = text.partition(":")
        weights[name] += float(weight or 1)
    total = sum(weights.values())
    painted = torch.tensor([weights[name] / total for name in PAINTINGS])
    share = float(painted.sum())
    drawings = [(drawing, weights[name] / total) for name, drawing in DRAWINGS.items() if weights[name] > 0]
    network, style = None, None
    if share > 0:
        state = _state(context)
        table = state.pop("source.styles").to(torch.float32)
        network = _network(context, state)
        style = (painted.to(table.device) / share) @ table
    mixture = Mixture(
        network,
        None if style is None else style[None],
        share,
        drawings,
        strength=_strength(context),
        keep_colors=_keep_colors(context),
    )
    return _predictor(context, mixture)


def load_any(context: LoadContext) -> Predictor:
    """Load the model that takes any picture as the style.

    Shape: ``(B, 3, h, w)`` in [0, 1] -> the same, h and w multiples of 8 and at least 16

    Raises:
        UsageError: no picture is named, or it cannot be read.
        ValueError: the weights are those of another network.
    """
    if _strength(context) == 0:
        return Predictor(network=identity)
    file = getattr(context.model_params, "style_image", None)
    if file is None:
        raise UsageError("the model any needs a picture for its style", "add --style-image FILE")
    state = _state(context)
    eye = Eye()
    mine = {key.removeprefix("source."): state.pop(key) for key in list(state) if key.startswith("source.")}
    try:
        eye.load_state_dict({key: value.to(torch.float32) for key, value in mine.items()})
    except RuntimeError as error:
        raise ValueError(f"{context.model.name}: the weights are those of another network") from error
    eye.to(context.device).eval()
    network = _network(context, state)
    with torch.inference_mode():
        style = eye(picture(context, Path(file)).to(context.device))
    mixture = Mixture(network, style.clone(), 1.0, [], strength=_strength(context), keep_colors=_keep_colors(context))
    return _predictor(context, mixture)


def picture(context: LoadContext, file: Path) -> Tensor:
    """The picture of a style, at the size at which it is looked at. Shape: ``(1, 3, H, W)`` in [0, 1]

    Raises:
        UsageError: the file holds no picture that can be read.
    """
    try:
        whole = context.read_image(file)[0]
    except UsageError as error:
        reason = error.message.removeprefix(f"{file}: ")
        raise UsageError(f"--style-image {file} cannot be read: {reason}", error.hint or "name a picture") from error
    image = Image.fromarray((whole * 255).round_().to(torch.uint8).permute(1, 2, 0).contiguous().numpy())
    image.thumbnail((LARGEST_STYLE, LARGEST_STYLE), Image.Resampling.LANCZOS)
    if min(image.size) < LEAST_STYLE:
        image = image.resize((max(LEAST_STYLE, image.width), max(LEAST_STYLE, image.height)))
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, 3).permute(2, 0, 1)[None].float() / 255


def _predictor(context: LoadContext, mixture: Mixture) -> Predictor:
    scale = float(getattr(context.params, "style_scale", 1.0))
    longest, fraction = (DRAWN_LONGEST, 1.0) if mixture.network is None else (LONGEST, FRACTION)
    at = max(64, round(longest / scale))
    model = dataclasses.replace(
        context.model, longest=at, fraction=min(1.0, fraction / scale), overview=min(at, LONGEST)
    )
    mixture.to(context.device).eval()
    return Predictor(
        preprocess=identity,
        network=mixture,
        survey=lambda view: mixture.survey(steadied(view)),
        sees_whole=True,
        detail=1 - mixture.strength,
        model=model,
    )


def _strength(context: LoadContext) -> float:
    return float(getattr(context.params, "strength", 1.0))


def _keep_colors(context: LoadContext) -> bool:
    return bool(getattr(context.params, "keep_colors", False))


def _state(context: LoadContext) -> dict[str, Tensor]:
    if context.weights is None:
        raise ValueError(f"the model {context.model.name} needs its weights")
    return load_file(context.weights, device=str(context.device))


def _network(context: LoadContext, state: dict[str, Tensor]) -> StyleNet:
    network = StyleNet()
    try:
        network.load_state_dict({key.removeprefix("network."): value.to(torch.float32) for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"{context.model.name}: the weights are those of another network") from error
    return network.to(context.device).eval()
