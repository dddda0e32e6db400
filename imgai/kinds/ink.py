"""The ``ink`` and ``pdf`` kinds: a page in black and white, optionally levelled and cropped to the sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from imgai.images.depth import to_float
from imgai.images.sheet import sheet_dpi, stated_dpi
from imgai.kinds.bilevel import Coded, Sheet, as_png, as_tiff, coded, write_pdf
from imgai.kinds.sheet import corners_of, cut_out, flattened, lean_of, left_out, upright
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered

_MOST_LEFT_OUT = 0.01  # fraction of the ink that may lie outside of a sheet, such as marks on a desk


def render(pages: Iterable[Page]) -> Iterator[Rendered]:
    """Yield one TIFF or PDF with all pages, or a PNG for each page."""
    rest = iter(pages)
    first = next(rest)
    suffix = first.suffix or {"tiff": ".tif", "png": ".png", "pdf": ".pdf"}[first.params.ink]
    several = first.sample.source.pages > 1
    notes: list[str] = []

    def sheets() -> Iterator[tuple[Page, Sheet]]:
        yield first, sheet_of(first, notes)
        for page in rest:
            yield page, sheet_of(page, notes)

    if suffix == ".png":
        for page, sheet in sheets():
            label = f"p{page.sample.source.page + 1:04d}" if several else None
            yield Rendered(as_png(sheet), ".png", label, notes=tuple(notes))
            notes.clear()
        return
    if suffix == ".pdf":
        file = io.BytesIO()
        write_pdf((_coded(sheet) for _, sheet in sheets()), file)
        yield Rendered(file.getvalue(), ".pdf", notes=tuple(notes))
        return
    content = as_tiff(sheet for _, sheet in sheets())
    yield Rendered(content, ".tif", notes=tuple(notes))


def fragment(page: Page) -> dict[str, Any]:
    """Return an encoded page for ``pdf``; pages are merged at the end of the run."""
    notes: list[str] = []
    encoded = _coded(sheet_of(page, notes))
    content = base64.b64encode(encoded.content).decode("ascii")
    kept = {"width": encoded.width, "height": encoded.height, "points": encoded.points, "content": content}
    return kept | ({"notes": notes} if notes else {})


def merge(fragments: Iterable[tuple[str, dict[str, Any]]], file: BinaryIO, params: object = None) -> None:
    """Write one PDF with all pages of all inputs, in order."""
    write_pdf(
        (
            Coded(each["width"], each["height"], base64.b64decode(each["content"]), tuple(each["points"]))
            for _, each in fragments
        ),
        file,
    )


def sheet_of(page: Page, notes: list[str]) -> Sheet:
    """Return the ink of a page: the soft mask after dewarping, cropping and deskewing, thresholded.

    notes: a list to which messages are added about what could not be done.
    """
    mask: Mask = page.output
    soft = np.asarray(mask.values[: len(mask.labels)].amax(dim=0).numpy())
    params = page.params
    if params.dewarp or params.crop_page:
        corners = corners_of(to_float(page.sample.image[0]).mean(dim=0).cpu().numpy())
        where = f" on page {page.sample.source.page + 1}" if page.sample.source.pages > 1 else ""
        if corners is None:
            notes.append(f"no sheet is told from what is around it{where}; all of the picture is kept")
        elif left_out(soft, corners) > _MOST_LEFT_OUT:
            # The edge of a shadow may have been taken for the edge of the sheet.
            notes.append(f"ink lies beside what looks like the sheet{where}; all of the picture is kept")
        else:
            soft = flattened(soft, corners) if params.dewarp else cut_out(soft, corners)
    if params.deskew and (lean := lean_of(soft)):
        soft = upright(soft, lean)
    return Sheet(soft >= max(1, round(params.threshold * 255)), stated_dpi(page.sample))


def _coded(sheet: Sheet) -> Coded:
    """Encode a page for a PDF. Without a known resolution, the longer side is that of A4."""
    dpi = sheet_dpi(*sheet.ink.shape)
    return coded(sheet, (dpi, dpi))
