"""Hidden files that are renamed when they are complete, and temporary folders, named after the process that made them.

A name contains the host, the boot and the process that created it, and a random part. So a later run can tell the
leftovers of a killed run from files that another process, container or host is writing right now.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".imgai-tmp"
OLD = 2 * 24 * 3600.0
"""The age in seconds from which a hidden file of an unknown host counts as abandoned."""

_PREFIX = "imgai-"  # of folders in the system's folder for temporary files
_mine: set[str] = set()  # names created by this process and still in use
_lock = threading.Lock()


def create(folder: Path) -> tuple[BinaryIO, Path]:
    """Create a new hidden file in a folder and open it for writing. Raises OSError.

    It is created exclusively, so that an existing link or file of that name is never written to. Call `forget` after
    it is renamed or removed.
    """
    while True:
        path = folder / f".{owner()}.{secrets.token_hex(8)}{SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with _lock:
            _mine.add(path.name)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileExistsError:
            forget(path)
        except BaseException:
            forget(path)
            raise
        else:
            return os.fdopen(descriptor, "w+b"), path


def forget(path: Path) -> None:
    """Note that a hidden file was renamed or removed."""
    with _lock:
        _mine.discard(path.name)


@contextlib.contextmanager
def folder_for_a_while() -> Iterator[Path]:
    """Create a temporary folder, removed at the end. Temporary folders of killed runs are removed first."""
    base = Path(tempfile.gettempdir())
    sweep_folders(base)
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{owner()}.", dir=base))
    with _lock:
        _mine.add(path.name)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        forget(path)


def sweep(folder: Path, *, below: bool = True) -> None:
    """Remove abandoned hidden files from a folder. below: also from the folders below it."""
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(SUFFIX) and name.startswith(".") and _is_abandoned(name[1:], Path(path, name)):
                with contextlib.suppress(OSError):  # of another user, or open on Windows: it stays, which is harmless
                    Path(path, name).unlink()
        if not below:
            return


def sweep_folders(base: Path) -> None:
    """Remove the temporary folders of this user's killed runs."""
    try:
        entries = [entry for entry in os.scandir(base) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):
            own = not hasattr(os, "getuid") or entry.stat(follow_symlinks=False).st_uid == os.getuid()
            if own and entry.is_dir(follow_symlinks=False):
                path = Path(entry.path)
                if "." in entry.name and _is_abandoned(entry.name.removeprefix(_PREFIX), path):
                    shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(name: str, path: Path) -> bool:
    """Whether a hidden file is abandoned: its process is gone, or it is old and its host is unknown."""
    with _lock:
        if path.name in _mine:
            return False
    host, boot, process, begun = _parsed(name)
    if host == _host() and process.isdigit():
        if boot != _boot():
            return True
        return int(process) == os.getpid() or _begun(int(process)) != begun
    try:
        return time.time() - path.stat(follow_symlinks=False).st_mtime > OLD
    except OSError:
        return False


def owner() -> str:
    """Return the part of hidden names that identifies this process, host and boot."""
    # Not cached: a fork has another process number.
    return f"{_host()}-{_boot()}-{os.getpid()}-{_begun(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether a name begins with an `owner` of this host whose process has ended. False for other hosts."""
    host, boot, process, begun = _parsed(name)
    if host != _host() or not process.isdigit() or os.name == "nt":  # Windows has no cheap way to look up a process
        return False
    return boot != _boot() or _begun(int(process)) != begun


def _parsed(name: str) -> tuple[str, str, str, str]:
    """Split a name into host, boot, process and its start time; empty strings for a name of another form."""
    parts = name.split(".")[0].split("-")
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "", "")


@functools.cache
def _host() -> str:
    """Return a name for the host and its process namespace, within which process numbers are unique."""
    with contextlib.suppress(OSError):
        return _hash(f"{socket.gethostname()} {Path('/proc/self/ns/pid').stat().st_ino}")
    return _hash(socket.gethostname())


@functools.cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return _hash(Path("/proc/sys/kernel/random/boot_id").read_text())
    return "0"


def _begun(process: int) -> str:
    """Return the start time of a process, which tells apart reused process numbers; "" if there is no such process."""
    with contextlib.suppress(OSError):
        # The program's name, in parentheses, may contain anything; the start time is the 20th field after it.
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    if Path("/proc/self/stat").exists():
        return ""
    if os.name == "nt":
        return "0" if process == os.getpid() else ""  # on Windows: os.kill(process, 0) would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "0"
    return "0"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
