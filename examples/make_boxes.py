"""Draw the sheet of docs/detect.md: what `imgai detect` finds in example pictures.

    python examples/make_boxes.py docs/detect.jpg

The photographs are scikit-image's (public domain, CC0). The last two are a large picture of small prints: without and
with `--tiled`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps
from skimage import data

WIDTH, HEIGHT, GAP = 520, 360, 8
THRESHOLD = "0.3"


def pictures() -> dict[str, Image.Image]:
    """The samples; the motorcycle is the left one of a pair."""
    found = {name: Image.fromarray(getattr(data, name)()).convert("RGB") for name in ("astronaut", "camera", "chelsea")}
    return {**found, "motorcycle": Image.fromarray(data.stereo_motorcycle()[0])}


def contact_sheet() -> Image.Image:
    """Small prints of the samples, 54 of them, in a picture of 2440 x 1636."""
    prints = [ImageOps.contain(picture, (190, 190), Image.Resampling.LANCZOS) for picture in pictures().values()]
    large = Image.new("RGB", (2440, 1636), (235, 235, 230))
    for number in range(54):
        row, column = divmod(number, 9)
        small = prints[(number + row) % len(prints)]
        small = ImageOps.mirror(small) if number % 3 == 1 else small
        large.paste(small, (40 + column * 266 + (230 - small.width) // 2, 30 + row * 266 + (230 - small.height) // 2))
    return large


def detect(folder: Path, out: Path, *options: str) -> None:
    command = [sys.executable, "-m", "imgai.cli.main", "detect", str(folder), "--out", str(out), "--quiet"]
    subprocess.run([*command, "--as", "overlay", "--threshold", THRESHOLD, *options], check=True)


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "in").mkdir()
        (scratch / "large").mkdir()
        shown = []
        for name, picture in pictures().items():
            picture.save(scratch / "in" / f"{name}.png")
            shown.append(scratch / "out" / f"{name}.jpg")
        contact_sheet().save(scratch / "large" / "prints.png")
        detect(scratch / "in", scratch / "out")
        detect(scratch / "large", scratch / "out")
        detect(scratch / "large", scratch / "tiled", "--tiled")
        shown += [scratch / "out" / "prints.jpg", scratch / "tiled" / "prints.jpg"]
        columns = 3
        rows = -(-len(shown) // columns)
        sheet = Image.new("RGB", (columns * (WIDTH + GAP) - GAP, rows * (HEIGHT + GAP) - GAP), "white")
        for number, path in enumerate(shown):
            picture = ImageOps.contain(Image.open(path), (WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            left = number % columns * (WIDTH + GAP) + (WIDTH - picture.width) // 2
            sheet.paste(picture, (left, number // columns * (HEIGHT + GAP) + (HEIGHT - picture.height) // 2))
        sheet.save(target, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
