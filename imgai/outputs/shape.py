"""Words about a model's answer that has the wrong shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def not_a_tensor(returned: object) -> str:
    """What is wrong with an answer that is no tensor."""
    return f"it returned {type(returned).__name__}, not a tensor"


def wrong_shape(shape: tuple[int, ...], images: Tensor, expected: tuple[int, ...], advice: str = "") -> str:
    """What is wrong with the shape of an answer to a batch of images, and what to declare instead."""
    words = f"it returned {shape} for {tuple(images.shape)}, where {expected} is due"
    return f"{words}; {advice}" if advice else words
