"""Read and write pictures with their metadata, depth, alpha and colour space."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imgai.images.formats import DEFAULT_MAX_PIXELS, format_of_suffix, sniff, written_as

if TYPE_CHECKING:
    from imgai.images.codecs.png import encode_png
    from imgai.images.decode import make_sample, ranges_of, read
    from imgai.images.header import probe
    from imgai.images.write import metadata_of, to_pixels, write_image

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "encode_png",
    "format_of_suffix",
    "make_sample",
    "metadata_of",
    "probe",
    "ranges_of",
    "read",
    "sniff",
    "to_pixels",
    "write_image",
    "written_as",
]

# Imported on first use: these modules import torch and the codecs, which commands without work do not need.
_LATER = {
    "encode_png": "codecs.png",
    "make_sample": "decode",
    "metadata_of": "write",
    "probe": "header",
    "ranges_of": "decode",
    "read": "decode",
    "to_pixels": "write",
    "write_image": "write",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    return value
