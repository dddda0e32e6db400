"""The colour of fully transparent pixels, which is invisible but affects networks."""

from __future__ import annotations

import torch
from torch import Tensor


def bleed(image: Tensor, alpha: Tensor) -> Tensor:
    """Give fully transparent pixels the colour of the nearest visible pixel (alpha bleeding).

    Files often have black there, which would cause a dark fringe along the edge.

    Shape: image ``(1, 3, H, W)``, alpha ``(1, 1, H, W)``, of any dtype; the image's dtype is kept.
    """
    hidden = (alpha[0, 0] == 0).cpu()
    if not bool(hidden.any()) or bool(hidden.all()):
        return image
    from scipy.ndimage import distance_transform_edt  # imported here because it is slow and rarely needed

    nearest = distance_transform_edt(hidden.numpy(), return_distances=False, return_indices=True)
    rows, columns = torch.from_numpy(nearest).to(image.device, torch.int64)
    channels = image.shape[1]
    source = image[:, :1] if image.stride(1) == 0 else image  # one channel, repeated
    return source[..., rows, columns].expand(-1, channels, -1, -1)
