"""A picture is read as it looks, with all that its file says of it."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from imgai.errors import InputError
from imgai.images import encode_png, probe, read
from imgai.sample import Sample, Source

HEIGHT, WIDTH = 24, 40


def photograph(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Smooth, colourful, and different in every corner. Shape: ``(H, W, 3)`` uint8."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([255 * x / width, 255 * y / height, 128 + 60 * np.sin(x / 5)]).astype(np.uint8)


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format_, **options)
    return file.getvalue()


def samples(content: bytes | Path, **options: Any) -> list[Sample]:
    return list(read(content, Source(None, "picture"), **options))


def one(content: bytes) -> Sample:
    (sample,) = samples(content)
    return sample


def pixels(sample: Sample) -> np.ndarray:
    return sample.image[0].permute(1, 2, 0).numpy()


LOSSLESS = {"PNG": {}, "TIFF": {}, "BMP": {}, "PPM": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("format_", LOSSLESS)
def test_pixels_are_those_of_the_file(format_: str) -> None:
    sample = one(encoded(Image.fromarray(photograph()), format_, **LOSSLESS[format_]))
    assert sample.metadata.format == format_
    assert sample.image.dtype == torch.uint8
    assert np.array_equal(pixels(sample), photograph())


@pytest.mark.parametrize("format_", ["JPEG", "AVIF"])
def test_lossy_formats_give_what_pillow_gives(format_: str) -> None:
    content = encoded(Image.fromarray(photograph()), format_, quality=90)
    assert np.array_equal(pixels(one(content)), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def turned(orientation: int) -> np.ndarray:
    """The photograph as a camera stores it that notes this orientation (EXIF 2.32, tag 274)."""
    upright = photograph()
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: upright.swapaxes(0, 1)[::-1],
        7: upright.swapaxes(0, 1)[::-1, ::-1],
        8: upright.swapaxes(0, 1)[:, ::-1],
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_each_orientation_is_applied_once_and_reset(orientation: int, format_: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "A camera"
    stored = Image.fromarray(np.ascontiguousarray(turned(orientation)))
    options = {"quality": 100, "subsampling": 0} if format_ == "JPEG" else LOSSLESS[format_]
    content = encoded(stored, format_, exif=exif, **options)
    sample = one(content)
    assert pixels(sample).shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels(sample).astype(int) - photograph()).max() <= (6 if format_ == "JPEG" else 0)
    again = Image.Exif()
    again.load(sample.metadata.exif)
    assert again[271] == "A camera"
    assert again.get(274, 1) == 1


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr"])
def test_a_tiff_in_other_colours_is_turned_once(tmp_path: Path, mode: str, compression: str) -> None:
    upright = Image.fromarray(photograph()).convert(mode)
    stored = upright.transpose(Image.Transpose.ROTATE_90)  # as a camera stores what is to be turned to the right
    content = encoded(stored, "TIFF", compression=compression, tiffinfo={274: 6})
    (tmp_path / "a.tif").write_bytes(content)
    plain = one(encoded(upright, "TIFF", compression=compression))
    for source in (content, tmp_path / "a.tif"):
        (found,) = samples(source)
        assert pixels(found).shape == (HEIGHT, WIDTH, 3)
        assert np.abs(pixels(found).astype(int) - pixels(plain)).max() <= 2


ATTRIBUTE = b'<x:xmpmeta xmlns:x=\'adobe:ns:meta/\'><rdf:Description tiff:Orientation="%d" xmp:Rating="3"/></x:xmpmeta>'
ELEMENT = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><tiff:Orientation>%d</tiff:Orientation></x:xmpmeta>"


@pytest.mark.parametrize("xmp", [ATTRIBUTE, ELEMENT])
@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "TIFF"])
def test_an_orientation_in_xmp_alone_is_applied_once_and_reset(format_: str, xmp: bytes) -> None:
    stored = Image.fromarray(np.ascontiguousarray(turned(6)))
    options: dict[str, Any] = {"tiffinfo": {700: xmp % 6}} if format_ == "TIFF" else {"xmp": xmp % 6}
    sample = one(encoded(stored, format_, **options))
    assert pixels(sample).shape == (HEIGHT, WIDTH, 3)
    assert sample.metadata.xmp == xmp % 1


def test_an_orientation_in_exif_counts_before_that_in_xmp_and_both_are_reset() -> None:
    exif = Image.Exif()
    exif[274] = 1
    sample = one(encoded(Image.fromarray(photograph()), "JPEG", exif=exif, xmp=ATTRIBUTE % 6))
    assert pixels(sample).shape == (HEIGHT, WIDTH, 3)
    assert sample.metadata.xmp == ATTRIBUTE % 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"", b"II", b"nothing", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12\0"]
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_read_refuses_no_picture(format_: str, exif: bytes) -> None:
    sample = one(encoded(Image.fromarray(photograph()), format_, exif=b"Exif\0\0" + exif))
    assert pixels(sample).shape == (HEIGHT, WIDTH, 3)
    assert sample.metadata.exif is None or len(exif) >= 8
    Image.Exif().load(sample.metadata.exif or b"")


def test_an_orientation_that_is_a_text_is_none() -> None:
    entry = struct.pack("<HHLL", 274, 2, 12, 26)
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0" + entry + b"\0\0\0\0Rotate 90 CW"
    sample = one(encoded(Image.fromarray(photograph()), "JPEG", exif=exif))
    assert pixels(sample).shape == (HEIGHT, WIDTH, 3)
    again = Image.Exif()
    again.load(sample.metadata.exif)
    assert again[274] == 1


DEEP = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 4), dtype=np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "TIFF lzw", "TIFF big-endian"])
def test_sixteen_bits_stay_sixteen_bits(channels: int, format_: str) -> None:
    values = DEEP[..., 0] if channels == 1 else DEEP[..., :channels]
    if format_ == "PNG":
        content = encode_png(values)
    else:
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            values,
            photometric="rgb" if channels > 2 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
            compression="lzw" if "lzw" in format_ else None,
            byteorder=">" if "big" in format_ else None,
        )
        content = file.getvalue()
    sample = one(content)
    colors = values if channels in (1, 3) else values[..., :-1]
    assert sample.metadata.depth == 16
    assert sample.metadata.gray is (channels < 3)
    assert np.array_equal(pixels(sample)[..., : 1 if channels < 3 else 3].squeeze(), colors.squeeze())
    if channels in (2, 4):
        assert np.array_equal(sample.alpha[0, 0].numpy(), values[..., -1])
    else:
        assert sample.alpha is None


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_colour_that_a_tiff_holds_times_alpha_is_read_as_it_is(channels: int, depth: int) -> None:
    white = 2**depth - 1
    values = np.full((2, 2, channels), white * 100 // 255, np.uint16 if depth == 16 else np.uint8)
    values[..., -1] = white * 128 // 255
    values[0, 0] = 0
    file = io.BytesIO()
    about = {"photometric": "rgb" if channels == 4 else "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(file, values, extrasamples=["assocalpha"], **about)
    sample = one(file.getvalue())
    assert np.abs(pixels(sample)[1, 1].astype(int) - white * 100 / 128).max() <= 1
    assert pixels(sample)[0, 0].tolist() == [0, 0, 0]
    assert np.array_equal(sample.alpha[0, 0].numpy(), values[..., -1])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_of_sixteen_bits_keeps_its_transparent_colour(channels: int) -> None:
    values = DEEP[..., :channels].squeeze()
    content = encode_png(values)
    key = b"tRNS" + np.atleast_1d(values[2, 3]).astype(">u2").tobytes()
    chunk = struct.pack(">L", len(key) - 4) + key + struct.pack(">L", zlib.crc32(key))
    sample = one(content[:33] + chunk + content[33:])  # behind the header
    assert np.array_equal(pixels(sample)[..., :channels].squeeze(), values)
    hidden = sample.alpha[0, 0].numpy() == 0
    assert np.array_equal(hidden, (values == values[2, 3]).reshape(HEIGHT, WIDTH, -1).all(axis=-1))


def test_sixteen_bit_netpbm() -> None:
    header = b"P6\n# by hand\n%d %d\n65535\n" % (WIDTH, HEIGHT)
    sample = one(header + DEEP[..., :3].astype(">u2").tobytes())
    assert np.array_equal(pixels(sample), DEEP[..., :3])


def test_grey_is_grey_and_is_repeated_without_a_copy() -> None:
    sample = one(encoded(Image.fromarray(photograph()[..., 0]), "PNG"))
    assert sample.metadata.gray
    assert sample.image.shape == (1, 3, HEIGHT, WIDTH)
    assert sample.image.untyped_storage().nbytes() == HEIGHT * WIDTH


def test_grey_with_alpha() -> None:
    both = np.dstack([photograph()[..., 0], photograph()[..., 1]])
    sample = one(encoded(Image.fromarray(both), "PNG"))
    assert sample.metadata.gray
    assert np.array_equal(sample.alpha[0, 0].numpy(), both[..., 1])


def test_one_bit() -> None:
    sample = one(encoded(Image.fromarray(photograph()).convert("1"), "PNG"))
    assert sample.metadata.gray
    assert set(np.unique(pixels(sample))) == {0, 255}


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_a_palette_with_transparency(format_: str) -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2, 0, 1, 1, 1, 2])
    sample = one(encoded(image, format_, transparency=1))
    assert pixels(sample)[0, 0].tolist() == [255, 0, 0]
    assert sample.alpha[0, 0].tolist() == [[255, 0, 255, 255], [0, 0, 0, 255]]


def test_cmyk_without_a_profile() -> None:
    content = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert pixels(one(content))[4, 4].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_cmyk_goes_through_its_own_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile is asked for: one that cannot be for CMYK must be passed over without harm."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    asked = []
    real = ImageCms.profileToProfile
    monkeypatch.setattr(ImageCms, "profileToProfile", lambda *a, **k: asked.append(a) or real(*a, **k))
    sample = one(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", icc_profile=srgb))
    assert asked
    assert pixels(sample)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=4)
    assert sample.metadata.icc is None


def display_p3() -> bytes:
    """sRGB's profile with the name and the primaries of Display P3 (SMPTE EG 432-1), adapted to D50."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    (count,) = struct.unpack_from(">I", content, 128)
    for index in range(count):
        signature, offset, _ = struct.unpack_from(">4sII", content, 132 + 12 * index)
        if signature in primaries:
            struct.pack_into(">3i", content, offset + 8, *(round(v * 65536) for v in primaries[signature]))
    return bytes(content)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_profile_is_carried_and_pixels_are_untouched(format_: str) -> None:
    profile = display_p3()
    options = {**LOSSLESS.get(format_, {}), "icc_profile": profile}
    plain = one(encoded(Image.fromarray(photograph()), format_, **LOSSLESS.get(format_, {})))
    sample = one(encoded(Image.fromarray(photograph()), format_, **options))
    assert sample.metadata.icc == profile
    assert np.array_equal(pixels(sample), pixels(plain))


def test_every_page_of_a_tiff_but_its_thumbnails() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for value in (10, 20):
            writer.write(np.full((8, 9), value, np.uint8), photometric="minisblack")
            writer.write(np.full((4, 4), 99, np.uint8), photometric="minisblack", subfiletype=1)
        writer.write(np.full((5, 6, 3), 30, np.uint16), photometric="rgb")
    found = samples(file.getvalue())
    assert [sample.source.page for sample in found] == [0, 1, 2]
    assert {sample.source.pages for sample in found} == {3}
    assert [int(sample.image.numpy().max()) for sample in found] == [10, 20, 30]
    assert [sample.metadata.depth for sample in found] == [8, 8, 16]


@pytest.mark.parametrize("kind", ["minis-white", "float", "planes", "bool"])
def test_other_tiffs(kind: str) -> None:
    file = io.BytesIO()
    ramp = np.linspace(0, 1, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, 0)
    if kind == "minis-white":
        tifffile.imwrite(file, 255 - photograph()[..., 0], photometric="miniswhite")
        assert np.array_equal(pixels(one(file.getvalue()))[..., 0], photograph()[..., 0])
    elif kind == "float":
        tifffile.imwrite(file, ramp, photometric="minisblack")
        assert np.abs(pixels(one(file.getvalue()))[..., 0] / 65535 - ramp).max() < 1e-4
    elif kind == "planes":
        tifffile.imwrite(file, np.moveaxis(photograph(), -1, 0), photometric="rgb", planarconfig="separate")
        assert np.array_equal(pixels(one(file.getvalue())), photograph())
    else:
        tifffile.imwrite(file, ramp > 0.5, photometric="minisblack")
        assert np.array_equal(pixels(one(file.getvalue()))[..., 0], (ramp > 0.5) * 255)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP"])
def test_frames_of_an_animation_are_whole_pictures(format_: str) -> None:
    frames = [Image.fromarray(np.roll(photograph(), 7 * shift, 1)) for shift in range(3)]
    options: dict[str, Any] = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(
        frames[0], format_, save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=2, **options
    )
    found = samples(content)
    assert [sample.metadata.duration for sample in found] == [40, 80, 120]
    assert {sample.metadata.loop for sample in found} == {2}
    for frame, sample in zip(frames, found, strict=True):
        limit = 40 if format_ == "GIF" else 0  # a palette of 256
        assert np.abs(pixels(sample).astype(int) - np.asarray(frame)).max() <= limit


def test_a_jpeg_with_a_second_picture_in_it_is_one_picture() -> None:
    both = [Image.fromarray(values) for values in (photograph(), photograph()[::-1].copy())]
    content = encoded(both[0], "MPO", save_all=True, append_images=both[1:], quality=100)
    assert probe(content, "picture", max_pixels=10**9).pages == 1
    sample = one(content)
    assert (sample.metadata.format, sample.metadata.duration, sample.source.pages) == ("JPEG", None, 1)
    assert np.abs(pixels(sample).astype(int) - photograph()).mean() < 3


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_a_truncated_file_is_refused_whole(format_: str) -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noisy), format_)
    for part in (0.9, 0.5, 0.1):
        with pytest.raises(InputError, match=r"^picture: the \w+ file is damaged") as caught:
            samples(content[: int(part * len(content))])
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_a_png_is_noticed() -> None:
    content = bytearray(encoded(Image.fromarray(photograph()), "PNG"))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError, match="damaged"):
        samples(bytes(content))


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "empty"), (b"I am a text.", "not a picture"), (b"\0" * 99, "not a")]
)
def test_what_is_no_picture_is_told(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        samples(content)
    with pytest.raises(InputError, match=why):
        probe(content, "picture", max_pixels=10**9)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "GIF"])
def test_too_large_a_picture_is_refused_from_its_header(format_: str) -> None:
    content = encoded(Image.fromarray(photograph()), format_)
    for refuse in (samples, lambda content, max_pixels: probe(content, "picture", max_pixels=max_pixels)):
        refuse(content, max_pixels=HEIGHT * WIDTH)
        with pytest.raises(InputError, match="40 x 24 pixels are more than --max-pixels"):
            refuse(content, max_pixels=HEIGHT * WIDTH - 1)


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        samples(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        samples(tmp_path / "nowhere.png")


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 1, 60, dtype=np.float32).reshape(4, 5, 3),
        np.linspace(0, 1, 20, dtype=np.float64).reshape(4, 5),
        np.linspace(0, 1, 20, dtype=np.float16).reshape(4, 5),
    ],
)
def test_kinds_that_pillow_does_not_know_have_a_header_too(values: np.ndarray) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb" if values.ndim == 3 else "minisblack")
    header = probe(file.getvalue(), "picture", max_pixels=100)
    assert (header.width, header.height, header.pages) == (5, 4, 1)
    assert (
        np.abs(pixels(one(file.getvalue()))[..., 0].squeeze() / 65535 - values.reshape(4, 5, -1)[..., 0]).max() < 1e-3
    )


def test_a_volume_is_no_picture() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 32, 48), np.uint8), photometric="minisblack", volumetric=True, tile=(1, 16, 16))
    with pytest.raises(InputError, match="holds a volume of 3 slices"):
        samples(file.getvalue())


def test_a_large_page_behind_a_small_one_is_refused_from_the_header() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for side in (10, 90):
            writer.write(np.zeros((side, side), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match="90 x 90"):
        probe(file.getvalue(), "picture", max_pixels=1000)


def test_nothing_is_printed_about_a_profile_that_is_not_as_it_should_be(tmp_path: Path, python: str) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[64:68] = b"\1\0\0\0"  # a rendering intent that there is not
    content = encoded(Image.effect_noise((9, 7), 60).convert("RGB"), "PNG", icc_profile=bytes(profile))
    (tmp_path / "a.png").write_bytes(content)
    code = "from pathlib import Path; from imgai.images import read; from imgai.sample import Source; "
    code += f"print(len(list(read(Path({str(tmp_path / 'a.png')!r}), Source(None, 'a')))))"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("1\n", "")
