"""Trains the network of `low-light` that takes out noise.

    python training/clean.py --photos PHOTOS --look low-light.safetensors --out OUT/clean

PHOTOS as for looks.py; --start are the weights of low-light, to go on. Crops are taken
to the dark (1/4 to 1/60 of their light), get the noise of a sensor there, 8 bits and mostly JPEG, and are brought back
to the light; one in six has no noise. OUT gets log.jsonl, last.pt and the moving average of the weights in half
precision. Needs pytorch-optimizer besides the plugin.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from imgai_enhance.cleaner import Cleaner
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from kornia.filters import gaussian_blur2d
from kornia.losses import ssim_loss
from kornia.metrics import ssim
from photographs import HELD_OUT, crops, read
from PIL import Image
from pytorch_optimizer import Muon
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

ALIKE = 0.25
"""Weight of the structural dissimilarity beside the absolute error (Zhao et al. 2017, doi:10.1109/TCI.2016.2644865):
what takes texture away with the grain costs more."""


def spoil(rng: np.random.Generator, clean: Tensor) -> Tensor:
    """What a picture looks like that was taken in the dark and made light. Shape: ``(1, 3, H, W)`` in [0, 1], kept."""
    if rng.random() < 1 / 6:
        return clean
    gain = math.exp(rng.uniform(math.log(4), math.log(60)))
    dark = rgb_to_linear_rgb(clean) / gain
    # Variances of shot and read noise, in linear light (Brooks et al. 2019, arXiv:1811.11127, and beyond).
    shot = math.exp(rng.uniform(math.log(1e-4), math.log(4e-3)))
    read_ = (shot * rng.uniform(0.01, 0.12)) ** 2 + rng.uniform(0, 6e-4) ** 2
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    if rng.random() < 0.6:  # demosaicing and in-camera filters make it coarser, the more of colour
        sigma = rng.uniform(0.4, 1.1)
        noise = gaussian_blur2d(noise, (7, 7), (sigma, sigma))
        noise = noise / noise.std()
    if rng.random() < 0.5:
        share = rng.uniform(0.2, 0.8)
        noise = math.sqrt(1 - share) * noise + math.sqrt(share) * noise.mean(1, keepdim=True) * math.sqrt(3)
    gains = torch.from_numpy(rng.uniform(0.8, 1.6, (1, 3, 1, 1)).astype(np.float32))
    dark = dark + noise * gains * (shot * dark + read_).sqrt()
    seen = (linear_rgb_to_rgb(dark.clamp(0, 1)) * 255).round() / 255
    if rng.random() < 0.7:
        pixels = (seen[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(
            file, "JPEG", quality=int(rng.integers(65, 98)), subsampling=int(rng.integers(0, 3))
        )
        seen = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None].float() / 255
    return linear_rgb_to_rgb((rgb_to_linear_rgb(seen) * gain).clamp(0, 1)).clamp(0, 1)


def initialize(network: nn.Module) -> None:
    """Blocks that begin as their shortcuts nearly, and no noise found: the first steps are small then."""
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.endswith("second.weight") or name.startswith("head"):
                p.mul_(0.1)


def muon(network: nn.Module, rate: float, ends: tuple[str, ...]) -> Muon:
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the kernels inside of a network.

    ends: the layers that begin and end it; they, and what is no kernel, get Adam at a tenth of the rate.
    """
    inside = {name: p.ndim == 4 and not name.startswith(ends) for name, p in network.named_parameters()}
    kernels, others = ([p for name, p in network.named_parameters() if inside[name] is kind] for kind in (True, False))
    groups = [
        {"params": kernels, "use_muon": True, "highest": rate, "weight_decay": 0.01},
        {"params": others, "use_muon": False, "highest": rate / 10, "weight_decay": 0.01, "betas": (0.9, 0.99)},
    ]
    return Muon(groups)


def main() -> None:
    """Read the options, train, log, and keep the moving average."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--start", type=Path, help="weights of low-light, to go on; none: from the beginning")
    parser.add_argument("--look", type=Path, help="weights of looks.py: both are packed into low-light.safetensors")
    parser.add_argument("--out", type=Path, required=True, help="where the weights and the log go")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=0.01, help="of Muon; Adam has a tenth of it")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 until late: faster on CPUs that have it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    known, held_out = photographs[:-HELD_OUT], photographs[-HELD_OUT:]
    network = Cleaner().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        state = load_file(options.start)
        state = {name.removeprefix("cleaner."): x for name, x in state.items() if name.startswith("cleaner.")} or state
        network.load_state_dict({name: value.float() for name, value in state.items()})
    else:
        initialize(network)
    average = copy.deepcopy(network)
    fixed = np.random.default_rng(9)
    good = crops(fixed, held_out, 16, 192)
    bad = torch.cat([spoil(fixed, picture[None]) for picture in good])
    optimizer = muon(network, options.rate, ("stem", "head"))
    begin, step, progress, mean = time.monotonic(), 0, 0.0, 0.0
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / 60 / options.minutes)
        fall = min(1, (step + 1) / 100) * (0.005 + 0.995 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * fall
        clean = crops(rng, known, options.batch, options.size if progress < 0.7 else options.size + 64)
        noisy = torch.cat([spoil(rng, picture[None]) for picture in clean])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16 and progress < 0.85):
            found = network(noisy.contiguous(memory_format=torch.channels_last)).float()
        made = noisy - found
        loss = (made - clean).abs().mean() + 0.3 * gradient_error(made, clean)
        loss = loss + ALIKE * ssim_loss(made, clean, 11, padding="valid")
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        if torch.isfinite(norm):
            optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 0.001 if step > 1000 else 0.01)
        mean = 0.98 * mean + 0.02 * loss.item() if step else loss.item()
        step += 1
        if step % 250 == 0 or progress >= 1:
            with torch.inference_mode():
                after = bad - average(bad)
            before_db, after_db = (
                float((-10 * (x - good).square().mean((1, 2, 3)).clamp(min=1e-5).log10()).mean()) for x in (bad, after)
            )
            entry = {"step": step, "seconds": round(time.monotonic() - begin), "loss": mean}
            alike = [round(float(ssim(x, good, 11, padding="valid").mean()), 4) for x in (bad, after)]
            entry |= {"before": round(before_db, 3), "after": round(after_db, 3), "ssim": alike}
            with (options.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            half = {name: value.half().contiguous() for name, value in average.state_dict().items()}
            save_file(half, options.out / "clean.safetensors")
            if options.look:
                both = load_file(options.look) | {f"cleaner.{name}": value for name, value in half.items()}
                save_file(both, options.out / "low-light.safetensors")
            torch.save({"network": network.state_dict(), "average": average.state_dict()}, options.out / "last.pt")


def gradient_error(made: Tensor, due: Tensor) -> Tensor:
    """How far the differences of neighbours are apart: what blurs an edge, or leaves a grain, counts more."""
    difference = made - due
    across, down = difference.diff(dim=3).abs().mean(), difference.diff(dim=2).abs().mean()
    return across + down


if __name__ == "__main__":
    main()
