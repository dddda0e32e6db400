"""Corrections of a look: it is tried on the small view, and moved if it would do harm."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from imgai_enhance.look import BINS, PARTS, PLACES, apply, bare, depth, luma

LEVEL, REACH = 0.455, 1.0
"""Mean brightness of a scene that is exposed for the scene; the stops that a look may be moved to come there."""
BLACK, CRUSHED = 0.012, 0.15
"""Below what all of a pixel's values count as black, and the share of a picture that haze may be cleared into it."""
TRIES = 8


def leveled(view: Tensor, look: Tensor, parts: Collection[str] = PARTS) -> Tensor:
    """A look whose exposure is moved until the picture is as bright as a scene usually is.

    How dark a picture was says little of how bright its scene was: guessing the mean of all scenes errs least.

    Shape: ``(1, 3, H, W)`` in [0, 1], ``(1, SIZE)`` -> ``(1, SIZE)``
    """
    place = look.new_tensor([[0.0, 0.0, 1.0, 1.0]])
    moved, low, high = look.clone(), -REACH, REACH
    for _ in range(TRIES):
        middle = (low + high) / 2
        moved[:, PLACES["exposure"]] = look[:, PLACES["exposure"]] + middle
        mean = float(luma(apply(view, moved, place, parts)).mean())
        low, high = (middle, high) if mean < LEVEL else (low, middle)
    return moved


def spared(view: Tensor, look: Tensor, parts: Collection[str] = PARTS) -> Tensor:
    """A look with no more haze cleared than leaves the picture its darks.

    Where too thick a haze is guessed, what is behind it turns black, in blotches: a dark sky, mostly. Then the haze is
    taken to be the same all over the picture, and as thin as need be.

    Shape: ``(1, 3, H, W)`` in [0, 1], ``(1, SIZE)`` -> ``(1, SIZE)``
    """
    if "haze" not in parts:
        return look
    place = look.new_tensor([[0.0, 0.0, 1.0, 1.0]])
    numbers = look[:, PLACES["haze"]]
    # Tones come last, and may make grey of what was black before; or black of what was not.
    ends = [[part for part in ("white-balance", "exposure", "haze") if part in parts], parts]

    def black(moved: Tensor) -> float:
        return max(float((apply(view, moved, place, end).amax(1) < BLACK).float().mean()) for end in ends)

    def cleared(share: float) -> Tensor:
        haze = depth(numbers).view(BINS, -1)
        moved = look.clone()
        moved[:, PLACES["haze"]] = bare(share * haze.mean(1, keepdim=True).expand_as(haze)).reshape(1, -1)
        return moved

    most = black(cleared(0.0)) + CRUSHED
    if black(look) <= most:
        return look
    low, high = 0.0, 1.0
    for _ in range(TRIES):
        middle = (low + high) / 2
        low, high = (middle, high) if black(cleared(middle)) <= most else (low, middle)
    return cleared(low)
