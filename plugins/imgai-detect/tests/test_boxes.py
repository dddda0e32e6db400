"""From cells to boxes: each step against the plain way of doing it."""

from __future__ import annotations

import pytest
import torch
from imgai_detect.boxes import MOST, boxes_of, suppressed
from imgai_detect.network import BINS, STRIDES
from kornia.geometry.bbox import nms
from torch import Tensor

CLASSES = 5
HEIGHT, WIDTH = 96, 160


def empty() -> list[Tensor]:
    """Grids in which no cell says anything."""
    return [torch.full((1, CLASSES + 4 * BINS, HEIGHT // stride, WIDTH // stride), -20.0) for stride in STRIDES]


def say(
    grids: list[Tensor], level: int, row: int, column: int, label: int, logit: float, sides: tuple[float, ...]
) -> None:
    """Have one cell name a class, and sides in strides, as a distribution over the two bins beside each."""
    cell = grids[level][0, :, row, column]
    cell[label] = logit
    for bins, side in zip(cell[CLASSES:].view(4, BINS), sides, strict=True):
        low = min(int(side), BINS - 2)
        bins[low : low + 2] = torch.tensor((1 - (side - low), side - low)).clamp_min(1e-9).log()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_box_lies_around_the_centre_of_its_cell(level: int) -> None:
    grids = empty()
    say(grids, level, 1, 2, 3, 2.0, (0.5, 1.25, 1.0, 0.75))
    found = boxes_of(grids)
    stride = STRIDES[level]
    x, y = 2.5 * stride, 1.5 * stride
    pixels = (x - 0.5 * stride, y - 1.25 * stride, x + 1.0 * stride, y + 0.75 * stride)
    expected = [at / side for at, side in zip(pixels, (WIDTH, HEIGHT, WIDTH, HEIGHT), strict=True)]
    assert found.shape == (1, MOST, 6)
    assert found[0, 0, :4].tolist() == pytest.approx(expected, abs=1e-4)
    assert found[0, 0, 4] == pytest.approx(float(torch.tensor(2.0).sigmoid()), abs=1e-5)
    assert found[0, 0, 5] == 3
    assert not found[0, 1:].any(), "the rest is padding"


def test_boxes_end_where_the_image_does() -> None:
    grids = empty()
    say(grids, 2, 0, 0, 0, 2.0, (5, 5, 10, 10))
    assert boxes_of(grids)[0, 0, :4].tolist() == [0, 0, 1, 1]


def test_nothing_said_is_nothing_found() -> None:
    assert not boxes_of(empty()).any()


def test_a_cell_may_name_two_classes_and_one_box_stays_of_each() -> None:
    grids = empty()
    for column, logit in ((4, 1.0), (5, 2.0)):
        say(grids, 0, 5, column, 1, logit, (4, 4, 4, 4))
    say(grids, 0, 5, 5, 2, 0.5, (4, 4, 4, 4))
    found = boxes_of(grids)[0]
    kept = found[found[:, 4] > 0]
    assert kept[:, 5].tolist() == [1, 2]
    assert kept[0, 4] == pytest.approx(float(torch.tensor(2.0).sigmoid()), abs=1e-5)
    only = boxes_of(grids, only=(0, 2))[0]
    assert only[only[:, 4] > 0][:, 5].tolist() == [2]


def test_images_of_a_batch_do_not_mix() -> None:
    left, right = empty(), empty()
    say(left, 0, 2, 2, 1, 3.0, (2, 2, 2, 2))
    say(right, 1, 2, 2, 4, 1.0, (1, 1, 1, 1))
    say(right, 1, 4, 7, 4, 0.0, (1, 1, 1, 1))
    batch = [torch.cat(pair) for pair in zip(left, right, strict=True)]
    found = boxes_of(batch)
    assert torch.allclose(found[0], boxes_of(left)[0])
    assert torch.allclose(found[1], boxes_of(right)[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("overlap", [0.3, 0.6])
def test_suppression_is_that_of_kornia_class_by_class(seed: int, overlap: float) -> None:
    """Crowds of boxes, so that chains of suppression are long; some are padding."""
    random = torch.Generator().manual_seed(seed)
    batch, count = 3, 300
    things = torch.rand(batch, 12, 4, generator=random) * 0.3 + torch.tensor((0.05, 0.05, 0.5, 0.5))
    box = things[:, torch.arange(count) % 12] + 0.04 * torch.randn(batch, count, 4, generator=random)
    score = torch.rand(batch, count, generator=random).sort(dim=1, descending=True).values
    score[1, 200:] = 0
    label = torch.randint(3, (batch, count), generator=random)
    stays = suppressed(box, score, label, overlap)
    for index in range(batch):
        expected = set()
        for number in range(3):
            here = ((label[index] == number) & (score[index] > 0)).nonzero()[:, 0]
            expected |= set(here[nms(box[index, here], score[index, here], overlap)].tolist())
        assert set(stays[index].nonzero()[:, 0].tolist()) == expected
        assert len(expected) < count / 3
