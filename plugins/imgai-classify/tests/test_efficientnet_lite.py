"""The shipped networks: what they see, what they say, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import imgai_classify
import numpy as np
import pytest
import skimage.data
import torch
from imgai_classify.efficientnet_lite import DEVIATION, MEAN, load, load_weights
from imgai_classify.labels import IDS, LABELS
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from imgai.plugin import LoadContext
from imgai.testing import Metadata, Sample, Scores, Source, Step, UsageError, load_step, step_of, weights_file

MODELS = {model.name: model for model in imgai_classify.MODELS}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def step() -> Callable[..., Step]:
    steps: dict[tuple[str, str | None], Step] = {}

    def get(name: str, explain: str | None = None) -> Step:
        if (name, explain) not in steps:
            steps[name, explain] = load_step(imgai_classify.TASK, MODELS[name], device=CPU, explain=explain)
        return steps[name, explain]

    return get


def sample_of(pixels: NDArray[np.uint8]) -> Sample:
    image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    return Sample(image, Source(None, "picture"), Metadata("PNG"))


def scores_of(step: Step, pixels: NDArray[np.uint8]) -> Scores:
    return step(sample_of(pixels)).scores["classify"]


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(
    ("picture", "labels"),
    [("coffee", {"espresso"}), ("chelsea", {"tabby", "tiger cat", "Egyptian cat"})],
)
def test_known_pictures_get_their_labels(step: Callable[..., Step], name: str, picture: str, labels: set[str]) -> None:
    scores = scores_of(step(name), getattr(skimage.data, picture)())
    assert scores.labels[int(scores.values.argmax())] in labels
    assert scores.ids is not None
    assert scores.ids[scores.labels.index("espresso")] == "n07920052"


def reference(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The published preprocessing in Pillow: the central square of side / (side + 32) of the shorter side, bicubic."""
    height, width = pixels.shape[:2]
    seen = int(side / (side + 32) * min(height, width))
    top, left = (height - seen + 1) // 2, (width - seen + 1) // 2
    part = Image.fromarray(pixels[top : top + seen, left : left + seen])
    return np.asarray(part.resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("picture", ["astronaut", "coffee", "chelsea"])
def test_the_network_sees_what_the_published_preprocessing_gives(
    step: Callable[..., Step], name: str, picture: str
) -> None:
    pixels, model = getattr(skimage.data, picture)(), MODELS[name]
    assert model.input_size is not None
    predictor = step(name).predictor
    seen = []
    watched = dataclasses.replace(
        predictor, preprocess=lambda image: (seen.append(image), predictor.preprocess(image))[1]
    )
    step_of(imgai_classify.TASK, model, watched)(sample_of(pixels))
    expected = torch.from_numpy(reference(pixels, model.input_size[0]).copy()).permute(2, 0, 1).float()
    difference = (seen[0][0] * 255 - expected).abs()
    assert difference.max() <= 2, "each of the two directions is rounded"
    assert difference.mean() < 0.05
    ours, theirs = (
        scores_of(step(name), pixels).values,
        predictor.postprocess(predictor.network(predictor.preprocess(expected[None] / 255)))[0],
    )
    assert (ours - theirs).abs().max() < 0.01
    normalized = predictor.preprocess(seen[0])
    assert torch.allclose(normalized, (seen[0] * 255 - 127) / 128, atol=1e-6)
    assert (MEAN, DEVIATION) == (127 / 255, 128 / 255)


def beside(left: NDArray[np.uint8], right: NDArray[np.uint8], side: int = 300) -> NDArray[np.uint8]:
    parts = [np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BICUBIC)) for part in (left, right)]
    return np.hstack(parts)


def test_heat_moves_with_the_label(step: Callable[..., Step]) -> None:
    """A cat on the left, a cup of coffee on the right: each label's heat lies on its side."""
    cat, coffee = skimage.data.chelsea()[:, 75:375], skimage.data.coffee()[:, 100:500]
    whole = np.pad(beside(cat, coffee), ((150, 150), (0, 0), (0, 0)), constant_values=128)
    for pixels, order in ((whole, 1), (whole[:, ::-1].copy(), -1)):
        shares = {}
        for label in ("Egyptian cat", "espresso"):
            scores = scores_of(step("imagenet", label), pixels)
            assert scores.labels[scores.explained] == label
            assert scores.heat is not None
            assert scores.heat.min() >= 0
            assert scores.heat.max() == pytest.approx(1, abs=1e-5)
            columns = scores.heat.sum(0)
            half = len(columns) // 2
            shares[label] = float(columns[:half].sum() / columns.sum())
        left, right = ("Egyptian cat", "espresso")[::order]
        assert shares[left] > 0.6, shares
        assert shares[right] < 0.4, shares


def test_the_best_label_is_explained_unless_one_is_named(step: Callable[..., Step]) -> None:
    scores = scores_of(step("imagenet", ""), skimage.data.coffee())
    assert scores.labels[scores.explained] == "espresso"
    height, width = skimage.data.coffee().shape[:2]
    side = int(224 / 256 * min(height, width))
    assert scores.seen == ((height - side + 1) // 2, (width - side + 1) // 2, side, side)


def test_a_label_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="has no label 'expresso'; did you mean 'espresso'"):
        load_step(imgai_classify.TASK, MODELS["imagenet"], device=CPU, explain="expresso")


def test_labels_are_1000_and_each_is_one_folder() -> None:
    assert len(LABELS) == len(IDS) == len({label.casefold() for label in LABELS}) == 1000
    assert list(IDS) == sorted(IDS), "ImageNet's classes are in the order of their ids"
    assert dict(zip(IDS, LABELS, strict=True))["n01440764"] == "tench"


def test_declarations_match_the_files() -> None:
    for model in MODELS.values():
        assert model.weights is not None
        network = load_weights(weights_file(model.weights))
        assert sum(parameter.numel() for parameter in network.parameters()) == model.parameters


def test_other_weights_are_refused(tmp_path: Path) -> None:
    save_file({"stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match="of 0 blocks is none of imagenet, imagenet-accurate"):
        load_weights(tmp_path / "other.safetensors")
    blocks = {f"blocks.{index}.project.weight": torch.zeros(1) for index in range(16)}
    save_file(blocks, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        load_weights(tmp_path / "other.safetensors")
    bare = dataclasses.replace(MODELS["imagenet"], weights=None)
    with pytest.raises(ValueError, match="needs its weights"):
        load(LoadContext(model=bare, device=CPU, weights=None))
