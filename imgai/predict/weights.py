"""Find the file of a model's weights, fetch it if it is elsewhere, and verify it."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from imgai.errors import PluginError
from imgai.plugin import Weights

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT = 60  # seconds without a byte


def find(weights: Weights) -> Path:
    """The verified file. Raises PluginError if it is missing, cannot be fetched or is not the one declared."""
    path = location(weights)
    if path is None:
        return _fetch(weights)
    if (found := _sha256(path)) != weights.sha256:
        raise PluginError(
            f"the weights {path} are not those that the plugin declares: {found[:12]}, not {weights.sha256[:12]}",
            "delete the file and run again" if _is_address(weights.file) else "reinstall the plugin",
        )
    return path


def location(weights: Weights) -> Path | None:
    """Where the file is, unverified; None if it must be fetched first. Never touches the network."""
    if _is_address(weights.file):
        cached = _cached(weights)
        return cached if cached.exists() else None
    package, _, inside = weights.file.partition(":")
    if not inside:
        raise PluginError(f"weights must be 'package:path' or an https address, not {weights.file!r}")
    try:
        path = Path(str(importlib.resources.files(package).joinpath(inside)))
    except ModuleNotFoundError as error:
        raise PluginError(f"the weights {weights.file} are in a package that does not import: {error}") from error
    if not path.is_file():
        raise PluginError(f"the weights {path} are missing", "reinstall the plugin")
    return path


def cache_folder() -> Path:
    """Where fetched weights are kept: ``IMGAI_CACHE``, or the user's cache folder."""
    import platformdirs

    asked = os.environ.get("IMGAI_CACHE")
    return Path(asked) if asked else platformdirs.user_cache_path("imgai")


def _is_address(file: str) -> bool:
    return "://" in file


def _cached(weights: Weights) -> Path:
    name = Path(urllib.parse.urlsplit(weights.file).path).name or "weights"
    return cache_folder() / "weights" / f"{weights.sha256[:16]}-{name}"


def _fetch(weights: Weights) -> Path:
    """Download beside the place in the cache, verify, then rename: another process sees all or nothing."""
    address = urllib.parse.urlsplit(weights.file)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise PluginError(f"weights are fetched over https alone, not from {weights.file}")
    target = _cached(weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    received = 0
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(weights.file, timeout=_TIMEOUT) as answer:
            while block := answer.read(1 << 20):
                received += len(block)
                if received > weights.size:
                    break
                digest.update(block)
                file.write(block)
        if received != weights.size or digest.hexdigest() != weights.sha256:
            raise PluginError(
                f"what came from {weights.file} is not the weights that the plugin declares",
                "try again; if it stays so, tell the plugin's author",
            )
        Path(name).replace(target)
    except (urllib.error.URLError, OSError) as error:
        raise PluginError(
            f"the weights {weights.file} cannot be fetched: {getattr(error, 'reason', error)}",
            f"check the network, or put the file at {target}",
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
