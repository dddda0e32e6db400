"""Trains the weights of `document`, on pages that it draws itself while it trains.

    python training/document.py --fonts /usr/share/fonts/truetype /usr/share/fonts/opentype --out OUT --minutes 60
    python training/document.py --fonts ... --out OUT --calibrate OUT/document.safetensors
    python training/document.py --fonts ... --out OUT --measure OUT/document.safetensors  # the table of the card

A second process draws pages and photographs them into a pool of crops that lives in shared memory; the training takes
batches from the pool, turned and mirrored. OUT gets log.jsonl, checkpoint.pt (to go on with --resume),
document.safetensors (the moving average of the weights, batch normalisation folded) and val.npz (the validation pages,
from fonts and paper textures that training never sees; drawn again if it is missing). Needs SciPy, scikit-image and
imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from crops import CROP, POOL, Pages, draw_pages, fill, split, validation
from imgai_segment.document import WIDTHS, DocumentNet, preprocess
from numpy.typing import NDArray
from pages import Face, find_faces
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imgai.training.synthesis import add_options, halved, learn

LARGE = 0.7
"""Of the time, after which crops are as large as the pool has them."""


def f_measure(ink: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall over the pixels of ink."""
    both = np.logical_and(ink, mask).sum()
    return float(2 * both / max(1, ink.sum() + mask.sum()))


def predict(network: nn.Module, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability of ink, ``(H, W)``, of a picture of any size at once."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % 32, 0, -height % 32), mode="reflect")
    with torch.inference_mode():
        return torch.sigmoid(network(preprocess()(x)))[0, 0, :height, :width].numpy()


def ink_by(network: nn.Module) -> Callable[[NDArray[np.uint8]], NDArray[np.bool_]]:
    """The ink that a network finds, cut at one half."""
    return lambda image: predict(network, image) > 0.5


def measure(ink_of: Callable[[NDArray[np.uint8]], NDArray[np.bool_]], pages: Pages) -> list[float]:
    """F-measure of each page."""
    return [f_measure(ink_of(image), mask) for image, mask in pages]


def fold(network: DocumentNet) -> DocumentNet:
    """The same network with batch normalisation folded into the convolutions."""
    plain = DocumentNet(network.widths)
    target = dict(plain.named_modules())
    for name, module in network.eval().named_modules():
        if isinstance(module, nn.Sequential) and len(module) == 2:
            fused = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            target[f"{name}.0"].load_state_dict(fused.state_dict())
    plain.head.load_state_dict(network.head.state_dict())
    return plain.eval()


def load_weights(file: Path) -> DocumentNet:
    """A network with the weights of a file, as wide as they are."""
    state = {name: value.float() for name, value in load_file(file).items()}
    widths = [state["stem.0.bias"], *(state[f"down.{index}.0.bias"] for index in range(len(WIDTHS) - 1))]
    network = DocumentNet(tuple(len(width) for width in widths))
    network.load_state_dict(state)
    return network.eval()


def widened(plain: DocumentNet, widths: tuple[int, ...]) -> DocumentNet:
    """A wider network that answers as the folded one does: what was there does not listen to what is new."""
    network = DocumentNet(widths)
    state = network.state_dict()
    for name, old in plain.state_dict().items():
        new = state[name]
        if old.ndim == 4:
            new[: len(old), old.shape[1] :] = 0
            new[: len(old), : old.shape[1]] = old
        else:
            new.zero_()
            new[: len(old)] = old
    return network.eval()


def unfold(plain: DocumentNet, batches: list[Tensor]) -> DocumentNet:
    """The folded network with batch normalisation once more, to train on: statistics from a few batches of pictures."""
    network = DocumentNet(plain.widths, norm=True)
    source = dict(plain.named_modules())
    norms: dict[str, nn.BatchNorm2d] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential) and len(module) == 2:
            folded = source[f"{name}.0"]
            module[0].weight.data.copy_(folded.weight.data)  # type: ignore[operator, union-attr]
            module[1].bias.data.copy_(folded.bias.data)  # type: ignore[operator, union-attr]
            norms[name] = module[1]
    network.head.load_state_dict(plain.head.state_dict())
    sums: dict[str, list[Tensor]] = {name: [] for name in norms}
    hooks = [
        norm.register_forward_hook(
            lambda _, inputs, __, kept=sums[name]: kept.append(
                torch.stack([inputs[0].mean((0, 2, 3)), inputs[0].square().mean((0, 2, 3))])
            )
        )
        for name, norm in norms.items()
    ]
    with torch.inference_mode():
        for batch in batches:
            network.eval()(batch)  # normalises by mean 0 and variance 1: the folded network itself
    for hook in hooks:
        hook.remove()
    for name, norm in norms.items():
        mean, square = torch.stack(sums[name]).mean(0).clone()
        norm.running_mean = mean
        norm.running_var = (square - mean**2).clamp(min=1e-6)
        norm.weight.data.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.data.add_(mean)
    return network.train()


def loss_of(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy plus soft Dice over the batch."""
    ink = torch.sigmoid(logits)
    dice = 1 - (2 * (ink * mask).sum() + 1) / ((ink + mask).sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, mask) + 0.5 * dice


def train(options: argparse.Namespace, faces: list[Face], pages: Pages) -> None:
    """Train, log, and keep the moving average."""
    photos = (
        [np.asarray(Image.open(p).convert("RGB")) for p in sorted(options.photos.glob("*"))[:200]]
        if options.photos
        else []
    )
    pool = torch.zeros((POOL, 4, CROP, CROP), dtype=torch.uint8).share_memory_()
    filled = torch.zeros(1, dtype=torch.int64).share_memory_()
    context = torch.multiprocessing.get_context("fork")
    for worker in range(options.drawers):
        part = pool[worker :: options.drawers]
        count = filled if worker == 0 else torch.zeros(1, dtype=torch.int64)
        context.Process(
            target=fill, args=(part, count, faces, photos, options.seed + worker, options.pause), daemon=True
        ).start()
    torch.manual_seed(options.seed)
    chain = preprocess()
    while int(filled) * options.drawers < 128:
        time.sleep(1)
    network = DocumentNet(norm=True)
    if options.start:
        seen = [chain(part[:, :3].float() / 255) for part in pool[:128].split(16)]
        network = unfold(widened(load_weights(options.start), WIDTHS), seen)

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        ready = min(POOL, int(filled) * options.drawers)
        side = options.crop if progress < LARGE else CROP
        y, x = rng.integers(0, CROP - side + 1, 2)
        crops = pool[torch.from_numpy(rng.integers(0, ready, options.batch)), :, y : y + side, x : x + side]
        crops = torch.rot90(crops, int(rng.integers(4)), (2, 3))
        crops = crops.flip(3) if rng.random() < 0.5 else crops
        gain = torch.from_numpy(rng.uniform(0.7, 1.1, (options.batch, 3, 1, 1)).astype(np.float32))
        image = crops[:, torch.from_numpy(rng.permutation(3))].float() / 255 * gain
        return chain(image.clamp(0, 1)), crops[:, 3:].float()

    def figures(average: DocumentNet) -> dict[str, float]:
        return {"drawn": int(filled), "f_measure": round(float(np.mean(measure(ink_by(fold(average)), pages[:18]))), 4)}

    learn(
        network,
        batch,
        loss_of,
        options,
        name="document",
        measure=figures,
        tensors=lambda average: halved(fold(average)),
        clip=2.0,
    )
    plain = load_weights(options.out / "document.safetensors")
    print(f"F-measure of all pages: {np.mean(measure(ink_by(plain), pages)):.4f}")


def mean_of(files: list[Path], out: Path) -> None:
    """Write the mean of weights that were trained on from the same ones (Wortsman et al. 2022, arXiv:2203.05482)."""
    states = [load_file(file) for file in files]
    means = {name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]}
    save_file({name: value.half().contiguous() for name, value in means.items()}, out)


def calibrate(file: Path, faces: list[Face]) -> None:
    """Move the bias of a weights file so that one half is the best threshold on pages of the training's own kind."""
    pages = draw_pages(faces, 30, seed=99, held_out=False)
    network = load_weights(file)
    found = [predict(network, image) for image, _ in pages]
    levels = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8]
    means = [
        np.mean([f_measure(ink > level, page[1]) for ink, page in zip(found, pages, strict=True)]) for level in levels
    ]
    best = levels[int(np.argmax(means))]
    state = load_file(file)
    state["head.bias"][:4] -= math.log(best / (1 - best))
    save_file(state, file)
    print(
        f"threshold {best} becomes 0.5: F-measure {means[levels.index(0.5)]:.4f} -> {max(means):.4f} on training fonts"
    )


def classic(name: str, window: int = 25) -> Callable[[NDArray[np.uint8]], NDArray[np.bool_]]:
    """A thresholding of scikit-image, on the grey picture."""
    from skimage import color, filters

    def ink(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        grey = color.rgb2gray(image)
        level = (
            filters.threshold_otsu(grey) if name == "otsu" else filters.threshold_sauvola(grey, window, k=0.2, r=0.5)
        )
        result: NDArray[np.bool_] = grey < level
        return result

    return ink


def table(weights: Path, pages: Pages) -> None:
    """Print the F-measure of the weights beside Otsu's and Sauvola's thresholds."""
    network = load_weights(weights)
    rows = {
        "document": measure(ink_by(network), pages),
        "Otsu": measure(classic("otsu"), pages),
    }
    for window in (15, 25, 51):
        rows[f"Sauvola, window {window}"] = measure(classic("sauvola", window), pages)
    for name, values in rows.items():
        mean, median, lowest = np.mean(values), np.median(values), min(values)
        print(f"{name:20} mean {mean:.4f}  median {median:.4f}  lowest {lowest:.4f}  pages {len(values)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="folders that hold TTF, OTF or TTC files")
    parser.add_argument(
        "--photos", type=Path, help="a folder of photographs to lay pages on; drawn desks alone without it"
    )
    add_options(parser, rate=2e-3, minutes=60)
    parser.add_argument("--crop", type=int, default=192, help="side of a training crop, a multiple of 32")
    parser.add_argument(
        "--pause", type=float, default=0.2, help="seconds that a drawer rests after each crop once the pool is full"
    )
    parser.add_argument("--drawers", type=int, default=1, help="processes that draw")
    parser.add_argument("--pages", type=int, default=48, help="validation pages")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="folded weights to start from")
    parser.add_argument("--measure", type=Path, metavar="WEIGHTS", help="measure these weights, do not train")
    parser.add_argument(
        "--mean", type=Path, nargs="+", metavar="WEIGHTS", help="write their mean into OUT, do not train"
    )
    parser.add_argument(
        "--calibrate", type=Path, metavar="WEIGHTS", help="move the threshold of these weights, in place"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.mean:
        mean_of(options.mean, options.out / "document.safetensors")
        return
    training, held_out = split(find_faces(options.fonts))
    if options.calibrate:
        calibrate(options.calibrate, training)
        return
    pages = validation(options.out, held_out, options.pages)
    if options.measure:
        table(options.measure, pages)
    else:
        train(options, training, pages)


if __name__ == "__main__":
    main()
