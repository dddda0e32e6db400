"""Find the mask of each picture. This module does not import torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from imgai.errors import InputError
from imgai.images.formats import picture_suffixes
from imgai.predict.spec import StepSpec

_LIKELY = (".png", ".tif", ".tiff", ".webp", ".bmp", ".jpg")
"""Looked for first."""


def mask_files(specs: Sequence[StepSpec], name: str, path: Path | None = None) -> dict[str, Path]:
    """Return the mask file of a picture for each step with ``--mask``, by the name of the step.

    name: of the picture, relative to what named it, with ``/``. path: its file.

    Raises InputError if there is none, or if it would be the picture itself.
    """
    told = {spec.name: spec.mask.mask for spec in specs if spec.mask.mask is not None}
    return {step: mask_file(named, name, path) for step, named in told.items()}


def mask_file(named: Path, name: str, path: Path | None = None) -> Path:
    """Return the mask of a picture: the named file, or a file in a folder that mirrors the pictures.

    In the folder, the mask of ``a/b.jpg`` is ``a/b.jpg``, ``a/b.png`` or another picture named ``b``, or a name that
    runs use to avoid a clash: ``a/b.jpg.png`` or ``a/b-mask.png``. Raises InputError.
    """
    if not named.is_dir():
        return _not_itself(named, name, path)
    below = PurePosixPath(name)
    suffixes = [*_LIKELY, *sorted(picture_suffixes() - set(_LIKELY))]
    names = [below.name, *(below.stem + suffix for suffix in suffixes), f"{below.name}.png", f"{below.stem}-mask.png"]
    for each in names:
        found = named.joinpath(*below.parent.parts, each)
        if found.is_file():
            return _not_itself(found, name, path)
    words = f"{name} has no mask in {named}"
    raise InputError(words, f"call it {below.with_suffix('.png')} in that folder")


def _not_itself(mask: Path, name: str, path: Path | None) -> Path:
    if path is not None and os.path.realpath(mask) == os.path.realpath(path):
        raise InputError(f"{name}: its mask {mask} is the picture itself", "keep masks in a folder of their own")
    return mask
