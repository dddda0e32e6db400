"""Draw the sheets of docs/denoise.md, docs/inpaint.md, docs/super-resolve.md: before and after, every pixel as it is.

    python examples/make_crops.py denoise docs/denoise.jpg
    python examples/make_crops.py inpaint docs/inpaint.jpg
    python examples/make_crops.py super-resolve docs/super-resolve.jpg

The pictures are scikit-image's (public domain, CC0) and the pages of this folder. For `denoise` they get the noise of a
small sensor and a JPEG file; for `inpaint`, scratches, dust and writing, and a mask of them; for `super-resolve` they
are shrunk to half, saved as JPEG, and enlarged four times.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

HERE = Path(__file__).parent
SIDE, GAP = 170, 6
PLACES = {  # where to look: left and top of the crop, in pixels
    "astronaut": (150, 30),
    "camera": (170, 60),
    "coffee": (240, 110),
    "chelsea": (130, 90),
    "page": (20, 20),
    "brick": (200, 200),
    "grass": (100, 250),
    "rocket": (250, 130),
    "text": (120, 0),
    "gravel": (60, 60),
    "coins": (40, 60),
}


def pictures() -> dict[str, Image.Image]:
    """The samples, and one page of writing."""
    found = {name: Image.fromarray(getattr(data, name)()).convert("RGB") for name in PLACES}
    page = sorted((HERE / "pages").glob("*.jpg"))[0]
    return {**found, page.stem: Image.open(page).convert("RGB")}


def noisy(image: Image.Image, seed: int) -> Image.Image:
    """Shot and read noise, a little coarse, more of it in colour than in light."""
    random = np.random.default_rng(seed)
    light = (np.asarray(image) / 255.0) ** 2.2
    grain = random.normal(size=(*light.shape[:2], 4))
    grain = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / np.sqrt(3)
    mixed = 0.6 * grain[..., :3] + 0.8 * grain[..., 3:]
    light = light + mixed * np.sqrt(0.006 * light + 0.0001)
    return Image.fromarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))


def damage(size: tuple[int, int], seed: int) -> Image.Image:
    """Where a picture has scratches, dust and writing: a mask."""
    random, (width, height) = np.random.default_rng(seed), size
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for _ in range(14 + width // 40):
        x, y = random.integers(0, width), random.integers(0, height)
        far = int(x + random.integers(-90, 90)), int(y + random.integers(20, 160))
        pen.line((int(x), int(y), *far), 255, int(random.integers(1, 4)))
    for _ in range(width * height // 2500):
        x, y, radius = random.integers(0, width), random.integers(0, height), random.integers(1, 4)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    font = ImageFont.load_default(26)
    for row in range(30, height, 130):
        pen.text((int(random.integers(-60, 20)), row), "SAMPLE  do not copy  SAMPLE  do not copy", 255, font=font)
    return mask


def main() -> None:
    task, out = sys.argv[1], Path(sys.argv[2])
    less, scale = (2, 4) if task == "super-resolve" else (1, 1)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        before, after, masks = (Path(scratch, name) for name in ("before", "after", "masks"))
        before.mkdir()
        masks.mkdir()
        for seed, (name, image) in enumerate(pictures().items()):
            if less > 1:
                image = image.resize((image.width // less, image.height // less), Image.Resampling.BICUBIC)
            if task == "inpaint":
                mask = damage(image.size, seed)
                mask.save(masks / f"{name}.png")
                image.paste(("white", "black", "#b33")[seed % 3], mask=mask)
                image.save(before / f"{name}.png")
                continue
            (image if less > 1 else noisy(image, seed)).save(before / f"{name}.jpg", quality=88)
        size = (
            ["--scale", str(scale)] if scale > 1 else ["--mask", str(masks), "--grow", "1"] if task == "inpaint" else []
        )
        command = [sys.executable, "-m", "imgai.cli.main", task, str(before), "--out", str(after), "--format", "png"]
        subprocess.run([*command, *size], check=True)
        for path in sorted(before.iterdir()):
            given, made = Image.open(path), Image.open(after / f"{path.stem}.png")
            given = given.resize(made.size, Image.Resampling.BICUBIC)
            left, top = PLACES.get(path.stem, (made.width * less // scale // 3, made.height * less // scale // 3))
            left, top = left * scale // less, top * scale // less
            box = (left, top, left + SIDE, top + SIDE)
            rows.append(np.hstack([np.asarray(given.crop(box)), np.asarray(made.convert("RGB").crop(box))]))
    columns, count = 3, len(rows) // 3
    sheet = np.full((count * (SIDE + GAP) - GAP, columns * (2 * SIDE + GAP) - GAP, 3), 255, np.uint8)
    for number, row in enumerate(rows[: columns * count]):
        top, left = number // columns * (SIDE + GAP), number % columns * (2 * SIDE + GAP)
        sheet[top : top + SIDE, left : left + 2 * SIDE] = row
    Image.fromarray(sheet).save(out, quality=90)


if __name__ == "__main__":
    main()
