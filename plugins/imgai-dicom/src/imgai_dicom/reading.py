"""The first frame of a DICOM file as the file says that it is to be shown (DICOM PS3.3 C.7.6.3, C.11)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import simplejpeg
from numpy.typing import NDArray
from pydicom import pixels as processing
from pydicom.encaps import get_frame
from pydicom.uid import JPEGBaseline8Bit

from imgai.plugin import Header, Metadata, Picture, UnsupportedError

_DECODERS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
_WHITE = 65535


def probe(source: Path | bytes) -> Header:
    """Return rows and columns, without reading pixels."""
    dataset = pydicom.dcmread(_file(source), stop_before_pixels=True)
    if "Rows" not in dataset or "Columns" not in dataset:
        raise UnsupportedError("the DICOM file holds no picture")
    return Header(int(dataset.Columns), int(dataset.Rows))


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The first frame: grey through the file's window with 16 bits, colour as RGB."""
    dataset = pydicom.dcmread(_file(source))
    transfer = dataset.file_meta.TransferSyntaxUID
    if transfer.is_compressed and not processing.get_decoder(transfer).is_available:
        raise UnsupportedError(f"decoding {transfer.name} needs pylibjpeg", _DECODERS)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if transfer == JPEGBaseline8Bit:
        _check_jpeg(get_frame(dataset.PixelData, 0, number_of_frames=frames))
    stored = processing.pixel_array(dataset, index=0)
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        pixels = _colored(stored, dataset)
    elif stored.ndim == 3:
        pixels = _whole(stored, int(dataset.BitsStored))
    else:
        pixels = _shown(stored, dataset, inverted=photometric == "MONOCHROME1")
    depth, spacing = 8 * pixels.dtype.itemsize, _spacing(dataset)
    yield Picture(
        pixels,
        None,
        Metadata("DICOM", depth=depth, gray=pixels.ndim == 2, dpi=_dpi(spacing), pixel_size=_in_um(spacing)),
        notes=(f"of {frames} frames the first is read",) if frames > 1 else (),
    )


def _file(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _check_jpeg(content: bytes) -> None:
    """Raise ValueError for a JPEG that libjpeg-turbo objects to and that decoders make a picture of all the same."""
    content = content.rstrip(b"\0") + b"\xff\xd9"  # zeros make its length even; a missing end marker is no damage
    for strict in (False, True):
        try:
            simplejpeg.decode_jpeg(content, colorspace="GRAY", min_height=1, min_width=1, min_factor=8, strict=strict)
        except ValueError as error:
            if not strict:
                return  # the decoder says what it is
            raise ValueError(f"its JPEG is damaged: {error}") from None


def _shown(stored: NDArray[Any], dataset: Any, *, inverted: bool) -> NDArray[np.uint16]:
    """Grey through the modality's and the display's table or window.

    The whole range of the window, or of the stored bits where the file states no window, becomes the whole range of
    grey, so that one value of the modality (Hounsfield units, say) is one grey in all slices. Padding is black.

    Shape: ``(H, W)`` to the same.
    """
    values = processing.apply_modality_lut(stored, dataset)
    voi = processing.apply_voi_lut(values, dataset)
    low, high = _range(dataset)
    share = np.clip((voi.astype(np.float64) - low) / (high - low), 0, 1)
    if inverted:
        share = 1 - share
    if (padding := dataset.get("PixelPaddingValue")) is not None:
        limit = dataset.get("PixelPaddingRangeLimit", padding)
        share[(stored >= min(padding, limit)) & (stored <= max(padding, limit))] = 0
    return np.asarray(share * _WHITE + 0.5).astype(np.uint16)


def _range(dataset: Any) -> tuple[float, float]:
    """The least and the greatest value that the display's table or window can give, or else the stored bits."""
    tables = dataset.get("VOILUTSequence")
    if tables and tables[0].get("LUTData") is not None:
        return 0.0, float(2 ** int(tables[0].LUTDescriptor[2]) - 1)
    if tables := dataset.get("ModalityLUTSequence"):
        return 0.0, float(2 ** int(tables[0].LUTDescriptor[2]) - 1)
    bits = int(dataset.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.PixelRepresentation else (0, 2**bits - 1)
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return ends[0], ends[1]


def _colored(stored: NDArray[Any], dataset: Any) -> NDArray[Any]:
    """Indices through the file's palette. Shape: ``(H, W)`` to ``(H, W, 3)``"""
    colors = processing.apply_color_lut(stored, dataset)
    return _whole(colors, int(dataset.RedPaletteColorLookupTableDescriptor[2]))


def _whole(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Samples of so many bits as 8 or 16, the greatest of them as white."""
    if bits == 8 and values.dtype == np.uint8:
        return values
    return np.asarray(values.astype(np.float64) * (_WHITE / (2**bits - 1)) + 0.5).clip(0, _WHITE).astype(np.uint16)


def _spacing(dataset: Any) -> tuple[float, float] | None:
    """What a pixel measures in millimetres, across and down; the file has rows first."""
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not spacing or len(spacing) != 2 or min(spacing) <= 0:
        return None
    return float(spacing[1]), float(spacing[0])


def _dpi(spacing: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if spacing is None else (25.4 / spacing[0], 25.4 / spacing[1])


def _in_um(spacing: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if spacing is None else (1000 * spacing[0], 1000 * spacing[1])
