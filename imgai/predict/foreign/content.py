"""Detect the type of a model file by its first bytes, and hash it. This module does not import torch."""

from __future__ import annotations

import hashlib
from enum import Enum
from pathlib import Path

_NCNN = b"7767517"


class Content(Enum):
    """A type of model file."""

    ZIP = "an archive of torch"
    PICKLE = "a pickle"
    SAFETENSORS = "safetensors"
    NCNN = "a graph of ncnn"
    ONNX = "a graph of ONNX"


def content_of(path: Path) -> Content | None:
    """Return the type of a file; None if it is not supported. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK\x03\x04"):
        return Content.ZIP
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Content.PICKLE
    if head.split(b"\n", 1)[0].strip() == _NCNN:
        return Content.NCNN
    if path.suffix.lower() == ".onnx":  # Protocol Buffers have no magic number
        return Content.ONNX
    if head[8:9] == b"{" or path.suffix.lower() == ".safetensors":
        return Content.SAFETENSORS
    return None


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files of a model: the path, and companion files beside it."""
    if path.suffix.lower() == ".param":
        return path, path.with_suffix(".bin")
    if path.suffix.lower() == ".onnx" and path.with_suffix(".toml").is_file():
        return path, path.with_suffix(".toml")
    return (path,)


def identity(path: Path) -> str:
    """SHA-256 of the files that a model consists of, one after the other, in hex. Raises OSError."""
    digest = hashlib.sha256()
    for each in files_of(path):
        with each.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
