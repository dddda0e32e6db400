"""Formats that need an extra: pictures of phones, camera RAW, DICOM."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgai.errors import InputError

_MODULE = {"HEIC": ("pillow_heif", "heic"), "RAW": ("rawpy", "raw"), "DICOM": ("pydicom", "dicom")}


def open_optional(source: Path | bytes, format_: str, name: str) -> Image.Image:
    """Open a HEIC, RAW or DICOM file. Raises InputError naming the extra if it is not installed."""
    module_name, extra = _MODULE[format_]
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        raise InputError(f"{name}: reading {format_} needs an extra", f'pip install "imgai[{extra}]"') from None
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if format_ == "HEIC":
        image: Image.Image = module.open_heif(file, convert_hdr_to_8bit=True).to_pillow()
        return image
    if format_ == "RAW":
        return _develop(module, file)
    return _window(module, file)


def _develop(rawpy: Any, file: Path | io.BytesIO) -> Image.Image:
    """The camera's white balance, sRGB, 8 bit, turned as the camera noted."""
    with rawpy.imread(str(file) if isinstance(file, Path) else file) as raw:
        return Image.fromarray(raw.postprocess(use_camera_wb=True))


def _window(pydicom: Any, file: Path | io.BytesIO) -> Image.Image:
    """The first frame through the file's own window (DICOM PS3.3 C.11.2), as 16-bit grey; colour as it is."""
    dataset = pydicom.dcmread(file)
    pixels = dataset.pixel_array
    if pixels.ndim == 3 and int(getattr(dataset, "SamplesPerPixel", 1)) == 1:
        pixels = pixels[0]
    if pixels.ndim == 3:
        return Image.fromarray(pixels.astype(np.uint8))
    values = pydicom.pixels.apply_voi_lut(pydicom.pixels.apply_modality_lut(pixels, dataset), dataset).astype(
        np.float64
    )
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / max(high - low, 1e-9)
    if getattr(dataset, "PhotometricInterpretation", "") == "MONOCHROME1":
        scaled = 1 - scaled
    return Image.fromarray((scaled * 65535 + 0.5).astype(np.uint16))
