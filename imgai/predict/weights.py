"""Find the file of a model's weights, fetch it if it is elsewhere, and verify it."""

from __future__ import annotations

import hashlib
import http.client
import importlib.resources
import os
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from imgai import hidden
from imgai.errors import PluginError
from imgai.plugin import Weights
from imgai.predict.foreign.content import identity

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT = 60  # seconds without a byte
_TOTAL = 3600  # seconds for a file


def find(weights: Weights) -> Path:
    """The verified file. Raises PluginError if it is missing, cannot be fetched or is not the one declared."""
    path = location(weights)
    if path is None:
        return _fetch(weights)
    if (found := identity(path)) != weights.sha256:
        if _is_local(weights.file):
            raise PluginError(f"{path} has changed since it was looked at", "run again")
        raise PluginError(
            f"the weights {path} are not those that the plugin declares: {found[:12]}, not {weights.sha256[:12]}",
            "delete the file and run again" if _is_address(weights.file) else "reinstall the plugin",
        )
    return path


def location(weights: Weights) -> Path | None:
    """Where the file is, unverified; None if it must be fetched first. Never touches the network."""
    if _is_local(weights.file):
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(weights.file).path))
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


def _is_local(file: str) -> bool:
    return file.startswith("file:")


def _cached(weights: Weights) -> Path:
    name = Path(urllib.parse.urlsplit(weights.file).path).name or "weights"
    return cache_folder() / "weights" / f"{weights.sha256[:16]}-{name}"


def _fetch(weights: Weights) -> Path:
    """Download to a temporary name in the cache, verify, then rename: other processes see a complete file or none.

    Raises PluginError for whatever the server or the disk does, and after `_TOTAL` seconds.
    """
    _check_address(weights.file)
    target = _cached(weights)
    received = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden.sweep(target.parent, below=False)
        file, half = hidden.create(target.parent)
        try:
            digest, end = hashlib.sha256(), time.monotonic() + _TOTAL
            opener = urllib.request.build_opener(_Careful)
            with file, opener.open(weights.file, timeout=_TIMEOUT) as answer:
                # `read1` comes back with what is there: a server that sends a byte a second is noticed.
                while block := answer.read1(1 << 20):
                    received += len(block)
                    if received > weights.size:
                        break
                    digest.update(block)
                    file.write(block)
                    if time.monotonic() > end:
                        raise TimeoutError(f"it took more than {_TOTAL / 60:.0f} minutes")
            if received < weights.size:
                raise OSError(f"it broke off after {received} of {weights.size} bytes")
            if received > weights.size or digest.hexdigest() != weights.sha256:
                raise PluginError(
                    f"what came from {weights.file} is not the weights that the plugin declares",
                    "try again; if it stays so, tell the plugin's author",
                )
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
            hidden.forget(half)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        why = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
        came = f" ({received} of {weights.size} bytes came)" if received and "broke off" not in why else ""
        raise PluginError(
            f"the weights {weights.file} cannot be fetched: {why}{came}",
            f"check the network, or put the file at {target}",
        ) from error
    return target


def _check_address(address: str) -> None:
    """Raise PluginError for an address that is neither https nor of this machine."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise PluginError(f"weights are fetched over https alone, not from {address}")


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an address that would be accepted by itself."""

    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        _check_address(given[-1])
        return super().redirect_request(*given)
