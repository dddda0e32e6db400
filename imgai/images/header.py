"""Read headers of files without decoding pixels; refuse broken files and decompression bombs."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgai.errors import InputError, UnsupportedError
from imgai.images.elsewhere import what_first
from imgai.images.formats import HEAD, detect, function
from imgai.pages import see
from imgai.plugin import Format, Header


def probe(source: Path | bytes, name: str, *, max_pixels: int) -> Header:
    """Read the header only. Raises InputError for a file that is not a picture or has more than `max_pixels` pixels."""
    format_ = format_of(source, name)
    with reasons(name, format_):
        header: Header = function(format_.probe)(source)
        check_pixels(header.width, header.height, name, max_pixels)
    return dataclasses.replace(header, format=format_.name)


def format_of(source: Path | bytes, name: str) -> Format:
    """Detect the format by content. Raises InputError for an empty file and for unsupported formats."""
    with reasons(name):
        if isinstance(source, bytes):
            head = source[:HEAD]
        else:
            with source.open("rb") as file:
                head = file.read(HEAD)
        if not head:
            raise InputError(f"{name}: the file is empty")
        format_ = detect(source, head)
    if format_ is None and (other := what_first(name, head)) is not None:
        raise InputError(f"{name}: it is {other[0]}, not a picture", other[1])
    if format_ is None:
        raise InputError(f"{name}: not a picture in a format that imgai reads", see("formats"))
    if not format_.read:
        raise _missing(name, format_)
    return format_


def check_pixels(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raise InputError if the picture has more than `max_pixels` pixels."""
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width} x {height} pixels are more than --max-pixels {max_pixels:,}",
            "raise --max-pixels if the file is to be trusted",
        )


@contextmanager
def reasons(name: str, format_: Format | None = None) -> Iterator[None]:
    """Convert exceptions of codecs and the file system to an InputError of one line. format_: None if unknown."""
    try:
        with warnings.catch_warnings():
            # Warnings of codecs are about metadata; serious problems raise.
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except UnsupportedError as error:
        raise InputError(f"{name}: {error.message}", error.hint) from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it", "change its rights or run as its owner") from error
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory to decode it") from error
    except ImportError as error:
        if format_ is None or not format_.extra:
            raise
        raise _missing(name, format_) from error
    except Exception as error:  # codecs raise various exceptions: struct.error, IndexError, their own classes
        if isinstance(error, OSError) and error.errno is not None and format_ is None:
            raise InputError(f"{name}: cannot be read: {os.strerror(error.errno)}") from error
        what = "" if format_ is None else f"{format_.name} "
        raise InputError(f"{name}: the {what}file is damaged: {_why(error)}") from error


def _why(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":  # Pillow's message shows the repr of an internal object
        return "its header cannot be read"
    return " ".join(str(error).split()) or type(error).__name__


def _missing(name: str, format_: Format) -> InputError:
    if not format_.extra:
        return InputError(f"{name}: {format_.name} is not read", see("formats"))
    return InputError(f"{name}: reading {format_.name} needs an extra", f'pip install "imgai[{format_.extra}]"')
