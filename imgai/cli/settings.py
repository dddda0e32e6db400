"""Settings: what the user's imgai.toml and that of the current folder set.

Later ones override earlier ones: the option's default, the user's file, the folder's file, a variable, what is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.errors import UsageError
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.params import Option

NAME = "imgai.toml"
OF_EVERY = ""
"""Stands for the name of a task: settings of all tasks."""


@dataclass(slots=True)
class Settings:
    """The values that files set, by task and by the names of the options; and the file and line of each."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, task: str = OF_EVERY) -> Mapping[str, Any]:
        """The values for a command: those of every task, and of this one."""
        return {**self.values.get(OF_EVERY, {}), **self.values.get(task, {})}


def user_file() -> Path | None:
    """The user's own file; None for a user without a home."""
    import platformdirs

    try:
        folder = platformdirs.user_config_path("imgai")
    except RuntimeError:
        return None
    return folder / NAME if folder.is_absolute() else None


def files() -> list[Path]:
    """The files that are read if they are there; the last overrides the others."""
    own, here = user_file(), Path(NAME)
    return [here] if own is None else [own, here]


def load(registry: Registry) -> Settings:
    """Read the files.

    Raises UsageError with a line for each thing that is wrong: the file, the line, what, and the nearest name.
    """
    settings = Settings()
    for path in files():
        try:
            there = path.is_file()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "let it be read, or remove it") from error
        if there:
            _read(path, registry, settings, trusted=path.is_absolute() or _is_the_users(path))
    return settings


def _is_the_users(path: Path) -> bool:
    """Whether the current folder is that of the user's own file."""
    own = user_file()
    return own is not None and own.exists() and own.samefile(path)


def common_options() -> list[Option]:
    """The options of every task's command that imgai.toml and a variable can set."""
    from imgai.words.command import machine_options, run_options

    return [each for each in (*run_options(), *machine_options()) if each.variable]


def _read(path: Path, registry: Registry, settings: Settings, *, trusted: bool) -> None:
    """Add what one file sets. Raises UsageError for everything that is wrong in it."""
    from imgai.words.steps import step_options
    from imgai.words.toml import TomlFile

    file = TomlFile(path)
    tables = {name: value for name, value in file.content.items() if isinstance(value, dict)}
    common = {name: value for name, value in file.content.items() if name not in tables}
    parts = [(OF_EVERY, common, common_options())]
    for name, table in tables.items():
        try:
            parts.append((name, table, step_options(registry.task(name), registry)))
        except UsageError as error:
            file.complain(name, None, str(error))
    for name, table, options in parts:
        keys = {each.name: each for each in options}
        for option, value in file.values(name, table, options, there=False).items():
            key = keys[option].key
            if keys[option].traits.trusted and not trusted:
                file.complain(
                    name,
                    key,
                    f"{key} is not taken from the current folder",
                    f"set it in {user_file() or 'your own'} or type it",
                )
                continue
            settings.values.setdefault(name, {})[option] = value
            settings.sources[name, option] = f"{path}:{file.line(name, key)}"
    file.check()
