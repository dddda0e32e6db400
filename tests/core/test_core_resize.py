"""Bringing pictures to a network's size and masks back."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from imgai.images.resize import resize
from imgai.images.upsample import upsample
from imgai.testing.images import gradient, noise


def test_the_fast_path_is_the_float_path_within_one_level() -> None:
    image = (noise(300, 400) * 255).to(torch.uint8)
    fast = resize(image, (64, 48))
    exact = resize(image.float() / 255, (64, 48))
    assert (fast - exact).abs().max() <= 1 / 255 + 1e-6


def test_resizing_is_antialiased() -> None:
    """Fine stripes become grey, not coarse stripes."""
    stripes = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    stripes[..., ::2] = 255
    small = resize(stripes, (60, 60))
    assert (small - 0.5).abs().max() < 0.05


def test_a_repeated_channel_stays_repeated() -> None:
    gray = (noise(100, 100)[:, :1] * 255).to(torch.uint8).expand(1, 3, -1, -1)
    small = resize(gray, (20, 20))
    assert small.stride(1) == 0
    assert torch.allclose(small, resize(gray.contiguous(), (20, 20)), atol=1e-6)


def slanted(size: int) -> torch.Tensor:
    """A bright half plane with a slanted edge. Shape: ``(H, W)`` bool."""
    y, x = torch.meshgrid(torch.arange(size).float(), torch.arange(size).float(), indexing="ij")
    return 0.37 * (y - size / 2) < (x - size / 2)


def test_an_upsampled_mask_follows_the_edge_of_the_picture() -> None:
    truth = slanted(512)
    image = (truth * 120 + 60).to(torch.uint8)[None, None].expand(1, 3, -1, -1).contiguous()
    small = resize(image, (64, 64))
    # A mask that is right but blurred, as networks give.
    mask = F.avg_pool2d(F.avg_pool2d(truth.float()[None, None], 8), 5, stride=1, padding=2, count_include_pad=False)[0]
    followed = upsample(mask, small[0], image)[0] >= 128
    plain = F.interpolate(mask[None], (512, 512), mode="bilinear")[0, 0] >= 0.5
    soft = upsample(mask, small[0], image)[0].float() / 255
    blurred = F.interpolate(mask[None], (512, 512), mode="bilinear")[0, 0]
    assert (followed != truth).float().mean() <= (plain != truth).float().mean()
    assert (soft - truth.float()).abs().mean() < 0.9 * (blurred - truth.float()).abs().mean()


def test_what_is_decided_stays_decided() -> None:
    mask = torch.zeros(1, 40, 40)
    mask[:, 10:30, 10:30] = 1
    image = (noise(400, 300) * 255).to(torch.uint8)
    found = upsample(mask, resize(image, (40, 40))[0], image)[0]
    assert (found[:40] == 0).all()
    assert (found[180:220, 130:170] == 255).all()


def test_chunks_leave_no_trace() -> None:
    """Pixels are worked on in chunks; the result must not show where they meet."""
    import sys

    module = sys.modules[upsample.__module__]

    image = (gradient(500, 700) * 255).to(torch.uint8)
    mask = torch.sigmoid((gradient(50, 70)[:, 0] - 0.5) * 6)
    small = resize(image, (50, 70))[0]
    before = module._CHUNK
    try:
        module._CHUNK = 777
        chunks = upsample(mask, small, image).int()
        module._CHUNK = 10**9
        at_once = upsample(mask, small, image).int()
    finally:
        module._CHUNK = before
    assert (chunks - at_once).abs().max() == 0


def test_a_mask_of_the_pictures_own_size_is_left_alone() -> None:
    image = (noise(30, 30) * 255).to(torch.uint8)
    mask = noise(30, 30)[:, 0]
    assert (upsample(mask, resize(image, (30, 30))[0], image).float() / 255 - mask).abs().max() <= 0.5 / 255 + 0.02
