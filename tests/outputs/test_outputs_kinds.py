"""Boxes, maps and data become files that other programs read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pycocotools.coco import COCO

from imgai.images import make_sample
from imgai.kinds.files import files, fragment, merge
from imgai.outputs.boxes import Boxes
from imgai.outputs.data import Data
from imgai.outputs.map import Map
from imgai.plugin import Output, Page, Rendered
from imgai.sample import Metadata, Sample, Source
from imgai.testing.kinds import named_kinds

HEIGHT, WIDTH = 60, 80
CAT, DOG = [10.0, 20.0, 30.0, 60.0, 0.9, 1.0], [40.5, 5.25, 79.5, 30.0, 0.3, 0.0]
BOXES = Boxes(torch.tensor([CAT, DOG]), ("dog", "cat/kitten"))
NOTHING = Boxes(torch.zeros(0, 6), ("dog", "cat/kitten"))


def sample(depth: int = 8, **metadata: Any) -> Sample:
    """A picture whose every pixel has another value."""
    values = np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3)
    pixels = (values % 256).astype(np.uint8) if depth == 8 else values.astype(np.uint16)
    return make_sample(pixels, None, Source(Path("a.png"), "a.png"), Metadata("PNG", depth=depth, **metadata))


def made(name: str, of: Output, output: Any, suffix: str = "", *, depth: int = 8, **params: Any) -> list[Rendered]:
    """The files that a kind makes of one page."""
    (spec,) = named_kinds(name, of=of, **params)
    return list(files(spec.kind, Page(sample(depth), output, spec.params, suffix)))


def image_of(file: Rendered) -> Image.Image:
    assert isinstance(file.content, bytes)
    return Image.open(io.BytesIO(file.content))


def test_boxes_as_json() -> None:
    (file,) = made("json", Output.BOXES, BOXES)
    assert isinstance(file.content, bytes)
    told = json.loads(file.content)
    assert (told["width"], told["height"]) == (WIDTH, HEIGHT)
    assert told["objects"] == [{"label": "cat/kitten", "score": 0.9, "box": CAT[:4]}]
    (file,) = made("json", Output.BOXES, BOXES, threshold=0.25)
    assert isinstance(file.content, bytes)
    assert [each["label"] for each in json.loads(file.content)["objects"]] == ["cat/kitten", "dog"]


def test_boxes_as_coco(tmp_path: Path) -> None:
    (spec,) = named_kinds("coco", of=Output.BOXES, threshold=0.2)
    parts = [
        (name, fragment(spec.kind, Page(sample(), each, spec.params))) for name, each in (("a", BOXES), ("b", NOTHING))
    ]
    with (tmp_path / "coco.json").open("wb") as file:
        merge(spec.kind, iter(json.loads(json.dumps(parts))), file, spec.params)
    coco = COCO(tmp_path / "coco.json")
    first, second = (coco.loadAnns(coco.getAnnIds(imgIds=[each])) for each in (1, 2))
    assert [each["bbox"] for each in first] == [[10, 20, 20, 40], [40.5, 5.25, 39, 24.75]]
    assert [coco.cats[each["category_id"]]["name"] for each in first] == ["cat/kitten", "dog"]
    assert second == []


def test_boxes_as_yolo() -> None:
    text, classes = made("yolo", Output.BOXES, BOXES, threshold=0)
    assert isinstance(text.content, bytes)
    rows = [[float(each) for each in line.split()] for line in text.content.decode().splitlines()]
    assert rows == [
        pytest.approx(row, abs=1e-6) for row in ([1, 0.25, 2 / 3, 0.25, 2 / 3], [0, 0.75, 0.29375, 0.4875, 0.4125])
    ]
    assert (classes.name, classes.content) == ("classes.txt", b"dog\ncat/kitten\n")
    text, _ = made("yolo", Output.BOXES, BOXES, yolo_scores=True)
    assert isinstance(text.content, bytes)
    assert text.content.split()[5] == b"0.900000"
    assert made("yolo", Output.BOXES, NOTHING)[0].content == b""


@pytest.mark.parametrize(("suffix", "format_"), [("", "JPEG"), (".png", "PNG")])
def test_boxes_as_overlay(suffix: str, format_: str) -> None:
    (file,) = made("overlay", Output.BOXES, BOXES, suffix, threshold=0.2)
    image = image_of(file)
    assert (image.format, image.size) == (format_, (WIDTH, HEIGHT))
    (plain,) = made("overlay", Output.BOXES, NOTHING, suffix)
    changed = np.asarray(image).astype(int) - np.asarray(image_of(plain)) if format_ == "PNG" else None
    if changed is not None:
        assert changed[22:58, 12:28].any() == np.False_  # the inside of a frame is as it was
        assert changed[59, 15].any()
        assert changed[29, 60].any()


def test_boxes_as_crops_in_the_depth_of_the_picture() -> None:
    small, large = made("crops", Output.BOXES, BOXES, threshold=0, depth=16)
    assert isinstance(small.content, bytes)
    assert (small.label, small.record) == (
        "cat/kitten-1",
        {"label": "cat/kitten", "score": 0.9, "box": [10, 20, 30, 60]},
    )
    given = np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3)
    import imagecodecs

    assert np.array_equal(imagecodecs.png_decode(small.content), given[20:60, 10:30])
    assert image_of(large).size == (40, 25)
    (wide,) = made("crops", Output.BOXES, BOXES, crops_margin=0.5)
    assert wide.record["box"] == [0, 0, 40, 60]


def ramp(low: float, high: float, **about: Any) -> Map:
    return Map(torch.linspace(low, high, HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH), **about)


def test_a_map_as_tiff_is_what_the_model_said() -> None:
    found = ramp(-1e-3, 1e6, unit="m")
    (file,) = made("tiff", Output.MAP, found)
    assert isinstance(file.content, bytes)
    assert file.record == {"unit": "m"}
    values = tifffile.imread(io.BytesIO(file.content))
    assert values.dtype == np.float32
    assert np.array_equal(values, found.values[0].numpy())


@pytest.mark.parametrize("declared", [None, (-10.0, 50.0)])
def test_a_map_as_png16_comes_back_by_scale_and_offset(declared: tuple[float, float] | None) -> None:
    found = ramp(-5, 20, range=declared)
    (file,) = made("png16", Output.MAP, found)
    image = image_of(file)
    levels = np.asarray(image).astype(np.float64)
    assert image.mode == "I;16"
    values = levels * file.record["scale"] + file.record["offset"]
    assert np.abs(values - found.values[0].numpy()).max() <= file.record["scale"] * 0.51
    assert file.record["offset"] == (-5 if declared is None else -10)


def test_a_map_of_one_value_and_one_with_gaps_can_be_written() -> None:
    flat = Map(torch.full((1, HEIGHT, WIDTH), 3.0))
    (file,) = made("png16", Output.MAP, flat)
    assert np.all(np.asarray(image_of(file)) * file.record["scale"] + file.record["offset"] == 3)
    gaps = ramp(0, 1)
    gaps.values[0, 0, 0], gaps.values[0, 0, 1] = float("nan"), float("inf")
    (file,) = made("png16", Output.MAP, gaps)
    assert np.asarray(image_of(file))[0, :2].tolist() == [0, 65535]


def test_a_map_in_color_grows_lighter() -> None:
    (file,) = made("color", Output.MAP, ramp(0, 1))
    light = np.asarray(image_of(file).convert("L")).astype(int).ravel()
    assert image_of(file).format == "PNG"
    assert np.all(np.diff(light[::100]) >= 0)
    (other,) = made("color", Output.MAP, ramp(0, 1), color_map="turbo")
    assert other.content != file.content


def test_data_as_json_and_text() -> None:
    data = Data({"text": "grün", "parts": [1, 2]})
    (file,) = made("json", Output.DATA, data)
    assert isinstance(file.content, bytes)
    assert json.loads(file.content) == data.value
    assert "grün".encode() in file.content
    assert made("text", Output.DATA, data)[0].content == "grün\n".encode()
    assert (
        made("text", Output.DATA, Data({"caption": "a cat", "sizes": [1, 2]}))[0].content
        == b"caption: a cat\nsizes: [1, 2]\n"
    )
