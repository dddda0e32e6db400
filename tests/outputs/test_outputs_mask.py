"""What is found becomes files that other programs read."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage

from imgai.images import make_sample
from imgai.kinds import CocoParams, matte
from imgai.kinds.coco import annotate, assemble, polygons, rle, solid
from imgai.kinds.files import files
from imgai.outputs.mask import Mask
from imgai.plugin import Output, Page, Rendered
from imgai.sample import Metadata, Sample, Source
from imgai.testing.kinds import named_kinds

Instances = Callable[[np.ndarray, float], np.ndarray]


def disc(size: int = 96, radius: float = 30, soft: float = 4) -> np.ndarray:
    """A disc with a soft edge. Shape: ``(H, W)`` float in [0, 1]."""
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    return np.clip((radius - np.hypot(y, x)) / soft + 0.5, 0, 1)


def found(*maps: np.ndarray, labels: tuple[str, ...] = ("thing",), instances: Instances | None = None) -> Mask:
    values = torch.from_numpy(np.stack([(each * 255 + 0.5).astype(np.uint8) for each in maps]))
    return Mask(values, labels, instances)


def red_on_green(depth: int = 8) -> Sample:
    """A red disc over a green ground, mixed at its soft edge as a lens mixes it."""
    alpha = disc()[..., None]
    colors = alpha * np.array([1.0, 0, 0]) + (1 - alpha) * np.array([0, 0.8, 0])
    white = 2**depth - 1
    pixels = (colors * white + 0.5).astype(np.uint16 if depth == 16 else np.uint8)
    return make_sample(pixels, None, Source(None, "x"), Metadata("PNG", depth=depth))


def render(
    sample: Sample, mask: Mask, name: str, threshold: float = 0.5, suffix: str = "", **params: Any
) -> list[Rendered]:
    """The files that a kind of masks makes of one page."""
    (spec,) = named_kinds(name, of=Output.MASK, threshold=threshold, **params)
    return list(files(spec.kind, Page(sample, mask, spec.params, suffix)))


def content(sample: Sample, mask: Mask, kind: str, threshold: float = 0.5, **params: Any) -> Image.Image:
    (file,) = render(sample, mask, kind, threshold, **params)
    return Image.open(io.BytesIO(file.content))


def alpha_of(mask: np.ndarray, sample: Sample | None = None, **params: Any) -> np.ndarray:
    """The alpha of a cut-out of a picture as large as the mask, which is gray all over unless one is given."""
    if sample is None:
        gray = np.full((*mask.shape, 3), 128, dtype=np.uint8)
        sample = make_sample(gray, None, Source(None, "x"), Metadata("PNG"))
    return np.asarray(content(sample, found(mask), "cutout", **params))[..., 3]


def test_a_soft_mask_keeps_every_level() -> None:
    image = content(red_on_green(), found(disc()), "mask")
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), (disc() * 255 + 0.5).astype(np.uint8))


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
def test_a_binary_mask_obeys_the_threshold(threshold: float) -> None:
    values = np.asarray(content(red_on_green(), found(disc()), "binary", threshold))
    assert set(np.unique(values)) == {0, 255}
    soft = (disc() * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(values == 255, soft >= max(1, round(threshold * 255)))


@pytest.mark.parametrize("depth", [8, 16])
def test_a_cutout_shows_nothing_of_the_ground(depth: int) -> None:
    import imagecodecs

    (file,) = render(red_on_green(depth), found(disc()), "cutout", alpha="soft")
    pixels = imagecodecs.png_decode(file.content)
    white = 2**depth - 1
    assert pixels.dtype.itemsize * 8 == depth
    alpha = pixels[..., 3] / white
    assert np.abs(alpha - disc()).max() < 1 / 255
    edge = (alpha > 0.1) & (alpha < 0.95)
    assert edge.sum() > 200
    # Laid over blue, an edge that kept its green would shine.
    assert (pixels[..., 1][edge] / white).mean() < 0.06
    assert (pixels[..., 0][edge] / white).mean() > 0.9
    assert (pixels[..., 1][edge] / white).mean() < 0.2 * 0.8 * (1 - alpha[edge]).mean()


def test_a_clean_cutout_shows_no_ghost_and_keeps_a_soft_edge() -> None:
    mask = disc(240, 70, 4)
    mask[4:60, 4:60] = 0.4  # half sure of a corner, and of what is within
    mask[100:140, 100:140] = 0.55
    alpha = alpha_of(mask)
    assert (alpha[4:60, 4:60] == 0).all()
    assert (alpha[100:140, 100:140] == 255).all()
    edge = (alpha > 0) & (alpha < 255)
    assert edge.sum() > 200  # soft all around: its length is 440 pixels
    assert edge.sum() < 0.1 * (alpha > 127).sum()
    assert np.abs((alpha > 127).sum() / (np.pi * 70**2) - 1) < 0.02
    soft = alpha_of(mask, alpha="soft")
    assert np.array_equal(soft, (mask * 255 + 0.5).astype(np.uint8))
    assert set(np.unique(alpha_of(mask, alpha="hard"))) == {0, 255}


def test_thin_hair_in_front_of_a_plain_ground_stays_thin_and_soft() -> None:
    """A network sees a haze; the picture knows better."""
    truth = disc(480, 124, 2)
    hairs = np.arange(200, 280) % 8 == 6
    truth[102:130, 200:280][:, hairs] = 0.7
    pixels = truth[..., None] * np.array([60, 30, 10]) + (1 - truth[..., None]) * np.array([90, 160, 230]) + 0.5
    sample = make_sample(pixels.astype(np.uint8), None, Source(None, "x"), Metadata("PNG"))
    between = (alpha_of(disc(480, 130, 20), sample) / 255)[106:112, 200:280]
    assert 0.4 < between[:, hairs].mean() < 0.95
    assert between[:, ~hairs].mean() < 0.1


@pytest.mark.parametrize(
    ("params", "small_part", "large_part", "hole"),
    [
        ({}, False, True, False),
        ({"islands": "largest"}, False, False, False),
        ({"islands": "main"}, False, False, False),
        ({"min_area": 0.0}, True, True, True),
        ({"min_area": 0.3}, False, False, False),
    ],
)
def test_small_parts_and_holes_go(params: dict[str, Any], small_part: bool, large_part: bool, hole: bool) -> None:
    mask = disc(240, 60, 2)
    mask[6:10, 6:10] = 0.8  # the model is not sure of it
    mask[200:230, 200:230] = 1.0
    mask[118:121, 118:121] = 0
    alpha = alpha_of(mask, **params)
    assert (alpha[7:9, 7:9] > 0).any() == small_part
    assert (alpha[205:225, 205:225] > 0).all() == large_part
    assert (alpha[119, 119] == 0) == hole


def test_main_parts_are_those_of_a_tenth_of_the_largest() -> None:
    mask = disc(240, 60, 2)  # of 11,300 pixels
    mask[195:235, 195:235] = 1.0
    mask[5:25, 5:25] = 1.0
    alpha = alpha_of(mask, islands="main")
    assert (alpha[200:230, 200:230] == 255).all()
    assert not alpha[5:25, 5:25].any()


def test_scraps_where_one_subject_is_wanted_are_told() -> None:
    random = np.random.default_rng(1)
    scraps = np.clip(ndimage.gaussian_filter(random.random((200, 200)), 8) * 8 - 3.7, 0, 1)
    gray = make_sample(np.full((200, 200, 3), 128, dtype=np.uint8), None, Source(None, "x"), Metadata("PNG"))
    words = ("no clear subject was found; look at what was cut out",)
    assert render(gray, found(scraps), "cutout", islands="main")[0].notes == words
    assert render(gray, found(scraps), "cutout")[0].notes == ()
    hazy = np.maximum(disc(200, 60, 4), 0.3 * disc(200, 90, 4))  # a subject whose surroundings may be of it
    assert render(gray, found(hazy), "cutout", islands="main")[0].notes == words
    assert render(gray, found(disc(200, 60, 4)), "cutout", islands="main")[0].notes == ()
    assert render(gray, found(np.zeros((200, 200))), "cutout", islands="main")[0].notes == (), "told by the run"


def test_objects_are_counted_without_the_specks_that_a_cutout_drops() -> None:
    mask = disc(240, 60, 2)
    mask[6:10, 6:10] = 0.8  # the model is not sure of it
    mask[226:230, 226:230] = 1.0  # it is of that
    of = found(mask)
    ((_, numbers),) = of.objects(0.5)
    assert not numbers[6:10, 6:10].any()
    assert set(np.unique(numbers)) == {0, 1, 2}, "numbered anew"
    assert numbers[227, 227] == 2
    assert of.objects(0.5, min_size=1)[0][1].max() == 3, "all, where that is asked for"
    assert of.objects(0.5, min_size=17)[0][1].max() == 1
    assert of.objects(0.5, exclude_edges=True)[0][1].max() == 2
    dots = np.zeros((100, 100))
    dots[::4, ::4] = 0.6  # as many as there are, none of them is large
    assert found(dots).objects(0.5)[0][1].max() == 625


@pytest.mark.parametrize("sure", [True, False])
def test_the_last_pixel_may_be_a_speck(sure: bool) -> None:
    mask = np.zeros((60, 60))
    mask[5:40, 5:40] = 1
    mask[-1, -1] = 1.0 if sure else 0.7
    assert found(mask).objects(0.5)[0][1].max() == 1 + sure


def test_what_is_foreseen_of_a_cutout_is_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = disc(480, 130, 60)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (480, 480, 3)) * 0.3 + mask[..., None] * 120
    sample = make_sample(pixels.astype(np.uint8), None, Source(None, "x"), Metadata("PNG"))
    quick = alpha_of(mask, sample)
    looked: list[int] = []
    places = matte.soft_places

    def counted(alpha: np.ndarray) -> np.ndarray:
        looked.append(len(places(alpha)))
        return places(alpha)

    monkeypatch.setattr(matte, "soft_places", counted)
    assert (alpha_of(mask, sample) == quick).all()
    monkeypatch.setattr(matte, "foreseen", lambda verdict, trust: verdict)
    whole = alpha_of(mask, sample)
    assert np.abs(whole.astype(int) - quick).mean() < 0.2
    assert ((whole == 255) == (quick == 255)).mean() > 0.995
    assert looked[0] < 0.9 * looked[1]


def test_ink_is_no_subject_whose_small_parts_go() -> None:
    mask = np.zeros((400, 300))
    for row in range(10, 390, 12):
        for column in range(10, 290, 7):
            mask[row : row + 6, column : column + 3] = 1.0
            mask[row - 3, column + 1] = 1.0  # the dot of an i
    alpha = alpha_of(mask)
    assert (alpha[mask == 1] == 255).all()


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_a_cutout_obeys_the_threshold(threshold: float) -> None:
    mask = disc(240, 60, 60)
    for name in ("clean", "soft", "hard"):
        inside = alpha_of(mask, threshold=threshold, alpha=name) > 127
        assert np.abs(inside.sum() / (mask >= threshold).sum() - 1) < 0.06


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 2), (37, 1201)])
@pytest.mark.parametrize("name", ["clean", "soft", "hard"])
def test_a_cutout_of_any_shape(shape: tuple[int, int], name: str) -> None:
    random = np.random.default_rng(0)
    for mask in (random.random(shape), np.zeros(shape), np.ones(shape)):
        assert alpha_of(mask, alpha=name).shape == shape


def test_a_cutout_keeps_what_was_transparent_before() -> None:
    sample = red_on_green()
    hole = torch.full((1, 1, 96, 96), 255, dtype=torch.uint8)
    hole[..., 40:60, 40:60] = 0
    pixels = np.asarray(content(dataclasses.replace(sample, alpha=hole), found(disc()), "cutout"))
    assert (pixels[40:60, 40:60, 3] == 0).all()
    assert pixels[30, 48, 3] == 255


def test_a_grey_cutout_is_grey_with_alpha() -> None:
    gray = make_sample((disc() * 200).astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    assert content(gray, found(disc()), "cutout").mode == "LA"


def test_an_overlay_is_the_picture_where_nothing_is() -> None:
    sample = red_on_green()
    image = np.asarray(content(sample, found(disc()), "overlay")).astype(int)
    before = sample.image[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(image - before)[:8, :8].max() < 8
    assert np.abs(image - before)[40:56, 40:56].max() > 60


def two_touching() -> tuple[np.ndarray, Instances]:
    """One blob that a model says is two objects."""
    blob = np.zeros((20, 40))
    blob[5:15, 5:35] = 1

    def split(maps: np.ndarray, threshold: float) -> np.ndarray:
        numbered = (maps[0] >= threshold).astype(np.int32)
        numbered[:, 20:] *= 2
        return numbered

    return blob, split


def test_labels_number_what_touches() -> None:
    blob, split = two_touching()
    sample = make_sample((blob * 255).astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    image = content(sample, found(blob, instances=split), "labels")
    values = np.asarray(image)
    assert values.dtype == np.uint16
    assert set(np.unique(values)) == {0, 1, 2}
    connected = np.asarray(content(sample, found(blob), "labels"))
    assert connected.max() == 1


def test_more_objects_than_sixteen_bits_can_number() -> None:
    import tifffile

    dots = np.zeros((600, 600))
    dots[::2, ::2] = 1
    sample = make_sample(dots.astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    (file,) = render(sample, found(dots), "labels", 0.5)
    assert file.suffix == ".tif"
    assert tifffile.imread(io.BytesIO(file.content)).max() == 300 * 300


def test_each_class_has_its_own_files_and_area() -> None:
    left, right = np.zeros((10, 10)), np.zeros((10, 10))
    left[:, :3], right[:, 5:] = 1, 1
    mask = found(left, right, labels=("left", "right"))
    sample = make_sample(left.astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    assert [file.label for file in render(sample, mask, "mask", 0.5)] == ["left", "right"]
    assert mask.areas(0.5) == {"left": 0.3, "right": 0.5}
    assert [label for label, _ in mask.objects(0.5)] == ["left", "right"]


@pytest.fixture
def blobs() -> np.ndarray:
    """Objects with holes, at the borders, touching at corners."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(np.random.default_rng(3).random((57, 43)), 1.5) > 0.5, dtype=float)


def test_coco_loads_where_coco_is_read(tmp_path: Path, blobs: np.ndarray) -> None:
    sample = make_sample((blobs * 255).astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    mask = found(blobs)
    path = tmp_path / "coco.json"
    with path.open("w", encoding="utf-8") as file:
        page = Page(sample, mask, CocoParams())
        assemble([("a.png", annotate(page)), ("b.png", annotate(page))], file)
    coco = COCO(str(path))
    ((_, numbered),) = mask.objects(0.5)
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["a.png", "b.png"]
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["thing"]
    for image in coco.getImgIds():
        rows = coco.loadAnns(coco.getAnnIds(imgIds=image))
        assert len(rows) == numbered.max()
        for number, row in enumerate(rows, start=1):
            ours = numbered == number
            assert np.array_equal(coco.annToMask(row).astype(bool), ours)
            assert row["area"] == ours.sum() == coco_mask.area(coco.annToRLE(row))
            assert row["bbox"] == coco_mask.toBbox(coco.annToRLE(row)).tolist()
            assert 0.5 <= row["score"] <= 1


def test_runs_are_encoded_as_coco_encodes_them() -> None:
    random = np.random.default_rng(0)
    for height, width in [(1, 1), (1, 9), (9, 1), (30, 20), (64, 64)]:
        for density in (0.0, 0.05, 0.5, 0.95, 1.0):
            shape = random.random((height, width)) < density
            expected = coco_mask.encode(np.asfortranarray(shape.astype(np.uint8)))["counts"].decode()
            assert rle(shape, 0, 0, height, width) == expected


def test_holes_are_filled_as_scipy_fills_them() -> None:
    random = np.random.default_rng(0)
    for height, width in [(1, 1), (1, 9), (9, 1), (40, 50)]:
        for density in (0.0, 0.5, 0.7, 1.0):
            shape = random.random((height, width)) < density
            assert np.array_equal(solid(shape), ndimage.binary_fill_holes(shape))


def test_polygons_outline_exactly(blobs: np.ndarray) -> None:
    mask = found(blobs)
    ((_, numbered),) = mask.objects(0.5)
    for number in range(1, int(numbered.max()) + 1):
        shape = numbered == number
        # Drawn at twice the size, where an edge of a pixel is a line of its own.
        canvas = Image.new("1", (2 * shape.shape[1] + 2, 2 * shape.shape[0] + 2))
        winding = np.zeros(np.asarray(canvas).shape, dtype=int)
        for outline in polygons(shape, 0, 0):
            canvas = Image.new("1", canvas.size)
            points = [(2 * x, 2 * y) for x, y in zip(outline[::2], outline[1::2], strict=True)]
            ImageDraw.Draw(canvas).polygon(points, fill=1)
            winding += np.asarray(canvas)
        centres = winding[1:-1:2, 1:-1:2]
        assert np.array_equal(centres % 2 == 1, shape)


def test_a_run_writes_one_coco_file_and_goes_on_with_it(tmp_path: Path, find_light_of: Any) -> None:
    assert find_light_of(["a", "b"]) == ["a.png", "b.png"]
    assert find_light_of(["a", "b", "c"]) == ["a.png", "b.png", "c.png"]


@pytest.fixture
def find_light_of(tmp_path: Path) -> Any:
    """Run over pictures of these names, and return the names in the COCO file."""
    from imgai.console import Console
    from imgai.options import Machine
    from imgai.predict.spec import StepSpec
    from imgai.runs import OutputOptions, RunOptions, run
    from imgai.testing import fake

    def call(names: list[str]) -> list[str]:
        for name in names:
            if not (path := tmp_path / "in" / f"{name}.png").exists():
                path.parent.mkdir(exist_ok=True)
                Image.fromarray((disc() * 255).astype(np.uint8)).save(path)
        options = RunOptions(
            inputs=[str(tmp_path / "in")],
            out=tmp_path / "out",
            outputs=OutputOptions(named_kinds("coco")),
            machine=Machine(device="cpu"),
        )
        spec = StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams())
        assert run([spec], options, Console(quiet=True)).exit_code == 0
        coco = json.loads((tmp_path / "out" / "coco.json").read_text())
        assert len(coco["annotations"]) == len(names)
        return [image["file_name"] for image in coco["images"]]

    return call
