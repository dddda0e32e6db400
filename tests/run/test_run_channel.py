"""One channel of pictures that have several is looked at alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgai.images import read, write_image
from imgai.images.channel import only
from imgai.sample import Source

LEVELS = np.arange(6).reshape(2, 3) * 40 + 20  # two slices of three channels


def stack(path: Path) -> Path:
    """Two slices of three channels, each page of one grey."""
    pages = np.ones((2, 3, 24, 32), dtype=np.uint8) * LEVELS[:, :, None, None].astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    if path.name.startswith("ome"):
        names = {"Channel": {"Name": ["DAPI", "GFP & co", "actin"]}}
        tifffile.imwrite(path, pages, ome=True, metadata={"axes": "ZCYX", **names}, photometric="minisblack")
    else:
        tifffile.imwrite(path, pages, imagej=True, metadata={"axes": "ZCYX"})
    return path


def seen(out: Path) -> list[int]:
    """The grey of each mask: that of the page it was made of."""
    return [int(np.asarray(Image.open(path)).mean()) for path in sorted(out.glob("*.png"))]


@pytest.mark.parametrize(
    ("name", "channel", "number"), [("ij.tif", "2", 1), ("ome.ome.tif", "3", 2), ("ome.ome.tif", "gfp & CO", 1)]
)
def test_pages_of_a_channel(
    tmp_path: Path, find_light: Callable[..., Any], name: str, channel: str, number: int
) -> None:
    summary, words = find_light([stack(tmp_path / name)], tmp_path / "out", channel=channel)
    assert summary.done == 1, words.text
    assert seen(tmp_path / "out") == LEVELS[:, number].tolist()
    summary, _ = find_light([tmp_path / name], tmp_path / "out", channel=channel)
    assert summary.skipped == 1
    summary, _ = find_light([tmp_path / name], tmp_path / "out", channel="1")
    assert summary.done == 1, "another channel is another result"


@pytest.mark.parametrize("name", ["ij.tif", "ome.ome.tif"])
def test_a_channel_has_no_description_of_all_of_them(tmp_path: Path, name: str) -> None:
    path = stack(tmp_path / name)
    pages = list(only(read(path, Source(path, name)), "2"))
    file = io.BytesIO()
    write_image(pages, file, "TIFF")
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        assert len(tiff.pages) == sum(np.prod(series.shape[:-2]) for series in tiff.series) == 2
        assert not tiff.pages[0].description


@pytest.mark.parametrize("channel", ["2", "green", "GREEN"])
def test_a_color_of_a_picture(tmp_path: Path, find_light: Callable[..., Any], channel: str) -> None:
    Image.new("RGB", (32, 24), (10, 130, 250)).save(tmp_path / "a.png")
    find_light([tmp_path / "a.png"], tmp_path / "out", channel=channel)
    assert seen(tmp_path / "out") == [130]


def test_a_channel_that_is_not_there(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    (tmp_path / "in").mkdir()
    stack(tmp_path / "in" / "ome.ome.tif")
    Image.new("RGB", (32, 24)).save(tmp_path / "in" / "b.png")
    Image.new("L", (32, 24)).save(tmp_path / "in" / "c.png")
    summary, words = find_light([tmp_path / "in"], tmp_path / "out", channel="4")
    assert summary.failed == 3
    for line in ("ome.ome.tif has no channel '4'", "b.png has no channel", "c.png has no channel"):
        assert line in words.text
    summary, _ = find_light([tmp_path / "in" / "c.png"], tmp_path / "other", channel="1")
    assert summary.done == 1, "a grey picture has one"


def test_without_the_option_every_page_is_looked_at(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    find_light([stack(tmp_path / "ij.tif")], tmp_path / "out")
    assert seen(tmp_path / "out") == LEVELS.ravel().tolist()
