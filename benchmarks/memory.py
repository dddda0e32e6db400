"""Peak memory of whole runs, as the operating system counts it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pictures import make_photographs


def peak_megabytes(*arguments: str) -> float:
    """The largest resident set of one ``imgai`` command, in MB of 10**6 bytes."""
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "imgai.cli.main", *arguments],
        os.environ,
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"imgai {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024 / 1e6


def many_against_few(scratch: Path, many: int = 2000, few: int = 200) -> dict[str, float]:
    """Peak memory over many files divided by that over few of the same sizes."""
    originals = make_photographs(scratch / "small", 20, (0.2, 1.0), seed=1)
    peaks = {}
    for count in (few, many):
        folder = scratch / f"files-{count}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number in range(count):
            os.link(originals[number % len(originals)], folder / f"{number:05d}.jpg")
        peaks[count] = peak_megabytes(
            "segment", str(folder), "--out", str(scratch / f"masks-{count}"), "--force", "--quiet"
        )
    return {"few_mb": peaks[few], "many_mb": peaks[many], "ratio": peaks[many] / peaks[few]}


def hundred_megapixels(scratch: Path) -> dict[str, float]:
    """Peak memory of one picture of 100 MP through the tiled `document` model, above that of a small one."""
    scratch.mkdir(parents=True, exist_ok=True)
    large, small = scratch / "large.png", scratch / "small.png"
    tile = (np.random.default_rng(0).random((500, 500, 3)) * 60 + 180).astype(np.uint8)
    if not large.exists():
        Image.fromarray(np.tile(tile, (20, 20, 1))).save(large, compress_level=1)
    Image.fromarray(tile).save(small)
    peaks = {}
    for path in (small, large):
        out = scratch / f"mask-{path.stem}"
        peaks[path] = peak_megabytes(
            "segment", str(path), "--model", "document", "--out", str(out), "--force", "--quiet"
        )
    return {"idle_mb": peaks[small], "peak_mb": peaks[large], "above_mb": peaks[large] - peaks[small]}
