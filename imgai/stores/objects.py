"""Object stores, through obstore: S3 and compatible stores, Google Cloud Storage, Azure, and web servers."""

from __future__ import annotations

import errno
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from imgai.errors import UsageError
from imgai.pages import see
from imgai.stores.base import Entry

Answer = TypeVar("Answer")

TRIES = 5
"""How often a request is made before its error is that of the picture; each is tried again by the library, too."""
FIRST = 0.2
"""Seconds before the second try, at most; then twice as long each time."""
_OF_LIBRARY = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
_TIMEOUT = timedelta(seconds=60)


class ObjectStore:
    """The files below an address. obstore reads credentials from the environment."""

    def __init__(self, address: str) -> None:
        """Raises UsageError where obstore is missing, or the address is none that it knows."""
        try:
            import obstore
            from obstore import exceptions
            from obstore.store import from_url
        except ImportError:
            words = f"{address}: imgai[stores] is needed for addresses"
            raise UsageError(words, "pip install 'imgai[stores]'") from None
        self._obstore: Any = obstore
        self._errors: Any = exceptions
        self.address = address
        client: Any = {"timeout": _TIMEOUT, "connect_timeout": timedelta(seconds=10)}
        if os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true") or address.startswith("http://"):
            client["allow_http"] = True
        options: Any = {"client_options": client, "retry_config": _OF_LIBRARY}
        try:
            self._store: Any = from_url(address, **options)
        except Exception as error:  # of several kinds, some of which are no BaseError
            raise UsageError(f"{address} cannot be opened: {_words(error)}", see("scale")) from None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        stream = self._try(lambda: self._obstore.list(self._store, prefix or None, chunk_size=1000))
        while True:
            # The stream goes on where it was: a page that was not read is asked for again.
            page = self._try(lambda: next(stream, None))
            if page is None:
                return
            for each in page:
                yield _entry(each)

    def look(self, key: str) -> Entry:
        """See `Store`."""
        return _entry(self._try(lambda: self._obstore.head(self._store, key)))

    def read(self, key: str, begin: int = 0, size: int | None = None) -> bytes:
        """See `Store`."""
        if size is not None:
            return bytes(self._try(lambda: self._obstore.get_range(self._store, key, start=begin, length=size)))
        content = bytes(self._try(lambda: self._obstore.get(self._store, key).bytes()))
        return content[begin:]

    def fetch(self, key: str, path: Path) -> None:
        """Copy a file to this machine, whole."""

        def copy() -> None:
            answer = self._obstore.get(self._store, key)
            with path.open("wb") as file:
                for block in answer.stream(min_chunk_size=1 << 20):
                    file.write(block)
                size = file.tell()
            if size != answer.meta["size"]:
                raise OSError(errno.EIO, f"{size} bytes of {answer.meta['size']} came")

        self._try(copy)

    def put_new(self, key: str, content: bytes) -> bool:
        """See `Store`."""
        try:
            self._try(lambda: self._obstore.put(self._store, key, content, mode="create", use_multipart=False))
        except FileExistsError:
            # A request whose answer was lost is made again, and then finds what it has written itself.
            return self.read(key) == content
        return True

    def replace(self, key: str, content: bytes | Path) -> None:
        """See `Store`. A large file goes in parts, and is there when the last of them is."""
        self._try(lambda: self._obstore.put(self._store, key, content))

    def delete(self, key: str) -> None:
        """See `Store`."""
        self.delete_all([key])

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many at once."""
        try:
            self._try(lambda: self._obstore.delete(self._store, list(keys)))
        except FileNotFoundError:
            return

    def _try(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, and again where that may help. Raises OSError, whose text holds nothing of the request."""
        for count in range(1, TRIES + 1):
            try:
                return ask()
            except self._errors.AlreadyExistsError:
                raise FileExistsError(errno.EEXIST, "it is there already") from None
            except (self._errors.NotFoundError, FileNotFoundError):
                raise FileNotFoundError(errno.ENOENT, "there is no such file") from None
            except self._errors.NotSupportedError as error:
                raise OSError(errno.ENOTSUP, _words(error)) from None
            except (self._errors.InvalidPathError, ValueError):
                raise OSError(errno.EINVAL, "a name with control characters or empty parts is not taken") from None
            except (self._errors.BaseError, OSError) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                if count == TRIES:
                    raise self._refused(error) from None
            time.sleep(random.uniform(0, FIRST * 2 ** (count - 1)))
        raise AssertionError

    def _refused(self, error: Exception) -> OSError:
        denied = isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError)
        return PermissionError(errno.EACCES, _words(error)) if denied else OSError(errno.EIO, _words(error))


def _entry(told: Any) -> Entry:
    time_ = told["last_modified"].timestamp()
    version = told.get("e_tag") or told.get("version") or f"{told['size']}-{time_}"
    return Entry(told["path"], told["size"], time_, version)


_NO_REASON = re.compile(r"\w+://\S+|retry_timeout: \S+")
_STATUS = re.compile(r"\b(?:status(?: code)?:?\s*|HTTP\s+|error\s+)\(?([1-5]\d\d)\b", re.IGNORECASE)
_MEANS = {
    "400": "it does not understand the request",
    "401": "it does not know who asks",
    "403": "it denies access",
    "404": "there is no such bucket or file",
    "408": "it timed out",
    "429": "it asks to slow down",
    "500": "it has failed",
    "503": "it asks to slow down",
}
_HINTS = (
    (("PermissionDenied", "AccessDenied", "Forbidden"), "it denies access"),
    (("Unauthenticated", "InvalidAccessKey", "SignatureDoesNotMatch", "credential"), "it does not know who asks"),
    (("NoSuchBucket",), "there is no such bucket"),
    (("SlowDown", "TooManyRequests", "Throttl"), "it asks to slow down"),
    (("timed out", "timeout", "TimedOut"), "it timed out"),
    (("reset", "broken pipe", "closed", "IncompleteMessage"), "the connection broke off"),
    (("dns", "resolve", "lookup"), "its host is not known"),
    (("connect", "refused", "unreachable"), "it cannot be reached"),
    (("bytes of",), "it broke off"),
    (("region",), "its region is not known"),
    (("empty path segment", "Encountered empty"), "its name has two slashes on end, which cannot be asked for"),
)


def _words(error: BaseException) -> str:
    """Return why a store refused a request, without its text, which may contain keys and signatures."""
    # Names and addresses may hold any word, and the library's own settings are no reason.
    text = _NO_REASON.sub("", f"{type(error).__name__} {error}")
    status = _STATUS.search(text)
    if status and status[1] in _MEANS:
        return f"{_MEANS[status[1]]} ({status[1]})"
    hint = next((words for marks, words in _HINTS if any(mark.lower() in text.lower() for mark in marks)), None)
    return hint or f"it refused ({type(error).__name__})"
