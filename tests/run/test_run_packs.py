"""Rows that wait for workers of a cluster."""

from __future__ import annotations

import sys

from imgai.runs.packs import Packs
from imgai.runs.rows import Row


def row(place: int) -> Row:
    return Row("", f"scan/{place:07d}.jpg", f"scan/{place:07d}", "d" * 32, f"s3://bucket/scan/{place:07d}.jpg", place)


def test_rows_come_back_by_their_places_and_are_done_once() -> None:
    packs, places = Packs(), [place for place in range(500) if place % 7]
    for at in range(0, len(places), 50):
        packs.add([(place, row(place)) for place in places[at : at + 50]])
    assert list(packs.left()) == places
    assert packs.rows([1, 499, 64, 65, 300]) == [row(1), row(499), row(64), row(65), row(300)]
    assert 3 in packs
    assert packs.drop(3)
    assert not packs.drop(3), "it was done"
    assert not packs.drop(7), "it never was among them"
    assert 3 not in packs
    assert (len(packs), 3 in packs.left()) == (len(places) - 1, False)


def test_a_million_rows_would_take_little_memory() -> None:
    packs = Packs()
    packs.add([(place, row(place)) for place in range(6_400)])
    assert sum(map(sys.getsizeof, packs._packs)) / 6_400 < 100
