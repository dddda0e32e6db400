"""Checkpoints of timm and labels of one's own: the road, on networks of random weights."""

from __future__ import annotations

import builtins
import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import imgai_classify
import numpy as np
import pytest
import torch
from imgai_classify import checkpoints, zero_shot
from imgai_classify.labels import LABELS
from safetensors.torch import save_file

from imgai.plugin import LoadContext, Model, Predictor, TrainContext
from imgai.testing import (
    Metadata,
    PluginError,
    Sample,
    Scores,
    Source,
    UsageError,
    declare_torchvision_operators,
    load_step,
    step_of,
)

CPU = torch.device("cpu")
needs_timm = pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm is not installed")
needs_clip = pytest.mark.skipif(not importlib.util.find_spec("open_clip"), reason="open_clip is not installed")


@pytest.fixture(autouse=True)
def _torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_torchvision_operators()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def context(model: Model, params: object) -> LoadContext:
    return LoadContext(model=model, device=CPU, weights=None, model_params=params)


def scores_of(predictor: Predictor, explain: str | None = None) -> Scores:
    """As the host comes to them, with a predictor that is loaded already."""
    assert predictor.model is not None
    step = step_of(imgai_classify.TASK, predictor.model, predictor, device=CPU, explain=explain)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 90, 120), dtype=np.uint8)
    return step(Sample(torch.from_numpy(pixels)[None], Source(None, "a"), Metadata("PNG"))).scores["classify"]


@needs_timm
@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]
)
def test_a_checkpoint_of_timm_scores_and_explains(name: str) -> None:
    torch.manual_seed(0)
    network = checkpoints.create(name, pretrained=False)
    predictor = checkpoints.predictor(context(imgai_classify.TIMM, imgai_classify.TimmParams(name)), network)
    assert predictor.model is not None
    assert predictor.model.input_size == (224, 224)
    assert predictor.model.crop == network.pretrained_cfg["crop_pct"]
    scores = scores_of(predictor, "espresso")
    assert scores.labels == LABELS
    assert scores.values.sum() == pytest.approx(1, abs=1e-4)
    assert scores.heat is not None
    assert scores.heat.ndim == 2
    assert 0 <= float(scores.heat.min()) <= float(scores.heat.max()) <= 1 + 1e-5


@needs_timm
def test_what_timm_does_not_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"timm has no model called 'resnet1'; did you mean resnet"):
        checkpoints.create("resnet1", pretrained=False)
    with pytest.raises(UsageError, match="name a checkpoint of timm: --model timm/"):
        checkpoints.create("", pretrained=False)
    with pytest.raises(PluginError, match=r"the weights of timm/resnet18\S* are not on this machine") as told:
        load_step(
            imgai_classify.TASK, imgai_classify.TIMM, model_params=imgai_classify.TimmParams("resnet18"), device=CPU
        )
    assert "run once with a network" in str(told.value)


class FakeClip(torch.nn.Module):
    """Pictures and words as two numbers: how light, how dark."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))
        self.visual = torch.nn.Identity()
        self.visual.preprocess_cfg = {"size": 32, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}  # type: ignore[assignment]

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        light = images.mean((1, 2, 3))
        return torch.stack((light, 1 - light), 1)

    def encode_text(self, words: torch.Tensor) -> torch.Tensor:
        return words


def tokenize(sentences: list[str]) -> torch.Tensor:
    return torch.tensor([[1.0, 0.0] if "snow" in sentence else [0.0, 1.0] for sentence in sentences])


def test_labels_of_ones_own_are_told_apart() -> None:
    params = imgai_classify.ZeroShotParams(labels="snow, night")
    labels = zero_shot.names(params.labels)
    predictor = zero_shot.predictor(context(imgai_classify.ZERO_SHOT, params), FakeClip(), tokenize, labels)
    assert predictor.model is not None
    assert (predictor.model.labels, predictor.model.input_size) == (("snow", "night"), (32, 32))
    with torch.inference_mode():
        for light, best in ((0.9, 0), (0.1, 1)):
            image = predictor.preprocess(torch.full((1, 3, 32, 32), light))
            found = predictor.postprocess(predictor.network(image))[0]
            assert found.argmax() == best
            assert found.sum() == pytest.approx(1, abs=1e-5)


@needs_clip
def test_a_network_of_open_clip_takes_the_road() -> None:
    torch.manual_seed(0)
    network, tokens = zero_shot.create("RN50", None)
    labels = zero_shot.names("invoice, receipt, letter")
    params = imgai_classify.ZeroShotParams(labels="invoice, receipt, letter")
    predictor = zero_shot.predictor(context(imgai_classify.ZERO_SHOT, params), network, tokens, labels)
    scores = scores_of(predictor)
    assert scores.labels == ("invoice", "receipt", "letter")
    assert scores.values.sum() == pytest.approx(1, abs=1e-4)


@needs_clip
def test_what_open_clip_does_not_have_is_told() -> None:
    with pytest.raises(UsageError, match="open_clip has no network called 'RN51'"):
        zero_shot.create("RN51", None)
    with pytest.raises(UsageError, match="open_clip has no weights 'none' of RN50; there are "):
        zero_shot.create("RN50", "none")
    with pytest.raises(OSError, match="are not on this machine and could not be fetched"):
        zero_shot.create("ViT-B-32", "laion2b_s34b_b79k")


@pytest.mark.parametrize(
    ("labels", "words"),
    [("", "at least two labels"), ("invoice", "at least two labels"), ("a, b, a", "names 'a' twice")],
)
def test_labels_that_leave_no_choice_are_refused(labels: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zero_shot.names(labels)


@pytest.mark.parametrize(("module", "extra"), [("timm", "timm"), ("open_clip", "zero-shot")])
def test_a_missing_library_names_the_extra(module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == module:
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=rf"pip install 'imgai-classify\[{extra}\]'"):
        checkpoints.create("resnet18", pretrained=False) if module == "timm" else zero_shot.create("RN50", None)


@needs_timm
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_checkpoint_of_timm_is_trained_and_read_back(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = checkpoints.create
    monkeypatch.setattr(checkpoints, "create", lambda name, **more: create(name, **{**more, "pretrained": False}))
    torch.manual_seed(0)
    params = imgai_classify.TimmParams(name)
    model = dataclasses.replace(imgai_classify.TIMM, name="mine", labels=("cat", "dog", "cow"), variant=None)
    trainable = checkpoints.train(TrainContext(model=model, device=CPU, weights=None, model_params=params))
    network: Any = trainable.predictor.network
    declared = trainable.predictor.model
    assert declared is not None
    assert declared.labels == ("cat", "dog", "cow")
    assert declared.input_size == tuple(network.pretrained_cfg["input_size"][1:])
    assert trainable.is_head is not None
    head = [name for name, _ in network.named_parameters() if trainable.is_head(name)]
    assert 1 <= len(head) <= 2, head
    file = tmp_path / "mine.safetensors"
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
    loaded = checkpoints.load(LoadContext(model=declared, device=CPU, weights=file, model_params=params))
    assert loaded.model is not None
    assert loaded.model.labels == ("cat", "dog", "cow")
    images = torch.rand(2, 3, *declared.input_size)
    network.eval()
    with torch.inference_mode():
        assert torch.allclose(loaded.network(images), network(images), atol=1e-5)
