"""Formats behind an extra: read where the extra is, and an error that names it where it is not."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from imgai.errors import InputError
from imgai.images import probe, read, sniff
from imgai.kinds import ImageParams
from imgai.kinds.image import render
from imgai.plugin import Page
from imgai.sample import Sample, Source

MOST = 10**9


def first(path: Path) -> Sample:
    return next(read(path, Source(path, path.name)))


def suffix_of(sample: Sample) -> str:
    """What the picture is written as, where no format is asked for."""
    return next(iter(render([Page(sample, None, ImageParams())]))).suffix


def photograph(width: int = 60, height: int = 40) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.dstack([x * 4, y * 6, np.full_like(x, 90)]).astype(np.uint8)


def test_a_phones_picture(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    heif.from_pillow(Image.fromarray(photograph())).save(path, quality=95)
    header, sample = probe(path, "a.heic", max_pixels=MOST), first(path)
    assert (header.format, header.width, header.height) == ("HEIC", 60, 40)
    pixels = sample.image[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(pixels - photograph()).mean() < 4
    assert suffix_of(sample) == ".jpg"
    alpha = torch.zeros((1, 1, 40, 60), dtype=torch.uint8)
    assert suffix_of(dataclasses.replace(sample, alpha=alpha)) == ".png"  # a JPEG has no place for it


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("mode", ["RGB;16", "RGBA;16"])
def test_a_phones_picture_of_more_than_8_bits_keeps_them(
    tmp_path: Path, mode: str, bits: int, monkeypatch: Any
) -> None:
    heif = pytest.importorskip("pillow_heif")
    monkeypatch.setattr(heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    channels = len(mode) - 3
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64)
    values = np.repeat(ramp[..., None], channels, axis=2).astype(np.uint16)
    path = tmp_path / "a.heic"
    heif.from_bytes(mode=mode, size=(64, 48), data=values.tobytes()).save(path, quality=-1)  # without loss
    sample = first(path)
    assert sample.metadata.depth == 16
    step = 65535 / (2**bits - 1)
    pixels = sample.image[0].permute(1, 2, 0).numpy().astype(float)
    assert np.abs(pixels - values[..., :3]).max() <= 1.5 * step
    assert pixels.max() == 65535  # white is white
    assert len(np.unique(pixels)) > 900
    assert (sample.alpha is not None) is (channels == 4)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_avif_of_more_than_8_bits_keeps_them(tmp_path: Path, channels: int, bits: int) -> None:
    import imagecodecs

    white = 2**bits - 1
    ramp = np.linspace(0, white, 64 * 48).round().reshape(48, 64).astype(np.uint16)
    values = ramp if channels == 1 else np.repeat(ramp[..., None], channels, axis=2)
    path = tmp_path / "a.avif"
    path.write_bytes(imagecodecs.avif_encode(values, level=100, bitspersample=bits, speed=9))
    sample = first(path)
    assert (sample.metadata.depth, sample.metadata.gray) == (16, channels == 1)
    due = ramp.astype(float) * 65535 / white
    assert np.abs(sample.image[0, 0].numpy().astype(float) - due).max() <= 1
    assert (sample.alpha is not None) is (channels == 4)


def negative(path: Path, orientation: int = 1) -> None:
    """A camera's RAW (DNG 1.4): 96 x 64, red on the left, blue on the right, each cell red, green, green, blue."""
    light = np.zeros((64, 96, 3))
    light[:, :48], light[:, 48:] = (0.6, 0.3, 0.1), (0.1, 0.3, 0.6)
    light *= np.linspace(0.5, 1, 64)[:, None, None]
    mosaic = light[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
    xyz_to_srgb = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
    tags = [
        (274, "H", 1, orientation, True),
        (33421, "H", 2, (2, 2), True),  # the mosaic's cell and its colours
        (33422, "B", 4, bytes([0, 1, 1, 2]), True),
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
        (50708, "s", 0, "imgai test", True),
        (50721, 10, 9, [part for value in xyz_to_srgb for part in (round(value * 10000), 10000)], True),
        (50728, 5, 3, [1, 1] * 3, True),  # AsShotNeutral
        (50778, "H", 1, 21, True),  # D65
    ]
    data = (mosaic * 60000).astype(np.uint16)
    tifffile.imwrite(path, data, photometric=32803, extratags=tags, metadata=None)


@pytest.mark.parametrize(("orientation", "size"), [(1, (96, 64)), (6, (64, 96))])
def test_a_cameras_raw_is_developed_to_16_bits_and_upright(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "a.dng"
    negative(path, orientation)
    header, sample = probe(path, "a.dng", max_pixels=MOST), first(path)
    assert (header.format, header.width, header.height) == ("RAW", *size)
    assert sample.image.shape == (1, 3, size[1], size[0])
    assert (sample.metadata.depth, sample.metadata.format) == (16, "RAW")
    red, _, blue = sample.image[0].to(torch.int32).unbind()
    upper, left = red[: size[1] // 2], red[:, : size[0] // 2]
    if orientation == 1:
        assert left.float().mean() > 2 * blue[:, : size[0] // 2].float().mean()
    else:  # turned to the right: what was on the left is above
        assert upper.float().mean() > 2 * blue[: size[1] // 2].float().mean()
    assert (red % 257 != 0).any()  # no 8 bits made longer
    with pytest.raises(InputError, match="--max-pixels"):
        next(read(path, Source(path, path.name), max_pixels=1000))


@pytest.mark.parametrize(
    ("module", "extra", "head"),
    [
        ("pillow_heif", "heic", b"\0\0\0\x18ftypheic" + b"\0" * 200),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW " + b"\0" * 200),
        ("imgai_dicom.reading", "dicom", b"\0" * 128 + b"DICM" + b"\0" * 100),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str, head: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for codec in ("heic", "raw"):
        monkeypatch.delitem(sys.modules, f"imgai.images.codecs.{codec}", raising=False)
    (tmp_path / "a.x").write_bytes(head)
    with pytest.raises(InputError, match=rf'pip install "imgai\[{extra}\]"'):
        first(tmp_path / "a.x")


def test_a_damaged_file_behind_an_extra_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 200)
    with pytest.raises(InputError, match=r"a\.heic"):
        first(tmp_path / "a.heic")


def test_a_text_that_begins_as_a_bitmap_does_is_none() -> None:
    assert sniff(b"BMW is a make of cars, and this is a text") is None
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "BMP")
    assert sniff(file.getvalue()[:132]) == "BMP"
