"""A run knows the resolution of its pages, from their files or from who asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image


def test_what_is_said_of_the_resolution_counts(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    Image.fromarray(np.full((60, 80), 200, dtype=np.uint8)).save(tmp_path / "a.png", dpi=(72, 72))
    for dpi in (None, 150.0, 150.0, 200.0):
        summary, _ = find_light([tmp_path / "a.png"], tmp_path / "out", kinds=("ink",), dpi=dpi)
    assert (summary.done, summary.skipped) == (1, 0), "another resolution is another result"
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as tiff:
        assert tiff.pages[0].tags["XResolution"].value == (200, 1)
