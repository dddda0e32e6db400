"""A contact sheet: all pictures of a run, small, in one JPEG."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from PIL import Image, ImageDraw, ImageFont

from imgai.kinds.paint import COLORS
from imgai.report.entry import Entry, opened

MARK = b"imgai contact sheet"
"""The comment in every sheet, so that one may take the place of another, and of nothing else."""
_PAPER, _INK, _SOFT, _BAD = (250, 250, 248), (28, 30, 33), (95, 101, 109), (179, 38, 30)
_GAP, _WORDS = 12, 22  # pixels
_MOST = 4000  # pictures
_QUALITY = 88


def write_sheet(file: BinaryIO, entries: Iterable[Entry], count: int, *, every_side: bool = False) -> None:
    """Write a sheet. count: of the entries. every_side: a row for each picture with all that it became, else the last.

    Raises ValueError if there is no entry.
    """
    count = min(count, _MOST)
    if not count:
        raise ValueError("there is no picture")
    cell = 320 if count <= 24 else 220 if count <= 120 else 140 if count <= 700 else 96
    sheet: Image.Image | None = None
    columns = 0
    for index, entry in zip(range(count), entries, strict=False):
        sides = entry.about["sides"]
        if sheet is None:
            columns = max(1, len(sides)) if every_side else columns_of(count)
            rows = count if every_side else math.ceil(count / columns)
            tall = cell * 3 // 4 + _WORDS + _GAP
            if every_side:
                cell = max(96, min(cell, 60_000 * 4 // 3 // max(1, rows)))
            sheet = Image.new("RGB", (columns * (cell + _GAP) + _GAP, rows * tall + _GAP), _PAPER)
        shown = range(len(sides)) if every_side else [len(sides) - 1]
        for column, side in enumerate(shown):
            place = (column, index) if every_side else (index % columns, index // columns)
            if place[0] >= columns:
                continue
            words = f"{entry.about['name']}: {sides[side]['title']}" if every_side else entry.about["name"]
            _put(
                sheet,
                _corner(place, cell),
                cell,
                drawn(entry, side),
                words,
                failed="error" in entry.about,
                larger=every_side,
            )
    assert sheet is not None
    sheet.save(file, "JPEG", quality=_QUALITY, comment=MARK)


def _corner(place: tuple[int, int], cell: int) -> tuple[int, int]:
    tall = cell * 3 // 4 + _WORDS + _GAP
    return _GAP + place[0] * (cell + _GAP), _GAP + place[1] * tall


def _put(
    sheet: Image.Image,
    corner: tuple[int, int],
    cell: int,
    image: Image.Image | None,
    words: str,
    *,
    failed: bool,
    larger: bool,
) -> None:
    draw, (left, top) = ImageDraw.Draw(sheet), corner
    wide, tall = cell, cell * 3 // 4
    if image is None:
        draw.rectangle((left, top, left + wide - 1, top + tall - 1), outline=_BAD if failed else _SOFT)
    else:
        factor = min(wide / image.width, tall / image.height)
        if factor < 1 or larger:
            size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
            image = image.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)
        sheet.paste(image, (left + (wide - image.width) // 2, top + (tall - image.height) // 2))
    font = ImageFont.load_default(size=12)
    words = _in_letters(words)
    # The end of a name tells more than the folders before it.
    while words and draw.textlength(words, font=font) > wide:
        words = "..." + words.lstrip(".")[max(1, len(words) // 12) :]
    draw.text((left, top + tall + 4), words, fill=_BAD if failed else _INK, font=font)


def _in_letters(words: str) -> str:
    """Reduce a text to the characters of Pillow's font: accents are removed, other characters become question marks."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", words) if not unicodedata.combining(letter))
    return re.sub(r"[^ -~]", "?", plain)


def drawn(entry: Entry, side: int) -> Image.Image | None:
    """One side of an entry with its layer and frames on it; None where it has no picture."""
    text = entry.images.get(str(side)) or entry.images.get("0")
    if side < 0 or text is None:
        return None
    image = _on_checks(opened(text))
    if (over := entry.images.get(f"{side}o")) is not None:
        layer = opened(over).convert("RGBA").resize(image.size)
        image.paste(layer, (0, 0), layer)
    marks: Sequence[Sequence[float]] = entry.about["sides"][side].get("marks", ())
    draw, line = ImageDraw.Draw(image), max(2, round(min(image.size) / 120))
    for x0, y0, x1, y1, _, color in marks:
        box = (x0 * image.width, y0 * image.height, max(x0 * image.width, x1 * image.width - 1), y1 * image.height - 1)
        if box[3] >= box[1]:
            draw.rectangle(box, outline=tuple(int(each) for each in COLORS[int(color) % len(COLORS)]), width=line)
    return image


def _on_checks(image: Image.Image) -> Image.Image:
    """Draw transparent pixels over a checkerboard, as editors do."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    board = Image.new("RGB", (2, 2), (238, 238, 238))
    board.putpixel((0, 0), (190, 190, 190))
    board.putpixel((1, 1), (190, 190, 190))
    side = 12
    squares = Image.new("RGB", image.size)
    tile = board.resize((2 * side, 2 * side), Image.Resampling.NEAREST)
    for y in range(0, image.height, 2 * side):
        for x in range(0, image.width, 2 * side):
            squares.paste(tile, (x, y))
    squares.paste(image, (0, 0), image)
    return squares


def columns_of(count: int) -> int:
    """Return the number of columns: a little wider than high, and one fewer if the last row is fuller then."""
    most = max(1, min(count, math.ceil(math.sqrt(count * 1.3))))
    return most if most < 3 else min((most, most - 1), key=lambda columns: -count % columns)
