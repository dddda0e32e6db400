"""What a file says beside its pixels: what of it goes from which format to which, as docs/formats.md has it."""

from __future__ import annotations

import dataclasses
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin, TiffImagePlugin

from imgai.images import icc, make_sample, read, write_image
from imgai.images.channel import _of_one
from imgai.images.codecs.pillow import photoshop, raw_profile_of
from imgai.images.held import DEEP, lost, told
from imgai.images.imagej import INFO, LABEL
from imgai.kinds import CutoutParams
from imgai.kinds.scene import arranged
from imgai.sample import Metadata, Sample, Source

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "PPM")
PROFILE = icc.build(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), icc.SRGB_CURVE)
IPTC = b"".join(
    b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
    for number, text in ((116, b"(c)"), (120, b"caption"))
)


def exif_block() -> bytes:
    exif = Image.Exif()
    exif[270] = "ImageJ=1.54f\nimages=1\n"
    exif[271] = "A camera"
    exif.get_ifd(34665)[33434] = 0.01
    exif.get_ifd(34853)[1] = "N"
    return exif.tobytes()


WHOLE = Metadata(
    "PNG",
    icc=PROFILE,
    exif=exif_block(),
    xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    iptc=IPTC,
    texts=(("Comment", "page 4"), ("Title", "a \u2192 title"), (LABEL, "z 4 \u00b5m"), (INFO, "stained")),
    dpi=(300.0, 150.0),
)


def pixels(height: int = 24, width: int = 40) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.dstack([x * 6 % 256, y * 10 % 256, x + y]).astype(np.uint8)


def again(sample: Sample, format_: str) -> Sample:
    file = io.BytesIO()
    write_image([sample], file, format_)
    (found,) = read(file.getvalue(), Source(None, "a"))
    return found


def kept(metadata: Metadata) -> dict[str, bool]:
    exif = Image.Exif()
    exif.load(metadata.exif or b"")
    texts = dict(metadata.texts)
    return {
        "ICC profile": metadata.icc == PROFILE,
        "EXIF of the picture (camera, time, artist, copyright)": exif.get(271) == "A camera",
        "EXIF of the exposure": exif.get_ifd(34665).get(33434) == pytest.approx(0.01),
        "GPS": exif.get_ifd(34853).get(1) == "N",
        "XMP": metadata.xmp == WHOLE.xmp,
        "IPTC": metadata.iptc == IPTC,
        "comment": texts.get("Comment") == "page 4",
        "other texts of PNG": texts.get("Title") == "a \u2192 title",
        "labels of slices and notes of ImageJ": (texts.get(LABEL), texts.get(INFO)) == ("z 4 \u00b5m", "stained"),
        "resolution": metadata.dpi == pytest.approx((300, 150), rel=0.01),
    }


def test_the_table_of_the_page_is_what_is_kept() -> None:
    """Each row of the table is a piece of metadata, each column a format that it is written to and read from again."""
    sample = make_sample(pixels(), None, Source(None, "a"), WHOLE)
    rows = {format_: kept(again(sample, format_).metadata) for format_ in FORMATS}
    lines = ["| what | " + " | ".join(FORMATS) + " |", "| --- |" + " --- |" * len(FORMATS)]
    for what in kept(WHOLE):
        lines.append(f"| {what} | " + " | ".join("yes" if rows[format_][what] else "-" for format_ in FORMATS) + " |")
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8"), "\n" + "\n".join(lines)


def test_what_a_format_does_not_hold_is_told() -> None:
    sample = make_sample(pixels(), None, Source(None, "a"), WHOLE)
    for format_ in FORMATS:
        assert set(told(again(sample, format_).metadata)) == set(told(WHOLE)) - set(lost(WHOLE, format_)), format_
    assert lost(WHOLE, "GIF") == [
        "the ICC profile",
        "EXIF",
        "XMP",
        "IPTC",
        "texts",
        "what ImageJ notes of slices and file",
        "the resolution",
    ]
    assert lost(Metadata("PNG"), "PPM") == []
    deep = Metadata("HEIC", depth=16)
    assert [lost(deep, format_) for format_ in ("JPEG", "AVIF", "PNG", "TIFF", "PPM")] == [[DEEP], [DEEP], [], [], []]


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_metadata_goes_from_file_to_file_of_a_format(format_: str) -> None:
    sample = make_sample(pixels(), None, Source(None, "a"), WHOLE)
    once = again(sample, format_)
    assert kept(again(once, format_).metadata) == kept(once.metadata)


def photograph(orientation: int = 6) -> bytes:
    """A JPEG of 128 x 96 whose EXIF notes its size and holds a thumbnail, as cameras write them."""
    file = io.BytesIO()
    Image.fromarray(pixels(48, 64)).save(file, "JPEG")
    thumbnail = file.getvalue()

    def directory(entries: list[tuple[int, int, int]], following: int) -> bytes:
        body = b"".join(struct.pack("<HHLL", tag, kind, 1, value) for tag, kind, value in entries)
        return struct.pack("<H", len(entries)) + body + struct.pack("<L", following)

    size = 2 + 2 * 12 + 4
    second = 8 + 2 * size
    place = second + 2 + 3 * 12 + 4
    block = b"II*\0" + struct.pack("<L", 8)
    block += directory([(0x112, 3, orientation), (0x8769, 4, 8 + size)], second)
    block += directory([(0xA002, 4, 128), (0xA003, 4, 96)], 0)
    block += directory([(0x103, 3, 6), (0x201, 4, place), (0x202, 4, len(thumbnail))], 0) + thumbnail
    whole = io.BytesIO()
    Image.fromarray(pixels(96, 128)).save(whole, "JPEG", exif=b"Exif\0\0" + block)
    return whole.getvalue()


def sizes(metadata: Metadata) -> tuple[Any, Any, bool]:
    exif = Image.Exif()
    exif.load(metadata.exif or b"")
    return (
        *(exif.get_ifd(34665).get(tag) for tag in (0xA002, 0xA003)),
        0x201 in exif.get_ifd(1) or b"\xff\xd8\xff" in (metadata.exif or b""),
    )


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_exif_tells_the_size_that_is_written_and_holds_no_old_thumbnail(format_: str) -> None:
    (sample,) = read(photograph(), Source(None, "a"))
    assert sizes(again(sample, format_).metadata) == (96, 128, False)
    larger = dataclasses.replace(sample, image=sample.image.repeat(1, 1, 2, 3), edited=True)
    assert sizes(again(larger, format_).metadata) == (288, 256, False)


@pytest.mark.parametrize("kind", ["iptc", "8bim"])
def test_what_other_programs_put_into_texts_of_a_png_is_read(kind: str) -> None:
    """ImageMagick and ExifTool hold IPTC, EXIF and XMP in hexadecimals there."""
    blocks = b"8BIM\x04\x0a\x03abc" + struct.pack(">L", 1) + b"x\0" + photoshop(IPTC)
    texts = PngImagePlugin.PngInfo()
    for name, content in ((kind, blocks), ("xmp", WHOLE.xmp), ("exif", exif_block())):
        texts.add_text(*raw_profile_of(name, content or b""), zip=True)
    texts.add_text("Raw profile type iptc ", "\n\n\nno digits")
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "PNG", pnginfo=texts)
    (sample,) = read(file.getvalue(), Source(None, "a"))
    assert (sample.metadata.iptc, sample.metadata.xmp) == (IPTC, WHOLE.xmp)
    assert kept(again(sample, "JPEG").metadata)["EXIF of the exposure"]


def stated(metadata: Metadata) -> tuple[list[float], list[float], Any]:
    """The resolutions of the picture and of the sensor, and the place of the subject."""
    exif = Image.Exif()
    exif.load(metadata.exif or b"")
    directory = exif.get_ifd(34665)
    return (
        [float(exif[tag]) for tag in (0x11A, 0x11B)],
        [float(directory[tag]) for tag in (0xA20E, 0xA20F)],
        directory.get(0x9214),
    )


def measured(orientation: int) -> Sample:
    """A photograph that states resolutions and a place, in EXIF and in XMP."""
    exif = Image.Exif()
    exif.update({0x112: orientation, 0x11A: 300.0, 0x11B: 150.0, 0x128: 2})
    density = TiffImagePlugin.IFDRational(5000)
    exif.get_ifd(34665).update({0x9214: (8, 6, 4, 2), 0xA20E: density, 0xA20F: density, 0xA217: 2})
    exif.get_ifd(34665)[0xA215] = 1.5
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "JPEG", exif=exif, xmp=MEASURED, dpi=(300, 150))
    return next(read(file.getvalue(), Source(None, "a")))


MEASURED = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description
 exif:PixelXDimension="1" tiff:ImageLength = '1' tiff:XResolution="300/1" GPano:FullPanoWidthPixels="40"
 GPano:CroppedAreaTopPixels="4"><exif:PixelYDimension>1</exif:PixelYDimension>
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList/></mwg-rs:Regions>
<dc:rights>(c)</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_resolutions_and_places_follow_a_change_of_size() -> None:
    sample = measured(1)
    assert stated(sample.metadata) == ([300, 150], [5000, 5000], (8, 6, 4, 2))
    assert b"mwg-rs:RegionList" in (sample.metadata.xmp or b"")
    larger = dataclasses.replace(sample, image=sample.image.repeat(1, 1, 2, 3), edited=True)
    for format_ in ("JPEG", "PNG", "WEBP"):
        made = again(larger, format_).metadata
        assert stated(made) == ([900, 300], [15000, 10000], (24, 12, 12, 4))
        xmp = made.xmp or b""
        for what in (
            b'exif:PixelXDimension="120"',
            b"tiff:ImageLength = '48'",
            b"<exif:PixelYDimension>48<",
            b'tiff:XResolution="90000/100"',
            b'GPano:FullPanoWidthPixels="120"',
            b'GPano:CroppedAreaTopPixels="8"',
            b"(c)",
        ):
            assert what in xmp


def test_places_of_a_picture_that_was_turned_go_and_that_is_said() -> None:
    sample = measured(6)
    made = again(sample, "JPEG").metadata
    assert stated(made)[2] is None
    exif = Image.Exif()
    exif.load(made.exif or b"")
    assert exif.get_ifd(34665)[0xA217] == 2  # what follows it is still there
    assert b"mwg-rs" not in (made.xmp or b"")
    assert b'exif:PixelXDimension="24"' in (made.xmp or b"")
    assert "regions" in " ".join(sample.metadata.notes)


def test_metadata_of_a_cut_out_on_a_canvas_is_of_the_canvas() -> None:
    sample = measured(1)
    cut = np.zeros((24, 40, 4), np.uint8)
    cut[6:18, 10:20] = 255
    params = CutoutParams(crop=True, canvas="48x48", margin=0)
    made, metadata = arranged(cut, cut[..., :3], sample.metadata, params)
    assert made.shape[:2] == (48, 48)
    assert metadata.dpi == pytest.approx((1200, 600))  # each old pixel became four
    assert stated(metadata) == ([1200, 600], [20000, 20000], None)
    assert b'exif:PixelXDimension="48"' in (metadata.xmp or b"")
    assert b"mwg-rs" not in (metadata.xmp or b"")


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description
 GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion='1' xmpNote:HasExtendedXMP="5B1C" hdrgm:Version="1.0"
 xmpRights:Marked="True"><dc:rights>(c) Jane Doe</dc:rights>
<Container:Directory><rdf:Seq><rdf:li Item:Length="9"/></rdf:Seq>
</Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_xmp_says_nothing_of_bytes_that_are_not_written_and_keeps_the_rights() -> None:
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "JPEG", xmp=XMP)
    (sample,) = read(file.getvalue(), Source(None, "a"))
    xmp = again(sample, "JPEG").metadata.xmp or b""
    for gone in (b"MotionPhoto", b"HasExtendedXMP", b"hdrgm:", b"Container:", b"Item:"):
        assert gone not in xmp
    assert b"(c) Jane Doe" in xmp
    assert b'xmpRights:Marked="True"' in xmp
    assert sample.metadata.notes == ("its embedded video, gain map or the like is not carried",)


def described(**options: Any) -> Sample:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels()[..., 0], photometric="minisblack", **options)
    return next(read(file.getvalue(), Source(None, "a")))


def written(sample: Sample) -> tifffile.TiffFile:
    file = io.BytesIO()
    write_image([sample], file, "TIFF")
    return tifffile.TiffFile(io.BytesIO(file.getvalue()))


def larger(sample: Sample) -> Sample:
    return dataclasses.replace(sample, image=sample.image.repeat(1, 1, 2, 2), edited=True)


@pytest.mark.parametrize(("change", "micrometres"), [(lambda sample: sample, 0.325), (larger, 0.1625)])
def test_imagej_keeps_its_unit_and_the_size_of_a_pixel(change: Any, micrometres: float) -> None:
    sample = described(imagej=True, metadata={"unit": "um"}, resolution=(1 / 0.325, 1 / 0.325))
    assert sample.metadata.dpi == pytest.approx((25400 / 0.325,) * 2, rel=1e-4)
    with written(change(sample)) as file:
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(micrometres, rel=1e-3)
        assert (file.imagej_metadata or {})["unit"] == "um"


def stack(labels: list[str]) -> list[Sample]:
    file = io.BytesIO()
    pages = np.stack([pixels()[..., 0]] * len(labels))
    tifffile.imwrite(file, pages, imagej=True, metadata={"unit": "um", "Labels": labels, "Info": "line 1\nline 2"})
    return list(read(file.getvalue(), Source(None, "a")))


@pytest.mark.parametrize("labels", [["z 1 \u00b5m", "z 2", ""], ["alone"]])
def test_imagej_keeps_the_labels_of_its_slices(labels: list[str]) -> None:
    samples = stack(labels)
    for change in (lambda sample: sample, larger):
        file = io.BytesIO()
        write_image([change(sample) for sample in samples], file, "TIFF")
        with tifffile.TiffFile(io.BytesIO(file.getvalue())) as made:
            about = made.imagej_metadata or {}
            assert about["Labels"] == (labels if len(labels) > 1 else labels[0])
            assert about["Info"] == "line 1\nline 2"
            assert len(made.pages) == len(labels)


def test_slices_of_one_channel_keep_their_labels_as_names_of_pages() -> None:
    samples = [dataclasses.replace(each, metadata=_of_one(each.metadata)) for each in stack(["z 1", "z 2"])]
    file = io.BytesIO()
    write_image(samples, file, "TIFF")
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as made:
        assert not made.is_imagej
        assert [page.tags[285].value for page in made.pages] == ["z 1", "z 2"]
    assert "what ImageJ notes of slices and file" in lost(samples[0].metadata, "JPEG")


def test_what_ome_says_of_a_size_goes_when_the_size_does() -> None:
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "\u00b5m", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "\u00b5m"}
    sample = described(ome=True, metadata={"axes": "YX", **size})
    with written(sample) as file:
        assert "<OME" in file.pages[0].description
    with written(larger(sample)) as file:
        assert "<OME" not in file.pages[0].description
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert numerator / denominator == pytest.approx(2 * 25400 / 0.5, rel=1e-3)


def test_texts_of_an_archive_go_along() -> None:
    tags = [(269, 2, 0, "Box 7", True), (285, 2, 0, "p. 12", True), (33723, 7, len(IPTC), IPTC, True)]
    with written(described(metadata=None, extratags=tags)) as file:
        found = {tag: file.pages[0].tags[tag].value for tag in (269, 285, 33723)}
    assert found == {269: "Box 7", 285: "p. 12", 33723: IPTC}
