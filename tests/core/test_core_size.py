"""A size is asked for in one way, means the same for every picture, and is refused where it makes no sense."""

from __future__ import annotations

import pytest

from imgai.errors import InputError, UsageError
from imgai.predict.size import Size


@pytest.mark.parametrize(
    ("size", "target"),
    [
        (Size(scale=2), (200, 300)),
        (Size(scale=1), (100, 150)),
        (Size(scale=2.5), (250, 375)),
        (Size(width=450), (300, 450)),
        (Size(height=50), (50, 75)),
        (Size(width=600, height=300), (300, 450)),
        (Size(width=300, height=900), (200, 300)),
        (Size(megapixels=0.06), (200, 300)),
    ],
)
def test_a_size_keeps_the_shape(size: Size, target: tuple[int, int]) -> None:
    assert size.target(100, 150, "a.png") == target


def test_a_side_is_at_least_a_pixel() -> None:
    assert Size(width=10).target(1, 1000, "a.png") == (1, 10)


def test_growing_more_than_eight_times_names_the_picture() -> None:
    with pytest.raises(InputError, match=r"a\.png: 15x10 pixels would grow 10\.0 times"):
        Size(width=150).target(10, 15, "a.png")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"scale": 2.0, "width": 100},
        {"megapixels": 1.0, "height": 5},
        {"scale": 0.5},
        {"scale": 9.0},
        {"width": 0},
        {"megapixels": 0.0},
        {"megapixels": float("nan")},
    ],
)
def test_what_cannot_hold_together_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Size(**asked)  # type: ignore[arg-type]
