"""What nuclei learns: three maps of every numbered object."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from imgai_segment import MODELS, nuclei_training
from imgai_segment.nuclei_training import poisson_depth, target_maps

from imgai.plugin import TrainContext
from imgai.testing import UsageError

NUCLEI = next(model for model in MODELS if model.name == "nuclei")


def discs(*circles: tuple[int, int, int], side: int = 60) -> np.ndarray:
    """Numbered discs: row, column, radius. Shape: ``(side, side)`` int32"""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (row, column, radius) in enumerate(circles, 1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return labels


def test_each_object_is_deepest_in_its_middle_and_touches_where_two_meet() -> None:
    labels = discs((20, 20, 10), (20, 38, 8), (48, 30, 5))
    nucleus, depth, contact = target_maps(labels)
    assert np.array_equal(nucleus, labels > 0)
    for number, (row, column) in enumerate([(20, 20), (20, 38), (48, 30)], 1):
        deepest = np.argwhere((depth == depth[labels == number].max()) & (labels == number)).mean(0)
        assert np.allclose(deepest, (row, column), atol=1.5)
        assert depth[labels == number].max() == pytest.approx(1)
    assert depth[labels == 0].max() == 0
    assert contact.any()
    assert set(np.unique(np.argwhere(contact)[:, 1])) <= set(range(27, 34))
    assert not contact[40:].any()


def test_objects_that_the_edge_cuts_are_deepest_at_the_cut() -> None:
    depth = target_maps(discs((0, 30, 12)))[1]
    assert depth[0, 30] == pytest.approx(1)


def test_large_objects_are_as_deep_on_fewer_pixels() -> None:
    """Coarse: every second pixel of a disc of 31,000; fine: its parabola, which solves Poisson's equation in a disc."""
    inside = discs((110, 110, 100), side=220) > 0
    y, x = np.mgrid[:220, :220]
    exact = (1 - ((y - 110) ** 2 + (x - 110) ** 2) / 101**2).clip(0) * inside
    found = poisson_depth(inside, (False, False, False, False))
    assert np.abs(found - exact)[inside].max() < 0.06
    assert found[~inside].max() == 0


def test_masks_without_numbers_are_one_object_where_pixels_touch() -> None:
    labels = discs((15, 15, 7), (40, 40, 9))
    assert np.array_equal(target_maps((labels > 0).astype(np.int32)), target_maps(labels))
    assert target_maps(np.zeros((5, 5), np.int32)).max() == 0


def test_several_classes_are_refused() -> None:
    model = dataclasses.replace(NUCLEI, labels=("cell", "dirt"))
    with pytest.raises(UsageError, match="objects of one class, and there are cell, dirt"):
        nuclei_training.train(TrainContext(model=model, device=torch.device("cpu"), weights=None))
