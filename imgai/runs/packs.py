"""Rows that wait for workers of a cluster, in little memory: there may be millions."""

from __future__ import annotations

import pickle
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Sequence

from imgai.runs.rows import Row

_ROWS = 64  # of a pack: as many as a worker gets at once, so that few packs are opened for them


class Packs:
    """Rows by their places among all inputs, which only rise. What is left of them is counted here, too."""

    def __init__(self) -> None:
        self._places = array("q")
        self._packs: list[bytes] = []
        self._late: list[Row] = []  # that do not fill a pack yet
        self._left = bytearray()  # of each row, whether it is
        self._count = 0

    def __len__(self) -> int:
        """The number of rows that are left."""
        return self._count

    def __contains__(self, place: int) -> bool:
        return (at := self._at(place)) is not None and bool(self._left[at])

    def add(self, rows: Sequence[tuple[int, Row]]) -> None:
        """Take rows, each with its place, which is above all before it."""
        for place, row in rows:
            self._places.append(place)
            self._late.append(row)
            if len(self._late) == _ROWS:
                self._packs.append(zlib.compress(pickle.dumps(self._late), 1))
                self._late = []
        self._left += b"\1" * len(rows)
        self._count += len(rows)

    def drop(self, place: int) -> bool:
        """A row is done; False if it was before."""
        at = self._at(place)
        if at is None or not self._left[at]:
            return False
        self._left[at] = 0
        self._count -= 1
        return True

    def left(self) -> array[int]:
        """The places of the rows that are left, in their order."""
        return array("q", (place for place, left in zip(self._places, self._left, strict=True) if left))

    def rows(self, places: Sequence[int]) -> list[Row]:
        """The rows at these places."""
        opened: dict[int, list[Row]] = {}
        found = []
        for place in places:
            at = bisect_left(self._places, place)
            pack = at // _ROWS
            if pack not in opened:
                whole = pack < len(self._packs)
                opened[pack] = pickle.loads(zlib.decompress(self._packs[pack])) if whole else self._late
            found.append(opened[pack][at % _ROWS])
        return found

    def _at(self, place: int) -> int | None:
        at = bisect_left(self._places, place)
        return at if at < len(self._places) and self._places[at] == place else None
