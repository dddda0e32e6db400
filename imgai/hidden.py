"""Hidden files that are renamed when they are complete, and temporary folders, named after the process that made them.

A name tells the host, the boot and the process that made it, and is random beside that. So a later run can tell what a
killed run left from what another process, container or host is writing in the same folder at this moment.
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
"""Seconds after which a hidden file of an unknown host counts as abandoned."""

_PREFIX = "imgai-"  # of folders below that for temporary files
_mine: set[str] = set()  # names that this very process has made and not given up
_lock = threading.Lock()


def create(folder: Path) -> tuple[BinaryIO, Path]:
    """Make a new hidden file in a folder and open it for writing. Raises OSError.

    It is created exclusively, so a link or a file that somebody put at its name is never written to. `forget` it when
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
    """The hidden file was renamed or removed."""
    with _lock:
        _mine.discard(path.name)


@contextlib.contextmanager
def folder_for_a_while() -> Iterator[Path]:
    """A new folder in the folder for temporary files; removed at the end. Those of killed runs are removed first."""
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
    """Remove the hidden files that are surely abandoned in a folder and, unless told otherwise, below it."""
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(SUFFIX) and name.startswith(".") and _is_abandoned(name[1:], Path(path, name)):
                with contextlib.suppress(OSError):  # somebody else's, or open on Windows: it does no harm
                    Path(path, name).unlink()
        if not below:
            return


def sweep_folders(base: Path) -> None:
    """Remove the folders of killed runs of this user in the folder for temporary files."""
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
    """Whether nobody writes a hidden file any more: its process is gone, or it is old and of an unknown host."""
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
    """What names this process on this host since this boot, as hidden names have it."""
    # A fork has another number: ask for it each time.
    return f"{_host()}-{_boot()}-{os.getpid()}-{_begun(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether a name begins with an `owner` of this host whose process is no more; False for those of other hosts."""
    host, boot, process, begun = _parsed(name)
    if host != _host() or not process.isdigit() or os.name == "nt":  # which does not tell of other processes
        return False
    return boot != _boot() or _begun(int(process)) != begun


def _parsed(name: str) -> tuple[str, str, str, str]:
    """Host, boot, process and when it began; empty texts for a name of another form."""
    parts = name.split(".")[0].split("-")
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "", "")


@functools.cache
def _host() -> str:
    """This host and, in a container, its numbering of processes: where a process number means the same."""
    with contextlib.suppress(OSError):
        return _hash(f"{socket.gethostname()} {Path('/proc/self/ns/pid').stat().st_ino}")
    return _hash(socket.gethostname())


@functools.cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return _hash(Path("/proc/sys/kernel/random/boot_id").read_text())
    return "0"


def _begun(process: int) -> str:
    """When a process began, so that a number which is used again is told apart; "" if there is no such process."""
    with contextlib.suppress(OSError):
        # The name of the program, in parentheses, may hold anything; the 20th field behind it is the time.
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    if Path("/proc/self/stat").exists():
        return ""
    if os.name == "nt":
        return "0" if process == os.getpid() else ""  # a signal 0 would end it; what it has open stays anyway
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "0"
    return "0"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
