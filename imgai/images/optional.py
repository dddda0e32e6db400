"""Formats that need an extra: pictures of phones, camera RAW, DICOM."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgai.errors import InputError

_MODULE = {"HEIC": ("pillow_heif", "heic"), "RAW": ("rawpy", "raw"), "DICOM": ("pydicom", "dicom")}


def open_optional(source: Path | bytes, format_: str, name: str) -> Image.Image:
    """Open a HEIC or DICOM file. Raises InputError naming the extra if it is not installed."""
    module = _module(format_, name)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if format_ == "HEIC":
        image: Image.Image = module.open_heif(file, convert_hdr_to_8bit=True).to_pillow()
        return image
    return _window(module, file)


def raw_size(source: Path | bytes, name: str) -> tuple[int, int]:
    """Width and height of a camera RAW once it is developed and upright; nothing is decoded."""
    with _open_raw(source, name) as raw:
        sizes = raw.sizes
        turned = sizes.flip in (5, 6)  # LibRaw's: a quarter to the left, to the right
        return (sizes.iheight, sizes.iwidth) if turned else (sizes.iwidth, sizes.iheight)


def develop(source: Path | bytes, name: str) -> NDArray[np.uint16]:
    """A camera RAW with the camera's white balance, in sRGB, turned as the camera noted. Shape: ``(H, W, 3)``"""
    with _open_raw(source, name) as raw:
        pixels: NDArray[np.uint16] = raw.postprocess(use_camera_wb=True, output_bps=16)
    return pixels


def _open_raw(source: Path | bytes, name: str) -> Any:
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    return _module("RAW", name).imread(file)


def _module(format_: str, name: str) -> Any:
    module, extra = _MODULE[format_]
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{name}: reading {format_} needs an extra", f'pip install "imgai[{extra}]"') from None


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
