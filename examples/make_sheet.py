"""Draw what `imgai segment` makes of example pictures, at the top of the README, and the picture of docs/cutouts.md.

    python examples/make_sheet.py docs/segment.jpg docs/cutouts.jpg

The photographs are scikit-image's (public domain, CC0), the page is of this folder, the nuclei are drawn.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

HERE = Path(__file__).parent
SIDE, GAP = 300, 8
IMGAI = (sys.executable, "-m", "imgai.cli.main")


def nuclei(path: Path, side: int = 420, seed: int = 4) -> None:
    """Bright ellipses, some of them touching, as a fluorescence microscope shows nuclei."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    picture = np.full((side, side), 8.0)
    for _ in range(46):
        row, column, angle = *random.uniform(0, side, 2), random.uniform(0, np.pi)
        long, short = random.uniform(17, 25), random.uniform(13, 18)
        u = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        v = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        inside = np.clip((1 - np.hypot(u / long, v / short)) * 8, 0, 1)
        picture = np.maximum(picture, inside * random.uniform(60, 150))
    grain = ndimage.gaussian_filter(random.normal(0, 1, picture.shape), 3) * 40
    picture = ndimage.gaussian_filter(picture + grain * (picture > 30), 1.2) + random.normal(0, 2, picture.shape)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


def square(image: Image.Image) -> Image.Image:
    """The middle of the picture, over a chequered ground where it is transparent."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    small = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    tiles = (np.indices((SIDE, SIDE)) // 15).sum(axis=0) % 2
    ground = Image.fromarray((tiles * 40 + 200).astype(np.uint8)).convert("RGB")
    if small.mode == "RGBA":
        ground.paste(small, mask=small.getchannel("A"))
        return ground
    return small.convert("RGB")


def segment(path: Path, out: Path, model: str, kinds: str) -> None:
    words = ["segment", str(path), "--out", str(out), "--model", model, "--as", kinds, "--force", "--quiet"]
    subprocess.run([*IMGAI, *words], check=True)


def cut_out(target: Path) -> None:
    """A photograph, its cut-out, the same on white with a shadow, and over its own ground out of focus."""
    from skimage import data

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "astronaut.png"
        Image.fromarray(data.astronaut()).save(path)
        pictures = [path]
        for number, more in enumerate(((), ("--background", "white", "--shadow", "--crop"), ("--background", "blur"))):
            pictures.append(Path(folder) / f"{number}.png")
            words = ["segment", str(path), "--out", str(pictures[-1]), "--as", "cutout", *more, "--quiet"]
            subprocess.run([*IMGAI, *words], check=True)
        sheet = Image.new("RGB", (4 * (SIDE + GAP) - GAP, SIDE), "white")
        for column, picture in enumerate(pictures):
            sheet.paste(square(Image.open(picture)), (column * (SIDE + GAP), 0))
        sheet.save(target, quality=85)


def segmented(target: Path) -> None:
    """Photographs, pages and nuclei, with what is made of them."""
    from skimage import data

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows = []
        for name in ("astronaut", "coffee"):
            Image.fromarray(getattr(data, name)()).save(scratch / f"{name}.png")
            rows.append((scratch / f"{name}.png", "subject", ("mask.png", "cutout.png")))
        page = Image.open(HERE / "pages" / "letter.jpg")
        page.crop((150, 250, 950, 1050)).save(scratch / "page.png")
        rows.append((scratch / "page.png", "document", ("mask.png", "overlay.jpg")))
        nuclei(scratch / "nuclei.png")
        rows.append((scratch / "nuclei.png", "nuclei", ("mask.png", "overlay.jpg")))
        sheet = Image.new("RGB", (3 * SIDE * 2 + 10, SIDE * 2 + 10), "white")
        for number, (path, model, kinds) in enumerate(rows):
            segment(path, scratch / "out", model, ",".join(kind.split(".")[0] for kind in kinds))
            pictures = [path, *(scratch / "out" / f"{path.stem}-{kind}" for kind in kinds)]
            for column, picture in enumerate(pictures):
                place = ((number % 2) * (3 * SIDE + 10) + column * SIDE, (number // 2) * (SIDE + 10))
                sheet.paste(square(Image.open(picture)), place)
        sheet.save(target, quality=85)


if __name__ == "__main__":
    segmented(Path(sys.argv[1]))
    cut_out(Path(sys.argv[2]))
