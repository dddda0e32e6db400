"""How near three ways of upsampling come to a mask that was shrunk to a network's size.

Masks of people and objects are reduced to 100 x 100 (antialiased; once as they are, once blurred over 3 x 3 as networks
blur), brought back to their pictures' size, and compared with what they were: mean absolute error, and IoU at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from kornia.filters import guided_blur
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import to_float
from imgai.images.resize import resize
from imgai.images.upsample import upsample

SIZE = (100, 100)


def bilinear(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    return F.interpolate(mask[None], image.shape[-2:], mode="bilinear")[0, 0]


def guided(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    """He and Sun's filter at the picture's size, over a window of 5 pixels of the small grid."""
    side = 2 * round(2.5 * image.shape[-1] / SIZE[1]) + 1
    return guided_blur(to_float(image), bilinear(mask, small, image)[None, None], (side, side), eps=1e-3)[0, 0]


def ours(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    return upsample(mask, small, image)[0].float() / 255


def measure(data: Path, count: int = 24) -> dict[str, dict[str, float]]:
    pictures: list[Path] = []
    for folder in ("people", "video-objects"):
        paths = sorted((data / folder / "images").iterdir())
        pictures += paths[:: len(paths) // (count // 2)]
    ways: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"bilinear": bilinear, "guided": guided, "ours": ours}
    rows: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        for blur in (1, 3):
            errors, ious = [], []
            for path in pictures:
                image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None]
                mask_path = path.parent.parent / "masks" / f"{path.stem}.png"
                truth = torch.from_numpy(np.array(Image.open(mask_path)).astype(bool))
                mask = resize(truth[None, None].float(), SIZE)[0]
                mask = F.avg_pool2d(mask, blur, stride=1, padding=blur // 2, count_include_pad=False)
                found = way(mask, resize(image, SIZE)[0], image)
                errors.append(float((found - truth.float()).abs().mean()))
                inside = found >= 0.5
                ious.append(float((inside & truth).sum() / (inside | truth).sum()))
            rows[f"{name}, blur {blur}"] = {"error": float(np.mean(errors)), "iou": float(np.mean(ious))}
    return rows
