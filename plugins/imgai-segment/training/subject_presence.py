"""Teach the `subject` model when there is no subject, and add that to its weights.

    python training/subject_presence.py --pairs DIR --things DIR --people DIR --objects DIR --photos DIR --drawn DIR \
        --weights FILE --out DIR

The folders are those of ``subject_tune.py``. Nothing of the network changes: a logistic regression is fitted to the
figures that `imgai_segment.subject.Presence` sees, of the photographs of ``subject_grounds.txt`` and of the training
pictures that have a mask. ``--out`` gets features.npz, so that the fit can be made again at once, and
subject.safetensors. What is printed was measured on pictures that are held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from imgai_segment.subject import LOOK, SIZE, Looks, Mask, Presence
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from subject import normalize
from subject_pictures import read_photos, read_things
from subject_sources import names, read_cutouts, read_empty, read_sources, read_taught
from subject_tune import thin
from torch import Tensor

EMPTY = "empty"
"""The kind of a picture without a subject."""
EACH = 60
"""Pictures of a kind, at most, to learn from; and to measure."""
SMALL = {0.2: 2, 0.35: 2, 0.6: 3}
"""Things are pasted on photographs without a subject, too, so that a landscape with something small in it is none: the
longer side of the thing, as a share of the photograph's, and how many photographs go on one."""
STRENGTH = 0.0003
"""Of the fit: the inverse of the weight decay (scikit-learn's C). There are as many figures as pictures."""
LEAST = 1.3
"""The score of the fit, in log-odds, below which the mask fades: slowly, so that a sure mask stays and a wisp goes."""


@torch.inference_mode()
def look(network: Looks, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """What `Presence` sees of an image; then the share that the mask covers, and its IoU with the true one."""
    small = np.array(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    with torch.autocast("cpu", torch.bfloat16):
        logits, average = network.look(normalize(torch.from_numpy(small).permute(2, 0, 1)[None]))
    inside = Mask()(logits.float())[0, 0].numpy() > 0.5
    overlap = 0.0
    if mask is not None:
        due = np.asarray(Image.fromarray(mask).resize((LOOK, LOOK), Image.Resampling.BILINEAR)) > 127
        overlap = float((inside & due).sum() / max(1, (inside | due).sum()))
    seen: Tensor = torch.cat((Presence.figures(average, logits)[0], torch.tensor([inside.mean(), overlap])))
    return seen.numpy()


def features(args: argparse.Namespace) -> dict[str, NDArray[np.float32]]:
    """What is seen of all pictures, by part and kind: ``train/cats``, ``held/empty``; ``(N, figures + 2)`` each."""
    network = Looks().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(args.weights).items()}, strict=False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned, held = read_sources(args.pairs, args.things, args.people, args.objects)
    if args.taught:
        learned |= read_taught(args.taught)
    learned["things"] = read_things(args.photos, leave=set(names("subject_barred.txt")))
    learned["drawn"] = [(on_white(image, mask), mask) for image, mask in read_cutouts(args.drawn)]
    seen: dict[str, NDArray[np.float32]] = {}
    for part, kinds in (("train", learned), ("held", held)):
        for kind, pictures in thin(kinds, EACH).items():
            seen[f"{part}/{kind}"] = np.stack([look(network, image, mask) for image, mask in pictures])
    grounds = read_photos(args.photos, leave=set(names("subject_barred.txt")))
    for part, photos in (("train", grounds), ("held", read_empty(args.photos))):
        seen[f"{part}/{EMPTY}"] = np.stack([look(network, photo, None) for photo in photos])
    rng = np.random.default_rng(0)
    cutouts = [pair for pictures in thin(learned, EACH).values() for pair in pictures]
    for side, count in SMALL.items():
        pasted = [paste(rng, ground, *cutouts[rng.integers(len(cutouts))], side) for ground in grounds[::count]]
        seen[f"train/pasted-{side}"] = np.stack([look(network, image, mask) for image, mask in pasted])
    return seen


def paste(
    rng: np.random.Generator, ground: NDArray[np.uint8], image: NDArray[np.uint8], mask: NDArray[np.uint8], side: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What lies inside a mask, on a photograph without a subject, its longer side that share of the photograph's."""
    box = Image.fromarray(mask).getbbox() or (0, 0, mask.shape[1], mask.shape[0])
    thing, shape = Image.fromarray(image).crop(box), Image.fromarray(mask).crop(box)
    scale = side * min(ground.shape[:2]) / max(thing.size)
    size = (max(4, round(thing.width * scale)), max(4, round(thing.height * scale)))
    thing, shape = thing.resize(size, Image.Resampling.BOX), shape.resize(size, Image.Resampling.BOX)
    whole, due = Image.fromarray(ground), Image.new("L", ground.shape[1::-1])
    place = tuple(int(rng.integers(0, a - b + 1)) for a, b in zip(whole.size, size, strict=True))
    whole.paste(thing, place, shape)
    due.paste(shape, place)
    return np.asarray(whole), np.asarray(due)


def on_white(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What lies inside a mask, on white."""
    return np.where(mask[..., None] > 127, image, 255).astype(np.uint8)


def fit(seen: dict[str, NDArray[np.float32]]) -> tuple[NDArray[np.float64], float]:
    """The weights and the bias of the score: above 0 where there is a subject, and where it is in doubt."""
    parts = {name.partition("/")[2]: rows[:, :-2] for name, rows in seen.items() if name.startswith("train/")}
    inputs = np.concatenate(list(parts.values()))
    present = np.concatenate([np.full(len(rows), kind != EMPTY) for kind, rows in parts.items()])
    regression = LogisticRegression(C=STRENGTH, max_iter=5000, class_weight="balanced")
    scaler, line = make_pipeline(StandardScaler(), regression).fit(inputs, present).named_steps.values()
    # The figures of the mask are few among many, and a heavy decay leaves them nothing: they are fitted alone, too.
    own = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")).fit(inputs[:, -4:], present)
    weights, bias = (
        line.coef_[0] / scaler.scale_,
        float(line.intercept_[0] - (line.coef_[0] / scaler.scale_ @ scaler.mean_)),
    )
    scaler, line = own.named_steps.values()
    slopes = line.coef_[0] / scaler.scale_
    weights[-4:] += 0.5 * slopes
    return weights, bias + 0.5 * float(line.intercept_[0] - slopes @ scaler.mean_) - LEAST


def report(seen: dict[str, NDArray[np.float32]], weights: NDArray[np.float64], bias: float) -> None:
    """By kind of what is held out: how many masks fade, the IoU or the covered share before and after."""
    for name, rows in sorted(seen.items()):
        part, _, kind = name.partition("/")
        if part == "held":
            stays = rows[:, :-2] @ weights + bias > 0
            value = rows[:, -2 if kind == EMPTY else -1]
            print(f"{kind}: {(~stays).sum()} of {len(rows)} fade; {value.mean():.4f} -> {(value * stays).mean():.4f}")


def main() -> None:
    """Read the options, look, fit, report, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "things", "people", "objects", "photos", "drawn", "weights", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--taught", type=Path, help="a folder of collections with masks of subject_teacher")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "features.npz"
    if kept.exists():
        seen = dict(np.load(kept))
    else:
        seen = features(args)
        np.savez(kept, **seen)
    weights, bias = fit(seen)
    report(seen, weights, bias)
    tensors = load_file(args.weights)
    tensors["presence.score.weight"] = torch.from_numpy(weights).half()[None]
    tensors["presence.score.bias"] = torch.tensor([bias]).half()
    save_file(tensors, args.out / "subject.safetensors")


if __name__ == "__main__":
    main()
