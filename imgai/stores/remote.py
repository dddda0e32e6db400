"""One file that lies in a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imgai.stores.base import Store


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a store, as it was listed. address: its whole one. version: differs where the content does."""

    store: Store
    key: str
    address: str
    size: int
    version: str

    def fetch(self, path: Path) -> None:
        """Copy it to this machine. Raises OSError."""
        self.store.fetch(self.key, path)

    def head(self, size: int) -> bytes:
        """Its first bytes. Raises OSError."""
        return self.store.read(self.key, 0, min(size, self.size))
