"""A mask as files: soft, binary, cut-out, overlay, numbered objects."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imgai.images import encode_png, format_of_suffix
from imgai.kinds.cutout import cutout
from imgai.kinds.instances import inside, instances
from imgai.kinds.overlay import overlay
from imgai.sample import Mask, Sample

MASK_KINDS = ("mask", "binary", "cutout", "overlay", "labels", "coco")
"""What ``--as`` takes; "coco" is one file of the whole run."""

_MOST_IN_16_BITS = 65535


@dataclass(frozen=True, slots=True)
class Rendered:
    """The content of one file. label: the class it is of, None where it is of all; suffix: ".png"."""

    kind: str
    label: str | None
    suffix: str
    content: bytes


def render(sample: Sample, mask: Mask, kind: str, threshold: float, *, suffix: str = "") -> Iterator[Rendered]:
    """The files of one kind for one page. suffix: of the file that was asked for; an overlay may be a PNG."""
    several = len(mask.labels) > 1
    if kind == "cutout":
        yield Rendered(kind, None, ".png", cutout(sample, mask))
    elif kind == "overlay":
        format_ = format_of_suffix(suffix) if suffix else "JPEG"
        yield Rendered(kind, None, suffix or ".jpg", overlay(sample, mask, threshold, format_ or "JPEG"))
    elif kind == "labels":
        found = instances(mask, threshold)
        for label, numbered in found:
            ending, content = _numbers(numbered)
            yield Rendered(kind, label if len(found) > 1 else None, ending, content)
    else:
        for index, label in enumerate(mask.labels):
            if kind == "binary":
                values = inside(mask, index, threshold).astype(np.uint8) * 255
            else:
                values = mask.values[index].numpy()
            content = encode_png(values, dpi=sample.metadata.dpi)
            yield Rendered(kind, label if several else None, ".png", content)


def areas(mask: Mask, threshold: float) -> dict[str, float]:
    """For each class the part of the picture that it covers, 0 to 1."""
    return {label: round(float(inside(mask, index, threshold).mean()), 6) for index, label in enumerate(mask.labels)}


def _numbers(numbered: np.ndarray) -> tuple[str, bytes]:
    """16-bit PNG; a TIFF of 32 bits where there are more objects than 16 bits can number."""
    if int(numbered.max(initial=0)) <= _MOST_IN_16_BITS:
        return ".png", encode_png(numbered.astype(np.uint16))
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, numbered.astype(np.uint32), compression="zlib", metadata=None)
    return ".tif", file.getvalue()
