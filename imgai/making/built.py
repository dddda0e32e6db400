"""A plugin that is to be checked: installed, a project's folder, or a wheel; and what is said of its weights."""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgai.apart import apart
from imgai.errors import PluginError, UsageError
from imgai.plugin import ENTRY_POINT_GROUP

_LARGEST = 2 << 30  # bytes of what a wheel unpacks to


@dataclass(frozen=True, slots=True)
class Built:
    """A plugin on disk. name: of its entry point. module: what that names. path: the folder that holds the module."""

    name: str
    module: str
    path: Path


@contextmanager
def opened(path: Path) -> Iterator[list[Built]]:
    """The plugins of a project's folder or of a wheel, importable meanwhile. Raises UsageError, PluginError."""
    if path.is_dir():
        projects = _of_folder(path)
        with _on_path(projects):
            yield projects
        return
    if path.suffix != ".whl" or not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is neither a project's folder nor a wheel", "name a folder with pyproject.toml")
    with tempfile.TemporaryDirectory(prefix="imgai-wheel-") as folder:
        with zipfile.ZipFile(path) as wheel:
            if sum(each.file_size for each in wheel.infolist()) > _LARGEST:
                raise UsageError(f"{path} unpacks to more than {_LARGEST >> 30} GiB", "look at what is in it")
            wheel.extractall(folder)  # `ZipFile` lets no member leave the folder
        projects = _of_wheel(Path(folder), path)
        with _on_path(projects):
            yield projects


def _of_folder(path: Path) -> list[Built]:
    file = path / "pyproject.toml"
    try:
        declared = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} has no pyproject.toml", "name the folder of a plugin, or a wheel") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", "mend it") from None
    points = declared.get("project", {}).get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    source = path / "src" if (path / "src").is_dir() else path
    if not points:
        raise PluginError(f"{file} declares no entry point", f'add [project.entry-points."{ENTRY_POINT_GROUP}"]')
    return [Built(name, module, source) for name, module in points.items()]


def _of_wheel(folder: Path, path: Path) -> list[Built]:
    files = list(folder.glob("*.dist-info/entry_points.txt"))
    parser = ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    if files:
        parser.read(files[0], encoding="utf-8")
    if not parser.has_section(ENTRY_POINT_GROUP):
        raise PluginError(f"{path} holds no entry point of {ENTRY_POINT_GROUP}", "is it a plugin of imgai?")
    return [Built(name, module, folder) for name, module in parser.items(ENTRY_POINT_GROUP)]


@contextmanager
def _on_path(plugins: list[Built]) -> Iterator[None]:
    folders = list(dict.fromkeys(str(each.path.resolve()) for each in plugins))
    names = {each.module.partition(":")[0].partition(".")[0] for each in plugins}
    # The same package may be installed in another version, and loaded already.
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]
    sys.path[:0] = folders
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)


def declared_by(built: Built) -> dict[str, tuple[Any, ...]]:
    """Return a plugin's "tasks", "models", "kinds" and "formats". Raises PluginError if it cannot be imported."""
    try:
        with apart(built.name):
            module = importlib.import_module(built.module.partition(":")[0])
            return {
                hook: tuple(getattr(module, f"imgai_register_{hook}", tuple)())
                for hook in ("tasks", "models", "kinds", "formats")
            }
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise PluginError(f"{built.module} does not import: {type(error).__name__}: {error}") from error


def facts_of(path: Path) -> str:
    """The checksum and the size of a file of weights, to paste into its declaration."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f'{path.name}: sha256="{digest}", size={path.stat().st_size}'
