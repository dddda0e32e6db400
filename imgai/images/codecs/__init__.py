"""The host's file formats, one codec a file, declared here. A codec is imported when a file of its format comes."""

from __future__ import annotations

from imgai.plugin import Format, hookimpl

_TIFF = (rb"II\*\0", rb"MM\0\*", rb"II\+\0", rb"MM\0\+")


def _format(name: str, module: str, *, write: bool = True, check: bool = False, **about: object) -> Format:
    """A format whose functions are called probe, read, write and check, in a module of this package."""
    functions = {"probe": "probe", "read": "read", **({"write": "write"} if write else {})}
    if check:
        functions["check"] = "check"
    named = {role: f"{__name__}.{module}:{function}" for role, function in functions.items()}
    return Format(name=name, **named, **about)  # type: ignore[arg-type]


FORMATS = (
    _format("JPEG", "jpeg", suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"), magic=(rb"\xff\xd8\xff",), longest=65_500),
    _format(
        "PNG",
        "png",
        suffixes=(".png", ".apng"),
        magic=(rb"\x89PNG\r\n\x1a\n",),
        deep=True,
        alpha=True,
        pages=True,
    ),
    _format(
        "TIFF", "tiff", suffixes=(".tif", ".tiff", ".btf"), magic=_TIFF, deep=True, alpha=True, pages=True, paged=True
    ),
    _format(
        "WEBP",
        "webp",
        suffixes=(".webp",),
        magic=(rb"RIFF.{4}WEBP",),
        alpha=True,
        pages=True,
        paged=True,
        longest=16_383,
    ),
    _format(
        "AVIF",
        "avif",
        suffixes=(".avif", ".avifs"),
        magic=(rb".{4}ftyp(?:avif|avis)", rb".{4}ftypmif1.*avif"),
        alpha=True,
        pages=True,
        paged=True,
        longest=65_536,
    ),
    _format(
        "GIF", "gif", suffixes=(".gif",), magic=(rb"GIF8[79]a",), alpha=True, pages=True, paged=True, longest=65_535
    ),
    # Texts begin with BM too: the length of the second header is looked at.
    _format(
        "BMP",
        "bmp",
        suffixes=(".bmp", ".dib"),
        magic=(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",),
    ),
    _format("PPM", "netpbm", suffixes=(".ppm", ".pgm", ".pbm", ".pnm"), magic=(rb"P[1-6][ \n\r\t]",), deep=True),
    _format(
        "HEIC",
        "heic",
        write=False,
        suffixes=(".heic", ".heif", ".hif"),
        deep=True,
        magic=(rb".{4}ftyp(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)",),
        paged=True,
        becomes="JPEG",
        extra="heic",
    ),
    _format(
        "RAW",
        "raw",
        write=False,
        check=True,
        suffixes=(
            *(".nef", ".cr2", ".cr3", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw", ".nrw", ".iiq", ".3fr"),
            *(".erf", ".mef", ".mos", ".rwl", ".sr2", ".srf", ".dcr", ".kdc"),
        ),
        magic=(rb"FUJIFILMCCD-RAW", rb"IIRO", rb"IIU\0", rb".{4}ftypcrx ", *_TIFF),
        deep=True,
        becomes="TIFF",
        extra="raw",
    ),
    # Read by the plugin imgai-dicom.
    Format(name="DICOM", suffixes=(".dcm", ".dicom"), magic=(rb".{128}DICM",), paged=True, extra="dicom"),
)


@hookimpl
def imgai_register_formats() -> tuple[Format, ...]:
    """The formats of the host."""
    return FORMATS
