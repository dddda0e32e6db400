"""Trains the network that repaints pictures, for the built-in paintings or for any picture as the style.

    python training/paint.py --model paintings --photos PHOTOS --paintings PAINTINGS --out OUT --minutes 60
    python training/paint.py --model any --photos PHOTOS --paintings PAINTINGS --out ANY --start OUT/checkpoint.pt

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; the last 40 by name are
held out. PAINTINGS holds the paintings. The features come from the weights of imgai-classify (EfficientNet-Lite0,
ImageNet), which must be installed. OUT gets photographs.npy, log.jsonl, checkpoint.pt (to go on with --resume), the
moving average of the weights in half precision, and sheet.png: held-out pictures in every style. Needs imgai[train]
besides the plugin.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import imgai_classify
import numpy as np
import torch
import torch.nn.functional as F
from imgai_classify.efficientnet_lite import load_weights
from imgai_stylize.eye import Eye
from imgai_stylize.network import SIZE, StyleNet
from numpy.typing import NDArray
from PIL import Image
from styles import TAPS, Features, content_error, moments, patch_error, style_error
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT, read, to_tensor
from imgai.training.synthesis import add_options, learn

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


Moments = dict[str, tuple[Tensor, Tensor]]


class Painter(nn.Module):
    """The network with what says the styles, and what the features are of what it made.

    Shape: ``(B, 3, SIDE, SIDE)``, ``(B,)`` and the style pictures, to what was made, its style, its features, those of
    the content, and the moments of the styles'.

    wanted: the moments of each built-in painting; none for any style, which are taken from the pictures.
    """

    def __init__(self, network: nn.Module, source: nn.Module, features: Features, wanted: list[Moments]) -> None:
        super().__init__()
        self.network = network
        self.source = source
        self.fixed = (features, wanted)  # in a tuple, since it is not learned

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        content, index, *pictures = inputs
        features, wanted = self.fixed
        style = self.source(index) if wanted else torch.cat([self.source(picture) for picture in pictures])
        made = self.network(content, style)
        with torch.no_grad():
            kept = features(content)
            each = [wanted[i] for i in index.tolist()] if wanted else [moments_of(features, one) for one in pictures]
        due = {tap: tuple(torch.cat([one[tap][k] for one in each]) for k in (0, 1)) for tap in TAPS}
        return made, style, features(made.contiguous(memory_format=torch.channels_last)), kept, due


def moments_of(features: Features, picture: Tensor) -> Moments:
    """What a picture's style is measured by."""
    return {tap: moments(value) for tap, value in features(picture).items() if tap in TAPS}


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    known = photographs[: len(photographs) - HELD_OUT]
    torch.manual_seed(options.seed)
    any_style = options.model == "any"
    paintings = [open_picture(path, LONG) for path in sorted(options.paintings.iterdir())]
    features = Features(load_weights(WEIGHTS))
    network = StyleNet()
    source: nn.Module = Eye() if any_style else Table(len(paintings))
    if any_style:
        source.initialize(load_weights(WEIGHTS))  # type: ignore[operator]
    if options.start:
        begun = torch.load(options.start, weights_only=True)["average"]
        network.load_state_dict({key[8:]: value for key, value in begun.items() if key.startswith("network.")})
    styles = Styles(paintings, known if any_style else None)
    held_out = [photographs[index] for index in range(len(photographs) - 5, len(photographs))]
    contents = torch.cat(
        [F.interpolate(to_tensor(picture)[None], (384, 384), mode="bilinear", antialias=True) for picture in held_out]
    )
    wanted = [] if any_style else [moments_of(features, painting) for painting in paintings]

    def batch(rng: np.random.Generator, progress: float) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        index, pictures = styles.draw(rng, options.batch)
        content = torch.cat([whole(rng, known) for _ in range(options.batch)])
        # The last picture is the first with noise on it, in the same style: the two are to look alike.
        index[-1], pictures[-1] = index[0], pictures[0]
        noise = torch.from_numpy(rng.standard_normal((3, SIDE, SIDE), np.float32))
        content[-1] = (content[0] + noise * float(rng.uniform(1, 6)) / 255).clamp(0, 1)
        return (content, index, *pictures), tuple(pictures)

    def loss(answer: tuple[Any, ...], pictures: tuple[Tensor, ...]) -> Tensor:
        made, style, found, kept, due = answer
        across, down = made.diff(dim=3).abs().mean(), made.diff(dim=2).abs().mean()
        total = content_error(found, kept).mean() * options.content
        total = total + style_error(found, due).mean() * options.style
        total = total + patch_error(made, list(pictures)).mean() * options.patch
        total = total + (made[-1] - made[0]).abs().mean() * options.steady + (across + down) * options.smooth
        return total + 1e-4 * style.square().mean() if any_style else total

    def show(average: Painter) -> dict[str, float]:
        picture = sheet(average.network, average.source, any_style, paintings, contents)
        picture.save(options.out / "sheet.png")
        return {}

    # A style's numbers are asked for in one picture of many: they must learn faster to part from each other.
    share = 1.0 if any_style else 10.0
    options.rate *= share
    learn(
        Painter(network, source, features, wanted),
        batch,
        loss,
        options,
        name=options.model,
        measure=show,
        weight_decay=0.0,
        is_head=lambda name: name.startswith("source."),
        rest=1 / share,
    )


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("paintings", "any"), default="paintings")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument(
        "--paintings", type=Path, required=True, help="folder of paintings; their names in order are the styles"
    )
    add_options(parser, rate=1e-3, minutes=60, batch=4, optimizer="adam")
    parser.add_argument("--content", type=float, default=5.0)
    parser.add_argument("--style", type=float, default=1.0)
    parser.add_argument("--patch", type=float, default=10.0)
    parser.add_argument("--steady", type=float, default=2.0)
    parser.add_argument("--smooth", type=float, default=0.3)
    parser.add_argument("--start", type=Path, help="checkpoint.pt of another training to begin with")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
