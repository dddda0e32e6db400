"""Encoders of timm under a decoder: built, trained for labels of one's own, and read back; on random weights."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from imgai_segment import TIMM, TimmParams, encoders
from safetensors.torch import save_file

from imgai.plugin import LoadContext, TrainContext
from imgai.testing import UsageError, declare_torchvision_operators

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm is not installed")


@pytest.fixture(autouse=True)
def _torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_torchvision_operators()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_an_encoder_is_trained_and_read_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = encoders.create
    monkeypatch.setattr(encoders, "create", lambda name, count, *, pretrained: create(name, count, pretrained=False))
    torch.manual_seed(0)
    model = dataclasses.replace(TIMM, name="mine", labels=("a", "b"), variant=None, untrained=False)
    context = TrainContext(model=model, device=CPU, weights=None, model_params=TimmParams(name))
    trainable = encoders.train(context)
    network: Any = trainable.predictor.network
    images = torch.rand(2, 3, 64, 96)
    assert network(images).shape == (2, 2, 64, 96)
    assert trainable.is_head is not None
    assert {trainable.is_head(name) for name, _ in network.named_parameters()} == {True, False}

    network.eval()
    file = tmp_path / "mine.safetensors"
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
    loaded = encoders.load(LoadContext(model=model, device=CPU, weights=file, model_params=TimmParams(name)))
    with torch.inference_mode():
        assert torch.allclose(loaded.network(images), network(images), atol=1e-5)
    again = encoders.train(dataclasses.replace(context, weights=file))
    assert torch.equal(again.predictor.network.head.weight, network.head.weight)  # type: ignore[attr-defined]


def test_what_gives_no_features_is_told() -> None:
    with pytest.raises(UsageError, match="timm has no model called 'resnet1'; did you mean resnet"):
        encoders.create("resnet1", 2, pretrained=False)
    with pytest.raises(UsageError, match="name a network of timm"):
        encoders.create("", 2, pretrained=False)
    with pytest.raises(UsageError, match="test_vit"):
        encoders.create("test_vit", 2, pretrained=False)
    with pytest.raises(OSError, match="weights of timm/resnet18 are not on this machine"):
        encoders.create("resnet18", 2, pretrained=True)
