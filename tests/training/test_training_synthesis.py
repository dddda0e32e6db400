"""Trainings whose batches a script makes: the loop, the log and the checkpoint of every other training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.training.synthesis import add_options, learn


def network() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))


def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Noise, and what is to be made of it, larger late in the training."""
    images = torch.from_numpy(rng.random((4, 3, 8, 8 if progress < 0.5 else 12), np.float32))
    return images, (images * 0.5, torch.tensor(progress))


def loss(made: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
    return (made - targets[0]).square().mean()


def options(out: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser, rate=1e-2, optimizer="muon")
    return parser.parse_args(["--out", str(out), "--steps", "40", *words])


def test_a_script_learns_and_goes_on_exactly_where_it_was_killed(tmp_path: Path) -> None:
    measured: list[bool] = []

    def measure(average: nn.Module) -> dict[str, float]:
        measured.append(average.training)
        return {"figure": 1.5}

    learn(network(), batch, loss, options(tmp_path / "whole"), name="net", measure=measure)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.3 * losses[0]
    assert rows[-1]["figure"] == 1.5
    assert measured
    assert not any(measured), "the average is measured as it will run"
    whole = load_file(tmp_path / "whole" / "net.safetensors")
    assert whole["0.weight"].dtype is torch.float16

    class Killed(BaseException):
        pass

    def mortal(rng: np.random.Generator, progress: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if progress >= 0.6:
            raise Killed
        return batch(rng, progress)

    with pytest.raises(Killed):
        learn(network(), mortal, loss, options(tmp_path / "killed"), name="net")
    learn(network(), batch, loss, options(tmp_path / "killed", "--resume"), name="net")
    killed = load_file(tmp_path / "killed" / "net.safetensors")
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_what_is_frozen_stays_and_a_head_learns_faster(tmp_path: Path) -> None:
    made = network()
    made[0].requires_grad_(False)
    before = made[0].weight.clone()
    saved = learn(
        made,
        batch,
        loss,
        options(tmp_path, "--optimizer", "adamw"),
        name="net",
        is_head=lambda name: name.startswith("3."),
        rest=0.1,
        tensors=lambda average: {"only": average[3].weight},
    )
    assert saved.step == 40
    assert torch.equal(made[0].weight, before)
    assert set(load_file(tmp_path / "net.safetensors")) == {"only"}
