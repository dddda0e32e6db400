"""The measures: figures counted by hand, and those of the libraries that define them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from imgai.measure import measure_of
from imgai.measure.boxes import TrueBoxes
from imgai.measure.image import ImageMeasure, luma
from imgai.measure.mask import TrueMask, boundary_f, matches
from imgai.outputs.boxes import Boxes
from imgai.outputs.mask import Mask
from imgai.outputs.scores import Scores
from imgai.plugin import Metadata, Output
from imgai.sample import GivenMask, Sample, Source


def square(top: int, left: int, side: int, shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[top : top + side, left : left + side] = True
    return inside


def mask(*classes: np.ndarray) -> Mask:
    values = torch.from_numpy(np.stack(classes).astype(np.uint8) * 255)
    return Mask(values, tuple("abc"[: len(classes)]))


def test_iou_and_dice_are_those_counted_by_hand_by_picture_and_of_all_pixels() -> None:
    measure = measure_of(Output.MASK, ("a",))
    # 100 pixels each, 50 shared: IoU 1/3, Dice 1/2. The second fits.
    first = measure.update(mask(square(0, 0, 10)), TrueMask(square(0, 5, 10)[None]))
    second = measure.update(mask(square(0, 0, 30)), TrueMask(square(0, 0, 30)[None]))
    assert (first["iou"], first["dice"]) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert (second["iou"], second["dice"], second["boundary_f"]) == (1, 1, 1)
    figures = measure.compute()
    assert figures.values["mean_iou"] == pytest.approx((1 / 3 + 1) / 2)
    assert figures.values["iou"] == pytest.approx(950 / 1050)
    assert figures.score == figures.values["dice"] == pytest.approx(2 * 950 / 2000)
    assert figures.confusion is not None
    assert figures.confusion.tolist() == [[2 * 4096 - 1050, 50], [50, 950]]


def test_a_class_that_is_neither_there_nor_found_tells_nothing() -> None:
    measure = measure_of(Output.MASK, ("a", "b"))
    nothing = square(0, 0, 0)
    alone = measure.update(mask(square(0, 0, 9), nothing), TrueMask(np.stack((square(0, 0, 9), nothing))))
    assert alone["dice"] == 1
    figures = measure.compute()
    assert figures.classes["b"] == {
        "dice": None, "iou": None, "mean_dice": None, "mean_iou": None, "boundary_f": None, "pictures": 0
    }  # fmt: skip
    assert figures.values["dice"] == 1
    found_in_vain = measure.update(mask(nothing, square(0, 0, 9)), TrueMask(np.stack((nothing, nothing))))
    assert (found_in_vain["dice"], found_in_vain["boundary_f"]) == (0, 0)


def test_edges_may_lie_a_little_off() -> None:
    true = square(20, 20, 40, (100, 100))
    assert boundary_f(square(21, 20, 40, (100, 100)), true) == 1  # a pixel, of a diagonal of 141
    off = boundary_f(square(25, 20, 40, (100, 100)), true)
    assert off is not None
    assert 0.4 < off < 0.9
    assert boundary_f(square(0, 0, 0), square(0, 0, 0)) is None


def test_objects_count_once_and_only_if_more_than_half_is_shared() -> None:
    true = np.zeros((40, 40), np.int32)
    true[0:10, 0:10], true[20:30, 0:10], true[20:30, 20:30] = 1, 2, 7
    found = np.zeros_like(true)
    found[0:10, 0:9] = 5  # 0.9
    found[20:30, 5:15] = 6  # a third
    found[35:38, 35:38] = 8  # of nothing
    assert matches(found, true) == 1
    measure = measure_of(Output.MASK, ("a",))
    given = Mask(torch.from_numpy((found > 0).astype(np.uint8) * 255)[None], ("a",), lambda maps, threshold: found)
    alone = measure.update(given, TrueMask((true > 0)[None], true))
    assert (alone["object_precision"], alone["object_recall"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    figures = measure.compute()
    assert figures.values["object_f1"] == pytest.approx(1 / 3)
    # One of three is found, at recall 1/3: 34 of COCO's 101 points, at a precision of 1 as all scores are equal.
    assert figures.values["ap50"] == pytest.approx(34 / 101, abs=0.01)
    assert figures.values["ap"] == pytest.approx(34 / 101 * 8 / 10, abs=0.05)


def test_psnr_and_ssim_are_those_of_scikit_image_in_bands_too() -> None:
    random = np.random.default_rng(0)
    true = random.random((3, 1100, 40), dtype=np.float32)  # three bands
    found = np.clip(true + random.normal(0, 0.1, true.shape).astype(np.float32), 0, 1)
    figures = ImageMeasure().update(torch.from_numpy(found), torch.from_numpy(true))
    assert figures["psnr"] == pytest.approx(peak_signal_noise_ratio(true, found, data_range=1), abs=1e-3)
    told = structural_similarity(
        true, found, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert figures["ssim"] == pytest.approx(told, abs=2e-3)
    assert luma(torch.ones(3, 1, 1)).item() == pytest.approx(235 / 255)


def test_of_a_step_that_works_in_a_mask_the_masked_pixels_alone_count() -> None:
    random = np.random.default_rng(0)
    true = random.random((3, 600, 40), dtype=np.float32)  # two bands
    holes = random.random((600, 40)) < 0.1
    found = np.where(holes, np.clip(true + random.normal(0, 0.1, true.shape), 0, 1), true).astype(np.float32)

    def figures(of: np.ndarray, mask: np.ndarray) -> dict[str, float | None]:
        sample = Sample(torch.from_numpy(of)[None], Source(None, "a.png"), Metadata(format="PNG"))
        sample.given["fill"] = GivenMask(torch.from_numpy(mask)[None, None])
        return measure_of(Output.IMAGE, masked="fill").update(sample, torch.from_numpy(true))

    told = figures(found, holes)
    assert told["psnr"] == pytest.approx(peak_signal_noise_ratio(true[:, holes], found[:, holes], data_range=1))
    _, everywhere = structural_similarity(
        true, found, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        full=True,
    )  # fmt: skip
    inner = np.zeros_like(holes)
    inner[5:-5, 5:-5] = holes[5:-5, 5:-5]
    assert told["ssim"] == pytest.approx(everywhere[:, inner].mean(), abs=1e-5)
    whole = ImageMeasure().update(torch.from_numpy(found), torch.from_numpy(true))
    assert whole["psnr"] is not None
    assert told["psnr"] == pytest.approx(whole["psnr"] + 10 * np.log10(holes.mean()), abs=1e-3)
    assert figures(1 - true, ~holes & holes) == {"psnr": None, "ssim": None, "psnr_y": None}  # nothing was to be done


def test_pictures_that_are_equal_or_tiny_have_figures_too() -> None:
    measure = ImageMeasure(border=4)
    pixel = torch.full((3, 1, 1), 7, dtype=torch.uint8)
    assert measure.update(pixel, pixel) == {"psnr": 100, "ssim": None, "psnr_y": 100}
    assert measure.compute().values == {"psnr": 100, "ssim": None, "psnr_y": 100}


def boxes(*rows: tuple[float, ...]) -> Boxes:
    return Boxes(torch.tensor(rows, dtype=torch.float32).reshape(-1, 6), ("cat", "dog"))


def true_boxes(*rows: tuple[float, ...], crowd: tuple[bool, ...] = ()) -> TrueBoxes:
    values = np.array(rows, np.float64).reshape(-1, 5)
    held = np.array(crowd or (False,) * len(values), bool)
    return TrueBoxes(values[:, :4], values[:, 4].astype(int), held, (100, 100))


def test_boxes_are_counted_by_class_and_told_apart_in_the_confusion() -> None:
    measure = measure_of(Output.BOXES, ("cat", "dog"))
    alone = measure.update(
        boxes((0, 0, 50, 50, 0.9, 0), (60, 60, 90, 90, 0.8, 0), (0, 60, 20, 90, 0.7, 1), (0, 0, 50, 50, 0.1, 0)),
        true_boxes((0, 0, 50, 45, 0), (60, 60, 90, 90, 1)),
    )
    assert (alone["precision"], alone["recall"]) == (pytest.approx(1 / 3), 1 / 2)
    figures = measure.compute()
    assert figures.names == ("nothing", "cat", "dog")
    assert figures.confusion is not None
    assert figures.confusion.tolist() == [[0, 0, 1], [0, 1, 0], [1, 1, 0]]
    assert figures.classes["cat"]["ap50"] == pytest.approx(1, abs=0.01)
    assert figures.values["map50"] == pytest.approx(0.5, abs=0.01)
    assert figures.classes["cat"]["ap"] == pytest.approx(0.9, abs=0.01)  # an overlap of 0.9 is one up to there


def test_a_crowd_is_neither_missed_nor_found_in_vain() -> None:
    measure = measure_of(Output.BOXES, ("cat", "dog"))
    alone = measure.update(
        boxes((10, 10, 20, 20, 0.9, 0), (30, 30, 40, 40, 0.9, 0)), true_boxes((0, 0, 100, 100, 0), crowd=(True,))
    )
    assert alone == {"precision": None, "recall": None, "f1": None}


def test_nothing_at_all_has_figures() -> None:
    for output in (Output.MASK, Output.IMAGE, Output.BOXES, Output.SCORES):
        figures = measure_of(output, ("a", "b")).compute()
        assert (figures.pictures, figures.score) == (0, None)
        assert figures.summary()["pictures"] == 0
    measure = measure_of(Output.BOXES, ("cat",))
    measure.update(boxes(), true_boxes())
    assert measure.compute().score is None


def test_what_a_sample_carries_of_scores_is_measured_as_it_is() -> None:
    measure = measure_of(Output.SCORES)
    assert measure.update(Scores(torch.tensor([0.8, 0.2]), ("dark", "light")), "light") == {
        "top1": 0.0, "top5": 1.0, "score": pytest.approx(0.2)
    }  # fmt: skip
