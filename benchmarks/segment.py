"""How good the masks are: the product's own steps over pictures that no model was trained on.

Data is a folder with ``people``, ``video-objects`` and ``val`` (nuclei; images and labels), and for the other kinds
``segment-anything``, ``segment-things`` and ``photos``. Held out is what the training scripts hold out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from imgai.outputs.mask import Mask

HELD_OUT_SEQUENCES = ("blackswan", "car", "goat", "libby", "soapbox")
EVERY = 5  # one person in so many is held out
TRAINING = Path(__file__).parent.parent / "plugins" / "imgai-segment" / "training"
"""Its `subject_sources` parts the other kinds, and lists the pictures without a subject (`subject_empty.txt`)."""


def masks(model: str, paths: list[Path]) -> Iterator[tuple[Path, np.ndarray, Mask]]:
    """Each picture's soft mask ``(H, W)`` in [0, 1], and the whole `Mask`, as the command line would make it."""
    import torch

    from imgai.images import read
    from imgai.registry import load_registry
    from imgai.sample import Sample, Source
    from imgai.testing import load_step

    registry = load_registry()
    step = load_step(registry.task("segment"), registry.model("segment", model), device=torch.device("cpu"))
    samples = (sample for path in paths for sample in read(path, Source(path, path.name)))
    for path, found in zip(paths, step.stream(samples), strict=True):
        assert isinstance(found, Sample), found
        mask = found.masks["segment"]
        yield path, mask.values[0].numpy() / 255, mask


def subject(data: Path) -> dict[str, float]:
    """IoU of the binary mask: the mean over people, and over sequences of the mean over their frames."""
    people = sorted((data / "people" / "images").iterdir())[::EVERY]
    scores = [_iou(found >= 0.5, _truth(path)) for path, found, _ in masks("subject", people)]
    frames = [
        path
        for path in sorted((data / "video-objects" / "images").iterdir())
        if path.name.split("-")[0] in HELD_OUT_SEQUENCES
    ]
    by_group: dict[str, list[float]] = defaultdict(list)
    for path, found, _ in masks("subject", frames):
        by_group[path.name.split("-")[0]].append(_iou(found >= 0.5, _truth(path)))
    groups = {f"objects_{name}": float(np.mean(values)) for name, values in by_group.items()}
    return {"people": float(np.mean(scores)), "objects": float(np.mean(list(groups.values()))), **groups}


def kinds(data: Path) -> dict[str, float]:
    """IoU of the binary mask by kind, and the share of pictures without a subject that is covered; means."""
    sys.path.insert(0, str(TRAINING))
    from subject_sources import empty_photos, split

    scores = {}
    for kind, paths in split(data / "segment-anything", data / "segment-things").held.items():
        scores[kind] = float(np.mean([_iou(found >= 0.5, _truth(path)) for path, found, _ in masks("subject", paths)]))
    empty = [float((found >= 0.5).mean()) for _, found, _ in masks("subject", empty_photos(data / "photos"))]
    return scores | {"covered_without_subject": float(np.mean(empty))}


def nuclei(data: Path) -> dict[str, float]:
    """Dice over foreground pixels, and TP / (TP + FP + FN) of objects at IoU 0.5; means over pictures."""
    dice, precision = [], []
    for path, found, mask in masks("nuclei", sorted((data / "val" / "images").iterdir())):
        truth = np.asarray(Image.open(data / "val" / "labels" / f"{path.stem}.png")).astype(np.int64)
        inside = found >= 0.5
        total = inside.sum() + (truth > 0).sum()
        dice.append(2 * (inside & (truth > 0)).sum() / total if total else 1.0)
        ((_, numbered),) = mask.objects(0.5)
        precision.append(_average_precision(numbered, truth))
    return {"dice": float(np.mean(dice)), "average_precision": float(np.mean(precision))}


def _truth(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path.parent.parent / "masks" / f"{path.stem}.png")).astype(bool)


def _iou(found: np.ndarray, truth: np.ndarray) -> float:
    union = (found | truth).sum()
    return float((found & truth).sum() / union) if union else 1.0


def _average_precision(numbered: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Above an IoU of 0.5 an object has one match at most, so counting matches is matching."""
    most = truth.max() + 1
    pairs = np.bincount((numbered.astype(np.int64) * most + truth).ravel(), minlength=(numbered.max() + 1) * most)
    overlap = pairs.reshape(numbered.max() + 1, most)
    union = overlap.sum(1, keepdims=True) + overlap.sum(0, keepdims=True) - overlap
    hits = int((overlap[1:, 1:] > threshold * union[1:, 1:]).sum())
    objects = int((overlap[1:].sum(1) > 0).sum()) + int((overlap[:, 1:].sum(0) > 0).sum())
    return hits / (objects - hits) if objects else 1.0
