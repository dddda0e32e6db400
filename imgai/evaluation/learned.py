"""Whether the pictures that a model is measured with are among those that it learned from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from imgai import trained
from imgai.errors import ImgaiError, InputError
from imgai.plugin import Model
from imgai.training.pictures import key_of, pages


def learned_by(model: Model) -> dict[str, Any] | None:
    """Return the digests of training pictures in the header of a trained model, if it has them."""
    file = "" if model.weights is None else model.weights.file
    if not file.startswith("file:"):
        return None
    try:
        declared = trained.declaration(Path(unquote(urlsplit(file).path)))
    except ImgaiError:  # loading it says so
        return None
    learned = None if declared is None else declared.get("learned")
    if not isinstance(learned, dict) or not isinstance(learned.get("count"), int):
        return None
    return learned if isinstance(learned.get("least"), list) else None


def keys_of(paths: Iterable[Path], max_pixels: int) -> list[str]:
    """The digest of each page of each file; none of what cannot be read."""

    def keys(path: Path) -> list[str]:
        digests = []
        try:
            for pixels in pages(path, path.name, max_pixels):
                digests.append(key_of(pixels))
        except InputError:  # measuring it says so
            pass
        return digests

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return [key for digests in threads.map(keys, paths) for key in digests]


def warning(name: str, learned: dict[str, Any], keys: Iterable[str]) -> str:
    """Return a warning if a model was trained on pictures with these digests, else ""."""
    every = sorted({key[: trained.KEY_DIGITS] for key in keys})
    least = {text for text in learned["least"] if isinstance(text, str)}
    # Of more pictures than a header tells of, those with the least digests stand for all.
    end = max(least, default="") if learned["count"] > len(least) else None
    looked = [key for key in every if end is None or key <= end]
    hits = sum(key in least for key in looked)
    if not hits:
        return ""
    count = hits if end is None else max(1, round(len(every) * hits / len(looked)))
    words = f"{'' if end is None else 'about '}{count} of {len(every)} pictures"
    return f"{words} are among those that {name} learned from: the figures say little of others"
