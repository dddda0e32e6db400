"""What is written keeps all that the format can hold."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgai.errors import InputError, UsageError
from imgai.images import encode_png, make_sample, read, write_image
from imgai.sample import Metadata, Sample, Source

RANDOM = np.random.default_rng(0)


def picture(channels: int, depth: int = 8) -> np.ndarray:
    values = RANDOM.integers(0, 2**depth, (12, 17, channels))
    return values.astype(np.uint16 if depth == 16 else np.uint8).squeeze()


def sample(channels: int, depth: int = 8, **about: object) -> Sample:
    values = picture(channels, depth)
    alpha = values[..., -1] if channels in (2, 4) else None
    colors = values if alpha is None else values[..., :-1].squeeze()
    metadata = Metadata("PNG", depth=depth, gray=channels < 3, **about)  # type: ignore[arg-type]
    return make_sample(colors, alpha, Source(None, "picture"), metadata)


def again(samples: Iterable[Sample], format_: str, **options: int) -> list[Sample]:
    file = io.BytesIO()
    write_image(samples, file, format_, **options)
    return list(read(file.getvalue(), Source(None, "picture")))


def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and bool((one.to(torch.int32) == other.to(torch.int32)).all())


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_lossless_formats_keep_every_value(channels: int, depth: int, format_: str) -> None:
    before = sample(channels, depth)
    (after,) = again([before], format_)
    assert same(before.image, after.image)
    assert same(before.alpha, after.alpha)
    assert after.metadata.gray is (channels < 3)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_profile_exif_and_resolution_go_along(format_: str) -> None:
    exif = Image.Exif()
    exif[271] = "A camera"
    before = sample(3, icc=b"a profile of %d bytes" % 23 * 9, exif=exif.tobytes(), dpi=(300.0, 150.0))
    # A profile must look like one to some writers: its length stands first.
    icc = len(before.metadata.icc or b"").to_bytes(4, "big") + (before.metadata.icc or b"")[4:]
    before = dataclasses.replace(before, metadata=dataclasses.replace(before.metadata, icc=icc))
    (after,) = again([before], format_)
    assert after.metadata.icc == icc
    carried = Image.Exif()
    carried.load(after.metadata.exif)
    assert carried[271] == "A camera"
    if format_ in ("JPEG", "PNG", "TIFF"):
        assert after.metadata.dpi == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_xmp_goes_along(format_: str) -> None:
    before = sample(3, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    (after,) = again([before], format_)
    assert after.metadata.xmp == before.metadata.xmp


@pytest.mark.parametrize("text", ["Größe 5 µm".encode(), "José".encode("latin-1"), "写真".encode()])
def test_texts_go_along_to_the_byte(text: bytes) -> None:
    exif = Image.Exif()
    exif[270] = exif[315] = text
    before = sample(3, exif=exif.tobytes())
    for format_ in ("JPEG", "TIFF", "TIFF", "JPEG"):
        (before,) = again([before], format_)
        assert before.metadata.exif is not None
        assert before.metadata.exif.count(text + b"\0") == 2


def test_texts_of_the_camera_leave_a_tiff_to_the_byte() -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF", tiffinfo={34665: {42036: "A lens"}})
    content = file.getvalue().replace(b"A lens", b"\xc4 lens")
    (found,) = read(content, Source(None, "picture"))
    again = Image.Exif()
    again.load(found.metadata.exif or b"")
    assert again.get_ifd(34665)[42036] == "Ä lens"


@pytest.mark.parametrize("name", ["exif", "xmp"])
def test_what_a_jpeg_cannot_hold_is_left_out(name: str) -> None:
    prefix = {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", "xmp": b"http://ns.adobe.com/xap/1.0/\0"}[name]
    content = prefix if name == "exif" else b""
    content += b" " * (65_533 - len(prefix))
    for more, due in ((b"", content), (b" ", None)):
        (after,) = again([sample(3, **{name: content + more})], "JPEG")
        assert getattr(after.metadata, name) == due


def test_exif_of_a_webp_goes_into_a_jpeg(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "A camera"
    (webp,) = again([sample(3, exif=exif.tobytes())], "WEBP")
    with (tmp_path / "a.jpg").open("wb") as file:
        write_image([webp], file, "JPEG")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[271] == "A camera"


@pytest.mark.parametrize(
    ("format_", "channels", "kept"),
    [
        ("PNG", 1, True),
        ("JPEG", 1, True),
        ("AVIF", 1, True),
        ("AVIF", 2, False),
        ("WEBP", 1, False),
        ("WEBP", 2, False),
    ],
)
def test_a_profile_for_grey_goes_along_with_grey_alone(format_: str, channels: int, kept: bool) -> None:
    icc = (128).to_bytes(4, "big") + bytes(12) + b"GRAY" + bytes(108)
    (after,) = again([sample(channels, icc=icc)], format_)
    assert after.metadata.icc == (icc if kept else None)
    assert after.metadata.gray is kept


def test_float_pixels_are_rounded_and_clamped() -> None:
    values = torch.tensor([-0.5, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 2.0])[None, None, None].expand(1, 3, 1, 6)
    (after,) = again([Sample(values, Source(None, "x"), Metadata("PNG"))], "PNG")
    assert after.image[0, 0, 0].tolist() == [0, 0, 0, 1, 255, 255]
    (deep,) = again([Sample(values, Source(None, "x"), Metadata("PNG", depth=16))], "PNG")
    assert deep.image[0, 0, 0].tolist() == [0, 0, 126, 131, 65535, 65535]


def test_jpeg_lays_transparency_over_white() -> None:
    colors = np.zeros((16, 16, 3), np.uint8)
    alpha = np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    (after,) = again([make_sample(colors, alpha, Source(None, "x"), Metadata("PNG"))], "JPEG")
    assert after.image[0, :, 8, 2].tolist() == pytest.approx([255] * 3, abs=3)
    assert after.image[0, :, 8, 13].tolist() == pytest.approx([0] * 3, abs=3)


def test_quality_is_obeyed() -> None:
    smooth = np.asarray(Image.fromarray(picture(3)).resize((300, 300), Image.Resampling.BICUBIC))
    sizes = []
    for quality in (30, 95):
        file = io.BytesIO()
        write_image([make_sample(smooth, None, Source(None, "x"), Metadata("JPEG"))], file, "JPEG", quality=quality)
        sizes.append(len(file.getvalue()))
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(("quality", "colors"), [(30, "4:2:0"), (75, "4:2:2"), (88, "4:4:4"), (97, "4:2:0")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_keeps_its_quality_and_so_about_its_size(quality: int, colors: str, mode: str) -> None:
    """An encoder's own default would make most files several times as large, and some worse."""
    smooth = Image.fromarray(picture(3)).resize((300, 200), Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    smooth.save(file, "JPEG", quality=quality, subsampling=colors)
    (before,) = read(file.getvalue(), Source(None, "picture"))
    made = io.BytesIO()
    write_image([before], made, "JPEG")
    assert len(made.getvalue()) == pytest.approx(len(file.getvalue()), rel=0.1)
    with Image.open(file) as given, Image.open(made) as taken:
        assert getattr(taken, "quantization", None) == getattr(given, "quantization", ())
        assert mode == "L" or getattr(taken, "layer", None) == getattr(given, "layer", ())
    asked = io.BytesIO()
    write_image([before], asked, "JPEG", quality=50)
    with Image.open(asked) as taken:
        assert getattr(taken, "quantization", {})[0][0] == 16  # the table of the standard itself
    large = dataclasses.replace(before, image=before.image.repeat(1, 1, 2, 2))
    (after,) = again([large], "JPEG")
    assert after.metadata.quality is not None
    assert after.metadata.quality[0] == max(90, quality)


def frames(count: int) -> list[Sample]:
    return [
        dataclasses.replace(
            sample(3, duration=50 * (page + 1), loop=3), source=Source(None, "picture", page=page, pages=count)
        )
        for page in range(count)
    ]


@pytest.mark.parametrize("format_", ["TIFF", "PNG", "GIF", "WEBP"])
def test_pages_stay_together(format_: str) -> None:
    after = again(frames(3), format_)
    assert len(after) == 3
    if format_ != "TIFF":
        assert [each.metadata.duration for each in after] == [50, 100, 150]
        assert after[0].metadata.loop == 3


def test_an_animation_that_is_shown_once_stays_so() -> None:
    once = [dataclasses.replace(each, metadata=dataclasses.replace(each.metadata, loop=None)) for each in frames(3)]
    gif = again(once, "GIF")
    assert gif[0].metadata.loop is None
    assert again(gif, "GIF")[0].metadata.loop is None
    assert again(gif, "WEBP")[0].metadata.loop == 1
    assert again(again(frames(3), "TIFF"), "GIF")[0].metadata.loop == 0


def test_pages_in_a_format_of_one_are_refused() -> None:
    with pytest.raises(UsageError, match="JPEG holds one picture, and picture has 2"):
        again(frames(2), "JPEG")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_our_png_is_everyones_png(channels: int, depth: int) -> None:
    import imagecodecs

    values = picture(channels, depth)
    content = encode_png(values, icc=b"x" * 200, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", xmp=b"<x/>", dpi=(72, 72))
    assert np.array_equal(imagecodecs.png_decode(content), values)
    with Image.open(io.BytesIO(content)) as image:
        image.verify()  # every checksum


@pytest.mark.parametrize("channels", [2, 4])
def test_gif_keeps_what_is_transparent(channels: int) -> None:
    before = sample(channels)
    (after,) = again([before], "GIF")
    assert after.alpha is not None
    assert before.alpha is not None
    assert torch.equal(after.alpha > 0, before.alpha >= 128)


@pytest.mark.parametrize(("format_", "longest"), [("JPEG", 65_500), ("WEBP", 16_383), ("GIF", 65_535)])
def test_a_picture_too_long_for_its_format_is_told(tmp_path: Path, format_: str, longest: int) -> None:
    def line(width: int) -> Sample:
        return make_sample(np.zeros((1, width), np.uint8), None, Source(None, "a"), Metadata("PNG", gray=True))

    with (tmp_path / "a").open("wb") as file, pytest.raises(InputError, match=f"holds at most {longest} pixels"):
        write_image([line(longest + 1)], file, format_)
    with (tmp_path / "b").open("wb") as file:
        write_image([line(longest)], file, format_)
    with Image.open(tmp_path / "b") as image:
        assert image.size == (longest, 1)
