"""Standard input and output as pictures, or as tar streams of pictures, one member a file.

Both commands of a pipe are at work at once: a member is read when there is room for it, and written when it is done.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from imgai.errors import InputError, UsageError
from imgai.images.formats import HEAD, picture_suffixes, sniff
from imgai.runs.scan import STDIN, Input

_BLOCK = tarfile.BLOCKSIZE
_MAGIC, _PLACE = b"ustar", 257


class Stdin(io.RawIOBase):
    """Standard input, of which the beginning was looked at."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        super().__init__()
        self._given = file
        self._head: bytes | None = None

    @property
    def _file(self) -> BinaryIO:
        return self._given or sys.stdin.buffer

    def is_tar(self) -> bool:
        """Whether a tar stream comes. Waits for its first block."""
        if self._head is None:
            self._head = self._file.read(_BLOCK)
        return self._head[_PLACE : _PLACE + len(_MAGIC)] == _MAGIC

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        if self._head:
            part, self._head = self._head[: len(view)], self._head[len(view) :]
        else:
            # What is there, not all that was asked for: a picture must not wait for the next one.
            part = getattr(self._file, "read1", self._file.read)(len(view))
        view[: len(part)] = part
        return len(part)

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
                    if _leaves(member.name):
                        error = InputError(f"{member.name}: the name would leave the output folder", "rename it")
                        yield Input(None, name.name, error, stream=True)
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
                    content = stream.extractfile(member)
                    assert content is not None  # it is a file
                    head = content.read(HEAD)
                    if not (name.suffix.lower() in picture_suffixes() or sniff(head)):
                        continue  # as in a folder: no picture
                    path = folder / f"{number:08d}{name.suffix}"
                    with path.open("wb") as file:
                        file.write(head)
                        shutil.copyfileobj(content, file)
                    yield Input(path, name.as_posix(), stream=True)
        except tarfile.TarError as error:
            raise InputError(
                f"standard input breaks off or is no whole tar stream: {error}", "look at what the other command said"
            ) from error


def _leaves(name: str) -> bool:
    """Whether a member's name would lie outside of the folder that it is written below."""
    return name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts or "\0" in name


class _Counted(io.RawIOBase):
    """A file that cannot seek, and knows all the same how far it is."""

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
        """Raises UsageError if standard output is a terminal."""
        self._file = file or sys.stdout.buffer
        if self._file.isatty():
            raise UsageError(
                "--out - is for a pipe or a file, and standard output is a terminal", "add | imgai ... or > FILE"
            )
        # Not mode "w|", which holds the last blocks of a member back until the next comes.
        self._tar = tarfile.TarFile(fileobj=_Counted(self._file), mode="w", format=tarfile.PAX_FORMAT) if tar else None
        self.tar = tar
        self.members = 0

    def put(self, path: Path, name: str) -> None:
        """Send a file, and delete it. Raises BrokenPipeError if nobody reads any more."""
        self.members += 1
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
        if self._tar is not None:
            self._tar.close()
        self._file.flush()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who made a file is nobody's business on the other side."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def silence_stdout() -> None:
    """After a broken pipe: what Python would still flush at its end goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_piped(out: Path | None) -> bool:
    """Whether ``--out -`` was given."""
    return out is not None and str(out) == STDIN
