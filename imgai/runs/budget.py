"""A budget in bytes for what is in flight."""

from __future__ import annotations

from threading import Condition


class Budget:
    """Take before decoding, give back after writing. What is larger than the whole budget goes alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._change = Condition()
        self._closed = False

    def take(self, size: int) -> bool:
        """Wait for room. False if the budget was closed meanwhile; then nothing is taken."""
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
        """Let nobody wait any longer."""
        with self._change:
            self._closed = True
            self._change.notify_all()
