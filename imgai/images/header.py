"""Headers of files, read before any pixel is decoded; broken files and decompression bombs are refused here."""

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
from imgai.plugin import Format, Header


def probe(source: Path | bytes, name: str, *, max_pixels: int) -> Header:
    """Read the header alone. Raises InputError for what is no picture or is larger than `max_pixels`."""
    format_ = format_of(source, name)
    with reasons(name, format_):
        header: Header = function(format_.probe)(source)
        check_pixels(header.width, header.height, name, max_pixels)
    return dataclasses.replace(header, format=format_.name)


def format_of(source: Path | bytes, name: str) -> Format:
    """The format, told by the content. Raises InputError for an empty file and for what is not read."""
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
        raise InputError(f"{name}: not a picture in a format that imgai reads", "see docs/formats.md")
    if not format_.read:
        raise _missing(name, format_)
    return format_


def check_pixels(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raise InputError if the picture is larger than what the run allows."""
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width} x {height} pixels are more than --max-pixels {max_pixels:,}",
            "raise --max-pixels if the file is to be trusted",
        )


@contextmanager
def reasons(name: str, format_: Format | None = None) -> Iterator[None]:
    """Turn exceptions of codecs and the file system into an InputError of one line. format_: None if not yet known."""
    try:
        with warnings.catch_warnings():
            # A codec's warnings are about the file's metadata; what matters raises.
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
    except Exception as error:  # codecs raise whatever they like: struct.error, IndexError, their own kinds
        if isinstance(error, OSError) and error.errno is not None and format_ is None:
            raise InputError(f"{name}: cannot be read: {os.strerror(error.errno)}") from error
        what = "" if format_ is None else f"{format_.name} "
        raise InputError(f"{name}: the {what}file is damaged: {_why(error)}") from error


def _why(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":  # Pillow's, whose text names its own objects
        return "its header cannot be read"
    return " ".join(str(error).split()) or type(error).__name__


def _missing(name: str, format_: Format) -> InputError:
    if not format_.extra:
        return InputError(f"{name}: {format_.name} is not read", "see docs/formats.md")
    return InputError(f"{name}: reading {format_.name} needs an extra", f'pip install "imgai[{format_.extra}]"')
