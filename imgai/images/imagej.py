"""What ImageJ keeps of a stack beside its pages, in tags of its own: the label of each slice, and notes on the file.

Both are `Metadata.texts` of the page that they are about; the notes of the first one.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from imgai.plugin import Metadata

if TYPE_CHECKING:
    import tifffile

LABEL, INFO = "ImageJ:Label", "ImageJ:Info"
BLOCK, SIZES = 50839, 50838
"""The tags: the texts one after another, and the bytes of each."""


def texts_of(tiff: tifffile.TiffFile) -> tuple[str, list[str]]:
    """The notes, "" if there are none, and the labels of the slices in the order of the pages."""
    with contextlib.suppress(Exception):  # tifffile raises various ones for damaged blocks
        about = (tiff.imagej_metadata or {}) if tiff.is_imagej else {}
        labels = about.get("Labels") or []
        labels = [labels] if isinstance(labels, str) else labels  # as tifffile has a single one
        return str(about.get("Info") or ""), [str(each or "") for each in labels]
    return "", []


def of(metadata: Metadata, key: str) -> str:
    """The label or the notes of a page; "" if it has none."""
    return dict(metadata.texts).get(key, "")


def without_info(metadata: Metadata) -> Metadata:
    """The metadata of a page whose file is not ImageJ's any more."""
    return dataclasses.replace(metadata, texts=tuple(pair for pair in metadata.texts if pair[0] != INFO))


def block(info: str, labels: list[str], byteorder: Literal["<", ">"]) -> tuple[bytes, bytes]:
    """The values of the tags `BLOCK` and `SIZES`."""
    import tifffile  # not above: what formats hold is asked without it

    about: dict[str, Any] = {"Info": info} if info else {}
    if any(labels):
        about["Labels"] = labels
    values = {tag[0]: tag[3] for tag in tifffile.imagej_metadata_tag(about, byteorder)}
    return values[BLOCK], values[SIZES]
