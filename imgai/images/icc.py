"""Read and build matrix/TRC ICC profiles (ICC.1:2022, sections 7, 9 and 10)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}  # how many each type of parametric curve has

D65 = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True, slots=True)
class Curve:
    """A tone curve from stored values in [0, 1] to linear light.

    parameters: g, a, b, c, d, e, f of the function (a x + b) ** g + e for x >= d, else c x + f.
    table: sampled linear light at equal steps, for other curves.
    """

    parameters: tuple[float, float, float, float, float, float, float] | None
    table: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A matrix/TRC profile. curves: one for grey, or three. matrix: linear light to XYZ D50, ``(3, 3)``; None: grey."""

    curves: tuple[Curve, ...]
    matrix: np.ndarray | None


def parse(content: bytes) -> Profile | None:
    """Parse a matrix/TRC profile; None for other types of profile and for invalid data."""
    try:
        return _parse(content)
    except (struct.error, ArithmeticError, IndexError, KeyError, ValueError):
        return None


def build(
    primaries: tuple[tuple[float, float], ...] | None,
    curve: tuple[float, ...] | np.ndarray,
    *,
    white: tuple[float, float] = D65,
    name: str = "RGB",
) -> bytes:
    """Build a profile from primaries (x, y) and one curve for all three channels; without primaries one for grey.

    curve: the parameters of a parametric curve (g; g, a, b, c, d), or a table of linear light at equal steps.
    """
    if isinstance(curve, np.ndarray):
        values = (curve.clip(0, 1) * 65535 + 0.5).astype(">u2")
        trc = b"curv" + struct.pack(">4xL", len(values)) + values.tobytes()
    else:
        kind = {1: 0, 5: 3}[len(curve)]
        trc = b"para" + struct.pack(f">4xHH{len(curve)}i", kind, 0, *(round(value * 65536) for value in curve))
    texts = {tag: b"mluc" + struct.pack(">4xLL", 1, 12) + b"enUS" + _text(text) for tag, text in _texts(name)}
    tags: dict[bytes, bytes] = {**texts, b"wtpt": _xyz(_D50)}
    if primaries is None:
        tags[b"kTRC"] = trc
    else:
        matrix = to_xyz(primaries, white)
        for index, color in enumerate(b"rgb"):
            tags[bytes([color]) + b"XYZ"] = _xyz(matrix[:, index])
            tags[bytes([color]) + b"TRC"] = trc
    table, body = struct.pack(">L", len(tags)), b""
    places: dict[bytes, int] = {}
    for tag, data in tags.items():
        if data not in places:
            places[data] = 132 + 12 * len(tags) + len(body)
            body += data + b"\0" * (-len(data) % 4)
        table += tag + struct.pack(">LL", places[data], len(data))
    length, space = 132 + 12 * len(tags) + len(body), b"GRAY" if primaries is None else b"RGB "
    head = struct.pack(">L4sL4s4s4s", length, b"\0" * 4, 0x04400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(_D50)[8:] + bytes(48)
    return head + table + body


def to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float] = D65) -> np.ndarray:
    """Return the matrix from linear light of primaries (x, y) to XYZ, Bradford-adapted to D50. Shape: ``(3, 3)``."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    light = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    matrix = columns * np.linalg.solve(columns, light)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ light)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ matrix)


def _parse(content: bytes) -> Profile | None:
    (count,) = struct.unpack_from(">L", content, 128)
    tags: dict[bytes, bytes] = {}
    for index in range(min(count, 200)):
        tag, offset, size = struct.unpack_from(">4sLL", content, 132 + 12 * index)
        tags[tag] = content[offset : offset + size]
    space = content[16:20]
    if space == b"GRAY":
        return Profile((_curve(tags[b"kTRC"]),), None)
    if space != b"RGB " or content[20:24] != b"XYZ " or b"rXYZ" not in tags:
        return None
    columns = [struct.unpack_from(">3i", tags[color + b"XYZ"], 8) for color in (b"r", b"g", b"b")]
    matrix = np.array(columns).T / 65536
    if abs(np.linalg.det(matrix)) < 1e-6:
        return None
    return Profile(tuple(_curve(tags[color + b"TRC"]) for color in (b"r", b"g", b"b")), matrix)


def _curve(data: bytes) -> Curve:
    if data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        given = [value / 65536 for value in struct.unpack_from(f">{_PARAMETERS[kind]}i", data, 12)]
        g, a, _, c, d, *_ = parameters = _parameters(kind, given)
        if g <= 0 or a <= 0 or c < 0 or (c == 0 and d > 0):
            raise ValueError("a curve that has no inverse")
        return Curve(parameters)
    if data[:4] != b"curv":
        raise ValueError("a curve of another type")
    (count,) = struct.unpack_from(">L", data, 8)
    if count == 0:
        return Curve((1, 1, 0, 1, 0, 0, 0))
    values = np.frombuffer(data, ">u2", count=count, offset=12)
    if count == 1:
        if not values[0]:
            raise ValueError("a curve that has no inverse")
        return Curve((float(values[0]) / 256, 1, 0, 0, 0, 0, 0))
    return Curve(None, np.maximum.accumulate(values.astype(np.float64) / 65535))


def _parameters(kind: int, given: list[float]) -> tuple[float, float, float, float, float, float, float]:
    """Expand the parameters of any curve type to all seven (ICC.1:2022, table 68)."""
    g, a, b, c, d, e, f = [*given, *[0.0] * (7 - len(given))]
    if kind == 0:
        return g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 1:
        return g, a, b, 0.0, -b / a, 0.0, 0.0
    if kind == 2:
        return g, a, b, 0.0, -b / a, c, c
    return g, a, b, c, d, e, f


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(float(value) * 65536) for value in values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">LL", len(encoded), 28) + encoded


def _texts(name: str) -> tuple[tuple[bytes, str], ...]:
    return (b"desc", name), (b"cprt", "No copyright")
