"""The interface of stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a store.

    key: its path below the store's root, with ``/``. size: in bytes. time: of its last change, in seconds since 1970,
    by the store's clock. version: differs where the content does, as far as the store tells.
    """

    key: str
    size: int
    time: float
    version: str


class Store(Protocol):
    """Files by their keys. Every method raises OSError where the store refuses or is out of reach."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All files whose keys begin with a folder's path, as they come; hidden ones too. Nothing for no folder."""

    def look(self, key: str) -> Entry:
        """Size and time of a file. Raises FileNotFoundError."""

    def read(self, key: str, begin: int = 0, size: int | None = None) -> bytes:
        """The content, or `size` bytes of it from `begin` on. Raises FileNotFoundError."""

    def fetch(self, key: str, path: Path) -> None:
        """Copy a file to this machine. Raises FileNotFoundError."""

    def put_new(self, key: str, content: bytes) -> bool:
        """Write a small file if there is none of that key; whether it was written. Of several at once one succeeds."""

    def replace(self, key: str, content: bytes | Path) -> None:
        """Write a file, whole or not at all, in place of what is there. content: or the local file that holds it."""

    def delete(self, key: str) -> None:
        """Remove a file; it is no error if there is none."""

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many."""
