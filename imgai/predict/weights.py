"""Find, download and verify the weights of a model."""

from __future__ import annotations

import importlib.resources
import os
import urllib.parse
import urllib.request
from pathlib import Path

from imgai.errors import PluginError
from imgai.plugin import Weights
from imgai.predict.fetch import Tell, Wanted, fetch
from imgai.predict.foreign.content import identity


def find(weights: Weights) -> Path:
    """Return the verified file. Raises PluginError if it is missing, cannot be downloaded or does not match."""
    path = location(weights)
    if path is None:
        return bring(weights)
    if not _is_local(weights.file) and (size := path.stat().st_size) != weights.size:
        raise PluginError(
            f"the weights {path} have {size} bytes, and the plugin declares {weights.size}",
            "delete the file and run again" if _is_address(weights.file) else "reinstall the plugin",
        )
    if (digest := identity(path)) != weights.sha256:
        if _is_local(weights.file):
            raise PluginError(f"{path} has changed since it was looked at", "run again")
        raise PluginError(
            f"the weights {path} are not those that the plugin declares: {digest[:12]}, not {weights.sha256[:12]}",
            "delete the file and run again" if _is_address(weights.file) else "reinstall the plugin",
        )
    return path


def bring(weights: Weights, tell: Tell = lambda came, size: None) -> Path:
    """Download a file. tell: is called with the progress. Raises the errors of `find`."""
    return fetch(Wanted(weights.file, weights.sha256, weights.size), _cached(weights), tell)


def location(weights: Weights) -> Path | None:
    """Return the unverified path; None if it must be downloaded first. Does not access the network."""
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
    """Return the cache folder for weights: ``IMGAI_CACHE``, or a folder in the user's cache folder."""
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
