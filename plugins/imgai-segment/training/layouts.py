"""Whole pages: columns of text, tables, forms, letters, figures, in the inks and faces of `pages`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pages import INKS, STAMPS, Face, Sheet, choose_face, curve, font, text, words

Box = tuple[float, float, float, float]


def _size(rng: np.random.Generator, low: float = 7, high: float = 34) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _ink(rng: np.random.Generator) -> tuple[int, int, int]:
    return INKS[rng.integers(3)] if rng.random() < 0.5 else INKS[rng.integers(len(INKS))]


def heading(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> float:
    """A line of large letters; sometimes light ones that are left out of a solid bar."""
    left, top, right, bottom = box
    x_height = min(_size(rng, 12, 60), (bottom - top) / 3)
    face = choose_face(rng, faces, hand=False)
    if rng.random() < 0.45:
        end = top + x_height * rng.uniform(2.2, 3.5)
        sheet.draw.rectangle((2 * left, 2 * top, 2 * right, 2 * end), fill=255)
        text(
            rng,
            sheet,
            face,
            (left + x_height / 2, top + x_height * 0.3, right, end + 3 * x_height),
            x_height,
            lines=1,
            fill=0,
        )
    else:
        end = text(rng, sheet, face, box, x_height, lines=1)
    sheet.lay(_ink(rng))
    return end + x_height * 0.6


def columns(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """One to three columns with headings, rules, underlines and highlighter."""
    left, top, right, bottom = box
    if rng.random() < 0.4:
        top = min(heading(rng, sheet, faces, box), bottom - 8)
    x_height = _size(rng)
    face = choose_face(rng, faces)
    count = 1 if x_height > 14 else int(rng.integers(1, 4))
    gap = 2.5 * x_height
    width = (right - left - gap * (count - 1)) / count
    ink = _ink(rng)
    for i in range(count):
        x, y = left + i * (width + gap), top
        while y < bottom - 4 * x_height:
            end = min(bottom, y + rng.uniform(6, 40) * x_height)
            if rng.random() < 0.15 and not face.hand:
                y = text(
                    rng,
                    sheet,
                    choose_face(rng, faces, hand=False),
                    (x, y, x + width, end),
                    x_height * rng.uniform(1.1, 1.8),
                    lines=1,
                )
            y = text(rng, sheet, face, (x, y, x + width, end), x_height) + x_height * rng.uniform(0.5, 3)
            if rng.random() < 0.15:
                sheet.draw.line((2 * x, 2 * y, 2 * (x + width), 2 * y), fill=255, width=int(rng.integers(4, 10)))
                y += x_height
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            x, y = rng.uniform(left, right), rng.uniform(top, bottom)
            sheet.draw.line(
                (2 * x, 2 * y, 2 * x + rng.uniform(50, 500), 2 * y), fill=255, width=int(rng.integers(4, 10))
            )
    sheet.lay(ink)
    if rng.random() < 0.2:
        for _ in range(int(rng.integers(1, 4))):
            x, y = rng.uniform(left, right), rng.uniform(top, bottom)
            sheet.draw.rectangle((2 * x, 2 * y, 2 * x + rng.uniform(80, 600), 2 * y + 4 * x_height), fill=255)
        sheet.lay(
            [(255, 250, 90), (150, 255, 140), (255, 170, 200)][rng.integers(3)], ink=False, density=rng.uniform(0.5, 1)
        )


def table(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """Rows and columns with rules, tinted rows and a head that may be dark."""
    left, top, right, bottom = box
    x_height = _size(rng, 7, 18)
    rows, cols = max(2, int((bottom - top) / (x_height * rng.uniform(3, 5)))), int(rng.integers(2, 7))
    y = np.linspace(top, bottom, rows + 1)
    x = np.concatenate([[left], np.sort(rng.uniform(left, right, cols - 1)), [right]])
    if rng.random() < 0.5:
        for i in range(1, rows, 2):
            sheet.draw.rectangle((2 * left, 2 * y[i], 2 * right, 2 * y[i + 1]), fill=255)
        sheet.lay(rng.integers(185, 250, 3).tolist(), ink=False)
    if rng.random() < 0.8:
        width = int(rng.integers(4, 10))
        for v in y[:: 1 if rng.random() < 0.7 else rows]:
            sheet.draw.line((2 * left, 2 * v, 2 * right, 2 * v), fill=255, width=width)
        for v in x if rng.random() < 0.6 else []:
            sheet.draw.line((2 * v, 2 * top, 2 * v, 2 * bottom), fill=255, width=width)
    dark = rng.random() < 0.4
    if dark:
        sheet.draw.rectangle((2 * left, 2 * top, 2 * right, 2 * y[1]), fill=255)
    face = choose_face(rng, faces)
    for i in range(rows):
        for j in range(cols):
            if rng.random() < 0.85:
                cell = (
                    x[j] + x_height * 0.4,
                    y[i] + x_height * 0.2,
                    x[j + 1] - x_height * 0.5,
                    y[i + 1] + 3 * x_height,
                )
                if cell[2] - cell[0] > 2 * x_height:
                    text(rng, sheet, face, cell, x_height, lines=1, fill=0 if dark and i == 0 else 255)
    sheet.lay(_ink(rng))


def form(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """Printed labels, rules and boxes, filled in by hand."""
    left, top, right, bottom = box
    x_height = _size(rng, 7.5, 16)
    face, hand = choose_face(rng, faces, hand=False), choose_face(rng, faces, hand=True)
    step = x_height * rng.uniform(4, 7)
    starts = np.arange(top, bottom - step, step)
    split = left + (right - left) * rng.uniform(0.15, 0.4)
    for y in starts:
        text(rng, sheet, face, (left, y, split, y + step), x_height, lines=1)
        if rng.random() < 0.8:
            sheet.draw.line(
                (2 * split, 2 * (y + step * 0.6), 2 * right, 2 * (y + step * 0.6)),
                fill=255,
                width=int(rng.integers(4, 7)),
            )
        if rng.random() < 0.3:
            side = 2 * x_height * 1.3
            sheet.draw.rectangle(
                (2 * left - side - 4, 2 * y, 2 * left - 4, 2 * y + side), outline=255, width=int(rng.integers(4, 7))
            )
    sheet.lay(_ink(rng))
    for y in starts:
        if rng.random() < 0.7:
            text(
                rng,
                sheet,
                hand,
                (split + rng.uniform(2, 40), y - x_height, right, y + 4 * step),
                x_height * rng.uniform(1.1, 2.0),
                lines=1,
            )
    sheet.lay(_ink(rng))


def letter(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """Handwriting, on blank paper, on pale rules or on squares."""
    left, top, right, bottom = box
    x_height = _size(rng, 9, 40)
    if rng.random() < 0.4:
        pitch, width = max(10.0, 2.5 * x_height), int(rng.integers(2, 5))
        for y in np.arange(top, bottom, pitch):
            sheet.draw.line((0, 2 * y, 2 * sheet.width, 2 * y), fill=255, width=width)
        for x in np.arange(left, right, pitch) if rng.random() < 0.3 else [left]:
            sheet.draw.line((2 * x, 0, 2 * x, 2 * sheet.height), fill=255, width=width)
        sheet.lay(rng.integers(185, 245, 3).tolist(), ink=False)
    text(rng, sheet, choose_face(rng, faces, hand=True), box, x_height)
    if rng.random() < 0.4:
        y = rng.uniform(top, bottom)
        curve(rng, sheet, (left, y, right, y + 3 * x_height), rng.uniform(2, 4), points=int(rng.integers(2, 12)))
    sheet.lay(_ink(rng))


def figure(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """A chart or a drawing: axes, curves, bars, hatching, discs, and a caption."""
    left, top, right, bottom = box
    floor = bottom - (bottom - top) * rng.uniform(0.15, 0.4)
    width = int(rng.integers(4, 9))
    sheet.draw.line((2 * left, 2 * top, 2 * left, 2 * floor, 2 * right, 2 * floor), fill=255, width=width)
    for _ in range(int(rng.integers(1, 5))):
        curve(rng, sheet, (left, top, right, floor), width / 2, points=int(rng.integers(4, 14)))
    for x in np.arange(left + 20, right - 40, rng.uniform(50, 120)) if rng.random() < 0.5 else []:
        bar = (2 * x, 2 * rng.uniform(top, floor), 2 * (x + rng.uniform(8, 45)), 2 * floor)
        if rng.random() < 0.5:
            sheet.draw.rectangle(bar, fill=255)
        else:
            sheet.draw.rectangle(bar, outline=255, width=width)
            for y in np.arange(bar[1], bar[3], rng.uniform(8, 24)):
                sheet.draw.line((bar[0], y, bar[2], y), fill=255, width=int(rng.integers(4, 7)))
    for _ in range(int(rng.integers(0, 6))):
        x, y, r = rng.uniform(left, right), rng.uniform(top, floor), rng.uniform(3, 40)
        sheet.draw.ellipse(
            (2 * x - 2 * r, 2 * y - 2 * r, 2 * x + 2 * r, 2 * y + 2 * r), outline=255, width=int(rng.integers(4, 10))
        )
    text(rng, sheet, choose_face(rng, faces), (left, floor + 5, right, bottom), _size(rng, 7.5, 16))
    sheet.lay(_ink(rng))


def sparse(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face], box: Box) -> None:
    """A few words or letters on a page that is nearly blank."""
    for _ in range(int(rng.integers(1, 6))):
        x, y, x_height = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3]), _size(rng, 7, 60)
        text(
            rng,
            sheet,
            choose_face(rng, faces),
            (x, y, box[2], y + 6 * x_height),
            x_height,
            lines=int(rng.integers(1, 3)),
        )
        sheet.lay(_ink(rng))


def stamp(rng: np.random.Generator, sheet: Sheet, faces: Sequence[Face]) -> None:
    """A coloured stamp: a ring or a frame with a word inside."""
    x, y, r = rng.uniform(0, sheet.width), rng.uniform(0, sheet.height), rng.uniform(25, 90)
    outline = sheet.draw.ellipse if rng.random() < 0.6 else sheet.draw.rectangle
    for scale in (1.0, 0.8) if rng.random() < 0.6 else (1.0,):
        outline(
            (2 * (x - r * scale), 2 * (y - r * scale), 2 * (x + r * scale), 2 * (y + r * scale)),
            outline=255,
            width=int(rng.integers(4, 12)),
        )
    face = choose_face(rng, faces, hand=False)
    used = font(face.path, max(10, int(r * rng.uniform(0.4, 0.7))))
    for k in range(int(rng.integers(1, 4))):
        sheet.draw.text(
            (2 * (x - r * 0.6), 2 * (y - r * 0.4 + k * r * 0.3)), words(rng, face, 2)[:8].upper(), fill=255, font=used
        )
    sheet.lay(STAMPS[rng.integers(len(STAMPS))], density=rng.uniform(0.45, 1))


LAYOUTS: tuple[tuple[Callable[..., None], float], ...] = (
    (columns, 0.4), (table, 0.14), (form, 0.12), (letter, 0.16), (figure, 0.1), (sparse, 0.08),
)  # fmt: skip


def draw_page(rng: np.random.Generator, faces: Sequence[Face], height: int, width: int) -> Sheet:
    """A page, or a piece of one, with something on nearly all of it (one in fifty stays blank)."""
    sheet = Sheet(height, width)
    margin = [rng.uniform(0.0, 0.12) * side for side in (width, height, width, height)]
    box = (margin[0], margin[1], width - margin[2], height - margin[3])
    if rng.random() > 0.02:
        layouts, chances = zip(*LAYOUTS, strict=True)
        if rng.random() < 0.35:  # two kinds, one above the other
            middle = box[1] + (box[3] - box[1]) * rng.uniform(0.3, 0.7)
            parts = [(box[0], box[1], box[2], middle - 8), (box[0], middle + 8, box[2], box[3])]
        else:
            parts = [box]
        for part in parts:
            layouts[rng.choice(len(layouts), p=chances)](rng, sheet, faces, part)
        if rng.random() < 0.2:
            stamp(rng, sheet, faces)
        if rng.random() < 0.15:
            x, y = rng.uniform(0, width * 0.7), rng.uniform(0, height * 0.9)
            curve(rng, sheet, (x, y, x + rng.uniform(60, 250), y + rng.uniform(15, 80)), rng.uniform(2, 4))
            sheet.lay(_ink(rng))
    return sheet
