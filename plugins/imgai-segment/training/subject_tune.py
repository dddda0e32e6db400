"""Tune the `subject` model on more kinds of subjects, from its shipped weights.

    python training/subject_tune.py --pairs DIR --things DIR --people DIR --objects DIR --photos DIR --drawn DIR \
        --out DIR --hours 1.5

``--pairs`` and ``--things`` hold one folder a collection, each with ``images`` and ``masks``, and ``manifest.tsv``;
the others are as for ``subject.py``; ``--drawn`` holds things with an alpha channel, to paste. `subject_sources` says
what is held out. A run writes ``log.jsonl``, ``checkpoint.pt`` (run the same command again to go on) and, with every
measurement, the averaged weights ``average-STEP.safetensors`` to ``--out``. ``--measure FILE`` measures weights
on everything that is held out, and trains nothing.

What the network knew is kept by a low rate for the encoder, by drawing its weights back to where they started, and by
the weights that it started from, as a frozen teacher on photographs without masks (Hinton et al., "Distilling the
Knowledge in a Neural Network", 2015; Li and Hoiem, "Learning without Forgetting", ECCV 2016).
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
from imgai_segment.efficientnet_lite import InvertedResidual
from imgai_segment.subject import LOOK, SIZE, WIDTHS, Looks, Mask, Subject
from PIL import Image
from safetensors.torch import load_file, save_file
from subject import loss_of, measure, normalize
from subject_depthwise import speed_up
from subject_mix import Broad
from subject_pictures import Collection, read_clothes, read_photos, read_things
from subject_sources import names, read_cutouts, read_empty, read_sources, read_taught, read_unknown
from torch import Tensor, nn
from torch.nn import functional as F

FROZEN_STAGES = 5
"""Of the encoder's seven: those down to a sixteenth of the size stay as they are."""
SHARPER = 2.0
"""The teacher's logits are multiplied by this: what it is unsure of it shall not teach as a wisp."""
FEATURES = 0.2
"""Weight of keeping the encoder's last features on the teacher's pictures, as a share of their power."""
SUBSET = 10
"""Pictures of a kind that are measured while training goes on."""


class Tuned(nn.Module):
    """The network with a side output on every level, which start at nothing. Shape: images to five logits."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.subject = Subject()
        state = {name: value.float() for name, value in load_file(weights).items()}
        # `subject_presence` fits that again, to what was learned here.
        self.subject.load_state_dict({name: x for name, x in state.items() if not name.startswith("presence.")})
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in WIDTHS[1:])
        for side in self.sides.parameters():
            nn.init.zeros_(side)

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = self.subject.pyramid(images)
        outputs = [self.subject.out(levels[0]), *(side(x) for side, x in zip(self.sides, levels[1:], strict=True))]
        return [output.float() for output in outputs]


class Teacher:
    """The frozen weights that training started from: their masks and their encoder's last features."""

    def __init__(self, network: Subject) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.seen = self._listen(self.network)

    @staticmethod
    def _listen(network: Subject) -> list[Tensor]:
        """A list that always holds the encoder's latest last features."""
        seen: list[Tensor] = []
        network.encoder.register_forward_hook(
            lambda _module, _inputs, output: seen.__setitem__(slice(None), output[-1:])
        )
        return seen

    def follow(self, student: Subject) -> None:
        """Compare with this network from now on."""
        self.student = self._listen(student)

    @torch.no_grad()
    def masks(self, images: Tensor) -> Tensor:
        """Masks ``(B, 1, H, W)`` in [0, 1] of normalised images."""
        mask: Tensor = Mask()(SHARPER * self.network(images).float())
        return mask

    def drift(self, chosen: Tensor) -> Tensor:
        """How far the student's features of the chosen images are from the teacher's latest, 0 for not at all."""
        ours, theirs = self.student[0][chosen].float(), self.seen[0].float()
        return F.mse_loss(ours, theirs) / theirs.square().mean().clamp_min(1e-6)


def parameter_groups(network: Tuned, rate: float, encoder_rate: float) -> list[dict[str, Any]]:
    """Freeze the classifier, the stem, five stages and all filters; a lower rate for the rest of the encoder.

    The encoder's depthwise filters would change least and cost most.
    """
    encoder = network.subject.encoder
    for frozen in (network.subject.activation, encoder.stem, *encoder.stages[:FROZEN_STAGES]):
        frozen.requires_grad_(False)
    for module in encoder.modules():
        if isinstance(module, InvertedResidual):
            module.depthwise.weight.requires_grad_(False)
    slow = [p for p in encoder.parameters() if p.requires_grad]
    inside = {id(p) for p in encoder.parameters()}
    fast = [p for p in network.parameters() if p.requires_grad and id(p) not in inside]
    return [{"params": slow, "lr": encoder_rate, "peak": encoder_rate}, {"params": fast, "lr": rate, "peak": rate}]


def thin(collection: Collection, count: int) -> Collection:
    """At most so many pictures of each kind, evenly spread."""
    return {kind: pictures[:: math.ceil(len(pictures) / count)] for kind, pictures in collection.items()}


@torch.inference_mode()
def covered(network: Subject, photos: list[np.ndarray], size: int) -> dict[str, float]:
    """The share of the photographs that the mask covers: where it is above 0.5, and its mean."""
    above, soft = [], []
    for photo in photos:
        image = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR)
        mask = Mask()(network(normalize(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])).float())
        above.append((mask > 0.5).float().mean().item())
        soft.append(mask.mean().item())
    return {"empty": sum(above) / len(above), "empty_soft": sum(soft) / len(soft)}


def report(network: Subject, held: Collection, empty: list[np.ndarray]) -> dict[str, float]:
    """IoU by kind, the mean over video sequences' kinds, and the share of empty pictures that is covered."""
    size = SIZE if isinstance(network, Looks) else LOOK
    numbers = measure(network, held, size)
    video: dict[str, list[float]] = {}
    for name, value in numbers.items():
        if name.startswith("video-"):
            video.setdefault(name.split("-")[1], []).append(value)
    means = [sum(values) / len(values) for values in video.values()]
    numbers = {name: value for name, value in numbers.items() if not name.startswith("video-")}
    if means:
        numbers["video"] = sum(means) / len(means)
    return {name: round(value, 4) for name, value in (numbers | covered(network, empty, size)).items()}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "things", "people", "objects", "photos", "out", "start"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--go-on", type=Path, help="averaged weights to begin with; --start still teaches")
    parser.add_argument("--drawn", type=Path, help="a folder of things with an alpha channel, to paste")
    parser.add_argument("--clothes", type=Path, help="a folder of garments, KIND/NAME.jpg (see subject_pictures)")
    parser.add_argument("--taught", type=Path, help="a folder of collections with masks of subject_teacher")
    parser.add_argument("--hours", type=float, default=1.0, help="wall-clock length; the cosine ends with it")
    parser.add_argument("--sizes", type=int, nargs="+", default=(256, 320), help="sides, one for each batch")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--encoder-rate", type=float, default=6e-5)
    parser.add_argument("--back", type=float, default=1e-4, help="how far the encoder is drawn back at each step")
    parser.add_argument("--average", type=float, default=0.99, help="decay of the weights' moving average")
    parts = ("MASKED", "PASTED", "EMPTY", "TAUGHT")
    parser.add_argument("--parts", type=float, nargs=4, default=(0.62, 0.15, 0.11, 0.12), metavar=parts)
    parser.add_argument("--minutes", type=float, default=6, help="between measurements")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", type=Path, nargs="+", help="measure these weights on all that is held out")
    return parser.parse_args()


def main() -> None:
    """Train until the hours are over."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    train, held = read_sources(args.pairs, args.things, args.people, args.objects)
    empty = read_empty(args.photos)
    if args.measure:
        for weights in args.measure:
            state = {name: value.float() for name, value in load_file(weights).items()}
            network = (Looks() if "presence.score.weight" in state else Subject()).eval()
            network.load_state_dict(state)
            line = {"weights": weights.name, **report(network, held, empty)}
            print(json.dumps(line), flush=True)
        return
    torch.set_flush_denormal(True)  # momentum that dies away slows every step otherwise
    barred = set(names("subject_barred.txt"))
    grounds = read_photos(args.photos, leave=barred)
    train["things"] = read_things(args.photos, leave=barred)
    if args.taught:
        train |= read_taught(args.taught)
    if args.clothes:
        train["clothes"] = read_clothes(args.clothes)
    unknown = read_unknown(args.photos, barred)
    network = Tuned(args.start).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    teacher = Teacher(network.subject)
    origin = copy.deepcopy(network.subject)
    if args.go_on:
        network.subject.load_state_dict(Tuned(args.go_on).subject.state_dict())
    average = copy.deepcopy(network).eval().requires_grad_(False)
    teacher.follow(network.subject)
    speed_up(network)
    groups = parameter_groups(network, args.rate, args.encoder_rate)
    first = {id(p): q for p, q in zip(network.subject.parameters(), origin.parameters(), strict=True)}
    origins = [first[id(p)].detach() for p in groups[0]["params"]]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    step, before = 0, 0.0
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        peaks = [group["peak"] for group in optimizer.param_groups]
        optimizer.load_state_dict(saved["optimizer"])
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["peak"] = peak
        step, before = saved["step"], saved["seconds"]
    cutouts = read_cutouts(args.drawn) if args.drawn else []
    pictures = Broad(train, cutouts, grounds, unknown, args.parts, args.sizes[0], args.seed + step)
    few = thin(held, SUBSET)
    log = (args.out / "log.jsonl").open("a", buffering=1)
    log.write(json.dumps({"arguments": {k: str(v) for k, v in vars(args).items()}}) + "\n")
    start = last = time.monotonic()
    running, counted = 0.0, 0
    while True:
        seconds = before + time.monotonic() - start
        done = min(1.0, seconds / (args.hours * 3600))
        factor = min(1, (step + 1) / 100) * (0.03 + 0.97 * (0.5 + 0.5 * math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        images, masks, sure = pictures.batch(args.batch, int(pictures.random.choice(args.sizes)))
        inputs, target = normalize(images), masks.float()[:, None] / 255
        asked = (sure == 0).nonzero()[:, 0]
        with torch.autocast("cpu", torch.bfloat16):
            if len(asked):
                target[asked] = teacher.masks(inputs[asked])
            network.train()
            outputs = network(inputs)
        losses = [loss_of(output, target) for output in outputs]
        loss = losses[0] + 0.2 * sum(losses[1:])
        if len(asked):
            loss = loss + FEATURES * teacher.drift(asked)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for parameter, anchor in zip(groups[0]["params"], origins, strict=True):
                parameter.lerp_(anchor, args.back * factor)
            decay = min(args.average, (1 + step) / (10 + step))
            for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - decay)
        running, counted = running + losses[0].item(), counted + 1
        over = done >= 1.0
        if over or time.monotonic() - last > args.minutes * 60:
            state: dict[str, Any] = {"network": network.state_dict(), "average": average.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
            halved = {name: value.half().contiguous() for name, value in average.subject.state_dict().items()}
            save_file(halved, args.out / f"average-{step:05}.safetensors")
            with torch.autocast("cpu", torch.bfloat16):
                numbers = report(average.subject, few, empty)
            line = {"step": step, "seconds": round(seconds), "loss": round(running / counted, 4), **numbers}
            running, counted = 0.0, 0
            log.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
            last = time.monotonic()
        elif step % 25 == 0:
            log.write(json.dumps({"step": step, "seconds": round(seconds), "loss": round(losses[0].item(), 4)}) + "\n")
        if over:
            return


if __name__ == "__main__":
    main()
