"""Fetch a file over the network: go on where it broke off, check it, and only then give it its name."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from imgai import __version__
from imgai.apart import words_of
from imgai.errors import PluginError

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT = 30.0  # seconds without a byte
_TOTAL = 3600.0  # seconds for a call
_TRIES = 5
"""How often in a row it may break off without a byte having come."""
_WAIT = 0.5  # seconds before the first new try; twice as long before each further one

Tell = Callable[[int, int], object]
"""Is told how many bytes have come, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is fetched. sha256: lower-case hex. size: bytes."""

    url: str
    sha256: str
    size: int


def fetch(wanted: Wanted, target: Path, tell: Tell = lambda came, size: None) -> Path:
    """Fetch a file to its place, unless it is there. Several processes may fetch it at once: one does, the others wait.

    What has come is kept beside the place (``.part``) and gone on with, by this or a later call, where the server can.
    ``IMGAI_MIRROR`` is an address that is asked first; the file's own, without ``https://``, is put after it.
    Proxies are those of the environment. ``IMGAI_OFFLINE=1`` fetches nothing.

    Raises PluginError, in one line, for whatever the server, the network or the disk does.
    """
    if target.exists():
        return target
    if os.environ.get("IMGAI_OFFLINE", "") not in ("", "0"):
        raise PluginError(f"{wanted.url} is not fetched: IMGAI_OFFLINE is set", f"or put the file at {target}")
    part = target.with_name(f"{target.name}.part")
    why = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part) as file:
            if target.exists():  # another process has fetched it meanwhile
                return target
            for url in addresses(wanted.url):
                check_address(url)
                why = _whole(url, wanted, file, tell)
                if not why:
                    if os.name != "nt":  # where a file that is open cannot get another name
                        part.replace(target)
                    break
            nothing = not file.seek(0, os.SEEK_END)
        if not why and os.name == "nt":
            part.replace(target)
        if not why:
            return target
        if nothing:
            part.unlink(missing_ok=True)
    except OSError as error:
        why = words_of(error) or type(error).__name__
    raise PluginError(
        f"{wanted.url} cannot be fetched: {why}", f"try again, it goes on where it was; or put the file at {target}"
    )


def addresses(url: str) -> list[str]:
    """Return the addresses to try: the mirror, then the original."""
    mirror = os.environ.get("IMGAI_MIRROR", "").rstrip("/")
    return [f"{mirror}/{url.partition('://')[2]}", url] if mirror else [url]


def check_address(address: str) -> None:
    """Raise PluginError for an address that is neither https nor of this machine."""
    if not is_fetched(address):
        raise PluginError(f"files are fetched over https alone, not from {address}")


def is_fetched(address: str) -> bool:
    """Whether an address is https, or of this machine."""
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def careful(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Any:
    """The answer of a server, which must be met over https, redirections too. Raises OSError and its like."""
    check_address(url)
    told = {"User-Agent": f"imgai/{__version__}", "Accept-Encoding": "identity", **headers}
    opener = urllib.request.build_opener(_Careful)
    return opener.open(urllib.request.Request(url, headers=told), timeout=_TIMEOUT)


def _whole(url: str, wanted: Wanted, file: BinaryIO, tell: Tell) -> str:
    """Fetch until all is there. Returns why it is not, or nothing."""
    tries, again, end = 0, True, time.monotonic() + _TOTAL
    while True:
        have = file.seek(0, os.SEEK_END)
        if have >= wanted.size:
            if have == wanted.size and _digest(file) == wanted.sha256:
                return ""
            file.truncate(0)
            if not again:
                return "what came is not the file that was published"
            again = False  # a part of it may have been of another file
            continue
        try:
            came = _more(url, wanted, file, have, tell, end)
        except urllib.error.HTTPError as error:
            said = f"the server says {error.code} {' '.join(str(error.reason).split())}"
            if error.code == 416:  # what is there is more than the server has
                file.truncate(0)
            elif error.code < 500 and error.code not in (408, 429):
                return said
            came, why = 0, said
        except (OSError, http.client.HTTPException, ValueError) as error:
            came = file.seek(0, os.SEEK_END) - have
            why = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
            if isinstance(error, OSError) and error.errno == 28:
                raise
        else:
            why = f"it broke off after {have + came} of {wanted.size} bytes"
        if have + came >= wanted.size:
            continue
        tries = 1 if came > 0 else tries + 1
        if tries >= _TRIES or time.monotonic() > end:
            return why
        time.sleep(_WAIT * 2 ** (tries - 1))


def _more(url: str, wanted: Wanted, file: BinaryIO, have: int, tell: Tell, end: float) -> int:
    """Ask for the rest, and write what comes. Returns how many bytes are there more than before."""
    with careful(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
        begun = have
        if answer.status != 206 or not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            begun = 0  # it sends the whole
        file.truncate(begun)
        file.seek(begun)
        come = begun
        # `read1` comes back with what is there: a server that sends a byte a second is noticed.
        while come <= wanted.size and (block := answer.read1(1 << 18)):
            file.write(block)
            come += len(block)
            tell(min(come, wanted.size), wanted.size)
            if time.monotonic() > end:
                raise TimeoutError(f"it took more than {_TOTAL / 60:.0f} minutes")
        file.flush()
    return come - have


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The file of what has come, for this process alone; waits for another that has it."""
    while True:
        with part.open("ab+") as file:
            _lock(file)
            try:
                there = os.fstat(file.fileno()).st_ino == part.stat().st_ino
            except FileNotFoundError:  # it became the file while this process waited
                there = False
            if there or part.with_suffix("").exists():
                yield file
                return


def _lock(file: BinaryIO) -> None:
    """Wait until no other process holds the file; given back when it is closed."""
    try:
        import fcntl
    except ImportError:  # Windows: a file that is open elsewhere cannot be renamed there
        return
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address only where that would be fetched from too."""

    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        check_address(given[-1])
        return super().redirect_request(*given)
