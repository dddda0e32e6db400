"""What inpaint learns of clean pictures."""

from __future__ import annotations

import torch
from imgai_inpaint.learning import holes, loss_of

from imgai.testing import gradient


def made(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_holes_are_drawn_black_with_their_mask_and_the_same_for_the_same_seed() -> None:
    clean = (0.2 + 0.6 * gradient(96, 64)).expand(3, -1, -1, -1)
    given = holes(clean, made(1))
    image, mask = given[:, :3], given[:, 3:]
    assert given.shape == (3, 4, 96, 64)
    assert torch.equal(image, clean * (1 - mask))
    assert 0.01 < float(mask.mean()) < 0.5
    assert not torch.equal(mask[0], mask[1])
    assert torch.equal(given, holes(clean, made(1)))
    assert not torch.equal(given, holes(clean, made(2)))


def test_the_loss_is_of_what_is_wrong_in_holes_however_large_they_are() -> None:
    clean = torch.full((1, 3, 64, 64), 0.5)
    small, large = clean.clone(), clean.clone()
    small[..., 10:20, 10:20] += 0.1
    large[..., 10:50, 10:50] += 0.1
    assert float(loss_of(clean, clean)) == 0
    assert 0.1 < float(loss_of(large, clean)) < float(loss_of(small, clean)) < 0.15  # edges count more of a small one
