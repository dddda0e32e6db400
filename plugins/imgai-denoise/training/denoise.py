"""Trains the weights of `gaussian` and of `photo`.

    python training/denoise.py --model gaussian --photos PHOTOS --out OUT/gaussian --minutes 40
    python training/denoise.py --model photo --photos PHOTOS --out OUT/photo --minutes 35 \
        --start OUT/gaussian/gaussian.safetensors --rate 0.002
    python training/denoise.py --measure TESTS --weights OUT/photo/photo.safetensors  # the tables of the card

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; the last 40 by name are
held out. OUT gets photographs.npy (the pictures, decoded once), log.jsonl, last.pt (to go on with --resume) and the
moving average of the weights in half precision. The rate falls along a cosine that follows the clock. Needs
pytorch-optimizer besides the plugin.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imgai_denoise.network import DenoiseNet
from noise import photo_noise
from photographs import HELD_OUT, crops, read, to_tensor
from pytorch_optimizer import Muon
from safetensors.torch import load_file, save_file
from tables import LEVELS, measure, psnr
from torch import Tensor, nn

HIGHEST = 55
"""The highest standard deviation that `gaussian` sees, of 255."""
FINE = 0.85
"""Of the time, after which --bf16 is left for float32."""
EPSILON = 1e-4
"""Added to a crop's squared error before its logarithm is taken: beyond 40 dB it is good enough."""


def muon(network: nn.Module, rate: float, ends: tuple[str, ...]) -> Muon:
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the kernels inside of a network.

    ends: the layers that begin and end it; they get Adam at a tenth of the rate.
    """
    inside, outer = ([p for n, p in network.named_parameters() if n.startswith(ends) is kind] for kind in (False, True))
    groups = [
        {"params": inside, "use_muon": True, "highest": rate, "weight_decay": 0.01},
        {"params": outer, "use_muon": False, "highest": rate / 10, "weight_decay": 0.01, "betas": (0.9, 0.99)},
    ]
    return Muon(groups)


def initialize(network: DenoiseNet) -> None:
    """Orthogonal weights; what is added to the way around starts small, and so does the noise that is found."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.orthogonal_(module.weight, 0.6)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("second.weight"):
                weight.mul_(0.2)
        network.head.weight.mul_(0.1)


def degrade(model: str, rng: np.random.Generator, clean: Tensor) -> Tensor:
    """What the network is given to clean. Shape: ``(B, 3, H, W)`` -> the same"""
    if model == "photo":
        return torch.cat([photo_noise(rng, picture[None]) for picture in clean])
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    level = torch.from_numpy(rng.uniform(0, HIGHEST / 255, (len(clean), 1, 1, 1)).astype(np.float32))
    return clean + noise * level


def validation(model: str, photographs: Any) -> tuple[Tensor, Tensor]:
    """24 held-out pictures and what became of them: for `gaussian` eight at each of the levels that papers measure."""
    rng = np.random.default_rng(5)
    clean = to_tensor(photographs[-HELD_OUT:][:24, 128:384, 128:384])
    if model == "photo":
        return clean, degrade(model, rng, clean)
    level = torch.tensor(LEVELS).repeat_interleave(8).view(-1, 1, 1, 1) / 255
    return clean, clean + torch.from_numpy(rng.standard_normal(clean.shape, np.float32)) * level


def validate(network: nn.Module, clean: Tensor, noisy: Tensor) -> list[float]:
    """Mean PSNR of each eight of the validation pictures."""
    with torch.inference_mode():
        found = [psnr((n - network(n[None])[0]).clamp(0, 1), c) for n, c in zip(noisy, clean, strict=True)]
    return [round(float(np.mean(found[i : i + 8])), 3) for i in range(0, len(found), 8)]


def save(file: Path, network: nn.Module) -> None:
    """Write weights in half precision."""
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, file)


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    network = DenoiseNet()
    initialize(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
    average = copy.deepcopy(network)
    optimizer = muon(network, options.rate, ("stem", "head"))
    last = options.out / "last.pt"
    if options.resume:
        kept = torch.load(last, weights_only=True)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
    clean_val, noisy_val = validation(options.model, photographs)
    begin, step, progress, mean_loss = time.monotonic(), 0, 0.0, 0.0
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / 60 / options.minutes)
        fall = 0.002 + 0.998 * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * min(1, (step + 1) / 100) * fall
        size = options.crop if progress < 0.75 else options.late
        clean = crops(rng, photographs[:-HELD_OUT], options.batch, size)
        noisy = degrade(options.model, rng, clean).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16 and progress < FINE):
            noise = network(noisy)
        squared = (noisy - noise.float() - clean).square().mean((1, 2, 3))
        loss = (squared + EPSILON).log().mean() * 0.02  # the PSNR, crop by crop
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
        with torch.no_grad():
            decay = min(0.999, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
        mean_loss = 0.98 * mean_loss + 0.02 * loss.item() if step else loss.item()
        step += 1
        if step % 200 == 0 or progress >= 1:
            entry: dict[str, Any] = {"step": step, "seconds": round(time.monotonic() - begin), "loss": mean_loss}
            if step % options.every == 0 or progress >= 1:
                entry["psnr"] = validate(average, clean_val, noisy_val)
                torch.save({"network": network.state_dict(), "average": average.state_dict()}, last)
                save(options.out / f"{options.model}.safetensors", average)
            with (options.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")


def main() -> None:
    """Train, or measure what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("gaussian", "photo"), default="gaussian")
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    parser.add_argument("--out", type=Path, help="where the weights and the log go")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--rate", type=float, default=0.02, help="of Muon at its highest; Adam has a tenth of it")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=64, help="side of a crop")
    parser.add_argument("--late", type=int, default=96, help="side of a crop in the last quarter")
    parser.add_argument("--every", type=int, default=1000, help="steps between validations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 for most of the time, on CPUs that have it")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt, on a new cosine")
    parser.add_argument("--measure", type=Path, metavar="TESTS", help="print the tables instead of training")
    parser.add_argument("--weights", type=Path, help="the weights to measure")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.measure:
        if not options.weights:
            parser.error("--measure needs --weights")
        measure(options.weights, options.measure)
    elif options.photos and options.out:
        train(options)
    else:
        parser.error("training needs --photos and --out")


if __name__ == "__main__":
    main()
