"""Pictures of nuclei as microscopes and scanners of slides write them are counted whole, and told of truly."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import imgai
from imgai.options import Machine

NOT_FINITE = {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf}


def nuclei() -> np.ndarray:
    """36 of them, light on dark. Shape: ``(256, 256)`` in [0, 1]"""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    image, step = np.full((256, 256), 0.05), 256 // 6
    for row in range(6):
        for column in range(6):
            at = step * np.array([row, column]) + step / 2 + random.uniform(-3, 3, 2)
            height, width = random.uniform(0.8, 1.2, 2) * 11
            distance = ((y - at[0]) / height) ** 2 + ((x - at[1]) / width) ** 2
            image = np.maximum(image, 0.05 + 0.75 * np.clip((1.15 - distance) / 0.3, 0, 1))
    return np.clip(image + random.normal(0, 0.01, image.shape), 0, 1)


def slide(path: Path) -> None:
    """16 cells, and two smaller copies as pages of their own, as Aperio's scanners write them."""
    y, x = np.mgrid[:256, :256]
    whole = np.dstack([(20 + 200 * (np.hypot(y % 64 - 32, x % 64 - 32) < 14)).astype(np.uint8)] * 3)
    with tifffile.TiffWriter(path) as writer:
        for step, name in ((1, "256x256"), (4, "256x256 -> 64x64 -"), (2, "256x256 -> 128x128")):
            writer.write(
                whole[::step, ::step].copy(),
                photometric="rgb",
                metadata=None,
                tile=None if step == 4 else (64, 64),
                description=f"Aperio Image Library v12.0\n{name} |AppMag = 20|MPP = 0.5",
            )


def lossless_jpeg(path: Path) -> None:
    """A DICOM file that needs a decoder which imgai does not bring along."""
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGLosslessSV1, SecondaryCaptureImageStorage, generate_uid

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = JPEGLosslessSV1
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    file = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Rows = file.Columns = 64
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    ramp = (np.mgrid[:64, :64][1] * 64).astype(np.uint16)
    file.PixelData = encapsulate([imagecodecs.ljpeg_encode(ramp, bitspersample=16)])
    file["PixelData"].is_undefined_length = True
    file.save_as(path, enforce_file_format=True)


@dataclasses.dataclass
class Ran:
    """One run over all of these files: its records by the names of inputs, and how many nuclei each picture has."""

    out: Path
    records: dict[str, dict[str, Any]]
    nuclei: dict[str, int]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    pytest.importorskip("imgai_segment")
    folder = tmp_path_factory.mktemp("nuclei")
    into = folder / "in"
    into.mkdir()
    plain = (nuclei() * 100 + 1000).astype(np.float32)
    tifffile.imwrite(into / "plain.tif", plain)
    for name, value in NOT_FINITE.items():
        values = plain.copy()
        values[0, 0] = value
        tifffile.imwrite(into / f"{name}.tif", values)
    values = -plain
    tifffile.imwrite(into / "below.tif", values)
    values[0, 0] = np.nan
    tifffile.imwrite(into / "below_nan.tif", values)
    slide(into / "slide.tif")
    five = np.random.default_rng(0).integers(0, 255, (5, 64, 64), np.uint8)
    tifffile.imwrite(into / "contig.tif", np.moveaxis(five, 0, -1), planarconfig="contig", photometric="minisblack")
    tifffile.imwrite(into / "separate.tif", five, planarconfig="separate", photometric="minisblack")
    tifffile.imwrite(into / "pages.ome.tif", five, photometric="minisblack", metadata={"axes": "CYX"})
    tifffile.imwrite(
        into / "cm.tif",
        (nuclei()[:128, :128] * 255).astype(np.uint8),
        photometric="minisblack",
        metadata=None,
        resolution=(30769, 30769),
        resolutionunit="CENTIMETER",
    )
    lossless_jpeg(into / "jpeg.dcm")
    out = folder / "out"
    step = "segment --model nuclei --as coco,labels,binary"
    records = {Path(each["input"]).name: each for each in imgai.run(step, into, out, machine=Machine(device="cpu"))}
    coco = json.loads((out / "coco.json").read_text())
    found = Counter(each["image_id"] for each in coco["annotations"])
    return Ran(out, records, {each["file_name"]: found[each["id"]] for each in coco["images"]})


@pytest.mark.parametrize("name", ["plain", *NOT_FINITE, "below", "below_nan"])
def test_one_pixel_that_is_no_number_costs_no_nucleus(ran: Ran, name: str) -> None:
    """Once it counted as 0, and squeezed all other values into a small part of the range, in which nothing is seen."""
    assert ran.nuclei[f"{name}.tif"] == 36


def test_the_copies_of_a_slide_are_not_counted(ran: Ran) -> None:
    """Once each cell was found in every level of the pyramid: the levels were taken for pages."""
    assert {name: count for name, count in ran.nuclei.items() if "slide" in name} == {"slide.tif": 16}


@pytest.mark.parametrize("name", ["contig.tif", "separate.tif", "pages.ome.tif", "jpeg.dcm"])
def test_what_is_not_read_is_not_called_damaged(ran: Ran, name: str) -> None:
    """Once sound files of five channels, or of a coding without its decoder here, were called damaged."""
    record = ran.records[name]
    error = record.get("error", "")
    assert "damaged" not in error
    if name == "jpeg.dcm":
        assert record["status"] == "done" or "needs pylibjpeg" in error
    elif name == "pages.ome.tif":
        assert record["status"] == "done"
    else:
        assert "holds 5 channels" in error


def test_numbered_objects_have_the_resolution_of_the_picture(ran: Ran) -> None:
    """Once the labels had none, though the mask of the same picture had it."""
    sizes = {kind: Image.open(ran.out / f"cm-{kind}.png").info.get("dpi") for kind in ("labels", "binary")}
    assert sizes["labels"] == sizes["binary"] == pytest.approx((30769 * 2.54,) * 2, abs=1)
