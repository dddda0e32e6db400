"""Formats behind an extra: read where the extra is, and an error that names it where it is not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgai.errors import InputError
from imgai.images import probe, read, sniff
from imgai.sample import Sample, Source

MOST = 10**9


def first(path: Path) -> Sample:
    return next(read(path, Source(path, path.name)))


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


def dicom(path: Path, pixels: np.ndarray, photometric: str = "MONOCHROME2") -> None:
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    image = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, photometric
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = pixels.astype("<u2").tobytes()
    image.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(("photometric", "brightest"), [("MONOCHROME2", (0, 49)), ("MONOCHROME1", (0, 0))])
def test_a_radiograph_keeps_more_than_8_bits(tmp_path: Path, photometric: str, brightest: tuple[int, int]) -> None:
    ramp = np.linspace(0, 4095, 50).astype(np.uint16)[None].repeat(30, 0)
    dicom(tmp_path / "a.dcm", ramp, photometric)
    sample = first(tmp_path / "a.dcm")
    assert (sample.metadata.depth, sample.metadata.gray) == (16, True)
    values = sample.image[0, 0].numpy()
    assert len(np.unique(values)) == 50
    assert values[brightest] == 65535


@pytest.mark.parametrize(
    ("module", "extra", "head"),
    [
        ("pillow_heif", "heic", b"\0\0\0\x18ftypheic" + b"\0" * 200),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW " + b"\0" * 200),
        ("pydicom", "dicom", b"\0" * 128 + b"DICM" + b"\0" * 100),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str, head: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
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
