"""Draw the sheets of docs/enhance.md and docs/stylize.md with the plugins as they are installed.

    python examples/make_looks.py docs/enhance.jpg docs/stylize.jpg

The photographs are those of examples/scans (scikit-image's: public domain, CC0); what is wrong with those of the first
sheet was done to them here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SCANS = Path(__file__).parent / "scans"
STYLES = (
    *("starry-night", "great-wave", "wheat-field", "tahiti", "cafe-terrace", "olive-trees"),
    *("houses-at-auvers", "self-portrait", "mosaic", "pencil", "halftone", "watercolour"),
)


def linear(values: np.ndarray) -> np.ndarray:
    """sRGB to linear light, IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def display(values: np.ndarray) -> np.ndarray:
    """Undo `linear`."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 1e-9) ** (1 / 2.4) - 0.055)


def spoiled(folder: Path) -> None:
    """Good pictures, each with another fault."""
    random = np.random.default_rng(3)

    def read(name: str) -> np.ndarray:
        return np.asarray(Image.open(SCANS / f"{name}.jpg").convert("RGB")) / 255

    dark = display(linear(read("astronaut")) * 0.05)
    faults = {
        "1-dark": display(linear(read("astronaut")) * 0.18),
        "2-warm": display(linear(read("chelsea")) * np.array([1.25, 1.0, 0.5])),
        "3-flat": 0.28 + 0.42 * read("coffee"),
        "4-hazy": display(linear(read("rocket")) * 0.4 + 0.6 * np.array([0.62, 0.66, 0.7])),
        "5-night": dark + random.normal(0, 0.012, dark.shape),
    }
    for name, values in faults.items():
        pixels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


def imgai(*words: object) -> None:
    """Run the command."""
    subprocess.run([sys.executable, "-m", "imgai.cli.main", *map(str, words), "--quiet"], check=True)


def cell(path: Path, side: int, label: str = "") -> Image.Image:
    """The middle of a picture, as a square."""
    image = Image.open(path).convert("RGB")
    least = min(image.size)
    left, top = (image.width - least) // 2, (image.height - least) // 2
    square = image.crop((left, top, left + least, top + least)).resize((side, side), Image.Resampling.LANCZOS)
    if label:
        draw = ImageDraw.Draw(square)
        draw.rectangle((0, side - 15, 6 * len(label) + 8, side), fill=(255, 255, 255))
        draw.text((4, side - 14), label, fill=(0, 0, 0))
    return square


def grid(cells: list[Image.Image], columns: int) -> Image.Image:
    """Squares in rows."""
    side = cells[0].width
    sheet = Image.new("RGB", (columns * side, -(-len(cells) // columns) * side), "white")
    for index, each in enumerate(cells):
        sheet.paste(each, (index % columns * side, index // columns * side))
    return sheet


def main() -> None:
    """Make the pictures, run the commands, paste the sheets."""
    enhance, stylize = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        spoiled(folder / "in")
        imgai("enhance", folder / "in", "--out", folder / "auto")
        imgai("enhance", folder / "in" / "5-night.png", "--model", "low-light", "--out", folder / "auto", "--force")
        names = sorted(path.name for path in (folder / "in").iterdir())
        cells = [cell(folder / where / name, 260) for where in ("in", "auto") for name in names]
        grid(cells, len(names)).save(enhance, quality=88)
        cells = []
        for name in ("astronaut", "rocket"):
            cells.append(cell(SCANS / f"{name}.jpg", 240, "as it was"))
            for style in STYLES:
                made = folder / f"{name}-{style}.png"
                imgai("stylize", SCANS / f"{name}.jpg", "--style", style, "--out", made)
                cells.append(cell(made, 240, style))
            made = folder / f"{name}-any.png"
            imgai("stylize", SCANS / f"{name}.jpg", "--style-image", SCANS / "coffee.jpg", "--out", made)
            cells.append(cell(made, 240, "--style-image coffee.jpg"))
        grid(cells, 7).save(stylize, quality=86)


if __name__ == "__main__":
    main()
