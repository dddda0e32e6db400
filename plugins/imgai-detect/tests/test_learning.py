"""How NanoDet learns: which cells answer for an object, and that the losses are least where the answer is right."""

from __future__ import annotations

import pytest
import torch
from imgai_detect import training
from imgai_detect.boxes import boxes_of, places
from imgai_detect.labels import LABELS
from imgai_detect.learning import assigned, loss_of, overlap, quality_focal, spread
from imgai_detect.network import BINS, STRIDES, NanoDet
from torch import Tensor

SIDE = 128


def grids(classes: int = 2, value: float = -6.0) -> list[Tensor]:
    """What cells say that see nothing."""
    return [torch.full((1, classes + 4 * BINS, SIDE // stride, SIDE // stride), value) for stride in STRIDES]


def said(boxes: Tensor, labels: Tensor, classes: int = 2) -> list[Tensor]:
    """The right answer of every cell that answers for a box."""
    answer = grids(classes)
    place, counts = places(answer), [grid.shape[-1] ** 2 for grid in answer]
    chosen = assigned(place, counts, boxes)
    flat = torch.cat([grid.flatten(2) for grid in answer], 2)[0].T  # (N, classes + 44)
    for cell in (chosen >= 0).nonzero()[:, 0].tolist():
        box, (x, y, stride) = boxes[chosen[cell]], place[cell]
        sides = torch.stack((x - box[0], y - box[1], box[2] - x, box[3] - y)) / stride
        bins = torch.full((4, BINS), 1e-9)
        for side, distance in enumerate(sides.tolist()):
            low = min(int(distance), BINS - 2)
            bins[side, low], bins[side, low + 1] = 1 - (distance - low), distance - low
        flat[cell, classes:] = bins.clamp(min=1e-9).log().flatten()
        flat[cell, labels[chosen[cell]]] = 12.0
    parts = flat.T[None].split(counts, dim=2)
    return [part.reshape(grid.shape) for part, grid in zip(parts, answer, strict=True)]


BOXES = torch.tensor([[20.0, 30.0, 60.0, 66.0], [70.0, 40.0, 124.0, 100.0]])
TARGETS = torch.cat((torch.tensor([[0.0], [1.0]]), BOXES / SIDE), 1)[None]


def test_overlaps_are_those_of_the_papers() -> None:
    one, other = torch.tensor([0.0, 0.0, 10.0, 10.0]), torch.tensor([5.0, 0.0, 15.0, 10.0])
    assert float(overlap(one, other)) == pytest.approx(50 / 150)
    assert float(overlap(one, other, general=True)) == pytest.approx(50 / 150)
    far = torch.tensor([20.0, 0.0, 30.0, 10.0])
    assert float(overlap(one, far, general=True)) == pytest.approx(-100 / 300)


def test_cells_that_answer_for_a_box_lie_in_it_on_a_grid_that_fits() -> None:
    answer = grids()
    place = places(answer)
    chosen = assigned(place, [grid.shape[-1] ** 2 for grid in answer], BOXES)
    for number, box in enumerate(BOXES):
        mine = place[chosen == number]
        assert 1 <= len(mine) <= 27
        assert bool(((mine[:, :2] > box[:2]) & (mine[:, :2] < box[2:])).all())
    small = assigned(place, [256, 64, 16], torch.tensor([[62.0, 62.0, 90.0, 90.0]]))
    assert set(place[small >= 0, 2].tolist()) == {8.0}
    assert bool((assigned(place, [256, 64, 16], torch.zeros(0, 4)) == -1).all())


def test_the_right_answer_has_the_least_loss_and_gives_the_boxes_back() -> None:
    right = said(BOXES, torch.tensor([0, 1]))
    least = float(loss_of(right, TARGETS))
    found = boxes_of(right)[0]
    for box, label in zip(BOXES / SIDE, (0, 1), strict=True):
        best = found[found[:, 5] == label][0]
        assert torch.allclose(best[:4], box, atol=0.01)
    nothing, wrong_class = grids(), said(BOXES, torch.tensor([1, 0]))
    moved = said(BOXES + 6, torch.tensor([0, 1]))
    for other in (nothing, wrong_class, moved):
        assert float(loss_of(other, TARGETS)) > least + 0.1
    assert least < 0.5  # what is left is the spread of distances over two bins


def test_pictures_without_objects_teach_that_there_are_none() -> None:
    empty = torch.full((1, 1, 5), -1.0)
    quiet, loud = grids(value=-6.0), grids(value=3.0)
    assert float(loss_of(quiet, empty)) < 0.01
    assert float(loss_of(loud, empty)) > 1
    for grid in loud:
        grid.requires_grad_()
    loss_of(loud, empty).backward()
    assert all(grid.grad is not None and bool(grid.grad.isfinite().all()) for grid in loud)


def test_scores_are_drawn_to_the_overlap_that_is_reached() -> None:
    quality = torch.tensor([0.7])
    losses = [float(quality_focal(torch.logit(torch.tensor([score])), quality)) for score in (0.1, 0.5, 0.7, 0.95)]
    assert losses[2] == pytest.approx(0, abs=1e-6)
    assert losses[0] > losses[1] > losses[2] < losses[3]


def test_the_two_bins_beside_a_distance_share_it() -> None:
    place, due = torch.tensor([[50.0, 50.0, 10.0]]), torch.tensor([[27.0, 50.0 - 40, 50 + 5.0, 50 + 70.0]])
    best = torch.full((4, BINS), -30.0)
    for side, distance in enumerate((2.3, 4.0, 0.5, 7.0)):
        low = int(distance)
        best[side, low] = torch.tensor(1 - (distance - low) + 1e-9).log()
        if distance > low:
            best[side, low + 1] = torch.tensor(distance - low).log()
    right = float(spread(best.flatten()[None], place, due))
    other = best.roll(2, dims=1)
    assert right < 0.4
    assert float(spread(other.flatten()[None], place, due)) > right + 1


def test_a_new_head_keeps_what_it_knows_of_boxes_and_of_classes_by_name() -> None:
    old, new = NanoDet(len(LABELS)), NanoDet(2)
    said_before, say = old.heads[0].say, new.heads[0].say  # type: ignore[union-attr]
    training.adopt(say, said_before.weight, said_before.bias, ("raccoon", "dog"))  # type: ignore[arg-type, union-attr]
    assert torch.equal(say.weight[2:], said_before.weight[len(LABELS) :])  # type: ignore[index, union-attr]
    assert torch.equal(say.weight[1], said_before.weight[LABELS.index("dog")])  # type: ignore[index, union-attr]
    assert float(say.bias[0].sigmoid()) == pytest.approx(training.RARE)  # type: ignore[index, union-attr, operator]
