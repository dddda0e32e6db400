"""Colour in DICOM, from the file to what is written of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

import imgai
from imgai.options import Machine

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("imgai_dicom")

Y, X = np.mgrid[:64, :64]
RGB = np.dstack([X * 4, Y * 4, X * 0 + 7]).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, photometric: str, **about: Any) -> None:
    """about: elements of the file by their keywords. Shape: ``(64, 64[, 3])``, or ``(N, 64, 64, 3)`` of N frames"""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    file = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows = file.Columns = 64
    file.SamplesPerPixel, file.PhotometricInterpretation = 3 if photometric == "RGB" else 1, photometric
    if photometric == "RGB":
        file.PlanarConfiguration = 0
    if pixels.ndim == 4:
        file.NumberOfFrames = len(pixels)
    bits = 8 * pixels.dtype.itemsize
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = bits, bits, bits - 1, 0
    for name, value in about.items():
        setattr(file, name, value)
    file.PixelData = pixels.tobytes()
    file.save_as(path, enforce_file_format=True)


def test_colour_of_every_kind_is_written_as_it_is_shown(tmp_path: Path) -> None:
    """Once several frames were called damaged, 16 bits were cut modulo 256, and the numbers of a palette were grey."""
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "rgb.dcm", RGB, "RGB")
    write(folder / "frames.dcm", np.stack([RGB, 255 - RGB]), "RGB")
    write(folder / "deep.dcm", np.dstack([X * 1040, Y * 1040, X * 0 + 1799]).astype(np.uint16), "RGB")
    tables = {"Red": np.full(256, 65535), "Green": np.zeros(256), "Blue": np.arange(256) * 257}
    palette: dict[str, Any] = {}
    for name, values in tables.items():
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{name}PaletteColorLookupTableData"] = values.astype(np.uint16).tobytes()
    write(folder / "palette.dcm", (X * 4).astype(np.uint8), "PALETTE COLOR", **palette)
    records = list(imgai.run("denoise --strength 0", folder, tmp_path / "out", machine=Machine(device="cpu")))
    assert [record["status"] for record in records] == ["done"] * 4, records
    found = {path.stem: imagecodecs.imread(path) for path in (tmp_path / "out").glob("*.png")}
    assert {name: pixels[32, [0, 20, 40]].tolist() for name, pixels in found.items()} == {
        "rgb": [[0, 128, 7], [80, 128, 7], [160, 128, 7]],
        "frames": [[0, 128, 7], [80, 128, 7], [160, 128, 7]],
        "deep": [[0, 33280, 1799], [20800, 33280, 1799], [41600, 33280, 1799]],
        "palette": [[65535, 0, 0], [65535, 0, 20560], [65535, 0, 41120]],
    }
    assert np.array_equal(found["frames"], found["rgb"])
    assert {name: pixels.dtype.itemsize for name, pixels in found.items()} == {
        "rgb": 1, "frames": 1, "deep": 2, "palette": 2,
    }  # fmt: skip
