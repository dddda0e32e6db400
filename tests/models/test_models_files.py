"""``--model PATH``: other people's networks, with all that a run promises."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import imgai
from imgai.errors import PluginError, UsageError
from imgai.library.ask import _registry
from imgai.predict.foreign import declare
from tests.models.conftest import Command, answer, as_image, compact, dncnn, write_ncnn


def made(path: Path, picture: Path, task: str = "super-resolve", **options: Any) -> torch.Tensor:
    """What a model makes of a picture. Shape: ``(3, H, W)``"""
    return imgai.load(task, model=str(path), **options)(picture).image


@pytest.mark.parametrize(
    "name", ["plain.pth", "averaged.pt", "lightning.ckpt", "safe.safetensors", "old.pth", "odd name.bin"]
)
def test_files_of_every_kind_give_what_the_network_gives(tmp_path: Path, cat: Path, name: str) -> None:
    state, path = compact(), tmp_path / name
    if name.startswith("safe"):
        save_file(state, path)
    elif name.startswith("averaged"):
        torch.save({"params": compact(seed=9), "params_ema": state, "iteration": 5}, path)
    elif name.startswith("lightning"):
        wrapped = {f"module.{key}": value for key, value in state.items()}
        torch.save({"state_dict": wrapped, "best": np.float64(31.4), "epoch": np.int64(3)}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=not name.startswith("old"))
    expected = answer(state, as_image(cat), 2)[0]
    assert (made(path, cat) - expected).abs().max() < 1 / 255


def test_ncnn_is_read_with_its_last_resize(tmp_path: Path, cat: Path) -> None:
    state = compact(scale=4)
    whole = write_ncnn(tmp_path, "x4", state, 4)
    expected = answer({key: value.half().float() for key, value in state.items()}, as_image(cat), 4)[0]
    assert (made(whole, cat, scale=4) - expected).abs().max() < 1.5 / 255
    shrunk = write_ncnn(tmp_path, "x2", state, 4, shrink=0.5)
    assert made(shrunk, cat).shape == (3, 80, 96)


def test_a_network_for_grey_takes_colours_one_by_one(tmp_path: Path, cat: Path) -> None:
    path = tmp_path / "dncnn.safetensors"
    save_file(dncnn(), path)
    whole = made(path, cat, "denoise")
    red = tmp_path / "red.png"
    Image.fromarray(np.asarray(Image.open(cat))[..., 0]).save(red)
    assert (made(path, red, "denoise")[0] - whole[0]).abs().max() < 1 / 255
    half = made(path, cat, "denoise", strength=0.5)
    assert (half - (as_image(cat)[0] + whole) / 2).abs().max() < 1.5 / 255
    assert torch.equal(made(path, cat, "denoise", strength=0.0), as_image(cat)[0])


def test_turned_answers_are_averaged(tmp_path: Path, cat: Path) -> None:
    path, state = tmp_path / "x2.safetensors", compact()
    save_file(state, path)
    image = as_image(cat)
    turned = [
        torch.rot90(answer(state, torch.rot90(image.flip(axes), turns, (2, 3)), 2), -turns, (2, 3)).flip(axes)
        for turns in range(4)
        for axes in ((), (3,))
    ]
    expected = torch.stack(turned).mean(0)[0]
    assert (made(path, cat, tta=True) - expected).abs().max() < 1.5 / 255


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("denoise", {}, "enlarges 2 times; use it with super-resolve, not denoise"),
        ("segment", {}, "which makes pictures; segment needs a model of another kind"),
    ],
)
def test_a_model_of_another_task_is_refused(tmp_path: Path, task: str, options: dict[str, Any], words: str) -> None:
    path = tmp_path / "x2.safetensors"
    save_file(compact(), path)
    with pytest.raises(PluginError, match="RealESRGAN Compact") as refused:
        imgai.load(task, model=str(path), **options)
    assert words in str(refused.value)


def test_options_of_our_own_models_alone_are_refused(tmp_path: Path, cat: Path) -> None:
    path = tmp_path / "dncnn.safetensors"
    save_file(dncnn(), path)
    with pytest.raises(UsageError, match="--only is an option of imgai's own models"):
        made(path, cat, "enhance", only=("haze",))


def test_an_unknown_architecture_is_told_with_the_nearest(tmp_path: Path) -> None:
    state = {name.replace("body", "trunk"): value for name, value in compact().items()}
    state |= {f"block_{n}.c1_r.sk.weight": torch.zeros(1) for n in range(1, 7)}
    path = tmp_path / "mine.pth"
    torch.save(state, path)
    with pytest.raises(PluginError, match=r"holds no known architecture: the nearest known is SPAN, with \d+%"):
        imgai.load("super-resolve", model=str(path))


def test_runs_are_done_again_when_the_file_changes_alone(tmp_path: Path, cat: Path) -> None:
    path, out = tmp_path / "x2.safetensors", tmp_path / "out"

    def run() -> list[str]:
        _registry.cache_clear()
        return [record["status"] for record in imgai.run(f"super-resolve --model {path}", cat, out)]

    save_file(compact(), path)
    assert run() == ["done"]
    content = path.read_bytes()
    path.write_bytes(content)  # another time, the same file
    assert run() == ["skipped"]
    save_file(compact(seed=4), path)
    assert run() == ["done"]


def test_a_file_written_twice_in_a_tick_of_the_clock_is_read_again(tmp_path: Path) -> None:
    path, now = tmp_path / "x2.safetensors", time.time_ns()
    task = _registry().task("super-resolve")
    found = set()
    for seed in (3, 4):
        save_file(compact(seed=seed), path)
        os.utime(path, ns=(now, now))
        declared = declare(path, task, _registry().model("super-resolve", "photo-x4"))
        assert declared.weights is not None
        found.add(declared.weights.sha256)
    assert len(found) == 2


def test_it_stands_in_chains_and_recipes(command: Command, tmp_path: Path, cat: Path) -> None:
    path, recipe = tmp_path / "My Model.safetensors", tmp_path / "recipe.toml"
    save_file(compact(), path)
    steps = ("denoise --strength 0.5", f"super-resolve --model '{path}'")
    answer = command("chain", cat, "-o", tmp_path / "a", *steps, "--save-recipe", recipe)
    assert answer.returncode == 0, answer.stderr
    answer = command("run", recipe, cat, "-o", tmp_path / "b", "--json")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout.splitlines()[0])
    assert record["steps"][-1]["model"] == "my-model"
    assert (tmp_path / "a" / "cat.png").read_bytes() == (tmp_path / "b" / "cat.png").read_bytes()


def test_real_weights_tiled_are_as_whole(realesrgan: Path, tmp_path: Path) -> None:
    import skimage.data

    picture = tmp_path / "coffee.png"
    Image.fromarray(skimage.data.coffee()[100:228, 100:260]).save(picture)
    path = realesrgan / "realesr-animevideov3-x2.param"
    whole = made(path, picture, machine=imgai.Machine(tile=512))
    tiled = made(path, picture, machine=imgai.Machine(tile=64))
    assert whole.shape == (3, 256, 320)
    assert (whole - tiled).abs().max() <= 2 / 255
    larger = torch.nn.functional.interpolate(as_image(picture), scale_factor=2, mode="bicubic")[0]
    assert (whole - larger).abs().mean() < 0.03, "it is the same picture"


def test_ffdnet_takes_noise_out(ffdnet: Path, tmp_path: Path) -> None:
    """spandrel takes its keys for those of another network, whose answer would be nonsense."""
    import skimage.data

    clean = skimage.data.coffee()[100:165, 100:197]
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    picture = tmp_path / "noisy.png"
    Image.fromarray((clean + noise).round().clip(0, 255).astype(np.uint8)).save(picture)
    truth = torch.from_numpy(clean.copy()).permute(2, 0, 1) / 255

    def psnr(image: torch.Tensor) -> float:
        return float(-10 * (image - truth).square().mean().log10())

    assert psnr(as_image(picture)[0]) < 26
    whole = made(ffdnet, picture, "denoise")
    assert psnr(whole) > 33
    graph = made(ffdnet, picture, "denoise", machine=imgai.Machine(device="cpu", backend="onnx", tile=64))
    assert (graph - whole).abs().max() < 2.5 / 255, "of several tiles at once"
