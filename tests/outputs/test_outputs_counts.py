"""Objects are numbered once, and every kind tells of the same ones: counts, measures, labels, outlines."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pycocotools.coco import COCO
from roifile import ImagejRoi
from scipy import ndimage
from skimage.measure import regionprops_table

from imgai.errors import UsageError
from imgai.images import make_sample, read
from imgai.kinds.files import files, fragment, merge
from imgai.kinds.measures import measured
from imgai.outputs.boxes import Boxes
from imgai.outputs.mask import Mask
from imgai.plugin import Output, Page
from imgai.sample import Metadata, Sample, Source
from imgai.testing.kinds import named_kinds

HEIGHT, WIDTH = 60, 90


def halves(maps: np.ndarray, threshold: float) -> np.ndarray:
    """Every blob is two objects, left and right of its middle; the numbers have gaps."""
    blobs, _ = ndimage.label(maps[0] >= threshold)
    numbered = np.zeros(blobs.shape, dtype=np.int32)
    for number, (rows, columns) in enumerate(ndimage.find_objects(blobs), 1):
        middle = (columns.start + columns.stop) // 2
        part = blobs[rows, columns] == number
        numbered[rows, columns][part] = 3 * number
        numbered[rows, columns][part & (np.arange(columns.start, columns.stop) >= middle)] = 3 * number + 1
    return numbered


def blobs() -> np.ndarray:
    """Four blobs of two touching objects: one at an edge, one small. Shape: ``(H, W)`` float."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    places = [(15, 20, 9), (40, 30, 11), (2, 60, 8), (45, 75, 3)]
    return np.max([np.clip((r - np.hypot(y - v, x - u)) / 2 + 0.5, 0, 1) for v, u, r in places], axis=0)


def mask_of(values: np.ndarray, **about: Any) -> Mask:
    return Mask(torch.from_numpy((values * 255).astype(np.uint8))[None], ("nucleus",), **about)


def sample(**about: Any) -> Sample:
    values = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return make_sample(values, None, Source(Path("a.png"), "a.png"), Metadata("PNG", **about))


def table(name: str, output: Any, about: Sample, of: Output = Output.MASK, path: str = "a.png", **params: Any) -> Any:
    """The rows of a kind that is one table of the run, of one page; and its bytes."""
    (spec,) = named_kinds(name, of=of, **params)
    part = {"page": 0, "pages": 1, **fragment(spec.kind, Page(about, output, spec.params))}
    file = io.BytesIO()
    merge(spec.kind, iter([(path, json.loads(json.dumps(part)))]), file, spec.params)
    text = file.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""))), file.getvalue()


@pytest.mark.parametrize(
    ("params", "count"), [({}, 8), ({"min_size": 40}, 6), ({"exclude_edges": True}, 6), ({"threshold": 1.0}, 8)]
)
def test_every_kind_tells_of_the_same_objects(tmp_path: Path, params: dict[str, Any], count: int) -> None:
    mask, about = mask_of(blobs(), instances=halves), sample()
    if not {"min_size", "exclude_edges"} & params.keys():
        mask.instances = lambda maps, threshold: np.searchsorted(  # a model of good manners leaves no gaps
            np.unique(halves(maps, threshold)), halves(maps, threshold)
        )
    (counts,), _ = table("csv", mask, about, **params)
    objects, _ = table("objects", mask, about, **params)
    (labels,) = named_kinds("labels", **params)
    (file,) = files(labels.kind, Page(about, mask, labels.params))
    numbered = np.asarray(Image.open(io.BytesIO(file.content)))
    assert int(counts["count"]) == len(objects) == numbered.max() == count
    assert [int(row["id"]) for row in objects] == list(range(1, count + 1))
    assert [int(row["area"]) for row in objects] == np.bincount(numbered.ravel())[1:].tolist()
    for kind in ("rle", "polygons"):
        (coco,) = named_kinds("coco", of=Output.MASK, coco=kind, **params)
        part = {"page": 0, "pages": 1, **fragment(coco.kind, Page(about, mask, coco.params))}
        with (tmp_path / "coco.json").open("wb") as written:
            merge(coco.kind, iter([("a.png", part)]), written, coco.params)
        read_back = COCO(tmp_path / "coco.json")
        annotations = read_back.loadAnns(read_back.getAnnIds())
        assert [each["number"] for each in annotations] == list(range(1, count + 1))
        for each in annotations:
            assert np.array_equal(read_back.annToMask(each) > 0, numbered == each["number"]), kind
    (rois,) = named_kinds("rois", **params)
    (file,) = files(rois.kind, iter([Page(about, mask, rois.params)]))
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        regions = [ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
    assert [int(roi.name) for roi in regions] == list(range(1, count + 1))
    for roi in regions:
        points = roi.coordinates()
        # The area in the outline, by Gauss, is the object's: outlines run along the edges of pixels.
        x, y = points.astype(float).T
        assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == (numbered == int(roi.name)).sum()


def test_objects_are_numbered_once() -> None:
    calls = []

    def number(maps: np.ndarray, threshold: float) -> np.ndarray:
        calls.append(threshold)
        return halves(maps, threshold)

    mask, about = mask_of(blobs(), instances=number), sample()
    for name in ("csv", "objects"):
        table(name, mask, about, min_size=10)
    assert calls == [0.5]
    again: Mask = pickle.loads(pickle.dumps(mask_of(blobs(), instances=halves)))
    assert again.objects(0.5)[0][1].max() == 13


def test_measures_are_those_of_scikit_image() -> None:
    random = np.random.default_rng(0)
    for sigma, shape in ((1.5, (150, 120)), (3, (200, 260)), (0.1, (20, 24))):
        noise = ndimage.gaussian_filter(random.random(shape), sigma)
        numbered = ndimage.label(noise > 0.5, np.ones((3, 3)))[0].astype(np.int32)
        pixels = random.integers(0, 65536, (*shape, 3)).astype(np.uint16)
        ours = measured(numbered, (255 * noise).astype(np.uint8), pixels)
        names = ("centroid", "bbox", "area", "perimeter", "eccentricity", "solidity", "intensity_mean")
        theirs = regionprops_table(numbered, pixels, properties=("label", *names))
        for mine, name in (
            (ours.numbers, "label"), (ours.y, "centroid-0"), (ours.x, "centroid-1"), (ours.box[:, 2], "bbox-3"),
            (ours.box[:, 1], "bbox-0"), (ours.area, "area"), (ours.perimeter, "perimeter"),
            (ours.eccentricity, "eccentricity"), (ours.solidity, "solidity"),
            (ours.intensity[:, 2], "intensity_mean-2"),
        ):  # fmt: skip
            np.testing.assert_allclose(mine, theirs[name], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_the_smallest_pictures_are_measured(shape: tuple[int, int]) -> None:
    about = make_sample(np.full(shape, 7, np.uint8), None, Source(None, "a"), Metadata("PNG", gray=True))
    (row,), _ = table("objects", mask_of(np.ones(shape)), about)
    assert (row["area"], row["solidity"], row["mean_intensity"]) == (str(math.prod(shape)), "1.0", "7.0")
    assert row["mean_red"] == ""
    nothing, _ = table("objects", mask_of(np.zeros(shape)), about)
    assert nothing == []
    (row,), _ = table("csv", mask_of(np.zeros(shape)), about)
    assert (row["count"], row["mean_area"], row["nothing_found"]) == ("0", "", "true")


def test_sizes_are_in_micrometres_where_somebody_says_so(tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "ome.ome.tif", pixels, metadata={"PhysicalSizeX": 20.0, "PhysicalSizeY": 20.0})
    tifffile.imwrite(tmp_path / "ij.tif", pixels, imagej=True, resolution=(4.0, 4.0), metadata={"unit": "um"})
    tifffile.imwrite(tmp_path / "fine.tif", pixels, resolution=(20_000, 10_000), resolutionunit="CENTIMETER")
    tifffile.imwrite(tmp_path / "scan.tif", pixels, resolution=(300, 300), resolutionunit="INCH")
    expected = {"ome.ome": (20.0, 20.0), "ij": (0.25, 0.25), "fine": (0.5, 1.0), "scan": None}
    mask = mask_of(blobs())
    for name, size in expected.items():
        path = tmp_path / f"{name}.tif"
        (about,) = read(path, Source(path, path.name))
        rows, _ = table("objects", mask, about)
        (counts,), _ = table("csv", mask, about)
        if size is None:  # a resolution for printing is no measure
            assert rows[0]["area_um2"] == counts["mean_area_um2"] == ""
            (row, *_), _ = table("objects", mask, about, pixel_size=2.0)
            assert float(row["area_um2"]) == 4 * float(row["area"])
            continue
        assert float(rows[0]["pixel_width_um"]) == pytest.approx(size[0], rel=1e-4)
        assert float(rows[0]["area_um2"]) == pytest.approx(float(rows[0]["area"]) * size[0] * size[1], rel=1e-3)
        assert (rows[0]["perimeter_um"] == "") == (size[0] != size[1])
        areas = [float(row["area_um2"]) for row in rows]
        assert float(counts["mean_area_um2"]) == pytest.approx(np.mean(areas), rel=1e-3)


def test_a_pixel_has_a_size_above_zero() -> None:
    for size in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="--pixel-size"):
            named_kinds("objects", of=Output.MASK, pixel_size=size)


def test_tables_are_safe_in_a_spreadsheet_and_open_in_excel() -> None:
    rows, content = table("csv", mask_of(blobs()), sample(), path="=cmd()|é.png")
    assert rows[0]["path"] == "'=cmd()|é.png"
    assert not content.startswith(b"\xef\xbb\xbf")
    _, content = table("csv", mask_of(blobs()), sample(), excel=True)
    assert content.startswith(b"\xef\xbb\xbfpath,")


def test_boxes_are_counted_and_measured() -> None:
    rows = [[10, 10, 30, 50, 0.9, 1], [20, 10, 40, 50, 0.8, 1], [0, 5, 8, 9, 0.7, 0], [1, 1, 9, 9, 0.2, 0]]
    boxes = Boxes(torch.tensor(rows, dtype=torch.float32), ("dog", "cat", "cow"))
    counts, _ = table("csv", boxes, sample(), Output.BOXES)
    assert [(row["class"], row["count"], row["nothing_found"]) for row in counts] == [
        ("dog", "1", "false"),
        ("cat", "2", "false"),
    ]
    assert float(counts[1]["covered"]) == pytest.approx(30 * 40 / (HEIGHT * WIDTH), abs=1e-5)
    objects, _ = table("objects", boxes, sample(), Output.BOXES, exclude_edges=True)
    assert [(row["id"], row["class"], row["x"], row["area"]) for row in objects] == [
        ("1", "cat", "19.5", "800.0"),
        ("2", "cat", "29.5", "800.0"),
    ]
    (row,), _ = table("csv", Boxes(torch.zeros(0, 6), ("dog", "cat")), sample(), Output.BOXES)
    assert (row["class"], row["count"], row["nothing_found"]) == ("", "0", "true")
    (row,), _ = table("csv", boxes, sample(), Output.BOXES, min_size=801)
    assert row["nothing_found"] == "true"


def test_labels_as_tiff_of_sixteen_then_thirty_two_bits() -> None:
    (spec,) = named_kinds("labels", labels="tiff")
    (file,) = files(spec.kind, Page(sample(), mask_of(blobs()), spec.params))
    assert (file.suffix, tifffile.imread(io.BytesIO(file.content)).dtype) == (".tif", np.uint16)
    dots = np.zeros((600, 600))
    dots[::2, ::2] = 1
    about = make_sample(dots.astype(np.uint8), None, Source(None, "x"), Metadata("PNG", gray=True))
    (file,) = files(spec.kind, Page(about, mask_of(dots), spec.params))
    assert tifffile.imread(io.BytesIO(file.content)).dtype == np.uint32


def test_regions_of_a_file_of_pages_know_their_page() -> None:
    (spec,) = named_kinds("rois")
    pages = [
        Page(
            make_sample(
                np.zeros((HEIGHT, WIDTH), np.uint8), None, Source(None, "a", page, 2), Metadata("TIFF", gray=True)
            ),
            mask_of(blobs()),
            spec.params,
        )
        for page in (0, 1)
    ]
    (file,) = files(spec.kind, iter(pages))
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        regions = [ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
    assert [roi.position for roi in regions] == [1] * 4 + [2] * 4
