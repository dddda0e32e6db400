"""Sharp drawn text read back from ``imgai segment --model document --as ink`` by Tesseract, at several resolutions.

python benchmarks/ink.py [--fonts FONT.ttf ...] [--dpi 150 300 600]

Needs tesseract (Debian: tesseract-ocr) and fonts of Latin letters. Prints the character error of the page as
it was drawn and of its ink.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = Path("/usr/share/fonts/truetype")
WORDS = Path(__file__).parent.parent / "LICENSE"
DARK, PAPER = 20, 250


def drawn(font: Path, dpi: int, size: tuple[float, float] = (5.2, 3.4), points: float = 10) -> tuple[Image.Image, str]:
    """A page of words in one font, and the words. size: width and height in inches."""
    face = ImageFont.truetype(font, points * dpi / 72)
    image = Image.new("L", (round(size[0] * dpi), round(size[1] * dpi)), PAPER)
    draw, margin, line, lines = ImageDraw.Draw(image), 0.3 * dpi, "", []
    y = margin
    for word in cycle(WORDS.read_text(encoding="utf-8").split()[20:]):
        if draw.textlength(f"{line} {word}", font=face) <= image.width - 2 * margin:
            line = f"{line} {word}".strip()
            continue
        draw.text((margin, y), line, font=face, fill=DARK)
        lines.append(line)
        y, line = y + 1.4 * points * dpi / 72, word
        if y > image.height - margin - points * dpi / 72:
            return image, " ".join(lines)
    raise AssertionError


def read(path: Path, dpi: int) -> str:
    """What Tesseract reads."""
    command = ["tesseract", str(path), "-", "--psm", "6", "--dpi", str(dpi)]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def wrong(text: str, answer: str) -> float:
    """The least number of letters to put in, take out or replace (Levenshtein 1966), as a part of the text."""
    letters = np.array([ord(letter) for letter in answer])
    steps = np.arange(len(letters) + 1)
    row = steps
    for number, letter in enumerate(text, 1):
        least = np.minimum(row[:-1] + (letters != ord(letter)), row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate(([number], least)) - steps) + steps
    return float(row[-1]) / len(text)


def pages(fonts: list[Path], resolutions: list[int], folder: Path) -> Iterator[tuple[str, int, str]]:
    """Draw each page into a folder; its name, resolution and words."""
    for dpi in resolutions:
        for font in fonts:
            image, text = drawn(font, dpi)
            image.save(folder / f"{font.stem}-{dpi}.png", dpi=(dpi, dpi))
            yield f"{font.stem}-{dpi}", dpi, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = ("liberation/LiberationSerif-Regular.ttf", "dejavu/DejaVuSans.ttf")
    parser.add_argument("--fonts", nargs="+", type=Path, default=[FONTS / each for each in usual])
    parser.add_argument("--dpi", nargs="+", type=int, default=[150, 300, 600])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        before, after = Path(scratch) / "pages", Path(scratch) / "ink"
        before.mkdir()
        known = list(pages(asked.fonts, asked.dpi, before))
        command = [sys.executable, "-m", "imgai", "segment", str(before), "--model", "document", "--as", "ink"]
        subprocess.run([*command, "--out", str(after), "--quiet"], check=True)
        for name, dpi, text in known:
            clean, ink = (read(path, dpi) for path in (before / f"{name}.png", after / f"{name}.tif"))
            errors = wrong(text, clean), wrong(text, ink)
            print(f"{name:32} drawn {errors[0]:6.2%}  ink {errors[1]:6.2%}  {errors[1] - errors[0]:+.2%}")
            if errors[1] > errors[0] + 0.01:
                for op, a, b, c, d in difflib.SequenceMatcher(None, text, ink).get_opcodes():
                    if op != "equal":
                        print(f"    {text[a:b]!r} read as {ink[c:d]!r}")


if __name__ == "__main__":
    main()
