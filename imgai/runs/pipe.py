"""Pictures, or tar streams of pictures, on standard input and output.

Both commands of a pipe are at work at once: a member is read when there is room for it, and written when it is done.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from threading import Event
from typing import BinaryIO, TextIO, cast

from imgai.console import Unheard, results, silence_stdout
from imgai.errors import InputError, UsageError
from imgai.images.formats import HEAD, picture_suffixes, sniff
from imgai.runs.commit import reason
from imgai.runs.scan import STDIN, Input

_BLOCK = tarfile.BLOCKSIZE
_MAGIC, _PLACE = b"ustar", 257
_SPARSE = 1 << 30  # bytes that a member with holes may unfold to
_WAKE = 0.25  # seconds after which whoever waits for standard input looks whether the run stops


class Stopped(Exception):
    """The run was told to stop while it waited for standard input."""


class Stdin(io.RawIOBase):
    """Standard input. Its first block may be looked at in advance, and reading ends when the run stops."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        super().__init__()
        self._given = file
        self._head: bytes | None = None
        self._stop = Event()

    def stop(self) -> None:
        """Every read, also one that waits, raises `Stopped` from now on."""
        self._stop.set()

    def is_tar(self) -> bool:
        """Whether a tar stream comes. Waits for its first block. Raises UsageError if there is no standard input."""
        if self._head is None:
            head = b""
            while len(head) < _BLOCK and (part := self._some(_BLOCK - len(head))):
                head += part
            self._head = head
        return self._head[_PLACE : _PLACE + len(_MAGIC)] == _MAGIC

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        if self._head:
            part, self._head = self._head[: len(view)], self._head[len(view) :]
        else:
            part = self._some(len(view))
        view[: len(part)] = part
        return len(part)

    def picture(self, most: int) -> bytes:
        """The whole content. Raises InputError early if it is no picture or too large.

        most: bytes that a picture may have.
        """
        self.is_tar()
        if self._head and sniff(self._head[:HEAD]) is None:
            raise InputError("stdin: not a picture", "send one picture, or a tar stream of them")
        parts, size = [], 0
        while part := self.read(1 << 20):
            parts.append(part)
            size += len(part)
            if size > most:
                raise InputError(f"stdin: more than {most / 1e6:.0f} MB came", "--max-pixels allows larger pictures")
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        """Read what is available, which may be less: a picture must not wait for the next one."""
        if self._given is None and sys.stdin is None:
            raise UsageError("standard input is closed", "name files or folders")
        file = self._given or sys.stdin.buffer
        raw = getattr(file, "raw", None)
        if not isinstance(raw, io.FileIO) or os.name == "nt":
            return getattr(file, "read1", file.read)(size)
        try:
            while not select.select([raw], [], [], _WAKE)[0]:
                if self._stop.is_set():
                    raise Stopped
        except (OSError, ValueError) as error:  # it was opened for writing, or is no longer open
            raise UsageError(f"standard input cannot be read: {error}", "name files or folders") from error
        if self._stop.is_set():
            raise Stopped
        try:
            return raw.read(size) or b""
        except OSError as error:  # a folder, say
            raise UsageError(f"standard input cannot be read: {error.strerror}", "name files or folders") from error

    def members(self, folder: Path) -> Iterator[Input]:
        """The pictures of the tar stream, each in a file of the folder, which whoever is done with it deletes.

        Raises InputError where the stream breaks off or is no tar after all.
        """
        try:
            with tarfile.open(fileobj=self, mode="r|", errorlevel=1) as stream:
                for number, member in enumerate(stream):
                    name, links = PurePosixPath(member.name), member.issym() or member.islnk()
                    if not (member.isfile() or (links and name.suffix.lower() in picture_suffixes())):
                        continue
                    if not name.name or _leaves(member.name):
                        why = "the name would leave the output folder" if name.name else "the member has no name"
                        error = InputError(f"{member.name}: {why}", "rename it")
                        yield Input(None, name.name or "?", error, stream=True)
                        continue
                    if any(part.startswith(".") for part in name.parts):
                        continue  # as in a folder: hidden
                    if links:
                        error = InputError(
                            f"{member.name}: a link, and what it leads to is not at hand in a tar stream",
                            "make the stream with tar --dereference --hard-dereference",
                        )
                        yield Input(None, name.as_posix(), error, stream=True)
                        continue
                    if member.issparse() and member.size > _SPARSE:
                        error = InputError(f"{member.name}: a sparse file of {member.size} bytes", "send it whole")
                        yield Input(None, name.as_posix(), error, stream=True)
                        continue
                    content = stream.extractfile(member)
                    assert content is not None  # it is a file
                    head = content.read(HEAD)
                    if not (name.suffix.lower() in picture_suffixes() or sniff(head)):
                        continue  # as in a folder: no picture
                    # A generated name: the member's own may be longer than the file system allows.
                    path = folder / f"{number:08d}"
                    try:
                        with path.open("xb") as file:
                            file.write(head)
                            while block := content.read(1 << 20):
                                file.write(block)
                    except OSError as error:
                        path.unlink(missing_ok=True)
                        raise reason(path, error) from error
                    yield Input(path, name.as_posix(), stream=True)
        except tarfile.TarError as error:
            raise InputError(
                f"standard input breaks off or is no whole tar stream: {error}", "look at what the other command said"
            ) from error


def _leaves(name: str) -> bool:
    """Whether a member's name would lie outside of the folder that it is written below."""
    return name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts or "\0" in name


class _Counted(io.RawIOBase):
    """A file that cannot seek; its position is counted by what was written."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._to = file
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        written = self._to.write(cast("bytes", content))
        self._place += written
        return written

    def tell(self) -> int:
        return self._place


class Stdout:
    """Standard output for what is made: one file as it is, or a tar stream that is flushed after every member."""

    def __init__(self, *, tar: bool, file: BinaryIO | None = None) -> None:
        """Raises UsageError if standard output is a terminal, or closed."""
        out = results()
        if file is None and out is None:
            raise UsageError("--out - is for a pipe or a file, and standard output is closed", "add > FILE")
        self._file = file or cast("TextIO", out).buffer
        if self._file.isatty():
            raise UsageError(
                "--out - is for a pipe or a file, and standard output is a terminal", "add | imgai ... or > FILE"
            )
        # Not mode "w|", which holds the last blocks of a member back until the next comes.
        self._tar = tarfile.TarFile(fileobj=_Counted(self._file), mode="w", format=tarfile.PAX_FORMAT) if tar else None
        self.tar = tar
        self.members = 0

    def put(self, path: Path, name: str) -> None:
        """Send a file, and delete it. Raises BrokenPipeError if nobody reads any more, Unheard if it cannot be sent."""
        self.members += 1
        with _heard():
            if self._tar is not None:
                self._tar.add(path, arcname=name, recursive=False, filter=_anonymous)
            else:
                with path.open("rb") as made:
                    while block := made.read(1 << 20):
                        self._file.write(block)
            self._file.flush()
        path.unlink()

    def close(self) -> None:
        """End the stream."""
        with _heard():
            if self._tar is not None:
                self._tar.close()
            self._file.flush()


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        raise Unheard(error.strerror or str(error)) from error


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member without its user and group."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def is_piped(out: Path | None) -> bool:
    """Whether ``--out -`` was given."""
    return out is not None and str(out) == STDIN
