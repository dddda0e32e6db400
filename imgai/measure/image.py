"""Measures of images: PSNR, SSIM, and LPIPS if its weights are installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from imgai.images.depth import to_float
from imgai.images.space import space_of
from imgai.measure.figures import Figures, mean
from imgai.sample import Sample

WINDOW = 11
"""The side of SSIM's Gaussian window (Wang et al. 2004); its sigma is 1.5."""
_BAND = 512  # rows whose SSIM is computed at once
_BEST = 100.0  # dB of pictures that are equal, so that means stay finite


class ImageMeasure:
    """PSNR and SSIM of all channels, and PSNR of luma alone, as papers on enlarging give it: means of images.

    Of a step that works in a mask, the masked pixels alone count: the others are those of the file.
    """

    alone: ClassVar[str] = "psnr"
    rank: ClassVar[str] = "psnr"

    def __init__(self, labels: tuple[str, ...] = (), threshold: float = 0.5, border: int = 0, masked: str = "") -> None:
        """border: pixels at each edge that do not count (papers on enlarging leave out as many as the scale).

        masked: the name of a step that works in a mask.
        """
        self._border = border
        self._masked = masked
        self._images: list[dict[str, float | None]] = []

    def update(self, predicted: Sample | Tensor, true: Tensor) -> dict[str, float | None]:
        """Add one image. predicted, true: ``(3, H, W)`` in sRGB, uint8, uint16 or float in [0, 1], of one size."""
        one, other = to_float(_in_srgb(predicted) if isinstance(predicted, Sample) else predicted), to_float(true)
        inside = None
        if self._masked and isinstance(predicted, Sample) and (given := predicted.given.get(self._masked)) is not None:
            inside = given.values[0, 0].to(one.device)
        cut = min(self._border, (min(one.shape[-2:]) - 1) // 2)
        if cut:
            one, other = one[:, cut:-cut, cut:-cut], other[:, cut:-cut, cut:-cut]
            inside = None if inside is None else inside[cut:-cut, cut:-cut]
        figures = {
            "psnr": psnr(one, other, inside),
            "ssim": ssim(one, other, inside),
            "psnr_y": psnr(luma(one), luma(other), inside),
        }
        # Not of masked pixels: it is of windows that reach far, and has no value for a part of a picture.
        if not self._masked and (lpips := _lpips()) is not None:
            figures["lpips"] = lpips(one, other)
        self._images.append(figures)
        return figures

    def compute(self) -> Figures:
        """The means of all images so far."""
        names = ("psnr", "ssim", "psnr_y", *(("lpips",) if self._images and "lpips" in self._images[0] else ()))
        values = {name: mean([each[name] for each in self._images]) for name in names}
        return Figures(len(self._images), values, "psnr")


def _in_srgb(sample: Sample) -> Tensor:
    """A sample's image, which is in the file's own space. Shape: ``(3, H, W)``"""
    space = space_of(sample.metadata.icc, 1 if sample.metadata.gray else 3)
    if space is None:
        return sample.image[0]
    image = space.to_srgb(sample.image[:, :1] if sample.metadata.gray else sample.image)
    return image.expand(-1, 3, -1, -1)[0]


def psnr(one: Tensor, other: Tensor, inside: Tensor | None = None) -> float | None:
    """In dB, for a peak of 1; of equal pictures 100. Shape: ``(..., H, W)``, the same.

    inside: ``(H, W)`` bool, the pixels that count; None if there are none.
    """
    wrong = (one - other).square_()
    if inside is not None:
        wrong = wrong[..., inside]
        if not wrong.numel():
            return None
    error = float(wrong.mean(dtype=torch.float64))
    return min(_BEST, -10 * float(torch.tensor(error, dtype=torch.float64).log10())) if error else _BEST


def ssim(one: Tensor, other: Tensor, inside: Tensor | None = None) -> float | None:
    """The mean of structural similarity; None of pictures smaller than its window. Shape: ``(C, H, W)``.

    inside: ``(H, W)`` bool, the pixels that count, each by the window around it; those whose window would reach beyond
        the picture do not. None if there are none.
    """
    from kornia.metrics import ssim as map_of

    height, width = one.shape[-2:]
    if min(height, width) < WINDOW:
        return None
    total, reach = 0.0, WINDOW // 2
    counted = None if inside is None else inside[reach : height - reach, reach : width - reach]
    number = (height - WINDOW + 1) * (width - WINDOW + 1) if counted is None else int(counted.sum())
    if number == 0:
        return None
    # By bands of rows, so that the maps of a large picture are never all there at once.
    for top in range(0, height - WINDOW + 1, _BAND):
        rows = slice(top, min(height, top + _BAND + WINDOW - 1))
        values = map_of(one[None, :, rows], other[None, :, rows], WINDOW, padding="valid")
        if counted is not None:
            values = values[..., counted[top : top + values.shape[-2]]]
        total += float(values.sum(dtype=torch.float64))
    return total / (one.shape[0] * number)


def luma(image: Tensor) -> Tensor:
    """Y of ITU-R BT.601 in the range of video, 16 to 235 of 255. Shape: ``(3, H, W)`` to ``(H, W)``."""
    weights = torch.tensor((65.481, 128.553, 24.966)) / 255
    return torch.einsum("chw,c->hw", image, weights) + 16 / 255


@cache
def _lpips() -> Callable[[Tensor, Tensor], float] | None:
    """LPIPS with AlexNet, if torchmetrics, torchvision and the weights are installed; nothing is fetched."""
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    if not any(checkpoints.glob("alexnet-*.pth")):
        return None
    try:
        from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as distance
    except Exception:  # torchvision may be there and broken, which raises whatever it likes
        return None

    def compare(one: Tensor, other: Tensor) -> float:
        given: tuple[Any, Any] = one[None].clamp(0, 1), other[None].clamp(0, 1)
        return float(distance(*given, net_type="alex", normalize=True))

    return compare
