"""What a file states of its numbers, channels and pages is what they are read as; nothing of it is guessed."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin

from imgai.errors import InputError
from imgai.images import probe, read, write_image
from imgai.images.codecs.raw import check
from imgai.sample import Sample, Source

Y, X = np.mgrid[:24, :40]
RGB = np.dstack([X * 6, Y * 10, X + Y]).astype(np.uint8)
RAMP = np.tile(np.linspace(0, 1, 40), (24, 1))


def tiff(*pages: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            writer.write(page, **{"photometric": "minisblack", "metadata": None, "contiguous": False, **options})
    return file.getvalue()


def samples(content: bytes) -> list[Sample]:
    return list(read(content, Source(None, "a")))


def pixels(sample: Sample) -> np.ndarray:
    values = sample.image[0].permute(1, 2, 0).numpy()
    return values[..., 0] if sample.metadata.gray else values


def one(content: bytes) -> np.ndarray:
    (sample,) = samples(content)
    return pixels(sample)


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format_, **options)
    return file.getvalue()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("extra", [["unspecified"], ["unspecified", "unspecified"], ["unspecified", "unassalpha"]])
def test_a_sample_that_is_not_called_alpha_is_none(depth: int, extra: list[str]) -> None:
    values = np.dstack([RGB, *[RGB[..., 0]] * len(extra)]).astype(np.uint16 if depth == 16 else np.uint8)
    (sample,) = samples(tiff(values, photometric="rgb", planarconfig="contig", extrasamples=extra))
    assert np.array_equal(pixels(sample), values[..., :3])
    if "unassalpha" in extra:
        assert np.array_equal(sample.alpha[0, 0].numpy(), values[..., -1])
    else:
        assert sample.alpha is None


def test_a_second_channel_of_grey_stays_out_of_the_picture() -> None:
    values = RGB[..., :2].copy()
    content = tiff(values, planarconfig="contig", extrasamples=["unspecified"])
    assert np.array_equal(one(content), values[..., 0])


@pytest.mark.parametrize("plane", ["contig", "separate"])
def test_channels_that_are_no_colours_are_counted_and_not_called_damage(plane: str) -> None:
    values = np.stack([RGB[..., 0]] * 5, axis=-1 if plane == "contig" else 0)
    with pytest.raises(InputError, match="a: holds 5 channels, and is neither grey nor RGB"):
        one(tiff(values, planarconfig=plane))


def test_complex_numbers_are_not_cut_to_their_real_part() -> None:
    with pytest.raises(InputError, match="complex"):
        samples(tiff(RAMP.astype(np.complex64)))


def test_channels_that_are_pages_are_pages() -> None:
    assert len(samples(tiff(*[RGB[..., 0]] * 5))) == 5


def test_cmyk_with_alpha_is_read() -> None:
    cmyk = np.dstack([255 - RGB, np.zeros_like(X), np.full_like(X, 200)]).astype(np.uint8)
    (sample,) = samples(tiff(cmyk, photometric="separated", extrasamples=["unassalpha"]))
    plain = one(encoded(Image.fromarray(cmyk[..., :4], "CMYK"), "TIFF"))
    assert np.array_equal(pixels(sample), plain)
    assert sample.alpha is not None
    assert int(sample.alpha[0, 0, 0, 0]) == 200


def test_lab_with_16_bits_has_the_colours_of_lab_with_8() -> None:
    lab = np.zeros((24, 40, 3), np.int16)
    lab[..., 0] = (X * 1600).astype(np.uint16).view(np.int16)
    lab[..., 1], lab[..., 2] = 20 * 256, -30 * 256
    deep = one(tiff(lab.view(np.uint16), photometric="cielab"))
    eight = np.dstack([X * 1600 // 257, np.full_like(X, 20), np.full_like(X, 256 - 30)]).astype(np.uint8)
    assert deep.dtype == np.uint16
    shallow = one(tiff(eight, photometric="cielab")).astype(int)
    assert np.abs(deep / 257 - shallow)[:, 5:35].max() < 4


def test_pictures_of_all_numbers_below_zero_are_stretched_as_others_are() -> None:
    for values in (RAMP * 10 - 40, (RAMP * 200 - 1100).astype(np.int16), (RAMP * 200 - 11000).astype(np.int32)):
        found = one(tiff(values.astype(np.float32) if values.dtype == np.float64 else values))
        assert (found.dtype, found.min(), found.max()) == (np.uint16, 0, 65535)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_shifts_no_other(value: float) -> None:
    values = (RAMP * 100 - 300).astype(np.float32)
    plain = one(tiff(values))
    values[3, 3] = value
    found = one(tiff(values))
    assert found[3, 3] == (65535 if value == np.inf else 0)
    found[3, 3] = plain[3, 3]
    assert np.array_equal(found, plain)


def test_the_pages_of_a_file_share_one_stretch() -> None:
    first, second = (
        pixels(sample).mean() for sample in samples(tiff((RAMP * 100).astype("f4"), (RAMP * 1000).astype("f4")))
    )
    assert second / first == pytest.approx(10, rel=0.01)


def test_a_range_that_the_file_states_counts_before_its_pixels() -> None:
    stated = [(340, 11, 1, -100.0, True), (341, 11, 1, 300.0, True)]
    assert one(tiff(np.full((4, 4), 100, np.float32), extratags=stated)).max() == 32768


@pytest.mark.parametrize("value", [20, 1.5, -0.1])
def test_one_value_beyond_black_or_white_does_not_change_the_exposure_and_is_said(value: float) -> None:
    values = np.dstack([RAMP] * 3).astype(np.float32)
    plain = one(tiff(values, photometric="rgb"))
    values[3, 3] = value
    (sample,) = samples(tiff(values, photometric="rgb"))
    assert np.array_equal(np.delete(pixels(sample), 3, 0), np.delete(plain, 3, 0))
    assert "are cut to 0 and 1" in sample.metadata.notes[0]


def test_a_slide_is_one_picture() -> None:
    file = io.BytesIO()
    whole = np.zeros((256, 256, 3), np.uint8)
    with tifffile.TiffWriter(file) as writer:
        for step, name in ((1, "256x256"), (4, "256x256 -> 64x64 -"), (2, "256x256 -> 128x128")):
            writer.write(
                whole[::step, ::step].copy(),
                photometric="rgb",
                metadata=None,
                tile=None if "-> 64" in name else (64, 64),
                description=f"Aperio Image Library v12.0\n{name} |AppMag = 20|MPP = 0.5",
            )
    content = file.getvalue()
    assert probe(content, "a", max_pixels=10**6).pages == 1
    assert [sample.image.shape[-1] for sample in samples(content)] == [256]


def test_a_mask_of_a_page_is_no_page() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(X > 20, photometric=4, subfiletype=4, metadata=None)
    assert np.array_equal(one(file.getvalue()), RGB)


def test_tiles_far_larger_than_the_picture_are_refused_from_the_header() -> None:
    content = bytearray(tiff(RGB[..., 0], tile=(32, 48), compression="zlib"))
    for tag, value in ((322, 65536), (323, 65536)):
        at = content.index(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0", 8)  # one number of 32 bits
        content[at + 8 : at + 12] = value.to_bytes(4, "little")
    with pytest.raises(InputError, match="tiles of 65536 x 65536 pixels are far larger than the picture"):
        probe(bytes(content), "a", max_pixels=10**9)


def test_slices_that_follow_the_only_directory_are_pages_of_one_stack() -> None:
    """ImageJ writes stacks of more than 4 GB so, and tifffile those that it is asked to truncate."""
    stack = np.arange(5 * 24 * 40, dtype=np.uint16).reshape(5, 24, 40)
    file = io.BytesIO()
    with tifffile.TiffWriter(file, imagej=True) as writer:
        writer.write(stack[:1], metadata={"axes": "ZYX"})
    content = file.getvalue().replace(b"images=1", b"images=5") + stack[1:].tobytes()
    shaped = io.BytesIO()
    with tifffile.TiffWriter(shaped, shaped=True) as writer:
        writer.write(stack, truncate=True)
    for whole in (content, shaped.getvalue()):
        pages = samples(whole)
        assert all(np.array_equal(pixels(page), slice_) for page, slice_ in zip(pages, stack, strict=True))
        assert {page.metadata.series for page in pages} == {0}
    with pytest.raises(InputError, match="says that it holds 5 pictures, and there is 1"):
        samples(content[:-1])


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_pages_that_cannot_be_found_are_missed(page: int, bigtiff: bool) -> None:
    """A chain that leads beyond the file, or back: the pages before are given, and the file is not called done."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=bigtiff) as writer:
        for value in (20, 70, 120):
            writer.write(np.full((24, 40), value, np.uint8), contiguous=False)
    content = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(content)) as opened:
        at, first = opened.pages[page].offset, opened.pages[0].offset
    tags, width, head, tag = ("<Q", "<Q", 8, 20) if bigtiff else ("<H", "<L", 2, 12)
    place = at + head + tag * struct.unpack_from(tags, content, at)[0]
    for target in (len(content) + 1000, first):
        struct.pack_into(width, content, place, target)
        with pytest.raises(InputError, match="more pages should follow page"):
            samples(bytes(content))
        assert pixels(next(read(bytes(content), Source(None, "a"))))[0, 0] == 20


def test_many_pages_are_read_in_linear_time() -> None:
    import time

    contents = [tiff(*np.zeros((count, 16, 16), np.uint8)) for count in (100, 400)]
    samples(contents[0])
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(5):
        for content, times in zip(contents, took, strict=True):
            begun = time.thread_time()
            samples(content)
            times.append(time.thread_time() - begun)
    assert min(took[1]) < 8 * min(took[0])


@pytest.mark.parametrize("name", ["a.tif", "a.nrw"])
def test_what_a_sensor_saw_is_raw_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    preview = np.zeros((20, 30, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / name) as writer:
        writer.write(preview, photometric="rgb", subifds=1, metadata=None)
        writer.write(np.zeros((64, 96), np.uint16), photometric=32803, metadata=None)
    assert check(tmp_path / name)
    assert check((tmp_path / name).read_bytes())
    tifffile.imwrite(tmp_path / "plain.tif", preview, photometric="rgb")
    assert not check(tmp_path / "plain.tif")


@pytest.mark.parametrize(
    "header",
    [b"P6\n4 2\n65535\n", b"P6\r# scanner\r4 2\r65535\r", b"P6\n4#c\n 2\n65535\n", b"P6 4 2 65535 "],
)
def test_netpbm_of_16_bits_keeps_them_however_its_header_is_written(header: bytes) -> None:
    values = (np.arange(24) * 2500 + 7).astype(np.uint16).reshape(2, 4, 3)
    assert np.array_equal(one(header + values.astype(">u2").tobytes()), values)
    plain = b"P3\n4 2\n65535\n" + b" ".join(b"%d" % value for value in values.ravel())
    assert np.array_equal(one(plain), values)


def test_a_netpbm_header_without_an_end_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="damaged"):
        one(b"P6" + b"\n" * 100_000)


def test_the_default_image_of_an_animation_is_no_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    content = encoded(
        frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True, duration=[250, 750]
    )
    found = samples(content)
    assert [sample.metadata.poster for sample in found] == [True, False, False]
    for format_, count in (("PNG", 3), ("WEBP", 2), ("GIF", 2), ("TIFF", 2)):
        file = io.BytesIO()
        write_image(found, file, format_)
        again = samples(file.getvalue())
        assert len(again) == count, format_
    assert again[0].metadata.duration is None
    assert [sample.metadata.poster for sample in samples(encoded(frames[0], "PNG"))] == [False]


def jpegs() -> list[bytes]:
    noise = np.random.default_rng(0).normal(0, 12, (96, 128, 3))
    whole = np.clip(np.kron(RGB[:12, :16], np.ones((8, 8, 1))) + noise, 0, 255).astype(np.uint8)
    image = Image.fromarray(whole)
    options = ({}, {"progressive": True}, {"quality": 95, "subsampling": 0}, {"restart_marker_rows": 2})
    return [encoded(image, "JPEG", **each) for each in options] + [encoded(image.convert("L"), "JPEG")]


def in_tiff(content: bytes) -> bytes:
    """A TIFF of which a JPEG is the only strip."""
    image = Image.open(io.BytesIO(content))
    (width, height), gray = image.size, image.mode == "L"
    fine = not gray and JpegImagePlugin.get_sampling(image) == 0
    file = io.BytesIO()
    about: dict[str, Any] = {"photometric": "ycbcr", "subsampling": (1, 1) if fine else (2, 2)}
    about = {"photometric": "minisblack"} if gray else about
    about |= {"shape": (height, width) if gray else (height, width, 3), "dtype": "uint8", "rowsperstrip": height}
    tifffile.imwrite(file, iter([content]), compression="jpeg", **about)
    return file.getvalue()


@pytest.mark.parametrize("within", [bytes, in_tiff], ids=["alone", "in a TIFF"])
def test_a_jpeg_that_libjpeg_turbo_objects_to_is_refused(within: Callable[[bytes], bytes]) -> None:
    import simplejpeg

    random = np.random.default_rng(1)
    objected = accepted = 0
    for content in jpegs():
        samples(within(content))
        for _ in range(60):
            damaged = bytearray(content)
            at, kind = int(random.integers(len(content) // 3, len(content) - 2)), int(random.integers(3))
            if kind == 0:
                damaged = damaged[:at] + b"\xff\xd9"
            elif kind == 1:
                damaged[at : at + int(random.integers(4, 64))] = b""
            else:
                damaged[at] ^= 1 << int(random.integers(8))
            try:
                simplejpeg.decode_jpeg(bytes(damaged), strict=True)
                continue
            except ValueError:
                objected += 1
            try:
                samples(within(bytes(damaged)))
            except InputError:
                continue
            accepted += not bytes(damaged).endswith(content[-40:-2])  # all but its end marker is there
    assert objected > 100
    assert accepted == 0


def test_a_whole_jpeg_without_its_end_marker_passes_and_that_is_said() -> None:
    content = jpegs()[0]
    (sample,) = samples(content[:-2])
    assert np.array_equal(pixels(sample), one(content))
    assert sample.metadata.notes == ("it lacks its end marker",)
    (sample,) = samples(in_tiff(content[:-2]))
    assert sample.metadata.notes == ("a JPEG in it lacks its end marker",)


def test_a_jpeg_of_12_bits_is_not_called_damaged() -> None:
    content = imagecodecs.jpeg8_encode(RGB.astype(np.uint16) * 16, bitspersample=12)
    with pytest.raises(InputError, match="a: a JPEG of 12 bits a channel is not read; convert it"):
        one(content)
