"""Pages in black and white: TIFF and PDF with ITU-T T.6 (Group 4), and PNG."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

_WHITE_IS_ZERO = 0
_POINTS = 72  # to an inch


class Sheet(NamedTuple):
    """A page. ink: True for black, ``(H, W)`` bool. dpi: horizontal and vertical; None if unknown."""

    ink: np.ndarray
    dpi: tuple[float, float] | None


class Coded(NamedTuple):
    """A page encoded in Group 4, with 1 for black. points: width and height in points of 1/72 inch."""

    width: int
    height: int
    content: bytes
    points: tuple[float, float]


def as_tiff(sheets: Iterable[Sheet]) -> bytes:
    """Encode a TIFF with a page for each sheet."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file) as writer:
        for sheet in sheets:
            _save(sheet, writer)
            writer.newFrame()
    return file.getvalue()


def as_png(sheet: Sheet) -> bytes:
    """Encode a 1-bit PNG."""
    file = io.BytesIO()
    Image.fromarray(~sheet.ink).save(file, format="PNG", optimize=True, **_resolution(sheet))
    return file.getvalue()


def coded(sheet: Sheet, dpi: tuple[float, float]) -> Coded:
    """Encode a sheet in Group 4. dpi: the resolution for a sheet that has none."""
    file = io.BytesIO()
    height, width = sheet.ink.shape
    _save(sheet, file, {TiffImagePlugin.ROWSPERSTRIP: height})
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page: Any = tiff.pages[0]
        strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    assert len(strips) == 1, "a page is one strip"
    start, length = strips[0]
    across, down = sheet.dpi or dpi
    points = width / across * _POINTS, height / down * _POINTS
    return Coded(width, height, file.getvalue()[start : start + length], points)


def write_pdf(pages: Iterable[Coded], file: BinaryIO) -> None:
    """Write a PDF (ISO 32000-1), one page at a time. file: positioned at its beginning."""
    places: dict[int, int] = {}
    at = 0

    def put(content: bytes) -> None:
        nonlocal at
        file.write(content)
        at += len(content)

    def put_object(number: int, content: bytes) -> None:
        places[number] = at
        put(b"%d 0 obj\n%s\nendobj\n" % (number, content))

    put(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    kids: list[int] = []
    for number, page in enumerate(pages):
        sheet, drawing, picture = 3 + 3 * number, 4 + 3 * number, 5 + 3 * number
        size = b"%.3f %.3f" % page.points
        kids.append(sheet)
        put_object(
            sheet,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s] /Contents %d 0 R" % (size, drawing)
            + b" /Resources << /XObject << /P %d 0 R >> >> >>" % picture,
        )
        draw = b"q %.3f 0 0 %.3f 0 0 cm /P Do Q" % page.points
        put_object(drawing, b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw))
        about = b"/Width %d /Height %d /BitsPerComponent 1 /ColorSpace /DeviceGray" % (page.width, page.height)
        code = b"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns %d /Rows %d >>" % (page.width, page.height)
        head = b"<< /Type /XObject /Subtype /Image %s %s /Length %d >>" % (about, code, len(page.content))
        put_object(picture, b"%s\nstream\n%s\nendstream" % (head, page.content))
    put_object(1, b"<< /Type /Catalog /Pages 2 0 R >>")
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    put_object(2, b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), listed))
    table, count = at, len(places) + 1
    put(b"xref\n0 %d\n0000000000 65535 f \n" % count)
    put(b"".join(b"%010d 00000 n \n" % places[number] for number in range(1, count)))
    put(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, table))


def _save(sheet: Sheet, file: Any, more: dict[int, int] | None = None) -> None:
    """Write a TIFF of one page, with 1 for black.

    Told so, Pillow would turn over one pixel after another in Python: a second for 12 megapixels. So it is given ink
    as 1, which it takes for white, and the tag is changed afterwards.
    """
    page = io.BytesIO()
    image = Image.fromarray(sheet.ink)
    image.save(page, format="TIFF", compression="group4", tiffinfo=more or {}, **_resolution(sheet))
    page.seek(0)
    with tifffile.TiffFile(page) as tiff:
        tags: Any = tiff.pages[0].tags  # type: ignore[union-attr]
        tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION].overwrite(_WHITE_IS_ZERO)
    file.write(page.getvalue())


def _resolution(sheet: Sheet) -> dict[str, Any]:
    return {} if sheet.dpi is None else {"dpi": sheet.dpi}
