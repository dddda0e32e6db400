"""Read and write pictures without losing anything of them."""

from imgai.images.formats import EXTENSIONS, format_of_suffix, sniff, written_as
from imgai.images.header import Header, probe
from imgai.images.png import encode_png
from imgai.images.read import DEFAULT_MAX_PIXELS, make_sample, read
from imgai.images.write import to_pixels, write_image

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "EXTENSIONS",
    "Header",
    "encode_png",
    "format_of_suffix",
    "make_sample",
    "probe",
    "read",
    "sniff",
    "to_pixels",
    "write_image",
    "written_as",
]
