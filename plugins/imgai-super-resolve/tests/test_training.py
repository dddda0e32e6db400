"""What super-resolve learns: small pictures are made of large ones."""

from __future__ import annotations

import pytest
import torch
from imgai_super_resolve.training import shrunk, worn

from imgai.testing import gradient, noise


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_pictures_lie_on_the_large_ones(scale: int) -> None:
    large = gradient(8 * scale + 1, 10 * scale + scale - 1)
    small = shrunk(large, scale)
    assert small.shape[-2:] == (8, 10)
    again = torch.nn.functional.interpolate(small, scale_factor=scale, mode="bilinear")
    inner = slice(scale, -scale)
    assert torch.allclose(
        again[:, :2, inner, inner], large[:, :2, : 8 * scale, : 10 * scale][..., inner, inner], atol=0.01
    )
    assert shrunk(large[..., :1, :1], scale).shape[-2:] == (1, 1)


def test_worn_pictures_are_blurred_or_noisy_and_the_same_for_the_same_seed() -> None:
    large = 0.25 + 0.5 * noise(64, 64)
    plain = shrunk(large, 2)
    found = [worn(large, 2, torch.Generator().manual_seed(seed)) for seed in range(6)]
    assert all(each.shape == plain.shape for each in found)
    assert all(0.002 < float((each - plain).abs().mean()) < 0.3 for each in found)
    assert torch.equal(found[0], worn(large, 2, torch.Generator().manual_seed(0)))
    assert worn(large[..., :3, :3], 2, torch.Generator().manual_seed(1)).shape[-2:] == (1, 1)
