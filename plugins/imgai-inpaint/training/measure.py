"""How good a fill is, on photographs that the training did not see, beside the smooth fill and Telea's method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from holes import faces, text_and_scratches
from imgai_inpaint.fill import smooth_fill
from imgai_inpaint.network import InpaintNet
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from imgai.training.photographs import SIDE, to_tensor

PHOTOGRAPHS = 24
"""So many of the held-out photographs are measured."""
PART = 0.05
"""The part of each that is covered."""


def validation(folder: Path, held: list[str], fonts: Path) -> tuple[Tensor, Tensor]:
    """Held-out photographs, with text (of fonts that the training did not see) and scratches over PART of each.

    Shape: ``(N, 3, SIDE, SIDE)`` in [0, 1] and ``(N, 1, SIDE, SIDE)``, 1 in holes
    """
    clean = torch.stack(
        [to_tensor(np.asarray(Image.open(folder / name).convert("RGB"))[:SIDE, :SIDE]) for name in held[:PHOTOGRAPHS]]
    )
    rng, (_, unseen) = np.random.default_rng(5), faces(fonts)
    drawn = [text_and_scratches(rng, SIDE, unseen, part=PART) for _ in range(PHOTOGRAPHS)]
    return clean, torch.from_numpy(np.stack(drawn)).float()[:, None]


def psnr_inside(answer: Tensor, clean: Tensor, mask: Tensor) -> list[float]:
    """PSNR of each picture's holes, of 8 bits (dB). Shape: ``(N, 3, H, W)`` twice and ``(N, 1, H, W)``"""
    wrong = ((answer.clamp(0, 1) * 255).round() / 255 - clean).square() * mask
    error = wrong.sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))
    return [float(-10 * e.log10()) for e in error]


def telea(clean: Tensor, mask: Tensor) -> Tensor:
    """OpenCV's inpainting by Telea's method, radius 3, of each picture. Shape: as `psnr_inside`"""
    import cv2

    def one(picture: Tensor, holes: Tensor) -> Tensor:
        pixels: NDArray[np.uint8] = (picture.movedim(0, -1).numpy() * 255).round().astype(np.uint8)
        filled = cv2.inpaint(pixels, holes[0].numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA)
        return to_tensor(filled)

    return torch.stack([one(c * (1 - m), m) for c, m in zip(clean, mask, strict=True)])


def measure(weights: Path, clean: Tensor, mask: Tensor, sheet: Path | None = None) -> None:
    """Print the table; draw what became of the photographs, at their own size: holes, filled, Telea, original."""
    network = InpaintNet().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    holes = torch.cat((clean * (1 - mask), mask), 1)
    with torch.inference_mode():
        ways = {
            "Telea (OpenCV)": telea(clean, mask),
            "smooth fill": smooth_fill(holes[:, :3], mask),
            weights.stem: torch.cat([network(one[None]) for one in holes]),
        }
    print("| | PSNR in the holes, mean (dB) | lowest | above Telea, lowest |\n| --- | --- | --- | --- |")
    base = psnr_inside(ways["Telea (OpenCV)"], clean, mask)
    for name, answer in ways.items():
        found = psnr_inside(answer, clean, mask)
        above = min(a - b for a, b in zip(found, base, strict=True))
        print(f"| {name} | {np.mean(found):.2f} | {min(found):.2f} | {above:+.2f} |")
    if sheet:
        columns = (clean * (1 - mask) + mask, ways[weights.stem], ways["Telea (OpenCV)"], clean)
        rows = torch.cat([torch.cat([each[i] for each in columns], -1) for i in range(len(clean))], 1)
        Image.fromarray((rows.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()).save(sheet)
