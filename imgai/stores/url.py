"""Addresses of stores: ``s3://bucket/folder``, ``gs://``, ``az://``, ``https://`` and ``file://``."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imgai.errors import UsageError
from imgai.pages import see
from imgai.stores.base import Store
from imgai.stores.local import LocalStore

SCHEMES = ("s3", "gs", "az", "https", "http", "file")
# As a path, an address has lost one of its slashes.
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/{{1,3}}(?=[^/])(.*)", re.DOTALL)
_OTHER = re.compile(r"([a-z][a-z0-9+.-]+):/{1,3}(?=[^/]).*", re.DOTALL)
_QUERY = re.compile(r"(^|&)[\w.-]+=")


def address_of(named: str | Path | None) -> str | None:
    """The address that a name is, without a slash at its end; None for the name of a file.

    Raises UsageError for an address with a user, a password or a query: these are often secret, and an address is
    written into records. So for one of a scheme that is not known, which would be a folder called ``ftp:``.
    """
    text = os.fspath(named) if named is not None else ""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        other = _OTHER.fullmatch(text)
        if other is not None and not os.path.lexists(f"{other[1]}:"):
            words = f"an address of {other[1]}:// is not known"  # the rest may hold a password
            hint = "download pictures first, as with curl -LO; or name a file, a folder, or s3://, gs://, az://"
            raise UsageError(words, f"{hint}; {see('scale')}")
        return None
    address = f"{match[1]}://{'/' if match[1] == 'file' else ''}{match[2].rstrip('/')}"
    parts = urlsplit(address)
    # A question mark is a letter of a pattern, but where it begins NAME=VALUE.
    if "@" in parts.netloc or _QUERY.search(parts.query) or (match[1] in ("https", "http") and parts.query):
        words = (
            f"an address of {match[1]}:// with a user, a password or a query is not taken, since it would be recorded"
        )
        raise UsageError(words, f"give the store's credentials as its own programs take them; {see('scale')}")
    return address


def local_path(address: str) -> Path | None:
    """The file or folder that a ``file://`` address means; None for other addresses."""
    return Path(unquote(address.removeprefix("file://"))) if address.startswith("file://") else None


def parent_of(address: str) -> tuple[str, str]:
    """The address of the folder, and the name in it, which is empty for a bucket or a host."""
    scheme, _, rest = address.partition("://")
    folder, slash, name = rest.rpartition("/")
    return (f"{scheme}://{folder}", name) if slash else (address, "")


@lru_cache(maxsize=64)
def open_store(address: str) -> Store:
    """The store that a folder's address means. Raises UsageError where the library for it is missing."""
    path = local_path(address)
    if path is not None:
        return LocalStore(path)
    from imgai.stores.objects import ObjectStore

    return ObjectStore(address)
