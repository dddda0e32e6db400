"""Install into this interpreter, with its pip or with uv."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from imgai import __version__
from imgai.errors import PluginError, UsageError


def installer() -> list[str]:
    """The command that installs into this interpreter. Raises UsageError where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip"]
    raise UsageError("this interpreter has neither pip nor uv", f"{sys.executable} -m ensurepip brings pip")


def _into(command: list[str]) -> list[str]:
    """Return the arguments that make uv install into this interpreter."""
    return ["--python", sys.executable] if command[1] == "pip" else []


def install(wanted: Sequence[str], *, editable: bool, upgrade: bool, say: Callable[[str], None]) -> None:
    """Install plugins by name, or from folders and wheels; of a folder, a wheel is built into its ``dist``.

    say: is told each command before it is run. Raises UsageError, before anything is changed, for a plugin that cannot
    be used by this imgai; PluginError if the installer fails.
    """
    command = installer()
    given = []
    for name in wanted:
        path = Path(name).expanduser()
        if path.is_dir() and not editable:
            path = _wheel_of(path.resolve(), command, say)  # pip takes a bare name for one of an index
        if path.suffix == ".whl" and path.is_file():
            check_host(_requires(path), path.name)
        there = str(path.resolve()) if path.exists() else name
        given += ["-e", there] if editable else [there]
    arguments = [*command, "install", *_into(command), *(["--upgrade"] if upgrade else []), *given]
    # This very imgai stays: a plugin that needs another one is refused by the installer, too.
    _run([*arguments, f"imgai=={__version__}"] if not _editable_host() else arguments, say)


def uninstall(names: Sequence[str], say: Callable[[str], None]) -> None:
    """Uninstall distributions. Raises PluginError if the installer fails."""
    command = installer()
    yes = [] if _into(command) else ["--yes"]
    _run([*command, "uninstall", *_into(command), *yes, *names], say)


def check_host(requires: Iterable[str], what: str) -> None:
    """Raise UsageError where something needs another imgai than this."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        if needed.name.lower() == "imgai" and not needed.specifier.contains(__version__, prereleases=True):
            words = f"{what} needs imgai{needed.specifier}, and this is imgai {__version__}; nothing was changed"
            raise UsageError(words, "pip install --upgrade imgai, or take another version of it")


def _wheel_of(folder: Path, command: list[str], say: Callable[[str], None]) -> Path:
    if not (folder / "pyproject.toml").is_file():
        raise UsageError(f"{folder} has no pyproject.toml", "name the folder of a plugin, a wheel or a name of PyPI")
    dist = folder / "dist"
    before = {path: path.stat().st_mtime_ns for path in dist.glob("*.whl")}
    if _into(command):
        _run([command[0], "build", "--wheel", "--out-dir", str(dist), str(folder)], say)
    else:
        _run([*command, "wheel", "--no-deps", "--wheel-dir", str(dist), str(folder)], say)
    made = [path for path in dist.glob("*.whl") if before.get(path) != path.stat().st_mtime_ns]
    if not made:
        raise PluginError(f"no wheel came of {folder}", "look at what the installer said")
    return made[0]


def _requires(wheel: Path) -> list[str]:
    """Return the requirements of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        text = archive.read(names[0]).decode("utf-8", "replace") if names else ""
    head = text.partition("\n\n")[0]
    return re.findall(r"^Requires-Dist:\s*(.+)$", head, re.MULTILINE)


def _editable_host() -> bool:
    """Whether imgai itself runs from a folder of sources, which no index knows."""
    return "site-packages" not in Path(__file__).parts


def _run(command: Sequence[str], say: Callable[[str], None]) -> None:
    say(f"runs: {shlex.join(command)}")
    code = subprocess.run(command, check=False).returncode
    if code != 0:
        raise PluginError(f"{Path(command[0]).name} ended with {code}", "what it said stands above")
