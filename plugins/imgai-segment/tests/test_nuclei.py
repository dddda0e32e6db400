"""The nuclei model on drawn pictures: what it finds, how it numbers, and that tiles agree with the whole."""

from __future__ import annotations

import time
from pathlib import Path

import imgai_segment
import numpy as np
import pytest
import torch
from imgai_segment.nuclei import MAPS, LogContrast, NucleiNet, instances, load

from imgai.plugin import LoadContext, Model, Predictor

WEIGHTS = Path(imgai_segment.__file__).parent / "weights" / "nuclei.safetensors"
MODEL = Model(
    name="nuclei",
    task="segment",
    summary="Nuclei in microscopy pictures",
    license="Apache-2.0",
    load="imgai_segment.nuclei:load",
    multiple_of=16,
)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=WEIGHTS))


def disc(size: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    """A soft-edged disc: 1 inside, 0 outside, one pixel of slope."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.clip(radius + 0.5 - np.hypot(rows - y, columns - x), 0, 1).astype(np.float32)


def fluorescence(spots: list[tuple[float, float, float]], size: tuple[int, int] = (128, 128)) -> np.ndarray:
    """Grey discs (y, x, radius) on a dark, noisy ground. Returns (H, W) float32 in [0, 1]."""
    noise = np.random.default_rng(0).normal(0, 0.01, size)
    drawn = np.max([disc(size, *spot) for spot in spots], axis=0) if spots else np.zeros(size)
    return np.clip(0.05 + 0.45 * drawn + noise, 0, 1).astype(np.float32)


def maps_of(predictor: Predictor, grey: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(grey)[None, None].expand(1, 3, -1, -1)
    with torch.inference_mode():
        maps = predictor.postprocess(predictor.network(predictor.preprocess(image)))
    assert maps.shape == (1, len(MAPS), *grey.shape)
    assert float(maps.min()) >= 0
    assert float(maps.max()) <= 1
    return maps[0].numpy()


def numbered(predictor: Predictor, grey: np.ndarray) -> np.ndarray:
    assert predictor.instances is not None
    return predictor.instances(maps_of(predictor, grey), 0.5)


def ideal_maps(size: tuple[int, int], spots: list[tuple[float, float, float]]) -> np.ndarray:
    """The maps that a perfect network would return for discs; where they overlap, the nearer centre owns a pixel."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    depths = np.stack([1 - ((rows - y) ** 2 + (columns - x) ** 2) / r**2 for y, x, r in spots])
    ordered = np.sort(np.clip(depths, 0, 1), axis=0)
    lesser = ordered[-2] if len(spots) > 1 else np.zeros(size)
    depth = ordered[-1]
    contact = (lesser > 0) & (depth - lesser < 0.1)
    return np.stack((depth > 0, np.clip(depth - lesser, 0, 1), contact)).astype(np.float32)


def assert_consecutive(labels: np.ndarray, count: int) -> None:
    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels), np.arange(count + 1))


def test_touching_discs_are_two_instances(predictor: Predictor) -> None:
    spots = [(64.0, 50.0, 13.0), (64.0, 75.0, 13.0)]
    labels = numbered(predictor, fluorescence(spots))
    assert_consecutive(labels, 2)
    assert labels[64, 50] != labels[64, 75]


@pytest.mark.parametrize("radius", [6.0, 12.0, 24.0])
def test_discs_of_any_size_are_found_in_place(predictor: Predictor, radius: float) -> None:
    spots = [(40.0, 40.0, radius), (96.0, 112.0, radius), (130.0, 46.0, radius)]
    labels = numbered(predictor, fluorescence(spots, (160, 160)))
    assert_consecutive(labels, 3)
    truth = np.max([disc((160, 160), *spot) for spot in spots], axis=0) > 0.5
    assert 2 * ((labels > 0) & truth).sum() / ((labels > 0).sum() + truth.sum()) > 0.9


@pytest.mark.parametrize("change", [lambda x: 0.15 * x, lambda x: 1 - x, lambda x: np.sqrt(x)])
def test_gain_inversion_and_gamma_do_not_change_the_count(predictor: Predictor, change) -> None:  # type: ignore[no-untyped-def]
    grey = np.round(change(fluorescence([(36.0, 40.0, 11.0), (88.0, 84.0, 14.0)])) * 255) / 255
    assert_consecutive(numbered(predictor, grey.astype(np.float32)), 2)


@pytest.mark.parametrize("level", [0.0, 0.05, 1.0])
def test_an_empty_picture_has_no_instances(predictor: Predictor, level: float) -> None:
    assert_consecutive(numbered(predictor, np.full((96, 128), level, np.float32)), 0)


def test_a_tile_agrees_with_the_whole_away_from_its_edge(predictor: Predictor) -> None:
    spots = [(y, x, 10.0) for y in (40.0, 120.0, 200.0) for x in (30.0, 90.0, 150.0, 210.0)]
    grey = fluorescence(spots, (256, 256))
    whole, tile = maps_of(predictor, grey), maps_of(predictor, grey[:192, :192])
    assert np.abs(whole[0, :144, :144] - tile[0, :144, :144]).max() < 0.1


def test_perfect_maps_give_every_disc_its_number() -> None:
    spots = [(30.0, 30.0, 12.0), (30.0, 50.0, 12.0), (48.0, 40.0, 12.0), (100.0, 100.0, 20.0)]
    assert_consecutive(instances(ideal_maps((128, 128), spots), 0.5), 4)


def test_the_threshold_sets_the_extent() -> None:
    maps = ideal_maps((64, 64), [(32.0, 32.0, 15.0)])
    maps[0] = np.clip(3 * maps[1], 0, 1)
    low, high = (int((instances(maps, threshold) > 0).sum()) for threshold in (0.2, 0.7))
    assert low > high > 0


def test_specks_are_dropped_and_holes_filled() -> None:
    maps = ideal_maps((64, 64), [(32.0, 32.0, 15.0)])
    maps[0, 30:33, 30:33] = 0
    maps[:2, 5:7, 5:7] = 1
    labels = instances(maps, 0.5)
    assert_consecutive(labels, 1)
    assert labels[31, 31] == 1
    assert labels[5, 5] == 0


def test_an_object_that_is_nowhere_sure_is_dropped() -> None:
    maps = ideal_maps((64, 64), [(20.0, 20.0, 9.0), (44.0, 44.0, 9.0)])
    maps[0, 32:] *= 0.6
    assert_consecutive(instances(maps, 0.5), 1)
    maps[0, 32:] *= 1.5
    assert_consecutive(instances(maps, 0.5), 2)


def test_numbers_do_not_run_out_at_sixteen_bits() -> None:
    tile = ideal_maps((12, 12), [(6.0, 6.0, 5.0)])
    labels = instances(np.tile(tile, (1, 260, 260)), 0.5)
    assert_consecutive(labels, 260 * 260)


def test_a_large_picture_takes_seconds() -> None:
    tile = ideal_maps((64, 64), [(20.0, 20.0, 12.0), (20.0, 40.0, 12.0), (48.0, 30.0, 8.0)])
    maps = np.tile(tile, (1, 32, 32))
    began = time.process_time()
    assert int(instances(maps, 0.5).max()) == 3 * 32 * 32
    assert time.process_time() - began < 20


def test_preprocessing_looks_at_single_pixels() -> None:
    image = torch.rand(1, 3, 16, 16)
    features = LogContrast()(image)
    assert features.shape == (1, 6, 16, 16)
    assert torch.equal(LogContrast()(image[..., 4:5, 7:8]), features[..., 4:5, 7:8])


def test_the_network_keeps_sides_that_are_multiples_of_16() -> None:
    network = NucleiNet().eval()
    for height, width in ((16, 16), (32, 80)):
        assert network(torch.zeros(2, 6, height, width)).shape == (2, 3, height, width)


def test_weights_fit_the_network_and_are_finite(predictor: Predictor) -> None:
    assert isinstance(predictor.network, NucleiNet)
    values = predictor.network.state_dict().values()
    assert all(bool(torch.isfinite(value).all()) for value in values)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in predictor.network.modules())


def test_load_without_weights_is_an_error() -> None:
    with pytest.raises(ValueError, match="weights"):
        load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=None))
