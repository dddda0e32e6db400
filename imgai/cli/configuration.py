"""Configuration: what imgai.toml of the user and of the folder set.

What counts more comes later: the option's own default, the user's file, the folder's file, a variable, a flag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgai.registry import Registry

NAME = "imgai.toml"
OF_EVERY = "every task"


@dataclass(slots=True)
class Configuration:
    """The values that files set, by task (OF_EVERY for all of them) and by the parameters' names; and whence."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def default_map(self, registry: Registry) -> dict[str, dict[str, Any]]:
        """The same as the command line's parser takes it: by command."""
        common = self.values.get(OF_EVERY, {})
        found: dict[str, dict[str, Any]] = {name: {**common, **self.values.get(name, {})} for name in registry.tasks}
        return found | {"chain": dict(common), "run": dict(common), "evaluate": dict(found)}


def files() -> list[Path]:
    """The files that are read if they are there, the one that counts more last."""
    import platformdirs

    return [platformdirs.user_config_path("imgai") / NAME, Path(NAME)]


def load(registry: Registry) -> Configuration:
    """Read the files, and give the registry what they set of each task.

    Raises UsageError with a line for each thing that is wrong: the file, the line, what, and the nearest name.
    """
    found = Configuration()
    for path in files():
        if path.is_file():
            from imgai.cli.settings import read  # which knows all options, and takes as long as all else here

            read(path, registry, found)
    registry.defaults = {name: dict(values) for name, values in found.values.items() if name in registry.tasks}
    return found
