"""A budget in bytes for what is in flight."""

from __future__ import annotations

from threading import Condition


class Budget:
    """Bytes are taken before decoding and given back after writing. What is larger than the budget is done alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._change = Condition()
        self._closed = False

    def take(self, size: int) -> bool:
        """Wait until the bytes are free, and take them. False, and nothing is taken, if the budget was closed."""
        with self._change:
            self._change.wait_for(lambda: self._closed or self._taken == 0 or self._taken + size <= self.limit)
            if self._closed:
                return False
            self._taken += size
            return True

    def add(self, size: int) -> None:
        """Take more for what is there already, without waiting; those who come later wait for it."""
        with self._change:
            self._taken += size

    def give_back(self, size: int) -> None:
        """Make room again."""
        with self._change:
            self._taken -= size
            self._change.notify_all()

    def close(self) -> None:
        """Wake all threads that wait; `take` returns False from now on."""
        with self._change:
            self._closed = True
            self._change.notify_all()
