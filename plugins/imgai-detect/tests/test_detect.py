"""What people get: objects of pictures, as the host gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imgai_detect
import numpy as np
import pytest
import skimage.data
import torch
from imgai_detect import DetectParams
from imgai_detect.nanodet import load
from numpy.typing import NDArray
from PIL import Image

from imgai.plugin import LoadContext
from imgai.testing import Metadata, Sample, Source, UsageError, load_step

(MODEL,) = imgai_detect.MODELS
Found = tuple[str, float, tuple[float, ...]]


def found_in(pixels: NDArray[np.uint8], threshold: float = 0.4, **asked: object) -> list[Found]:
    """Label, score and box in pixels of each object, the surest first."""
    step = load_step(imgai_detect.TASK, MODEL, params=DetectParams(**asked))  # type: ignore[arg-type]
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    boxes = step(Sample(image, Source(None, "picture"), Metadata("PNG"))).boxes["detect"]
    rows = boxes.above(threshold).values.tolist()
    return [(boxes.labels[int(label)], score, tuple(corners)) for *corners, score, label in rows]


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (area - shared)


def sign(side: int) -> NDArray[np.uint8]:
    """A stop sign on a sky, ``(side, side, 3)``; it fills the middle four fifths."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    across, down = np.abs(x), np.abs(y)
    distance = np.maximum(np.maximum(across, down), (across + down) / 2**0.5)
    picture = np.empty((side, side, 3))
    picture[:] = (150, 190, 230)
    for where, colour in (
        (distance < 0.4, (242, 242, 242)),
        (distance < 0.365, (200, 25, 25)),
        ((across < 0.28) & (down < 0.08) & ((x * 25) % 2 < 1), (242, 242, 242)),
    ):
        picture[where] = colour
    return picture.astype(np.uint8)


def scattered(side: int, places: Sequence[tuple[int, int]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Stop signs on a sky, at (top, left)."""
    canvas = np.empty((*shape, 3), np.uint8)
    canvas[:] = (150, 190, 230)
    for top, left in places:
        canvas[top : top + side, left : left + side] = sign(side)
    return canvas


@pytest.mark.parametrize(("picture", "label"), [("astronaut", "person"), ("chelsea", "cat"), ("coffee", "cup")])
def test_known_pictures_have_what_they_show(picture: str, label: str) -> None:
    pixels = getattr(skimage.data, picture)()
    objects = {name: box for name, _, box in reversed(found_in(pixels, 0.25))}
    assert label in objects
    x0, y0, x1, y1 = objects[label]
    assert (x1 - x0) * (y1 - y0) > 0.15 * pixels.shape[0] * pixels.shape[1]


def with_cat(shape: tuple[int, int], top: int, left: int, width: int) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """A picture of a cat on grey, and where the cat is: all over its own picture."""
    height = width * 300 // 451
    canvas = np.full((*shape, 3), 128, np.uint8)
    canvas[top : top + height, left : left + width] = np.asarray(
        Image.fromarray(skimage.data.chelsea()).resize((width, height))
    )
    return canvas, (left, top, left + width, top + height)


@pytest.mark.parametrize(
    ("shape", "top", "left"), [((320, 900), 10, 430), ((900, 470), 580, 10), ((900, 470), 10, 10), ((420, 480), 80, 10)]
)
def test_a_box_lies_where_the_object_is_whatever_the_shape(shape: tuple[int, int], top: int, left: int) -> None:
    pixels, true = with_cat(shape, top, left, 451)
    boxes = [box for label, _, box in found_in(pixels, 0.3) if label == "cat"]
    assert sum(overlap(box, true) > 0.75 for box in boxes) == 1


def test_only_the_classes_asked_for_are_found() -> None:
    pixels = skimage.data.astronaut()
    assert "person" in {label for label, _, _ in found_in(pixels, 0.05)}
    labels = {label for label, _, _ in found_in(pixels, 0.05, classes=("Tie", "traffic  light"))}
    assert labels <= {"tie", "traffic light"}
    assert {label for label, _, _ in found_in(pixels, classes=("person",))} == {"person"}


def test_a_class_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="has no class 'persn'; did you mean 'person'"):
        found_in(skimage.data.astronaut(), classes=("persn",))
    with pytest.raises(UsageError, match="has no class 'xyz'; it has person, bicycle"):
        found_in(skimage.data.astronaut(), classes=("person", "xyz"))


def test_tiles_find_what_is_small_in_a_large_picture() -> None:
    """Signs of 51 pixels in a picture of 1400 x 2000; across the borders of tiles, too. Each is found once."""
    side, places = 64, [(60, 80), (500, 480), (600, 900), (1300, 1900), (700, 1500)]
    pixels = scattered(side, places, (1400, 2000))
    truth = [(left + 6, top + 6, left + 58, top + 58) for top, left in places]
    seen = [box for label, _, box in found_in(pixels, 0.3) if label == "stop sign"]
    assert sum(any(overlap(box, true) > 0.5 for box in seen) for true in truth) < 3, "the whole picture shows too much"
    boxes = [box for label, _, box in found_in(pixels, 0.3, tiled=True) if label == "stop sign"]
    for true in truth:
        assert sum(overlap(box, true) > 0.6 for box in boxes) == 1, true


def test_what_is_larger_than_a_tile_is_found_once_beside_tiles() -> None:
    pixels, true = with_cat((1400, 2000), 300, 350, 1400)
    boxes = [box for label, _, box in found_in(pixels, 0.3, tiled=True) if label == "cat"]
    assert sum(overlap(box, true) > 0.75 for box in boxes) == 1


def test_a_picture_of_one_tile_has_each_object_once() -> None:
    labels = [label for label, _, _ in found_in(skimage.data.chelsea(), 0.3, tiled=True)]
    assert "cat" in labels
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("shape", [(1, 1), (37, 1), (63, 700), (416, 416)])
def test_tiles_take_pictures_of_any_size(shape: tuple[int, int]) -> None:
    pixels = np.asarray(Image.fromarray(sign(64)).resize(shape[::-1]))
    for _, _, (x0, y0, x1, y1) in found_in(pixels, 0, tiled=True):
        assert 0 <= x0 < x1 <= shape[1]
        assert 0 <= y0 < y1 <= shape[0]


def test_load_refuses_no_weights_and_those_of_another_network(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match="needs its weights"):
        load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=None, params=DetectParams()))
    save_file({"stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        load(
            LoadContext(
                model=MODEL,
                device=torch.device("cpu"),
                weights=tmp_path / "other.safetensors",
                params=DetectParams(),
            )
        )
