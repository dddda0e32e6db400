"""Networks see sRGB; their change goes back into the space of the file, and nothing else of it changes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor

from imgai.images import coded, encode_png, icc, make_sample, read, write_image
from imgai.images.depth import quantize, to_float
from imgai.images.isobmff import properties
from imgai.images.space import ColorSpace, TableSpace, space_of
from imgai.predict.managed import Managed
from imgai.sample import Metadata, Sample, Source

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
LINEAR = np.linspace(0, 1, 1024)
SPACES = {
    "Adobe RGB": icc.build(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (2.19921875,)),
    "Display P3": icc.build(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), icc.SRGB_CURVE),
    "ProPhoto": icc.build(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (1.8,), white=D50),
    "linear Rec. 2020": icc.build(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), (1.0,)),
    "a table": icc.build(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), LINEAR**2.2),
}
SRGB = icc.build(icc.SRGB_PRIMARIES, icc.SRGB_CURVE)


def noise(depth: int = 8) -> Tensor:
    values = np.random.default_rng(0).integers(0, 2**depth, (3, 60, 80))
    return torch.from_numpy(values).to(torch.uint8 if depth == 8 else torch.uint16)[None]


def same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and bool((one.to(torch.int32) == other.to(torch.int32)).all())


@pytest.mark.parametrize("name", SPACES)
def test_what_a_network_sees_is_what_lcms_makes(name: str) -> None:
    space = space_of(SPACES[name])
    assert isinstance(space, ColorSpace)
    own, srgb = (ImageCms.ImageCmsProfile(io.BytesIO(content)) for content in (SPACES[name], SRGB))
    image = Image.fromarray(noise()[0].permute(1, 2, 0).numpy())
    due = ImageCms.profileToProfile(image, own, srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC)
    assert due is not None
    found = to_float(space.to_srgb(noise()))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - np.asarray(due)).max() < 1.5


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("name", SPACES)
def test_what_is_not_changed_stays_to_the_bit(name: str, depth: int) -> None:
    space = space_of(SPACES[name])
    assert space is not None
    image = noise(depth)
    seen = space.to_srgb(image)
    assert same(quantize(space.changed(image, seen, seen), depth), image)
    # A change elsewhere, and one in float, leave it alone too.
    made = to_float(seen)
    made[..., :30, :] = 1 - made[..., :30, :]
    back = quantize(space.changed(image, seen, made), depth)
    assert same(back[..., 30:, :], image[..., 30:, :])
    assert not same(back, image)


@pytest.mark.parametrize("name", SPACES)
def test_a_change_within_srgb_is_that_of_the_srgb_picture(name: str) -> None:
    space = space_of(SPACES[name])
    assert space is not None
    image = quantize(0.3 + 0.4 * to_float(noise()), 16)
    seen = space.to_srgb(image)
    made = (to_float(seen) * 0.8 + 0.1).clamp(0, 1)
    again = to_float(space.to_srgb(quantize(space.changed(image, seen, made), 16)))
    inside = (to_float(seen) > 0.001) & (to_float(seen) < 0.999)
    error = ((again - made).abs() * 255)[inside.all(dim=1, keepdim=True).expand_as(made)]
    assert error.max() < 1


def test_what_lies_outside_of_srgb_is_not_lost() -> None:
    space = space_of(SPACES["Display P3"])
    assert space is not None
    green = torch.tensor([0, 255, 0], dtype=torch.uint8)[None, :, None, None].expand(-1, -1, 4, 4)
    seen = space.to_srgb(green)
    assert to_float(seen)[0, :, 0, 0].tolist() == pytest.approx([0, 1, 0], abs=0.01)
    darker = to_float(seen) * 0.98
    back = space.changed(green, seen, darker)[0, :, 0, 0] * 255
    assert back[0] < 20
    assert back[1] > 245
    larger = torch.nn.functional.interpolate(to_float(seen), scale_factor=2)
    assert (space.changed(green, seen, larger)[0, :, 2, 2] * 255).tolist() == pytest.approx([0, 255, 0], abs=1.5)


def test_srgb_itself_is_left_alone() -> None:
    theirs = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for content in (None, SRGB, theirs, b"", b"no profile" * 30, theirs[:200]):
        assert space_of(content) is None
    gray = bytearray(SPACES["Adobe RGB"])
    assert space_of(bytes(gray[:16] + b"CMYK" + gray[20:])) is None


def test_grey_goes_through_the_curve_of_its_profile() -> None:
    curve = b"curv" + struct.pack(">4xLH", 1, 256) + b"\0\0"  # linear
    content = bytearray(SRGB[:128]) + struct.pack(">L4sLL", 1, b"kTRC", 144, len(curve)) + curve
    content[16:20] = b"GRAY"
    gray = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    sample = make_sample(gray, None, Source(None, "a"), Metadata("PNG", gray=True, icc=bytes(content)))
    managed = Managed(sample)
    seen = to_float(managed.sample.image)[0, :, 0, 128] * 255
    assert seen.tolist() == pytest.approx([188] * 3, abs=1)  # half of the light
    edited = Sample(managed.sample.image.clone(), sample.source, managed.sample.metadata)
    back = managed.back(edited, quantized=True)
    assert same(back.image, sample.image)
    assert back.metadata == sample.metadata


def table_profile() -> bytes:
    """The colours of sRGB with red and blue exchanged, as a table alone (ICC.1:2022, 10.10): a scanner's profile."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(1, -1, 3)[..., ::-1]
    srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    made = ImageCms.profileToProfile(Image.fromarray(np.ascontiguousarray(grid)), srgb, lab, outputMode="LAB")
    assert made is not None
    values = np.asarray(made).copy()
    values[..., 1:] ^= 0x80  # Pillow's a and b are signed
    identity = bytes(range(256)) * 3
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + struct.pack(">4x4B", 3, 3, 9, 0) + matrix + identity + values.tobytes() + identity
    head = bytearray(SRGB[:128])
    head[12:16], head[20:24] = b"scnr", b"Lab "
    text = b"mluc" + struct.pack(">4xLL4sLL", 1, 12, b"enUS", 2, 28) + "a".encode("utf-16-be") + b"\0\0"
    tags, body = {b"A2B0": table, b"desc": text, b"cprt": text, b"wtpt": b"XYZ " + bytes(4) + SRGB[68:80]}, b""
    listed = struct.pack(">L", len(tags))
    for tag, data in tags.items():
        listed += tag + struct.pack(">LL", 132 + 12 * len(tags) + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head[:4] = struct.pack(">L", len(head) + len(listed) + len(body))
    return bytes(head) + listed + body


def test_a_profile_of_tables_goes_through_lcms() -> None:
    space = space_of(table_profile())
    assert isinstance(space, TableSpace)
    image = (64 + noise() // 2).to(torch.uint8)
    seen = space.to_srgb(image)
    swapped = to_float(image)[:, [2, 1, 0]]
    assert (to_float(seen) - swapped).abs().mean() * 255 < 6  # a table of nine steps
    assert same(quantize(space.changed(image, seen, seen), 8), image)


def png(
    *chunks: tuple[bytes, bytes], picture: Image.Image | None = None, encoded: bytes = b"", **options: Any
) -> bytes:
    file = io.BytesIO()
    (picture or Image.new("RGB", (8, 8), (200, 100, 50))).save(file, "PNG", **options)
    content = encoded or file.getvalue()
    made = b"".join(
        struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return content[:33] + made + content[33:]


def profile_of(content: bytes) -> bytes | None:
    (sample,) = read(content, Source(None, "a"))
    return sample.metadata.icc


@pytest.mark.parametrize("codes", [(12, 13), (9, 13), (9, 8), (1, 8), (9, 16), (12, 18)])
def test_code_points_of_a_png_become_an_equal_profile(codes: tuple[int, int]) -> None:
    found = profile_of(png((b"cICP", bytes([*codes, 0, 1]))))
    assert found == coded.profile(*codes)
    assert isinstance(space_of(found), ColorSpace)
    ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found or b"")))


def test_code_points_of_p3_are_display_p3() -> None:
    found, due = (space_of(content) for content in (coded.profile(12, 13), SPACES["Display P3"]))
    assert found is not None
    assert due is not None
    assert same(found.to_srgb(noise()), due.to_srgb(noise()))


def test_code_points_of_high_dynamic_range_stay_in_a_png() -> None:
    (sample,) = read(png((b"cICP", bytes([9, 16, 0, 1]))), Source(None, "a"))
    file = io.BytesIO()
    write_image([sample], file, "PNG")
    assert b"cICP" + bytes([9, 16, 0, 1]) in file.getvalue()


@pytest.mark.parametrize(("gamma", "changes"), [(45455, False), (100000, True), (55556, True)])
def test_gamma_of_a_png_becomes_a_profile_where_it_is_not_that_of_srgb(gamma: int, changes: bool) -> None:
    found = space_of(profile_of(png((b"gAMA", struct.pack(">L", gamma)))))
    assert (found is not None) is changes
    told = png((b"gAMA", struct.pack(">L", gamma)), (b"sRGB", b"\0"))
    assert profile_of(told) is None


@pytest.mark.parametrize(
    ("gray", "codes"), [(False, (2, 16)), (False, (7, 7)), (False, (11, 17)), (True, (1, 8)), (True, (9, 16))]
)
def test_rarer_code_points_become_a_profile_too(gray: bool, codes: tuple[int, int]) -> None:
    picture = Image.new("L" if gray else "RGB", (8, 8), 128)
    found = profile_of(png((b"cICP", bytes([*codes, 0, 1])), picture=picture))
    assert found is not None
    ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found)))
    assert isinstance(space_of(found, 1 if gray else 3), ColorSpace)


def test_code_points_that_are_not_known_are_told_and_leave_another_profile_in_place() -> None:
    (sample,) = read(png((b"cICP", bytes([99, 13, 0, 1]))), Source(None, "a"))
    assert sample.metadata.icc is None
    assert "primaries 99" in " ".join(sample.metadata.notes)
    picture, p3 = Image.new("RGB", (8, 8)), SPACES["Display P3"]
    assert profile_of(png((b"cICP", bytes([99, 13, 0, 1])), picture=picture, icc_profile=p3)) == p3
    assert profile_of(png((b"cICP", bytes([1, 13, 0, 1])), picture=picture, icc_profile=p3)) is None


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_video_levels_of_a_png_become_black_and_white(kind: type[np.unsignedinteger], white: int) -> None:
    unit = 1 if white == 255 else 256
    levels = np.repeat(np.array([[0, 16, 235, 255]], kind) * kind(unit), 3).reshape(1, 4, 3)
    file = png((b"cICP", bytes([9, 16, 0, 0])), encoded=encode_png(levels))
    (sample,) = read(file, Source(None, "a"))
    assert sample.image[0, 0, 0].tolist() == [0, 0, white, white]
    assert sample.metadata.cicp == bytes([9, 16, 0, 1])


def test_gamma_of_a_grey_png_becomes_a_profile() -> None:
    gray = Image.new("L", (8, 8), 128)
    found = profile_of(png((b"gAMA", struct.pack(">L", 100_000)), picture=gray))
    space = space_of(found, 1)
    assert space is not None
    seen = space.to_srgb(torch.full((1, 1, 2, 2), 128, dtype=torch.uint8))
    assert float(to_float(seen).mean()) * 255 == pytest.approx(188, abs=1)
    assert profile_of(png((b"gAMA", struct.pack(">L", 45455)), picture=gray)) is None


def test_a_curve_without_an_inverse_makes_no_profile() -> None:
    for parameters in ((0.0,), (2.4, 0.0, 0.05, 0.07, 0.04), (2.4, 0.9, 0.05, 0.0, 0.04)):
        assert icc.parse(icc.build(icc.SRGB_PRIMARIES, parameters)) is None


def test_an_nclx_box_of_an_avif_becomes_a_profile() -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(file, "AVIF")
    content = bytearray(file.getvalue())
    assert profile_of(bytes(content)) is None
    at = content.index(b"colrnclx") + 8
    content[at : at + 4] = struct.pack(">HH", 12, 13)
    assert profile_of(bytes(content)) == coded.profile(12, 13)
    # Bytes that look like such a box, in a box before, are none; nor is that of another picture, as of a gain map.
    junk = struct.pack(">L4s", 27, b"free") + b"\0\0\0\x13colrnclx" + struct.pack(">HHHB", 9, 16, 9, 0x80)
    assert dict(properties(bytes(content[:32] + junk + content[32:])))[b"colr"][4:8] == struct.pack(">HH", 12, 13)
    assert properties(b"") == properties(bytes(content[:60])) == []


def test_the_colours_of_the_primary_picture_count() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">L4s", 8 + len(content), kind) + content

    def colors(primaries: int) -> bytes:
        return box(b"colr", b"nclx" + struct.pack(">HHHB", primaries, 13, 1, 0x80))

    for version, item in ((0, ">HB"), (1, ">LB")):
        links = b"".join(struct.pack(item, number, 1) + bytes([0x80 | number]) for number in (1, 2))
        ipma = box(b"ipma", bytes([version, 0, 0, 0]) + struct.pack(">L", 2) + links)
        props = box(b"iprp", box(b"ipco", colors(9) + colors(12)) + ipma)
        meta = box(b"meta", bytes(4) + box(b"pitm", bytes(4) + struct.pack(">H", 2)) + props)
        file = box(b"ftyp", b"avif") + box(b"mdat", b"\0" * 100) + meta  # behind the pixels, as it may be
        assert coded.of_box(file) == (12, 13)


def test_adobe_rgb_that_a_camera_notes_in_exif_alone_becomes_a_profile() -> None:
    exif = Image.Exif()
    exif.get_ifd(34665)[40961] = 65535
    exif.get_ifd(34665)[40965] = {1: "R03"}
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(file, "JPEG", exif=exif)
    assert profile_of(file.getvalue()) == coded.adobe_rgb()
