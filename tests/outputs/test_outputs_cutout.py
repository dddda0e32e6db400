"""A cut-out is laid out as a shop wants it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgai.errors import UsageError
from imgai.images import make_sample
from imgai.images.rights import kept
from imgai.kinds import CutoutParams
from imgai.kinds.files import files
from imgai.kinds.scene import arranged
from imgai.outputs.mask import Mask
from imgai.params import as_values, check, options_of
from imgai.plugin import Output, Page
from imgai.sample import Metadata, Sample, Source
from imgai.testing.kinds import named_kinds

HEIGHT, WIDTH = 120, 200
RED, GREEN = (200, 20, 20), (20, 180, 40)


def scene(depth: int = 8, *, gray: bool = False, **metadata: Any) -> tuple[Sample, Mask]:
    """A red box, 40 high and 60 wide, on green; and its mask."""
    inside = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    inside[30:70, 100:160] = 255
    pixels = np.where(inside[..., None] > 0, np.array(RED), np.array(GREEN)).astype(np.uint8)
    if gray:
        pixels = pixels[..., 0]
    values = pixels.astype(np.uint16) * 257 if depth == 16 else pixels
    about = Metadata("PNG", depth=depth, gray=gray, **metadata)
    return make_sample(values, None, Source(None, "x"), about), Mask(torch.from_numpy(inside)[None], ("thing",))


def made(sample: Sample, mask: Mask, suffix: str = "", **params: Any) -> Image.Image:
    (spec,) = named_kinds("cutout", of=Output.MASK, **params)
    (file,) = files(spec.kind, Page(sample, mask, spec.params, suffix))
    target = io.BytesIO()
    if callable(file.content):
        file.content(target)
    else:
        target.write(file.content)
    return Image.open(target)


@pytest.mark.parametrize(("name", "color"), [("white", (255, 255, 255)), ("#f4f4f4", (244, 244, 244))])
def test_a_background_of_one_colour(name: str, color: tuple[int, int, int]) -> None:
    image = made(*scene(), background=name)
    assert (image.mode, image.size) == ("RGB", (WIDTH, HEIGHT))
    assert image.getpixel((5, 5)) == color
    assert image.getpixel((130, 50)) == RED


def test_a_blurred_background_has_nothing_of_the_subject() -> None:
    pixels = np.asarray(made(*scene(), background="blur")).astype(int)
    assert tuple(pixels[50, 130]) == RED
    outside = np.abs(pixels - GREEN).max(axis=2)
    outside[28:72, 98:162] = 0
    assert outside.max() <= 6


def test_a_picture_as_background_covers_it_all(tmp_path: Path) -> None:
    Image.new("RGB", (30, 90), (0, 0, 255)).save(tmp_path / "ground.png")
    image = made(*scene(), background=str(tmp_path / "ground.png"), canvas="300x100")
    assert image.size == (300, 100)
    assert image.getpixel((0, 0)) == (0, 0, 255) == image.getpixel((299, 99))


def test_a_crop_leaves_the_margin_that_was_asked_for() -> None:
    image = made(*scene(), crop=True, margin=0.1)
    assert image.size == (60 + 12, 40 + 12)
    assert image.getchannel("A").getbbox() == (6, 6, 66, 46)


@pytest.mark.parametrize(
    ("gravity", "box"),
    [
        ("center", (50, 100, 350, 300)),
        ("top", (50, 50, 350, 250)),
        ("bottom", (50, 150, 350, 350)),
        ("left", (50, 100, 350, 300)),
    ],
)
def test_a_canvas_holds_every_subject_alike(gravity: str, box: tuple[int, int, int, int]) -> None:
    image = made(*scene(), crop=True, margin=0.125, canvas="400", gravity=gravity)
    assert image.size == (400, 400)
    found = image.getchannel("A").point(lambda level: 255 * (level > 127)).getbbox()
    assert found is not None
    assert np.abs(np.subtract(found, box)).max() <= 1


def test_a_canvas_without_a_crop_shows_the_whole_picture() -> None:
    image = made(*scene(), canvas="100x100", background="white")
    assert image.size == (100, 100)
    assert image.getpixel((65, 45)) == RED


def test_a_shadow_falls_below_and_is_soft() -> None:
    alpha = np.asarray(made(*scene(), shadow=True).getchannel("A")).astype(int)
    assert alpha[50, 130] == 255
    assert 10 < alpha[71, 130] < 140
    assert alpha[71, 130] > alpha[28, 130]
    assert alpha[100, 20] == 0
    assert np.abs(np.diff(alpha[72:, 130])).max() < 25


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("resized", [False, True])
def test_soft_edges_are_composed_as_light_is(dtype: type, resized: bool) -> None:
    y, x = np.mgrid[:90, :140]
    white = np.iinfo(dtype).max
    alpha = (np.clip((32 - np.hypot(y - 45, x - 60)) / 9, 0, 1) * white).astype(dtype)
    colors = np.stack((y * white // 90, x * white // 140, (x + y) * white // 230), -1).astype(dtype)
    cut = np.concatenate((np.where(alpha[..., None] > 0, colors, 0), alpha[..., None]), -1).astype(dtype)
    params = CutoutParams(background="#3060c0", canvas="280x180" if resized else None)
    found = arranged(cut, colors, Metadata("PNG"), params)[0].astype(float) / white
    soft = cut.astype(float) / white
    wanted = soft[..., :3] * soft[..., 3:] + np.array([0x30, 0x60, 0xC0]) / 255 * (1 - soft[..., 3:])
    if resized:  # every other pixel lies between two
        found = found.reshape(90, 2, 140, 2, 3).mean((1, 3))
    assert np.abs(found - wanted).max() < (3.5 / 255 if resized else 1.01 / white)


@pytest.mark.parametrize(("name", "kind"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("png", "PNG")])
def test_a_cutout_over_a_background_in_each_format(name: str, kind: str) -> None:
    image = made(*scene(), background="white", format=name)
    assert image.format == kind
    assert np.abs(np.subtract(image.convert("RGB").getpixel((130, 50)), RED)).max() < 12
    assert made(*scene(), ".jpg", background="white").format == "JPEG"


def test_depth_grey_and_profile_stay_where_they_can() -> None:
    sample, mask = scene(16)
    assert made(sample, mask, background="white", crop=True).mode.startswith("RGB")
    assert made(*scene(gray=True), background="white").mode == "L"
    assert made(*scene(gray=True), background="#ff0000").mode == "RGB"
    assert made(*scene(gray=True)).mode == "LA"
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert made(*scene(icc=icc), background="white").info["icc_profile"] == icc


@pytest.mark.parametrize(
    "params", [{"crop": True}, {"canvas": "64x48", "crop": True}, {"background": "blur"}, {"shadow": True}]
)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7)])
def test_odd_sizes_and_no_subject(params: dict[str, Any], size: tuple[int, int]) -> None:
    for level in (0, 255):
        sample = make_sample(np.full((*size, 3), 90, dtype=np.uint8), None, Source(None, "x"), Metadata("PNG"))
        mask = Mask(torch.full((1, *size), level, dtype=torch.uint8), ("thing",))
        image = made(sample, mask, **params)
        assert image.size == (64, 48) if "canvas" in params else min(image.size) >= 1


@pytest.mark.parametrize(
    "given",
    [{"background": "whyte"}, {"background": "#12"}, {"canvas": "2000y2000"}, {"canvas": "0x5"}, {"format": "jpeg"}],
)
def test_what_cannot_be_is_refused_before_anything_is_done(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        as_values(CutoutParams, given)


def test_numbers_may_be_written_as_people_write_them() -> None:
    options = {each.name: each for each in options_of(CutoutParams)}
    assert check(options["margin"], "5%") == 0.05
    assert check(options["threshold"], "60 %") == pytest.approx(0.6)
    assert check(options["min_area"], "0.5x") == 0.5
    assert check(options["quality"], "80x") == 80
    for name, text in (("quality", "80%"), ("margin", "5 %%"), ("margin", "60%"), ("margin", "much")):
        with pytest.raises(UsageError):
            check(options[name], text)


def test_a_background_that_changed_makes_files_again(tmp_path: Path) -> None:
    from imgai.params import to_dict

    path = tmp_path / "ground.png"
    Image.new("RGB", (4, 4), "red").save(path)
    before = to_dict(CutoutParams(background=str(path)))
    Image.new("RGB", (5, 4), "blue").save(path)
    assert to_dict(CutoutParams(background=str(path))) != before


def about() -> Metadata:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x8298] = "Camera", "Ada", "(c) Ada"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8769)[0xA431] = "SERIAL-123"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        b' exif:GPSLatitude="48,8N"><dc:creator><rdf:Seq><rdf:li>Ada &amp; Co</rdf:li></rdf:Seq></dc:creator>'
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    iptc = b"\x1c\x02\x50\x00\x03Ada\x1c\x02\x5a\x00\x05Paris"
    return Metadata("JPEG", exif=exif.tobytes(), xmp=xmp, iptc=iptc, texts=(("Comment", "at home"), ("Author", "Ada")))


@pytest.mark.filterwarnings("error")
def test_rights_in_damaged_exif_are_read_without_a_word() -> None:
    exif = about().exif or b""
    for end in range(14, len(exif), 3):  # Pillow warns of what is cut off
        kept(Metadata("JPEG", exif=exif[:end]), "rights")


def test_rights_stay_and_places_and_serial_numbers_go() -> None:
    rights = kept(about(), "rights")
    assert rights.exif is not None
    assert rights.xmp is not None
    assert rights.iptc is not None
    exif = Image.Exif()
    exif.load(rights.exif)
    assert dict(exif) == {0x013B: "Ada", 0x8298: "(c) Ada"}
    assert b"Ada &amp; Co" in rights.xmp
    assert rights.iptc == b"\x1c\x02\x50\x00\x03Ada"
    assert rights.texts == (("Author", "Ada"),)
    everything = rights.exif + rights.xmp + rights.iptc
    for secret in (b"SERIAL", b"48,8", b"GPS", b"Paris", b"Camera"):
        assert secret not in everything
    none = kept(about(), "none")
    assert (none.exif, none.xmp, none.iptc, none.texts) == (None, None, None, ())
    assert kept(about(), "all") == about()


@pytest.mark.parametrize("damage", [b"", b"\x00", b"<x", b"II*\x00\xff\xff\xff\xff"])
def test_damaged_metadata_is_left_out(damage: bytes) -> None:
    rights = kept(Metadata("JPEG", exif=damage, xmp=damage, iptc=damage), "rights")
    assert (rights.exif, rights.xmp, rights.iptc) == (None, None, None)
