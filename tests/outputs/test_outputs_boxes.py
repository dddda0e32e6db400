"""Boxes come out where the objects are, whatever was done to the image on its way to the network and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from imgai.errors import PluginError
from imgai.images.depth import quantize
from imgai.outputs.boxes import Boxes, BoxesOutput
from imgai.outputs.counting import Counting
from imgai.plugin import Model, Output, Predictor, Task
from imgai.predict.chain import Chain
from imgai.predict.load import load
from imgai.predict.size import Size
from imgai.predict.spec import StepSpec
from imgai.predict.step import Step
from imgai.sample import Metadata, Sample, Source
from imgai.testing import PluginContract, fake, load_step, step_of
from imgai.testing.subject import Subject

TASK = Task(name="spot", summary="Bright things.", default_model="bright", output=Output.BOXES)
MODEL = Model(
    name="bright", task="spot", summary="One box a colour.", license="Apache-2.0", load="x:load",
    labels=("red", "green", "blue"), input_size=(64, 64),
)  # fmt: skip
WHOLE = dataclasses.replace(MODEL, input_size=None, tile=96, overlap=46)


def spots(images: Tensor) -> Tensor:
    """For each channel the box around what is over half. Shape: ``(B, 3, h, w)`` to ``(B, 3, 6)``."""
    result = images.new_zeros(len(images), 3, 6)
    for image, boxes in zip(images, result, strict=True):
        for channel in range(3):
            rows, columns = (image[channel] > 0.6).nonzero(as_tuple=True)
            if len(rows) == 0:
                continue
            height, width = image.shape[-2:]
            x0, x1 = columns.min() / width, (columns.max() + 1) / width
            y0, y1 = rows.min() / height, (rows.max() + 1) / height
            boxes[channel] = torch.stack((x0, y0, x1, y1, image.new_tensor(0.9), image.new_tensor(channel)))
    return result


def drawn(height: int, width: int, *objects: tuple[int, int, int, int, int], depth: int = 8) -> Sample:
    """objects: channel, then x0, y0, x1, y1 in pixels."""
    image = torch.zeros(1, 3, height, width)
    for channel, x0, y0, x1, y1 in objects:
        image[:, channel, y0:y1, x0:x1] = 1
    return Sample(quantize(image, depth), Source(None, "drawn"), Metadata("PNG", depth=depth))


def step(model: Model = MODEL, network: Callable[[Tensor], Any] = spots, **options: Any) -> Step:
    return step_of(TASK, model, Predictor(network=network), **options)


def boxes_of(sample: Sample) -> Boxes:
    return sample.boxes["spot"]


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(64, 64), (200, 300), (300, 200), (40, 900), (17, 5)])
def test_boxes_are_in_pixels_of_the_image(fit: str, size: tuple[int, int]) -> None:
    height, width = size
    expected = (width // 4, height // 4, max(width // 2, width // 4 + 1), max(3 * height // 4, height // 4 + 1))
    result = boxes_of(step(dataclasses.replace(MODEL, fit=fit))(drawn(height, width, (1, *expected))))
    ((*box, score, label),) = result.values.tolist()
    pixel = max(height, width) / 64 if fit == "letterbox" else 0
    slack = 1.01 * max(pixel, height / 64, width / 64)  # a pixel of what the network saw
    assert box == pytest.approx(expected, abs=slack)
    assert (score, result.labels[int(label)]) == (pytest.approx(0.9), "green")


def test_a_letterbox_keeps_the_shape_of_things_and_finds_nothing_in_its_bars() -> None:
    seen = []

    def network(images: Tensor) -> Tensor:
        seen.append(images.clone())
        everywhere = images.new_tensor([[0.0, 0.0, 1.0, 1.0, 0.9, 0], [0.1, 0.0, 0.4, 0.1, 0.8, 1]])
        return everywhere.expand(len(images), -1, -1)

    result = boxes_of(step(dataclasses.replace(MODEL, fit="letterbox"), network)(drawn(100, 200, (0, 0, 0, 200, 100))))
    image = seen[0][0]
    assert image.shape == (3, 64, 64)
    assert (image[:, :16] == 114 / 255).all()
    assert (image[:, 48:] == 114 / 255).all()
    assert (image[0, 16:48] > 0.99).all()
    assert result.values[:, :4].tolist() == [[0, 0, 200, 100]], "what lies in the bars is left out, the rest is cut"


@pytest.mark.parametrize("size", [(400, 300), (97, 96), (96, 700)])
def test_objects_that_several_tiles_see_are_one(size: tuple[int, int]) -> None:
    height, width = size
    at = (width // 2 - 10, height // 2 - 12, width // 2 + 20, height // 2 + 15)
    result = boxes_of(step(WHOLE)(drawn(height, width, (0, *at), (2, *at))))
    assert len(result.values) == 2, "two classes in one place do not suppress each other"
    for *box, _, _ in result.values.tolist():
        assert box == pytest.approx(at, abs=0.01)


@pytest.mark.parametrize(
    "at",
    [
        (20, 30, 290, 70),  # through four tiles in a row
        (30, 20, 70, 190),  # down a column
        (10, 10, 280, 190),  # over all of them, corners too
        (40, 25, 150, 165),
    ],
)
def test_an_object_larger_than_a_tile_is_one(at: tuple[int, int, int, int]) -> None:
    result = boxes_of(step(WHOLE)(drawn(200, 300, (1, *at))))
    assert len(result.values) == 1
    assert result.values[0, :4].tolist() == pytest.approx(at, abs=1)


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        ((0.2, 0.1, 1.0, 0.3, 0), (0.0, 0.1, 0.8, 0.3, 0), 1),
        ((0.2, 0.1, 1.0, 0.3, 0), (0.0, 0.6, 0.8, 0.9, 0), 2),  # at another height
        ((0.2, 0.1, 1.0, 0.3, 0), (0.0, 0.1, 0.8, 0.3, 1), 2),  # of another class
        ((0.2, 0.1, 0.9, 0.3, 0), (0.0, 0.1, 0.8, 0.3, 0), 2),  # not to the edge
        ((0.2, 0.1, 3.0, 0.3, 0), (0.0, 0.1, 0.3, 0.3, 0), 1),  # a whole that was seen by other means, and its piece
    ],
)
def test_pieces_are_joined_where_edges_cut_them(left: Any, right: Any, count: int) -> None:
    def answer(x0: float, y0: float, x1: float, y1: float, label: int) -> Tensor:
        return torch.tensor([[x0, y0, x1, y1, 0.9, label]])

    tiles = [((0.0, 0.0, 1.0, 0.6), answer(*left)), ((0.0, 0.4, 1.0, 0.6), answer(*right))]
    found = BoxesOutput().joined(tiles, drawn(100, 100), None)  # type: ignore[arg-type]
    assert len(found) == count
    if count == 1 and left[2] <= 1:
        assert found[0, :4].tolist() == pytest.approx([0.12, 0.1, 0.88, 0.3])


def test_boxes_in_padding_are_left_out() -> None:
    # 97 pixels in tiles of 96 with sides that are multiples of 32: the second tile sees the picture mirrored.
    model = dataclasses.replace(WHOLE, multiple_of=32)
    result = boxes_of(step(model)(drawn(80, 70, (0, 60, 60, 68, 70))))
    assert len(result.values) == 1
    assert (result.values[:, 2] <= 70).all()
    assert (result.values[:, 3] <= 80).all()


def test_two_objects_of_a_class_stay_two() -> None:
    def network(images: Tensor) -> Tensor:
        rows = images.new_tensor([[0.1, 0.1, 0.5, 0.5, 0.9, 0], [0.3, 0.3, 0.7, 0.7, 0.8, 0], [0, 0, 0, 0, 0, 0]])
        return rows.expand(len(images), -1, -1)

    assert len(boxes_of(step(MODEL, network)(drawn(50, 50))).values) == 2


def test_memory_that_runs_out_leaves_the_boxes_where_they_were() -> None:
    def poor(images: Tensor) -> Tensor:
        if images.shape[-1] > 60:
            raise MemoryError
        return spots(images)

    at = (30, 40, 50, 55)
    result = boxes_of(step(WHOLE, poor)(drawn(90, 90, (0, *at))))
    assert len(result.values) == 1
    assert result.values[0, :4].tolist() == pytest.approx(at, abs=0.01)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda images: torch.zeros(len(images), 5), "each box is"),
        (lambda images: [1], "not a tensor"),
        (lambda images: torch.tensor([[[0, 0, 50, 50, 0.5, 0]]]).float(), "fractions, not pixels"),
        (lambda images: torch.tensor([[[0.6, 0.6, 0.2, 0.2, 0.5, 0]]]), "end before they begin"),
        (lambda images: torch.tensor([[[0, 0, 1, 1, 0.5, 3]]]).float(), "the class 3, and 3 labels"),
        (lambda images: torch.tensor([[[0, 0, 1, 1, 1.5, 0]]]).float(), "scores outside"),
    ],
)
def test_what_is_no_list_of_boxes_is_told(network: Callable[[Tensor], Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        step(MODEL, network)(drawn(20, 20))


def test_boxes_follow_the_image_through_later_steps() -> None:
    chain = Chain([step(), load_step(fake.BRIGHTEN, fake.DOUBLE), load(StepSpec(
        fake.BRIGHTEN, fake.DOUBLE, members=(fake.DOUBLE,), size=Size(width=150)))])  # fmt: skip
    at = (16, 32, 48, 64)
    result = chain(drawn(64, 100, (1, *at)))
    assert (result.height, result.width) == (96, 150)
    assert boxes_of(result).values[0, :4].tolist() == pytest.approx([each * 1.5 for each in at], abs=2.4)


def test_the_record_counts_objects_of_all_pages() -> None:
    output = BoxesOutput()
    pages = [drawn(64, 64, (0, 4, 4, 20, 20), (1, 4, 4, 20, 20)), drawn(64, 64, (0, 8, 8, 40, 40))]
    notes = [output.note(step()(page), "spot", Counting(0.5)) for page in pages]
    assert output.line(notes) == {"objects": {"red": 2, "green": 1}}
    assert output.line([output.note(step()(page), "spot", Counting(0.95)) for page in pages]) == {"objects": {}}


def test_an_image_without_objects_has_no_boxes() -> None:
    result = boxes_of(step(WHOLE)(drawn(200, 200)))
    assert result.values.shape == (0, 6)
    assert result.counts() == {}


def test_the_contract_holds_boxes_to_their_promise(subject: Callable[..., Subject]) -> None:
    contract = PluginContract()
    contract.test_images_of_any_size_give_what_is_promised(subject(step(), step(WHOLE)))
    contract.test_a_batch_gives_what_single_images_give(subject(step()))

    def drifting(images: Tensor) -> Tensor:
        return torch.tensor([[0.2, 0.2, 0.6, 0.6, 0.9, 0]]).expand(len(images), -1, -1) * (
            1 if len(images) > 1 else 0.9
        )

    with pytest.raises(AssertionError):
        contract.test_a_batch_gives_what_single_images_give(subject(step(MODEL, drifting)))
