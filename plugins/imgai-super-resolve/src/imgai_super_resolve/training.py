"""Fine-tuning by ``imgai train super-resolve``, on small pictures made from the large ones."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from imgai.plugin import LoadContext, Trainable, TrainContext
from imgai_super_resolve import span, srmd, srvgg

BLUR, NOISE = 1.2, 8 / 255
"""The greatest sigma, in pixels of the small picture, and deviation of what a small picture of the web has suffered."""


def shrunk(clean: Tensor, scale: int) -> Tensor:
    """By the bicubic filter of papers. Shape: ``(B, 3, H, W)`` to ``(B, 3, H / scale, W / scale)``, rounded down"""
    size = (max(1, clean.shape[-2] // scale), max(1, clean.shape[-1] // scale))
    clean = clean[..., : size[0] * scale, : size[1] * scale]
    small: Tensor = F.interpolate(clean, size, mode="bicubic", antialias=True).clamp(0, 1)
    return small


def worn(clean: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """Shrunk, two in three a little blurred before, and with noise of any level up to NOISE. Shape: as `shrunk`"""
    sigma = float(torch.rand(1, generator=generator)) * 1.5 * BLUR * scale - 0.5 * BLUR * scale
    if sigma > 0.1 and min(clean.shape[-2:]) > 4 * scale:
        side = 4 * scale + 1
        clean = gaussian_blur2d(clean, (side, side), (sigma, sigma), border_type="replicate")
    small = shrunk(clean, scale)
    level = torch.rand(len(small), 1, 1, 1, generator=generator) * NOISE
    noise = torch.randn(small.shape, generator=generator) * level
    return ((small + noise.to(small.device)).clamp(0, 1) * 255).round() / 255


def _context(context: TrainContext) -> LoadContext:
    return LoadContext(model=context.model, device=context.device, weights=context.weights)


def train_clean(context: TrainContext) -> Trainable:
    """Go on from the shipped weights of `clean`: pictures that are only shrunk."""
    scale = context.model.scale
    return Trainable(
        predictor=srmd.load(_context(context)),
        loss="l1",
        spoil=lambda clean, generator: shrunk(clean, scale),
        augment=("flip", "turn"),
        is_head=lambda name: name.startswith(f"body.{srmd.DEPTH - 1}."),
        rate=5e-6,  # SRMD bears a small rate alone
    )


def train_faithful(context: TrainContext) -> Trainable:
    """Go on from the shipped weights of `faithful`: pictures that are worn."""
    scale = context.model.scale
    return Trainable(
        predictor=span.load(_context(context)),
        loss="l1",
        spoil=lambda clean, generator: worn(clean, scale, generator),
        augment=("flip", "turn"),
        is_head=lambda name: name.startswith("upsampler."),
        rate=5e-5,
    )


def train_photo(context: TrainContext) -> Trainable:
    """Go on from the shipped weights of `photo`. What is learned is faithful rather than crisp: no judge is trained."""
    scale, predictor = context.model.scale, srvgg.load(_context(context))
    return Trainable(
        predictor=predictor,
        loss="l1",
        spoil=lambda clean, generator: worn(clean, scale, generator),
        augment=("flip", "turn"),
        rate=5e-5,
    )
