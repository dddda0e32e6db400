"""Damaged JPEGs, by themselves and in a TIFF: those that libjpeg-turbo objects to must not pass as pictures."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import tifffile
from PIL import Image

_END = b"\xff\xd9"
_SIZE = 240, 180


class Jpeg:
    def __init__(self, scratch: Path) -> None:
        self._paths = scratch / "damaged.jpg", scratch / "damaged.tif"

    def attempt(self, chance: random.Random) -> str:
        """Read a damaged file that a strict decoder refuses: as it is, and as the only strip of a TIFF."""
        from imgai.errors import ImgaiError
        from imgai.images import read
        from imgai.sample import Source

        while True:
            content = _damaged(chance)
            try:
                simplejpeg.decode_jpeg(content, strict=True)
            except ValueError:
                break
        self._write(content)
        for path in self._paths:
            with contextlib.suppress(ImgaiError):
                list(read(path, Source(path, path.name)))
                return f"accepted as {path.name}"
        return ""

    def _write(self, content: bytes) -> None:
        alone, within = self._paths
        alone.write_bytes(content)
        about: dict[str, Any] = {"compression": "jpeg", "photometric": "ycbcr", "subsampling": (2, 2)}
        about |= {"shape": (_SIZE[1], _SIZE[0], 3), "dtype": "uint8", "rowsperstrip": _SIZE[1]}
        tifffile.imwrite(within, iter([content]), **about)


def _damaged(chance: random.Random) -> bytes:
    """A picture that was cut, cut and closed again, or has a hole or flipped bits in its scan."""
    noise = np.random.default_rng(chance.randrange(1 << 30))
    image = Image.fromarray(noise.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(_SIZE)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=chance.choice((60, 85, 95)), progressive=chance.random() < 0.3)
    content = bytearray(file.getvalue())
    scan = content.index(b"\xff\xda") + 14
    place = chance.randrange(scan, len(content) - 4)
    how = chance.choice(("cut", "closed", "hole", "bits"))
    if how == "cut":
        return bytes(content[:place])
    if how == "closed":
        return bytes(content[:place]) + _END
    if how == "hole":
        length = min(chance.choice((16, 200, 2000)), len(content) - 2 - place)
        content[place : place + length] = bytes(length)
    else:
        for _ in range(chance.choice((1, 4, 16))):
            content[chance.randrange(scan, len(content) - 2)] ^= 1 << chance.randrange(8)
    return bytes(content)
