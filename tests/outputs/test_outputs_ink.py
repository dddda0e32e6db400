"""Pages become black on white: one bit, at their resolution, level and cut to the sheet."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
import tifffile
import torch
from PIL import Image, ImageDraw

from imgai.images import make_sample
from imgai.kinds.files import files, fragment, merge
from imgai.kinds.sheet import corners_of, cut_out, flattened, lean_of, upright
from imgai.outputs.mask import Mask
from imgai.plugin import Output, Page, Predictor, Rendered
from imgai.sample import Metadata, Sample, Source
from imgai.testing import fake, step_of
from imgai.testing.kinds import named_kinds

HEIGHT, WIDTH = 300, 220


def lines(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Ink as lines of words. Shape: ``(H, W)`` uint8, 255 where there is ink."""
    random = np.random.default_rng(0)
    ink = np.zeros((height, width), dtype=np.uint8)
    for top in range(20, height - 20, 12):
        x = 15
        while x < width - 30:
            length = int(random.integers(6, 24))
            ink[top : top + 5, x : x + length] = 255
            x += length + 6
    return ink


def page_of(
    soft: np.ndarray, kind: str, light: np.ndarray | None = None, number: int = 0, pages: int = 1, **about: Any
) -> Page:
    """A page of grey, and its mask. about: options of the kind, and `dpi` of the file."""
    dpi = about.pop("dpi", (300.0, 300.0))
    pixels = 255 - soft if light is None else light
    sample = make_sample(
        pixels, None, Source(Path("a.tif"), "a.tif", number, pages), Metadata("TIFF", gray=True, dpi=dpi)
    )
    (spec,) = named_kinds(kind, of=Output.MASK, **about)
    return Page(sample, Mask(torch.from_numpy(soft)[None], ("ink",)), spec.params)


def made(*pages: Page) -> list[Rendered]:
    (spec,) = named_kinds("ink", of=Output.MASK)
    return list(files(spec.kind, iter(pages)))


def test_a_tiff_is_black_on_white_in_one_bit_with_every_page() -> None:
    softs = [lines(), lines(200, 210)]
    pages = [
        page_of(soft, "ink", number=number, pages=2, dpi=(300.0 * (number + 1),) * 2)
        for number, soft in enumerate(softs)
    ]
    (file,) = made(*pages)
    assert file.suffix == ".tif"
    with tifffile.TiffFile(io.BytesIO(file.content)) as tiff:
        assert [(page.compression.name, page.bitspersample, page.photometric.name) for page in tiff.pages] == [
            ("CCITTFAX4", 1, "MINISWHITE")
        ] * 2
        for page, soft, dpi in zip(tiff.pages, softs, (300, 600), strict=True):
            assert page.tags["XResolution"].value[0] / page.tags["XResolution"].value[1] == pytest.approx(dpi)
            assert np.array_equal(page.asarray() > 0, soft > 0), "ink is 1, and 1 is black"
    image = Image.open(io.BytesIO(file.content))
    assert np.array_equal(np.asarray(image), softs[0] == 0)


def test_a_png_for_each_page() -> None:
    first, second = made(*(page_of(lines(), "ink", ink="png", number=number, pages=2) for number in (0, 1)))
    assert (first.suffix, first.label, second.label) == (".png", "p0001", "p0002")
    image = Image.open(io.BytesIO(second.content))
    assert (image.mode, round(image.info["dpi"][0])) == ("1", 300)
    (alone,) = made(page_of(lines(), "ink", ink="png"))
    assert alone.label is None


def shown(content: bytes, scale: float) -> list[np.ndarray]:
    """The pages of a PDF as a reader shows them, 1 pixel to a point times the scale."""
    return [page.render(scale=scale, grayscale=True).to_numpy() for page in pypdfium2.PdfDocument(content)]


def test_a_pdf_has_each_page_at_its_size(tmp_path: Path) -> None:
    (spec,) = named_kinds("pdf")
    pages = [
        page_of(lines(), "pdf"),
        page_of(lines(150, 420), "pdf", dpi=(150.0, 150.0)),
        page_of(lines(), "pdf", dpi=None),
    ]
    parts = [(str(number), fragment(spec.kind, page)) for number, page in enumerate(pages)]
    assert not any("notes" in part for _, part in parts), "nothing is to be told of a page that is as it was asked for"
    told = fragment(spec.kind, page_of(lines(), "pdf", dewarp=True))
    assert "no sheet" in told["notes"][0]
    with (tmp_path / "pages.pdf").open("wb") as file:
        merge(spec.kind, iter(parts), file, spec.params)
    content = (tmp_path / "pages.pdf").read_bytes()
    sizes = [page.get_size() for page in pypdfium2.PdfDocument(content)]
    # The third says no resolution: its longer side is that of A4.
    expected = [
        (WIDTH * 72 / 300, HEIGHT * 72 / 300),
        (420 * 72 / 150, 150 * 72 / 150),
        (11.7 * 72 * WIDTH / HEIGHT, 11.7 * 72),
    ]
    for size, wanted in zip(sizes, expected, strict=True):
        assert size == pytest.approx(wanted, abs=0.01)
    first = shown(content, 300 / 72)[0]
    assert np.array_equal(first[:HEIGHT, :WIDTH].squeeze() < 128, lines() > 0)
    (alone,) = made(page_of(lines(), "ink", ink="pdf"))
    assert np.array_equal(shown(alone.content, 300 / 72)[0][:HEIGHT, :WIDTH].squeeze() < 128, lines() > 0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (40, 33)])
@pytest.mark.parametrize("ink", ["tiff", "png", "pdf"])
def test_pages_without_ink_and_of_odd_sizes(shape: tuple[int, int], ink: str) -> None:
    everything = {"deskew": True, "dewarp": True, "crop_page": True}
    (file,) = made(page_of(np.zeros(shape, dtype=np.uint8), "ink", ink=ink, **everything))
    assert file.content
    assert "no sheet" in file.notes[0]


@pytest.mark.parametrize("degrees", [-9.0, -2.35, -0.3, 0.0, 0.4, 5.0, 11.0])
def test_leaning_lines_are_made_level(degrees: float) -> None:
    leaning = np.asarray(Image.fromarray(lines(700, 600)).rotate(degrees, Image.Resampling.BICUBIC, expand=True))
    found = lean_of(leaning)
    assert found == pytest.approx(-degrees, abs=0.15)
    assert abs(lean_of(upright(leaning, found))) <= 0.15


def test_what_has_no_lines_is_not_turned() -> None:
    random = np.random.default_rng(1)
    assert lean_of((random.random((400, 400)) > 0.9).astype(np.uint8) * 255) == 0
    y, x = np.mgrid[:400, :400]
    assert lean_of(((np.hypot(y - 200, x - 200) < 150) * 255).astype(np.uint8)) == 0


CORNERS = np.array([(95.0, 60.0), (330.0, 40.0), (380.0, 450.0), (50.0, 420.0)])


def on_a_desk(sheet: float = 0.8, desk: float = 0.3) -> np.ndarray:
    """A sheet with lines on a desk, seen at an angle. Shape: ``(H, W)`` float."""
    image = Image.new("L", (440, 500), round(desk * 255))
    draw = ImageDraw.Draw(image)
    draw.polygon([tuple(corner) for corner in CORNERS], fill=round(sheet * 255))
    for top in range(100, 400, 20):
        draw.line((120, top, 320, top), fill=20, width=4)
    noise = np.random.default_rng(0).normal(0, 0.03, (500, 440))
    return (np.asarray(image) / 255 + noise).clip(0, 1)


def test_a_sheet_is_told_from_the_desk_and_seen_from_above() -> None:
    corners = corners_of(on_a_desk())
    assert corners is not None
    assert np.abs(corners - CORNERS).max() < 5
    soft = np.zeros((500, 440), dtype=np.uint8)
    ImageDraw.Draw(image := Image.fromarray(soft)).polygon([tuple(corner) for corner in CORNERS], fill=255)
    above = flattened(np.asarray(image), corners)
    assert above.shape[0] > above.shape[1]
    assert (above > 128).mean() > 0.98
    around = cut_out(np.full((500, 440), 255, dtype=np.uint8), corners)
    assert around.shape == pytest.approx((410, 330), abs=8)
    assert around[0, 0] == 0, "what lies beside the sheet is white"
    assert around[200, 150] == 255


def test_no_ink_is_lost_with_the_desk() -> None:
    """A deep shadow over a half of the sheet looks like a desk."""
    soft = np.zeros((500, 440), dtype=np.uint8)
    soft[100:400:20, 120:280] = 255
    soft[100:400:20, 300:325] = 255
    light = on_a_desk()
    light[:, 290:] = 0.2
    assert corners_of(light) is not None
    (file,) = made(page_of(soft, "ink", (light * 255).astype(np.uint8), dewarp=True))
    assert "ink lies beside" in file.notes[0]
    assert Image.open(io.BytesIO(file.content)).size == (440, 500)
    (file,) = made(page_of(soft, "ink", (on_a_desk() * 255).astype(np.uint8), crop_page=True))
    assert not file.notes
    assert Image.open(io.BytesIO(file.content)).size[0] < 350


def photographed(width: float, height: float, tilt: tuple[float, float], focal: float = 1.2) -> np.ndarray:
    """The corners of a sheet as a camera sees them that is tilted in two ways by degrees; 1200 x 900 pixels."""
    a, b = np.radians(tilt)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turn = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]) @ turn
    sheet = np.array([(-width, -height, 0), (width, -height, 0), (width, height, 0), (-width, height, 0)]) / 2
    seen = sheet @ turn.T + (0.05, -0.03, 3.5)
    return 1200 * focal * seen[:, :2] / seen[:, 2:] + (600, 450)


@pytest.mark.parametrize(
    "tilt", [(0.0, 0.0), (25.0, 20.0), (-20.0, 30.0), (15.0, -35.0), (2.0, 1.0), (0.0, 35.0), (-30.0, 0.0)]
)
def test_a_sheet_comes_out_in_the_shape_that_it_has(tilt: tuple[float, float]) -> None:
    focal = 1.2 if min(map(abs, tilt)) else 0.75  # where it cannot be told, that of a telephone
    for width, height in ((1.0, 1.414), (1.414, 1.0), (1.0, 1.0)):
        above = flattened(np.zeros((900, 1200), dtype=np.uint8), photographed(width, height, tilt, focal))
        assert above.shape[1] / above.shape[0] == pytest.approx(width / height, rel=0.02), (width, height)


@pytest.mark.parametrize(
    "light",
    [
        np.full((300, 200), 0.9),
        on_a_desk(0.35, 0.3),
        np.zeros((300, 200)),
        np.random.default_rng(0).random((60, 80)),
        np.random.default_rng(0).random((500, 400)),
        1 - lines() / 255,
    ],
)
def test_a_scan_without_a_desk_has_no_sheet_to_cut_out(light: np.ndarray) -> None:
    assert corners_of(light) is None


def small_of(dpi: float | None, height: int = 900, width: int = 600) -> tuple[list[tuple[int, ...]], Sample]:
    """What a model that reads best at 100 dots per inch sees of a picture; and the picture with its mask."""
    seen: list[tuple[int, ...]] = []

    def network(image: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(image.shape[-2:]))
        return 1 - image.mean(dim=1, keepdim=True)

    model = dataclasses.replace(fake.LIGHTNESS, dpi=100, tile=2048)
    pixels = np.asarray(Image.fromarray(255 - lines(height // 3, width // 3)).resize((width, height)))
    metadata = Metadata("PNG", gray=True, dpi=None if dpi is None else (dpi, dpi))
    sample = make_sample(pixels.copy(), None, Source(None, "a"), metadata)
    return seen, step_of(fake.FIND_LIGHT, model, Predictor(network=network))(sample)


@pytest.mark.parametrize(
    ("dpi", "longest"), [(300.0, 300), (100.0, 900), (110.0, 900), (200.0, 450), (72.0, 900), (None, 900)]
)
def test_a_model_sees_pages_at_its_resolution(dpi: float | None, longest: int) -> None:
    seen, result = small_of(dpi)
    assert seen == [pytest.approx((longest, longest * 2 / 3), abs=8)]
    (mask,) = result.masks.values()
    assert tuple(mask.values.shape) == (1, 900, 600)
    ink = result.image[0, 0].numpy() < 128
    assert (mask.inside(0, 0.5) == ink).mean() > 0.97, "strokes have the shape that they have in the picture"


def test_a_picture_that_says_nothing_is_taken_for_a_sheet() -> None:
    seen, _ = small_of(None, 2340, 1200)  # 200 dots per inch, if it is A4
    assert seen == [pytest.approx((1170, 600), abs=8)]
