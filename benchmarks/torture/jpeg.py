"""Damaged JPEGs: those that libjpeg-turbo objects to must not pass as pictures."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

_END = b"\xff\xd9"


class Jpeg:
    def __init__(self, scratch: Path) -> None:
        self._path = scratch / "damaged.jpg"

    def attempt(self, chance: random.Random) -> str:
        """Read a damaged file that a strict decoder refuses."""
        from imgai.errors import ImgaiError
        from imgai.images import read
        from imgai.sample import Source

        while True:
            content = _damaged(chance)
            try:
                simplejpeg.decode_jpeg(content, strict=True)
            except ValueError:
                break
        self._path.write_bytes(content)
        try:
            list(read(self._path, Source(self._path, "damaged.jpg")))
        except ImgaiError:
            return ""
        return "accepted"


def _damaged(chance: random.Random) -> bytes:
    """A picture that was cut, cut and closed again, or has a hole or flipped bits in its scan."""
    noise = np.random.default_rng(chance.randrange(1 << 30))
    image = Image.fromarray(noise.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((240, 180))
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
