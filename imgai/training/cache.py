"""A least recently used cache of decoded pictures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T", bound="tuple[np.ndarray, ...]")


class Cache(Generic[T]):
    """Arrays by key, at most so many bytes of them; what was not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """The size of the cached arrays in bytes."""
        return self._bytes

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the cached value of a key. If there is none, it is computed, and cached if it fits."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        size = sum(array.nbytes for array in made)
        with self._lock:
            if size <= self._most and key not in self._kept:
                self._kept[key] = made
                self._bytes += size
                while self._bytes > self._most:
                    _, gone = self._kept.popitem(last=False)
                    self._bytes -= sum(array.nbytes for array in gone)
        return made
