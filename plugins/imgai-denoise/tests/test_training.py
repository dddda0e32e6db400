"""What denoise learns of clean pictures alone."""

from __future__ import annotations

import torch
from imgai_denoise.training import HIGHEST, loss_of, sensor, white

from imgai.testing import gradient


def made(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_noise_of_a_sensor_grows_with_the_light() -> None:
    levels = torch.tensor([0.1, 0.3, 0.6]).repeat_interleave(32).view(1, 1, 1, 96).expand(16, 3, 96, 96)
    noise = sensor(levels, made(0)) - levels
    dark, bright = noise[..., :32], noise[..., 64:]
    light = (levels.clamp(min=0.04) ** 2.2)[..., [0, -1]]  # the slope of the curve turns the order round in sRGB
    assert float(bright.std()) * float(light[..., 1].mean()) > float(dark.std()) * float(light[..., 0].mean())
    assert abs(float(noise.mean())) < 0.01
    deviations = noise.flatten(1).std(1)
    assert float(deviations.max()) > 3 * float(deviations.min())
    assert torch.equal(sensor(levels, made(1)), sensor(levels, made(1)))


def test_white_noise_is_of_any_level_up_to_the_highest() -> None:
    clean = gradient(64, 64).expand(32, -1, -1, -1)
    deviations = (white(clean, made(0)) - clean).flatten(1).std(1)
    assert float(deviations.max()) <= HIGHEST * 1.1
    assert float(deviations.min()) < 0.2 * HIGHEST


def test_the_loss_is_of_what_remains_when_the_margin_is_cut() -> None:
    target = torch.rand(2, 3, 16, 16, generator=made(0))
    answer = torch.nn.functional.pad(target, (8, 8, 8, 8), value=9.0)
    assert float(loss_of(answer, target)) < -11
    assert float(loss_of(answer + 0.1, target)) > -5
