"""A memory budget for decoded images in flight."""

from __future__ import annotations

from threading import Condition


class Budget:
    """Bytes are reserved before decoding and released after writing. A larger image is processed alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._change = Condition()
        self._closed = False

    def take(self, size: int) -> bool:
        """Wait for the bytes and reserve them. Returns False, without reserving, if the budget was closed."""
        with self._change:
            self._change.wait_for(lambda: self._closed or self._taken == 0 or self._taken + size <= self.limit)
            if self._closed:
                return False
            self._taken += size
            return True

    def add(self, size: int) -> None:
        """Reserve more bytes for an image in flight without waiting; later callers wait for them."""
        with self._change:
            self._taken += size

    def give_back(self, size: int) -> None:
        """Release bytes."""
        with self._change:
            self._taken -= size
            self._change.notify_all()

    def close(self) -> None:
        """Wake all threads that wait; `take` returns False from now on."""
        with self._change:
            self._closed = True
            self._change.notify_all()
