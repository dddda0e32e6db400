"""DICOM files are read as they say that they are to be shown; every file here is made by pydicom."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from imgai_dicom.reading import probe, read
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from imgai.plugin import UnsupportedError


def dicom(path: Path, pixels: np.ndarray, photometric: str = "MONOCHROME2", *, bits: int = 16, **about: Any) -> Path:
    """A file of one frame, or of ``NumberOfFrames``. Shape: ``([N,] H, W[, 3])``"""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = about.pop("transfer", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    image = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    channels = 3 if photometric == "RGB" else 1
    image.Rows, image.Columns = pixels.shape[-3:-1] if channels == 3 else pixels.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = channels, photometric
    if channels == 3:
        image.PlanarConfiguration = 0
    allocated = 8 * pixels.dtype.itemsize
    image.BitsAllocated, image.BitsStored, image.HighBit = allocated, min(bits, allocated), min(bits, allocated) - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    image.PixelData = about.pop("data", pixels.tobytes())
    for name, value in about.items():
        setattr(image, name, value)
    if meta.TransferSyntaxUID.is_compressed:
        image["PixelData"].is_undefined_length = True
    image.save_as(path, enforce_file_format=True)
    return path


def shown(path: Path) -> np.ndarray:
    (picture,) = read(path, None)
    return picture.pixels


RAMP = np.linspace(0, 4095, 50).astype(np.uint16)[None].repeat(30, 0)


@pytest.mark.parametrize(("photometric", "brightest"), [("MONOCHROME2", (0, 49)), ("MONOCHROME1", (0, 0))])
def test_a_radiograph_keeps_more_than_8_bits(tmp_path: Path, photometric: str, brightest: tuple[int, int]) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP, photometric, bits=12)
    header = probe(path)
    assert (header.width, header.height) == (50, 30)
    values = shown(path)
    assert (values.dtype, values.shape) == (np.uint16, (30, 50))
    assert len(np.unique(values)) == 50
    assert values[brightest] == 65535


def test_one_hounsfield_unit_is_one_grey_in_every_slice(tmp_path: Path) -> None:
    window = {"WindowCenter": 40, "WindowWidth": 400, "RescaleSlope": 1, "RescaleIntercept": -1024}
    slices = {"air": [24, 1064], "bone": [1064, 3000], "flat": [1064, 1064], "low": [1000, 1064]}
    greys = {
        name: shown(dicom(tmp_path / f"{name}.dcm", np.array([values], np.int16), **window))[0]
        for name, values in slices.items()
    }
    at_40 = {name: int(row[slices[name].index(1064)]) for name, row in greys.items()}
    assert set(at_40.values()) == {at_40["flat"]}
    assert at_40["flat"] == pytest.approx(65535 * 200.5 / 399, abs=200)  # PS3.3 C.11.2.1.2.1
    assert greys["air"][0] == 0
    assert greys["bone"][1] == 65535


@pytest.mark.parametrize(("dtype", "value", "grey"), [(np.uint16, 1000, 1000), (np.int16, 0, 32768)])
def test_a_slice_without_a_window_keeps_the_range_of_its_bits(
    tmp_path: Path, dtype: Any, value: int, grey: int
) -> None:
    assert np.all(shown(dicom(tmp_path / "a.dcm", np.full((4, 5), value, dtype))) == grey)


def test_padding_is_black_and_does_not_count(tmp_path: Path) -> None:
    values = np.array([[-2000, 0, 100]], np.int16)
    plain = shown(dicom(tmp_path / "a.dcm", values, WindowCenter=50.5, WindowWidth=101))
    padded = shown(dicom(tmp_path / "b.dcm", values, "MONOCHROME1", WindowCenter=50.5, WindowWidth=101))
    assert padded.tolist() == [[65535, 65535, 0]]
    hidden = dicom(
        tmp_path / "c.dcm", values, "MONOCHROME1", WindowCenter=50.5, WindowWidth=101, PixelPaddingValue=-2000
    )
    assert shown(hidden).tolist() == [[0, 65535, 0]]
    assert plain.tolist() == [[0, 0, 65535]]


def test_colour_keeps_its_bits(tmp_path: Path) -> None:
    y, x = np.mgrid[:8, :8]
    rgb = np.dstack([x * 30, y * 30, x * 0 + 7]).astype(np.uint8)
    assert np.array_equal(shown(dicom(tmp_path / "a.dcm", rgb, "RGB", bits=8)), rgb)
    deep = rgb.astype(np.uint16) * 257
    assert np.array_equal(shown(dicom(tmp_path / "b.dcm", deep, "RGB")), deep)


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2"])
def test_of_several_frames_the_first_is_read_and_that_is_said(tmp_path: Path, photometric: str) -> None:
    one = RAMP if photometric == "MONOCHROME2" else np.dstack([RAMP.astype(np.uint8)] * 3)
    path = dicom(tmp_path / "a.dcm", np.stack([one, one[:, ::-1]]), photometric, bits=12, NumberOfFrames=2)
    (picture,) = read(path, None)
    assert picture.notes == ("of 2 frames the first is read",)
    alone = shown(dicom(tmp_path / "b.dcm", one, photometric, bits=12))
    assert np.array_equal(picture.pixels, alone)


def test_a_palette_is_shown_in_its_colours(tmp_path: Path) -> None:
    tables = {"Red": np.full(256, 65535), "Green": np.zeros(256), "Blue": np.arange(256) * 257}
    about: dict[str, Any] = {}
    for name, values in tables.items():
        about[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        about[f"{name}PaletteColorLookupTableData"] = values.astype(np.uint16).tobytes()
    indices = (np.mgrid[:8, :8][1] * 30).astype(np.uint8)
    pixels = shown(dicom(tmp_path / "a.dcm", indices, "PALETTE COLOR", bits=8, **about))
    assert pixels[3, 5].tolist() == [65535, 0, 150 * 257]


def test_the_spacing_of_pixels_becomes_the_resolution(tmp_path: Path) -> None:
    (picture,) = read(dicom(tmp_path / "a.dcm", RAMP, PixelSpacing=[0.5, 0.25]), None)
    assert picture.metadata.dpi == pytest.approx((101.6, 50.8))


def test_a_missing_decoder_is_named(tmp_path: Path) -> None:
    import imagecodecs

    decoder = pydicom.pixels.get_decoder(JPEGLosslessSV1)
    if decoder.is_available:
        pytest.skip("a decoder of lossless JPEG is installed")
    data = encapsulate([imagecodecs.ljpeg_encode(RAMP, bitspersample=16)])
    path = dicom(tmp_path / "a.dcm", RAMP, data=data, transfer=JPEGLosslessSV1)
    with pytest.raises(UnsupportedError, match="needs pylibjpeg; pip install pylibjpeg"):
        shown(path)


def test_a_file_without_a_picture_is_not_called_damaged(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP)
    dataset = pydicom.dcmread(path)
    del dataset.Rows, dataset.PixelData
    dataset.save_as(path, enforce_file_format=True)
    with pytest.raises(UnsupportedError, match="holds no picture"):
        probe(path)


def test_a_damaged_jpeg_is_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = np.asarray(Image.fromarray(random.integers(0, 256, (6, 8), dtype=np.uint8)).resize((50, 30)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    whole = file.getvalue()
    path = dicom(tmp_path / "a.dcm", pixels, bits=8, data=encapsulate([whole]), transfer=JPEGBaseline8Bit)
    assert shown(path).shape == (30, 50)
    damaged = whole[: len(whole) * 2 // 3] + b"\xff\xd9"
    path = dicom(tmp_path / "b.dcm", pixels, bits=8, data=encapsulate([damaged]), transfer=JPEGBaseline8Bit)
    with pytest.raises(ValueError, match="its JPEG is damaged: "):
        shown(path)
