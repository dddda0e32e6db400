"""Access to files in a folder or an object store, through one small interface."""

from __future__ import annotations

from imgai.stores.base import Entry, Store
from imgai.stores.local import LocalStore
from imgai.stores.remote import Remote
from imgai.stores.url import address_of, local_path, open_store, parent_of

__all__ = ["Entry", "LocalStore", "Remote", "Store", "address_of", "local_path", "open_store", "parent_of"]
