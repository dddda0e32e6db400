"""Expand the names on the command line to a list of inputs."""

from __future__ import annotations

import contextlib
import glob
import os
import shlex
import stat
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgai.bounded import read_bytes
from imgai.errors import InputError, UsageError
from imgai.images.formats import HEAD, picture_suffixes, sniff
from imgai.stores import Remote

STDIN = "-"
_LISTS = 256 << 20  # bytes that a list of names may have
UNREAD = frozenset(
    f".{name}"
    for name in (
        *("jp2", "j2k", "jpf", "jpx", "jxl", "jxr", "wdp", "psd", "psb", "ico", "icns", "cur", "pdf", "svg", "svgz"),
        *(
            "eps",
            "ps",
            "ai",
            "xcf",
            "kra",
            "exr",
            "hdr",
            "dds",
            "tga",
            "pcx",
            "sgi",
            "fits",
            "fit",
            "djvu",
            "emf",
            "wmf",
        ),
        *("emf", "wmf", "czi", "nd2", "lif", "mrxs", "vsi", "bpg", "flif", "qoi", "webm", "mp4", "mov", "avi"),
    )
)
"""Suffixes of pictures that are not read, unless a plugin does: they are told and counted."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file to take.

    path: None for standard input. name: relative to what named it, with ``/``; mirrored below the
    output folder. error: why it cannot even be looked at, as for a folder without rights.
    stream: a member of the tar stream on standard input; path is then a file that is deleted when it is done.
    remote: the file of a store, which is copied to path when its turn comes, and deleted there when it is done.
    """

    path: Path | None
    name: str
    error: InputError | None = None
    stream: bool = False
    remote: Remote | None = None

    @property
    def aside(self) -> bool:
        """Whether path is a copy that is deleted."""
        return self.stream or self.remote is not None

    @property
    def shown(self) -> str:
        """As people named it; a member of a stream is below ``-``."""
        if self.stream:
            return f"{STDIN}/{self.name}"
        if self.remote is not None:
            return self.remote.address
        return STDIN if self.path is None else str(self.path)


def scan(
    named: Sequence[str],
    *,
    avoid: Collection[Path] = (),
    made: Collection[str] = (),
    null: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    unread: Counter[str] | None = None,
) -> list[Input]:
    """Every input that the names mean, each file once, in the order named and sorted within a folder.

    Folders are searched with all that is below them, but for hidden names, for the folders of outputs, and
    for folders that a link leads back to. In a folder, files with a picture's suffix are taken, and
    those with another or none if they begin as pictures do. What is named itself is always taken.

    avoid: the folders of outputs and masks. made: outputs of earlier runs, and masks, by their real paths; they are no
        inputs either.
    unread: counts, by suffix, the pictures of formats that are not read.

    Raises UsageError for a name that means nothing.
    """
    inputs: dict[object, Input] = {}
    for name in expanded(named, null):
        for item in _inputs(name, avoid, made, tell, Counter() if unread is None else unread):
            inputs.setdefault(STDIN if item.path is None else os.path.realpath(item.path), item)
    return list(inputs.values())


def expanded(named: Sequence[str], null: bool, *, match: bool = True) -> Iterator[str]:
    """The names, with lists read and, if `match`, globs matched where the shell has not."""
    for name in named:
        if name.startswith("@") and len(name) > 1 and not os.path.lexists(name):
            yield from _listed(name[1:], null)
        elif match and any(letter in name for letter in "*?[") and not os.path.lexists(name):
            matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            if not matches:
                raise UsageError(f"nothing matches {name}", "check the pattern")
            yield from matches
        else:
            yield name


def _listed(name: str, null: bool) -> Iterator[str]:
    """The names in a list: one a line, or ended by NUL; in any bytes that the file system allows."""
    try:
        if name == STDIN and sys.stdin is None:
            raise UsageError("the list - cannot be read: standard input is closed")
        content = sys.stdin.buffer.read(_LISTS + 1) if name == STDIN else read_bytes(name, _LISTS)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"the list {name} cannot be read: {getattr(error, 'strerror', error)}") from error
    if len(content) > _LISTS:
        raise UsageError(f"the list {name} cannot be read: it has more than {_LISTS >> 20} MB")
    content = content.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Windows tools write
    for line in content.split(b"\0" if null else b"\n"):
        line = line if null else line.rstrip(b"\r")
        if line:
            yield os.fsdecode(line)


def _inputs(
    name: str, avoid: Collection[Path], made: Collection[str], tell: Callable[[str], None], unread: Counter[str]
) -> Iterator[Input]:
    if name == STDIN:
        yield Input(None, "stdin")
        return
    path = Path(name)
    try:
        mode = path.lstat().st_mode
        with contextlib.suppress(FileNotFoundError):  # a link that leads nowhere is an input that fails
            mode = path.stat().st_mode
    except FileNotFoundError:
        if "://" in name:
            hint = f"download it first: curl -LO {shlex.quote(name)}"
            raise UsageError(f"{name} is an address, and imgai fetches no pictures", hint) from None
        raise UsageError(f"there is no file or folder {name}", "check the name") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name} cannot be looked at: {why}", "check the name") from error
    if stat.S_ISDIR(mode):
        yield from _below(path, avoid, made, tell, unread)
    elif stat.S_ISFIFO(mode):
        raise UsageError(f"{name} is a pipe, which can be read only once", f"name {STDIN}, and add < {name}")
    elif not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{name} is a device or a socket", "name files or folders")
    else:
        yield Input(path, path.name)


def _below(
    root: Path, avoid: Collection[Path], made: Collection[str], tell: Callable[[str], None], unread: Counter[str]
) -> Iterator[Input]:
    avoided = {_identity(folder): folder for folder in avoid}
    walked: set[tuple[int, int]] = set()
    stack = [root]
    while stack:
        folder = stack.pop()
        identity = _identity(folder)
        if identity is None or identity in walked:
            continue  # a link that leads back
        if identity in avoided and folder != root:
            tell(f"{avoided[identity]}, which outputs or masks are kept in, lies inside the input; it is left out")
            continue
        walked.add(identity)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            name = folder.relative_to(root).as_posix()
            yield Input(folder, name, InputError(f"{folder}: the folder cannot be read: {error.strerror}"))
            continue
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        real = os.path.realpath(folder)
        for entry in visible:
            if made and os.path.join(real, entry.name) in made:  # noqa: PTH118 - there are many
                continue
            if _is_folder(entry):
                continue
            if _is_picture(entry):
                path = Path(entry.path)
                yield Input(path, path.relative_to(root).as_posix())
            elif (suffix := os.path.splitext(entry.name)[1].lower()) in UNREAD:  # noqa: PTH122 - no Path yet
                unread[suffix] += 1
        # Reversed, because the last pushed is walked first.
        stack.extend(Path(entry.path) for entry in reversed(visible) if _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_picture(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_file():
            # What a link leads to is told if it is gone; a pipe or a device would be waited for without end.
            return entry.is_symlink() and not os.path.exists(entry.path) and _is_called_so(entry)  # noqa: PTH110
        if _is_called_so(entry):
            return True
        with open(entry.path, "rb") as file:  # noqa: PTH123
            return sniff(file.read(HEAD)) is not None
    except OSError:
        return _is_called_so(entry)


def _is_called_so(entry: os.DirEntry[str]) -> bool:
    return os.path.splitext(entry.name)[1].lower() in picture_suffixes()  # noqa: PTH122 - an entry is no Path yet


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
