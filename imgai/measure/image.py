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
    """PSNR and SSIM of all channels, and PSNR of luma alone, as papers on enlarging give it: means of images."""

    alone: ClassVar[str] = "psnr"
    rank: ClassVar[str] = "psnr"

    def __init__(self, labels: tuple[str, ...] = (), threshold: float = 0.5, border: int = 0) -> None:
        """border: pixels at each edge that do not count (papers on enlarging leave out as many as the scale)."""
        self._border = border
        self._images: list[dict[str, float | None]] = []

    def update(self, predicted: Sample | Tensor, true: Tensor) -> dict[str, float | None]:
        """Add one image. predicted, true: ``(3, H, W)`` in sRGB, uint8, uint16 or float in [0, 1], of one size."""
        one, other = to_float(_in_srgb(predicted) if isinstance(predicted, Sample) else predicted), to_float(true)
        cut = min(self._border, (min(one.shape[-2:]) - 1) // 2)
        if cut:
            one, other = one[:, cut:-cut, cut:-cut], other[:, cut:-cut, cut:-cut]
        figures = {"psnr": psnr(one, other), "ssim": ssim(one, other), "psnr_y": psnr(luma(one), luma(other))}
        if (lpips := _lpips()) is not None:
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


def psnr(one: Tensor, other: Tensor) -> float:
    """In dB, for a peak of 1; of equal pictures 100. Shape: any, the same."""
    error = float((one - other).square_().mean(dtype=torch.float64))
    return min(_BEST, -10 * float(torch.tensor(error, dtype=torch.float64).log10())) if error else _BEST


def ssim(one: Tensor, other: Tensor) -> float | None:
    """The mean of structural similarity; None of pictures smaller than its window. Shape: ``(C, H, W)``."""
    from kornia.metrics import ssim as map_of

    height, width = one.shape[-2:]
    if min(height, width) < WINDOW:
        return None
    total = 0.0
    # By bands of rows, so that the maps of a large picture are never all there at once.
    for top in range(0, height - WINDOW + 1, _BAND):
        rows = slice(top, min(height, top + _BAND + WINDOW - 1))
        values = map_of(one[None, :, rows], other[None, :, rows], WINDOW, padding="valid")
        total += float(values.sum(dtype=torch.float64))
    return total / (one.shape[0] * (height - WINDOW + 1) * (width - WINDOW + 1))


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
