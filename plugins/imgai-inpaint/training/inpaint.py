"""Trains the weights of `small`.

    python training/inpaint.py --photos PHOTOS --fonts FONTS --out OUT --minutes 80
    python training/inpaint.py --photos PHOTOS --fonts FONTS --out OUT --measure WEIGHTS [--sheet SHEET.png]

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; 40 of them are held out.
FONTS is a folder of TrueType fonts. OUT gets photographs.npy and masks.npy (made once), log.jsonl, last.pt (a training
that was stopped goes on from it) and the moving average of the weights in half precision. The rate falls along a cosine
that follows the clock. Needs pytorch-optimizer besides the plugin; the comparison with Telea's method needs OpenCV.
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
from holes import faces
from imgai_inpaint.network import InpaintNet
from measure import measure, psnr_inside, validation
from photographs import crops, masks, names, read
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

MASKS = 800
"""How many masks are drawn; crops of them, turned and mirrored, are many more."""
EDGES = 0.5
"""How much the differences of neighbours count, beside the values themselves."""
FINE = 0.98
"""Of the time, after which --bf16 is left for float32."""


def muon(network: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the kernels inside of the network.

    The layers that begin and end it, and biases, get Adam at a tenth of the rate.
    """
    from pytorch_optimizer import Muon  # to measure, it is not needed

    inside: list[nn.Parameter] = []
    outer: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        (outer if name.startswith(("stem", "head")) or parameter.ndim < 2 else inside).append(parameter)
    groups = [
        {"params": inside, "use_muon": True, "highest": rate, "weight_decay": 0.01},
        {"params": outer, "use_muon": False, "highest": rate / 10, "weight_decay": 0.0, "betas": (0.9, 0.99)},
    ]
    return Muon(groups)


def initialize(network: InpaintNet) -> None:
    """Orthogonal weights; what is added to the way around starts small, and so does the detail that is added."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.orthogonal_(module.weight, 0.6)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("second.weight"):
                weight.mul_(0.2)
        network.head.weight.mul_(0.05)


def loss_of(answer: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """The mean difference in holes, with that of the differences of neighbours of which one is in a hole.

    Shape: ``(B, 3, h, w)`` twice and ``(B, 1, h, w)`` to a scalar
    """
    wrong = answer - clean  # 0 outside of holes
    down, across = wrong[:, :, 1:] - wrong[:, :, :-1], wrong[..., 1:] - wrong[..., :-1]
    size = mask.sum((1, 2, 3)).clamp(min=16) * 3
    per_crop = wrong.abs().sum((1, 2, 3)) + EDGES * (down.abs().sum((1, 2, 3)) + across.abs().sum((1, 2, 3))) / 2
    return (per_crop / size).mean()


def save(file: Path, network: nn.Module) -> None:
    """Write weights in half precision."""
    made = file.with_suffix(".part")
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, made)
    made.replace(file)


def keep(file: Path, state: dict[str, Any]) -> None:
    """Write all that the training goes on from, whole or not at all."""
    made = file.with_suffix(".part")
    torch.save(state, made)
    made.replace(file)


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average; goes on where it was stopped."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    known, held = names(options.photos, options.sources)
    fonts, _ = faces(options.fonts)
    photographs = read(options.photos, known, out / "photographs.npy")
    drawn = masks(fonts, MASKS, out / "masks.npy")
    clean_val, mask_val = validation(options.photos, held, options.fonts)
    torch.manual_seed(options.seed)
    network = InpaintNet()
    initialize(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
    average = copy.deepcopy(network)
    optimizer = muon(network, options.rate)
    last, step, used = out / "last.pt", 0, 0.0
    if last.exists():
        kept = torch.load(last, weights_only=True)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimizer.load_state_dict(kept["optimizer"])
        step, used = kept["step"], kept["used"]
        for group, highest in zip(optimizer.param_groups, (options.rate, options.rate / 10), strict=True):
            group["highest"] = highest
    begin, progress, mean_loss, noted = time.monotonic() - used, 0.0, 0.0, time.monotonic()
    while progress < 1:
        used = time.monotonic() - begin
        progress = min(1.0, used / 60 / options.minutes)
        fall = 0.002 + 0.998 * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * min(1, (step + 1) / 100) * fall
        rng = np.random.default_rng((options.seed, step))
        batch = crops(rng, photographs, drawn, options.batch, options.crop)
        batch = batch.contiguous(memory_format=torch.channels_last)
        clean, mask = batch[:, :3], batch[:, 3:]
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16 and progress < FINE):
            answer = network(torch.cat((clean * (1 - mask), mask), 1))
        loss = loss_of(answer.float(), clean, mask)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
        with torch.no_grad():
            decay = min(0.999, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
        mean_loss = 0.98 * mean_loss + 0.02 * loss.item() if mean_loss else loss.item()
        step += 1
        if step % 100 == 0 or progress >= 1:
            entry: dict[str, Any] = {"step": step, "seconds": round(used), "loss": round(mean_loss, 5)}
            if time.monotonic() - noted > 60 * options.every or progress >= 1:
                noted = time.monotonic()
                with torch.inference_mode():
                    answer = torch.cat(
                        [average(torch.cat((c * (1 - m), m))[None]) for c, m in zip(clean_val, mask_val, strict=True)]
                    )
                entry["psnr"] = round(float(np.mean(psnr_inside(answer, clean_val, mask_val))), 3)
                state = {"network": network.state_dict(), "average": average.state_dict()}
                keep(last, {**state, "optimizer": optimizer.state_dict(), "step": step, "used": used})
                save(out / "small.safetensors", average)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")


def main() -> None:
    """Train, or measure what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--sources", type=Path, help="table of what each photograph was cut from (see photographs.py)")
    parser.add_argument("--fonts", type=Path, required=True, help="folder of TrueType fonts")
    parser.add_argument("--out", type=Path, help="where the weights and the log go")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--rate", type=float, default=0.02, help="of Muon at its highest; Adam has a tenth of it")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=128, help="side of a crop")
    parser.add_argument("--every", type=float, default=4, help="minutes between validations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 for most of the time, on CPUs that have it")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--measure", type=Path, metavar="WEIGHTS", help="measure these weights instead of training")
    parser.add_argument("--sheet", type=Path, help="with --measure: a picture of what became of the photographs")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # momentum that dies away slows every step otherwise
    if options.measure:
        measure(
            options.measure,
            *validation(options.photos, names(options.photos, options.sources)[1], options.fonts),
            options.sheet,
        )
    elif options.out:
        train(options)
    else:
        parser.error("training needs --out")


if __name__ == "__main__":
    main()
