"""The range of values that a picture of microscopy uses."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from imgai.images import probe, ranges_of, read
from imgai.images.contrast import Values
from imgai.images.range import Range, numbers, of_numbers
from imgai.sample import Metadata, Sample, Source

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:128, :128]


def cells(low: float, high: float, noise: float = 0.0) -> np.ndarray:
    """Discs over a dark background."""
    inside = np.hypot(Y % 32 - 16, X % 32 - 16) < 9
    return (np.where(inside, high, low) + RNG.normal(0, noise, Y.shape)).round().clip(0, 65535).astype(np.uint16)


def range_of(pixels: np.ndarray) -> Range | None:
    values = Values(pixels.dtype)
    values.add(pixels[None])
    return values.range()


def test_the_range_is_that_of_the_objects_over_their_background() -> None:
    found = range_of(cells(300, 1300, noise=5))
    assert found is not None
    assert found.low * 65535 == pytest.approx(290, abs=10)
    assert found.high * 65535 == pytest.approx(1300, abs=10)
    assert not found.light


def test_pixels_that_are_stuck_do_not_count() -> None:
    pixels = cells(300, 1300, noise=5)
    pixels[RNG.integers(0, 128, 15), RNG.integers(0, 128, 15)] = 65535
    found = range_of(pixels)
    assert found is not None
    assert found.high * 65535 < 1400


@pytest.mark.parametrize("noise", [0.4, 3.0, 100.0])
def test_noise_alone_has_no_range_or_one_that_is_far_wider(noise: float) -> None:
    found = range_of(cells(2000, 2000, noise))
    assert found is None or found.width * 65535 > 25 * noise


@pytest.mark.parametrize("blur", [0.7, 1.5, 3.0])
def test_noise_that_a_camera_smoothed_is_no_contrast(blur: float) -> None:
    """Stretched, it looked like nuclei: of 16 such pictures with a blur of 3 pixels, 13 were said to have some."""
    for scale in (3, 30, 300):
        blurred = ndimage.gaussian_filter(RNG.normal(2000, scale, (256, 256)), blur)
        assert range_of(blurred.round().astype(np.uint16)) is None


@pytest.mark.parametrize("contrast", [8, 20, 200])
def test_dim_objects_are_not_taken_for_noise(contrast: int) -> None:
    assert range_of(cells(300, 300 + contrast, noise=contrast / 8)) is not None
    lone = RNG.normal(300, contrast / 10, (512, 512))
    lone[100:116, 300:316] += contrast
    assert range_of(lone.round().astype(np.uint16)) is not None


def test_where_shading_spreads_the_noise_the_range_is_far_wider() -> None:
    found = range_of((cells(2000, 2000, 10) + X * 2).astype(np.uint16))
    assert found is not None
    assert found.width * 65535 > 25 * 10


def test_a_lone_object_in_a_large_field_counts() -> None:
    pixels = (RNG.normal(100, 3, (1500, 1500))).astype(np.uint16)
    pixels[700:720, 300:320] += 900
    found = range_of(pixels)
    assert found is not None
    assert found.high * 65535 > 900


@pytest.mark.parametrize("value", [0, 1000, 65535])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 40)])
def test_what_is_all_of_one_value_has_no_range(value: int, shape: tuple[int, int]) -> None:
    assert range_of(np.full(shape, value, np.uint16)) is None


def test_a_light_background_is_told() -> None:
    found = range_of(cells(1300, 300, noise=5))
    assert found is not None
    assert found.light
    assert found.ends(0.3) == (found.low, found.high)


def file_of(*pages: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", metadata=None, contiguous=False, **options)
    return file.getvalue()


def pages_of(content: bytes) -> list[Sample]:
    header = probe(content, "a", max_pixels=10**8)
    return list(read(content, Source(None, "a"), header=header, ranges=ranges_of(content, header)))


def test_pages_of_one_stack_share_a_range() -> None:
    one, other = pages_of(file_of(cells(100, 300), cells(100, 4000)))
    assert one.range == other.range
    assert one.range is not None
    assert one.range.high * 65535 == pytest.approx(4000, abs=1)


def test_pages_of_other_sizes_do_not() -> None:
    one, other = pages_of(file_of(cells(100, 300), cells(100, 4000)[:64]))
    assert one.range is not None
    assert other.range is not None
    assert one.range.high < other.range.high


@pytest.mark.parametrize("written", ["ome", "imagej"])
def test_channels_of_a_stack_do_not(written: str) -> None:
    stack = np.stack([np.stack([cells(100, 300), cells(50, 9000)]), np.stack([cells(100, 500), cells(50, 8000)])])
    file, axes = io.BytesIO(), {"metadata": {"axes": "ZCYX"}, written: True}
    tifffile.imwrite(file, stack, photometric="minisblack", **axes)
    samples = pages_of(file.getvalue())
    assert [sample.range == samples[0].range for sample in samples] == [True, False, True, False]
    assert samples[0].range is not None
    assert samples[0].range.high * 65535 == pytest.approx(500, abs=1)


def test_a_damaged_page_leaves_those_before_it_their_range() -> None:
    content = file_of(cells(100, 300), cells(100, 4000), compression="zlib")
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        at = tiff.pages[1].dataoffsets[0]  # type: ignore[union-attr]
    broken = content[:at] + b"\xff" * 40 + content[at + 40 :]
    header = probe(broken, "a", max_pixels=10**8)
    assert list(ranges_of(broken, header))


@pytest.mark.parametrize(
    ("metadata", "ends"),
    [
        (Metadata("TIFF", depth=16), (0.0, 65535.0)),
        (Metadata("PNG"), (0.0, 255.0)),
        (Metadata("TIFF", depth=16, values=(-1000.0, 3000.0)), (-1000.0, 3000.0)),
        (Metadata("TIFF", depth=16, values=(4095.0, 0.0)), (0.0, 4095.0)),  # white is 0
    ],
)
def test_ranges_are_told_in_the_numbers_of_the_file(metadata: Metadata, ends: tuple[float, float]) -> None:
    whole = of_numbers(*ends, metadata)
    assert (whole.low, whole.high) == (0, 1)
    assert numbers(Range(0, 1), metadata) == ends


def test_the_numbers_of_a_file_are_known() -> None:
    for pixels, expected in (
        (cells(100, 300).astype(np.float32) - 1000, (-900.0, -700.0)),
        (cells(100, 300), (0.0, 65535.0)),
    ):
        (sample,) = pages_of(file_of(pixels))
        assert sample.metadata.values == expected
    (deep,) = pages_of(b"P5\n2 1\n4095\n" + np.array([0, 4095], ">u2").tobytes())
    assert deep.metadata.values == (0.0, 4095.0)
