"""Draws what is printed and written on a page: its colour as a reflectance, and how far ink covers each pixel.

Everything is drawn at twice the size and averaged down, so the coverage of a pixel is exact to a few levels. Ink is
whatever was printed, written or stamped: glyphs, rules, curves, solid bars (but not light letters left out of them).
Tints, highlighter and the pale ruling of notebooks belong to the paper: they are drawn, but are not counted as ink.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCRIPTS = {
    "latin": ("a-zàéèüöñçß", "latin"),
    "cyrillic": ("а-яё", "cyrillic"),
    "greek": ("α-ωάέή", "greek"),
    "hebrew": ("א-ת", "other"),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "other"),
    "devanagari": ("अआइईउएओकखगघचछजझटडणतथदधनपफबभमयरलवशषसहािीुेो", "other"),
    "bengali": ("অআইউএকখগঘচছজটডতথদধনপফবভমযরলশষসহািীু", "other"),
    "tamil": ("அஆஇஈஉஎகஙசஞடணதநபமயரலவழளறனாிீுெ", "other"),
    "telugu": ("అఆఇఉఎకఖగఘచజటడతదనపబమయరలవశసహాిీు", "other"),
    "thai": ("กขคงจฉชซฐดตถทธนบปผพภมยรลวศสหอะาเแโ", "other"),
    "georgian": ("ა-ჰ", "other"),
    "armenian": ("ա-ֆ", "other"),
    "ethiopic": ("ሀለሐመሠረሰሸቀበተኀነኘአከወዐዘየደገጠጰጸፀፈፐ", "other"),
    "hangul": (
        "가각간갈감강거건고과구그기나는다대도동들라로를리마만말면모문물바반방보부사상생서선성소수시신아안어에여오와요우원유은을의이인일자장전정제조주지하한해",
        "cjk",
    ),
    "kana": ("ぁ-んァ-ン", "cjk"),
    "han": (
        "的一是不了人我在有他這中大來上國个到說們為子和你地出道也時年得就那要"
        "下以生會自着去之過家學對可她里后小么心多天而能好都然没日于起还發成事"
        "只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長",
        "cjk",
    ),
}
HANDWRITING = [
    "dancing", "breip", "kristi", "femke", "dkg", "5thgrade", "sjfonts", "kaushan", "ecolier", "joscelyn",
    "bwht", "isabella", "rufscript", "purisa", "tomson", "yusei", "domestic_manners", "it_wasn", "scriptof",
    "humor", "delphine", "stevehand", "wargames",
]  # fmt: skip
HELD_OUT = [
    "garamond", "roboto", "courier-prime", "dancing", "junicode", "ipaexfont-gothic", "andika", "amiri",
    "lohit", "vollkorn", "gnutypewriter", "dkg", "fifthhorse", "breip", "sawasdee", "notoserif", "carlito",
    "nanummyeongjo",
]  # fmt: skip
"""Families that are drawn for validation alone: parts of the file's path, lower case."""
INKS = (
    (8, 8, 10), (25, 24, 26), (40, 38, 40), (20, 30, 90), (35, 55, 150), (70, 45, 25),
    (105, 70, 40), (90, 90, 95), (125, 125, 130), (150, 30, 35), (30, 90, 60), (70, 35, 100),
)  # fmt: skip
STAMPS = ((190, 40, 50), (60, 60, 160), (120, 60, 150), (40, 120, 80), (40, 40, 45))


@dataclass(frozen=True)
class Face:
    """One face of a font with one script that it holds."""

    path: str
    script: str
    kind: str
    letters: str
    hand: bool


@cache
def letters_of(script: str) -> str:
    """The letters of a script, ranges written out."""
    text, result = SCRIPTS[script][0], ""
    for i, c in enumerate(text):
        if c == "-" and 0 < i < len(text) - 1:
            result += "".join(map(chr, range(ord(text[i - 1]) + 1, ord(text[i + 1]))))
        else:
            result += c
    return result


@cache
def font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels, laid out glyph by glyph."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def find_faces(folders: Sequence[Path]) -> list[Face]:
    """All fonts below the folders that can be read, once for each script of which they hold nearly all letters."""
    faces = []
    for path in sorted(
        p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in (".ttf", ".otf", ".ttc")
    ):
        try:
            face = font(str(path), 24)
            missing = bytes(face.getmask("\U000effff"))
            for script, (_, kind) in SCRIPTS.items():
                if any(bytes(face.getmask(c)) == missing for c in letters_of(script)[:3]):
                    continue
                letters = "".join(c for c in letters_of(script) if bytes(face.getmask(c)) not in (missing, b""))
                if len(letters) >= 0.9 * len(letters_of(script)):
                    hand = any(word in str(path).lower() for word in HANDWRITING)
                    faces.append(Face(str(path), script, kind, letters, hand))
        except (OSError, ValueError):
            continue
    return faces


def choose_face(rng: np.random.Generator, faces: Sequence[Face], hand: bool | None = None) -> Face:
    """A face: first the kind of writing, then a family (folder), then one of its files."""
    hand = rng.random() < 0.25 if hand is None else hand
    kind = rng.choice(["latin", "cyrillic", "greek", "cjk", "other"], p=[0.52, 0.08, 0.06, 0.14, 0.2])
    some = [f for f in faces if f.hand == hand and (hand or f.kind == kind)] or list(faces)
    scripts = sorted({f.script for f in some}) if not hand else []
    if scripts:
        script = rng.choice(scripts)
        some = [f for f in some if f.script == script]
    family = rng.choice(sorted({str(Path(f.path).parent) for f in some}))
    some = [f for f in some if str(Path(f.path).parent) == family]
    return some[rng.integers(len(some))]


@cache
def stroke_of(path: str, letters: str) -> float:
    """How thick the strokes of a face are, as a share of its size: twice the area over the outline."""
    mask = font(path, 100).getmask(letters, mode="L")
    ink = np.array(mask, np.float32).reshape(mask.size[::-1]) > 127
    ink = np.pad(ink, 1)
    outline = (ink[1:] != ink[:-1]).sum() + (ink[:, 1:] != ink[:, :-1]).sum()
    return float(2 * ink.sum() / max(1, outline) * 1.2 / 100)


def words(rng: np.random.Generator, face: Face, count: int) -> str:
    """Words of random letters of the face's script, with digits, capitals and punctuation."""
    if face.kind == "cjk":
        return "".join(rng.choice(list(face.letters + "、。 "), size=count * 3))
    letters = list(face.letters)
    weights = np.array([4.0 if c in "eaotinsrhldu" else 1.0 for c in letters])
    pool = rng.choice(letters, size=count * 9, p=weights / weights.sum())
    result, at = [], 0
    for length in rng.integers(1, 10, count):
        word = "".join(pool[at : at + length])
        at += length
        chance = rng.random()
        if chance < 0.12:
            word = word.capitalize()
        elif chance < 0.17:
            word = word.upper()
        elif chance < 0.24:
            word = f"{rng.integers(0, 10 ** rng.integers(1, 6))}"
        result.append(
            word
            + rng.choice(["", ",", ".", ";", ":", "!", ")", "-"], p=[0.8, 0.07, 0.07, 0.01, 0.02, 0.01, 0.01, 0.01])
        )
    return " ".join(result)


class Sheet:
    """A page in the making, drawn at twice its size.

    reflectance: ``(H, W, 3)`` float32 in [0, 1], 1 where nothing is printed.
    cover: ``(H, W)`` float32 in [0, 1], the share of each pixel that ink covers.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.reflectance = np.ones((height, width, 3), np.float32)
        self.cover = np.zeros((height, width), np.float32)
        self.begin()

    def begin(self) -> ImageDraw.ImageDraw:
        """A fresh layer, ``(2 H, 2 W)``, to draw on with 255."""
        self.layer = Image.new("L", (2 * self.width, 2 * self.height))
        self.draw = ImageDraw.Draw(self.layer)
        return self.draw

    def lay(self, colour: Sequence[int], *, ink: bool = True, density: float = 1.0) -> None:
        """Print the layer in a colour (0 to 255); with `ink` it counts as ink."""
        box = self.layer.getbbox()
        if box is not None:
            left, top, right, bottom = box[0] // 2, box[1] // 2, (box[2] + 1) // 2, (box[3] + 1) // 2
            part = self.layer.crop((2 * left, 2 * top, 2 * right, 2 * bottom)).reduce(2)
            alpha = np.asarray(part, np.float32) / 255
            area = np.s_[top:bottom, left:right]
            absorbed = (1 - np.asarray(colour, np.float32) / 255) * density
            self.reflectance[area] *= 1 - alpha[..., None] * absorbed
            if ink:
                self.cover[area] = np.maximum(self.cover[area], alpha)
        self.begin()


def text(
    rng: np.random.Generator,
    sheet: Sheet,
    face: Face,
    box: tuple[float, float, float, float],
    x_height: float,
    *,
    lines: int = 999,
    fill: int = 255,
) -> float:
    """Write lines of text into a box (left, top, right, bottom; pixels of the page); returns where it ends."""
    probe = font(face.path, 100).getbbox(face.letters[:6])
    tall = max(20.0, (probe[3] - probe[1]) * (0.75 if face.kind == "latin" else 0.6))
    used = font(face.path, max(8, round(2 * x_height * 100 / tall)))
    # A pen is half a millimetre wide, three pixels at 150 dpi: faces that are thinner than 1.7 are drawn bolder.
    bold = max(0, math.ceil((3.4 - stroke_of(face.path, face.letters[:8]) * used.size) / 2))
    left, top, right, bottom = (2 * v for v in box)
    step, y = 2 * x_height * rng.uniform(1.8, 3.2), top
    sample = words(rng, face, 40)
    per_letter = max(1.0, used.getlength(sample) / len(sample))
    room = max(1, int((right - left) / per_letter))
    jitter = (0.15 if face.hand else 0.0) * x_height
    while y + step <= bottom and lines > 0:
        length = room if rng.random() < 0.8 else max(1, int(room * rng.uniform(0.15, 1)))
        line = words(rng, face, 2 + length // 3)[:length]
        indent = rng.uniform(0, 0.1) * (right - left) if rng.random() < 0.1 else 0.0
        if face.hand and rng.random() < 0.7:
            x = left + indent
            for word in line.split(" "):
                sheet.draw.text((x, y + rng.normal(0, 1) * jitter), word, fill=fill, font=used, stroke_width=bold)
                x += used.getlength(word + " ") + abs(rng.normal(0, 1)) * x_height
                if x > right:
                    break
        else:
            sheet.draw.text((left + indent, y), line, fill=fill, font=used, stroke_width=bold)
        y += step * (1 if rng.random() < 0.9 else rng.uniform(1.2, 2))
        lines -= 1
    return y / 2


def curve(
    rng: np.random.Generator, sheet: Sheet, box: tuple[float, float, float, float], width: float, points: int = 8
) -> None:
    """A smooth line through random points, as a signature or a doodle: Catmull-Rom, with a width that varies."""
    left, top, right, bottom = box
    x = np.sort(rng.uniform(left, right, points)) + rng.normal(0, (right - left) * 0.06, points)
    knots = np.stack([x, rng.uniform(top, bottom, points)], 1)
    knots = np.concatenate([knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, 14)[:, None]
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        path = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        line = [tuple(p) for p in (2 * path).tolist()]
        sheet.draw.line(line, fill=255, width=max(1, round(2 * width * rng.uniform(0.6, 1.3))), joint="curve")
