"""Files of a whole run that are made here and belong into a store: a report, a sheet."""

from __future__ import annotations

from pathlib import Path

from imgai.errors import InputError, UsageError
from imgai.pages import see
from imgai.stores import address_of, local_path, open_store, parent_of


class Sent:
    """One such file.

    address: where it belongs. path: where it is made.
    """

    def __init__(self, address: str, folder: Path) -> None:
        """folder: of this machine. Raises UsageError for an address that takes no file."""
        where, name = parent_of(address)
        if address.startswith(("https://", "http://")):
            raise UsageError(
                f"{address}: nothing can be written to a web server", "name a file, or s3://, gs://, az://"
            )
        if not name:
            raise UsageError(f"{address} is a bucket", "name a file in it")
        self.address = address
        self.path = folder / name
        self._store, self._name = open_store(where), name

    def head(self, size: int) -> bytes | None:
        """The first bytes of what is there; None for nothing. Raises UsageError where the store does not answer."""
        try:
            there = self._store.look(self._name).size
            return self._store.read(self._name, 0, min(size, there)) if there else b""
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"{self.address} cannot be read: {error.strerror}", see("scale")) from error

    def send(self) -> None:
        """Bring it there. Raises InputError."""
        try:
            self._store.replace(self._name, self.path)
        except OSError as error:
            raise InputError(f"{self.address} cannot be written: {error.strerror}", "run it again") from error


def sent_of(named: Path | None, folder: Path) -> Sent | None:
    """The file that a name means in a store; None for the name of a file here. folder: where it would be made."""
    address = address_of(named)
    if address is None or local_path(address) is not None:
        return None
    return Sent(address, folder)
