"""Draws the four demo pages in `examples/pages/`: a typed letter, a printed article, a form and an old notebook.

    python examples/make_pages.py --fonts /usr/share/fonts

Words and layout are our own; paper, light and camera are those of `plugins/imgai-segment/training/`, with paper
textures that no training sees. The fonts (Debian's fonts-courier-prime, fonts-ebgaramond, fonts-dancingscript and
fonts-breip under the SIL Open Font License, fonts-open-sans under Apache-2.0) appear as pictures of text alone, which
their licences allow.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "plugins" / "imgai-segment" / "training"))
from pages import Sheet, curve  # noqa: E402
from scans import photograph  # noqa: E402

HEIGHT, WIDTH, LARGEST = 1600, 1200, 245_000
LETTER = """Harbour Office, 3 November

Dear Mr Lindqvist,

thank you for the two boxes of charts that came with the morning boat. The upper box was dry and in good order.
The lower one had stood in water, and eleven sheets of the northern coast are stained along the fold.

We have laid them between blotting paper and put the heavy atlas on top. With some patience they will be flat
again by the end of the week, though the brown rim will stay, I fear, as a memory of the crossing.

Of the soundings you asked for, I could read all but four. The figures near the lighthouse were written in
pencil and have faded so far that I would not like to guess. A second pair of eyes may do better than mine.

The survey of the inner basin is planned for April, when the ice has gone. Should you wish to take part, a bed
and a warm stove are ready for you at any time.

With kind regards,"""
ARTICLE = (
    """A page is never evenly lit. The lamp stands to one side, the hand that holds the camera throws its shadow, and
the paper bends towards the spine. What looks white at the top is darker than the ink at the foot. One level for
the whole sheet must fail, and so people have long asked how bright the paper is just here, close to the letter
in question.

A window that slides over the page answers that question well as long as there is paper in the window. Inside a
broad black bar there is none, and the bar comes out hollow. On a blank margin there is no ink, and the grain of
the paper is taken for faint writing.""",
    """A reader makes neither mistake, because a reader knows what letters look like, how thick a stroke is, and where
a line of print will go on. It is this knowledge that a small network can be taught with pages that were drawn
for the purpose: every stroke is known to the pixel, however much coffee is spilt over it afterwards.

What such pages lack is surprise. Nobody draws the thumb at the edge, the pressed flower, or the moth. So the
last word still belongs to pages that somebody found in a drawer, and to the patience of the one who reads them.""",
)
NOTEBOOK = """Tuesday. Rain until noon. Counted nine herons at the weir,
and one more that stood apart from all the others.

The miller says the water has not been so high since his father's days. He marked the wall with chalk.

Wednesday. Clear and cold. Walked to the old bridge and drew the second arch; the ink froze in the pen, so the
rest must wait.

Letters to write: to Anna about the seeds, to the binder, to the school. Buy lamp oil, thread, and two quires of
paper."""
FORM = (
    ("Name", "Ingrid Solheim"), ("Street", "Quay Lane 14"), ("Town", "Westport"), ("Item", "1 oak chest, 2 lamps"),
    ("Weight", "84 kg"), ("Received", "12 October"), ("Remarks", "handle with care, one lamp cracked"),
)  # fmt: skip
BLACK, BROWN, BLUE, RED = (28, 27, 30), (92, 58, 34), (35, 55, 150), (185, 45, 50)


class Writer:
    """Sets text in the fonts below some folders."""

    def __init__(self, folders: list[Path]) -> None:
        self.files = {p.name: p for folder in folders for p in folder.rglob("*.[ot]tf")}

    def font(self, name: str, size: float) -> ImageFont.FreeTypeFont:
        """A font by its file's name; a sheet is drawn at twice its size."""
        if name not in self.files:
            raise SystemExit(f"{name} is not below the folders given with --fonts")
        return ImageFont.truetype(str(self.files[name]), round(2 * size))

    def write(
        self,
        sheet: Sheet,
        name: str,
        size: float,
        words: str,
        left: float,
        top: float,
        right: float,
        *,
        step: float = 1.35,
        fill: int = 255,
    ) -> float:
        """Words broken into lines between left and right; returns where the text ends."""
        font, y = self.font(name, size), top
        for paragraph in words.split("\n\n"):
            line = ""
            for word in [*paragraph.split(), ""]:
                trial = f"{line} {word}".strip()
                if word == "" or 2 * left + font.getlength(trial) > 2 * right:
                    sheet.draw.text((2 * left, 2 * y), line, font=font, fill=fill)
                    y, line = y + size * step, word
                else:
                    line = trial
            y += size * step
        return y


def letter(writer: Writer, rng: np.random.Generator) -> Sheet:
    """Typed, signed in blue."""
    sheet = Sheet(HEIGHT, WIDTH)
    end = writer.write(sheet, "Courier Prime.otf", 28, LETTER, 130, 150, 1085, step=1.5)
    sheet.lay(BLACK)
    curve(rng, sheet, (180, end + 10, 520, end + 90), 2.2, points=11)
    sheet.lay(BLUE)
    return sheet


def article(writer: Writer, rng: np.random.Generator) -> Sheet:
    """A dark bar with light words, two columns, a small table."""
    sheet = Sheet(HEIGHT, WIDTH)
    sheet.draw.rectangle((180, 200, 2220, 360), fill=255)
    writer.write(sheet, "OpenSans-Bold.ttf", 46, "INK AND PAPER", 120, 107, 1100, fill=0)
    ends = [
        writer.write(sheet, "EBGaramond12-Regular.otf", 29, words, left, 220, left + 485)
        for words, left in zip(ARTICLE, (90, 625), strict=True)
    ]
    end = max(ends)
    sheet.draw.line((1180, 440, 1180, 2 * end), fill=255, width=2)
    for row, (what, share) in enumerate((("sheet", "levels"), ("bare", "251"), ("in shadow", "96"), ("ink", "31"))):
        y = end + 40 + row * 48
        sheet.draw.line((180, 2 * y, 2220, 2 * y), fill=255, width=3)
        writer.write(sheet, "OpenSans-Regular.ttf", 24, what, 110, y + 5, 600)
        writer.write(sheet, "OpenSans-Regular.ttf", 24, share, 700, y + 5, 1100)
    sheet.lay(BLACK)
    return sheet


def form(writer: Writer, rng: np.random.Generator) -> Sheet:
    """Printed labels, blue handwriting, a red stamp, a signature."""
    sheet = Sheet(HEIGHT, WIDTH)
    writer.write(sheet, "OpenSans-Bold.ttf", 44, "Receipt of goods", 130, 150, 1100)
    for row, (label, _) in enumerate(FORM):
        y = 300 + row * 130
        writer.write(sheet, "OpenSans-Regular.ttf", 26, label, 130, y, 400)
        sheet.draw.line((700, 2 * y + 80, 2140, 2 * y + 80), fill=255, width=3)
        sheet.draw.rectangle((2180, 2 * y, 2240, 2 * y + 60), outline=255, width=3)
    sheet.lay(BLACK)
    for row, (_, answer) in enumerate(FORM):
        writer.write(sheet, "DancingScript-Regular.otf", 46, answer, 370 + 12 * (row % 3), 276 + row * 130, 1150)
    curve(rng, sheet, (640, 1270, 1000, 1380), 2.4, points=12)
    sheet.lay(BLUE)
    for r in (130, 105):
        sheet.draw.ellipse((640 - 2 * r, 2600 - 2 * r, 640 + 2 * r, 2600 + 2 * r), outline=255, width=10)
    writer.write(sheet, "OpenSans-Bold.ttf", 38, "PAID", 270, 1275, 500)
    sheet.lay(RED, density=0.8)
    return sheet


def notebook(writer: Writer, rng: np.random.Generator) -> Sheet:
    """Brown handwriting on pale rules."""
    sheet = Sheet(HEIGHT, WIDTH)
    for y in range(180, HEIGHT, 62):
        sheet.draw.line((0, 2 * y, 2 * WIDTH, 2 * y), fill=255, width=2)
    sheet.lay((205, 215, 230), ink=False)
    writer.write(sheet, "Breip.ttf", 42, NOTEBOOK, 130, 140, 1100, step=62 / 42)
    sheet.lay(BROWN)
    return sheet


PAGES: dict[str, tuple[Callable[[Writer, np.random.Generator], Sheet], int]] = {
    "letter": (letter, 14), "article": (article, 14), "form": (form, 14), "notebook": (notebook, 20),
}  # fmt: skip
"""Name: what draws it, and the seed of its paper, light and camera."""


def encode(image: np.ndarray) -> bytes:
    """JPEG at quality 85, or just below where the noise of the picture makes it too large."""
    for quality in range(85, 40, -5):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= LARGEST:
            break
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="folders that hold the fonts")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "pages")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    writer = Writer(options.fonts)
    for name, (draw, seed) in PAGES.items():
        rng = np.random.default_rng(seed)
        sheet = draw(writer, rng)
        back = draw(writer, rng).reflectance
        layers = np.concatenate([sheet.reflectance, sheet.cover[..., None]], -1)
        image, _ = photograph(rng, layers, back, HEIGHT, WIDTH, held_out=True, whole=True)
        (options.out / f"{name}.jpg").write_bytes(encode(image))


if __name__ == "__main__":
    main()
