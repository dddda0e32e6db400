"""Error messages about a model's answer of the wrong shape or type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def not_a_tensor(returned: object) -> str:
    """Return the message for an answer that is not a tensor."""
    return f"it returned {type(returned).__name__}, not a tensor"


def wrong_shape(shape: tuple[int, ...], images: Tensor, expected: tuple[int, ...], advice: str = "") -> str:
    """Return the message for an answer of the wrong shape, with advice."""
    words = f"it returned {shape} for {tuple(images.shape)}, where {expected} is due"
    return f"{words}; {advice}" if advice else words


_WIDTHS = {
    "float64": "it returned float64, which takes twice as long and not every device has; call .float()",
    "float16": "it returned float16, too coarse for pictures of 16 bits; call .float() in postprocess",
    "bfloat16": "it returned bfloat16, too coarse for pictures; call .float() in postprocess",
}
"""What is wrong with other widths of floating point."""


def not_floating(returned: Tensor) -> str:
    """Return the message for an answer that is not float32; empty if it is."""
    kind = str(returned.dtype).removeprefix("torch.")
    if returned.is_floating_point():
        return _WIDTHS.get(kind, "")
    advice = "divide by 255" if kind == "uint8" else "call .float()"
    return f"it returned {kind}, where float32 in [0, 1] is due; {advice}"


def out_of_range(returned: Tensor, slack: float) -> str:
    """Return the message for an answer outside of [0, 1], with advice; empty if it is within the slack."""
    low, high = float(returned.min()), float(returned.max())
    if low >= -slack and high <= 1 + slack:
        return ""
    words = f"its values go from {low:.3g} to {high:.3g}, where 0 to 1 is due"
    if high > 2:
        return f"{words}; divide by 255" if high <= 300 and low >= -50 else f"{words}; bring them there in postprocess"
    return f"{words}; are they from -1 to 1? then return (x + 1) / 2" if low >= -1.5 else words
