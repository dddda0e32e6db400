"""Models that can be downloaded by name, and imported model files."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from imgai.discovery import discover
from imgai.errors import PluginError, UsageError
from imgai.predict.fetch import Tell, Wanted, fetch, is_fetched
from imgai.predict.foreign.content import identity

_TABLE = Path(__file__).parents[1] / "zoo.toml"
_SAID = {"url", "sha256", "size", "license", "architecture", "scale", "author", "source"}
"""The keys of a model in a list."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PERMISSIVE = {
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Unlicense", "WTFPL", "Zlib"),
    *("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MPL-2.0"),
}
_SHARED = {"CC-BY-SA-3.0", "CC-BY-SA-4.0", "GPL-2.0", "GPL-3.0", "AGPL-3.0", "LGPL-3.0"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be downloaded, or that was imported.

    task, name: as commands have them. url: empty for an imported one. sha256, size: of the file.
    license: SPDX, or empty if unknown. source: who says so.
    """

    task: str
    name: str
    sha256: str
    size: int
    url: str = ""
    license: str = ""
    architecture: str = ""
    scale: int = 0
    author: str = ""
    source: str = ""
    file: str = ""

    @property
    def permissive(self) -> bool:
        """Whether its licence is permissive: any use, with attribution at most."""
        return self.license in _PERMISSIVE

    @property
    def accepted(self) -> bool:
        """Whether it may be downloaded without a warning: its licence is known and not restricted to some uses."""
        return self.permissive or self.license in _SHARED

    @property
    def path(self) -> Path:
        """The path of its file, which may not exist yet."""
        if self.file:
            return _folder() / self.file
        suffix = Path(self.url.partition("?")[0]).suffix.lower()
        return _folder() / self.task / f"{self.name}{suffix}"


def entries(task: str | None = None) -> list[Entry]:
    """Return all models of one task or of all tasks: imported, synchronised, and from imgai's own list."""
    models: dict[tuple[str, str], Entry] = {}
    for entry in (*_kept("imported"), *_kept("openmodeldb"), *_listed()):
        if task is None or entry.task == task:
            models.setdefault((entry.task, entry.name), entry)
    return sorted(models.values(), key=lambda entry: (entry.task, entry.name))


def entry(name: str) -> Entry:
    """Return the model of that name, ``NAME`` or ``TASK/NAME``. Raises UsageError with the closest name."""
    import difflib

    task, slash, last = name.rpartition("/")
    known = entries(task if slash else None)
    matching = [each for each in known if each.name == last]
    if len(matching) == 1:
        return matching[0]
    if matching:
        words = " or ".join(f"{each.task}/{each.name}" for each in matching)
        raise UsageError(f"several tasks have a model called {name!r}", f"say which: {words}")
    near = difflib.get_close_matches(last, [each.name for each in known], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "see: imgai models list"
    raise UsageError(f"no model to fetch is called {name!r}", hint)


def path_of(task: str, name: str) -> Path | None:
    """Return the file of the model of that name; None if there is no such model.

    Raises UsageError for a model that has to be downloaded first.
    """
    found = next((each for each in entries(task) if each.name == name), None)
    if found is None:
        return None
    if not found.path.is_file():
        words = f"{found.size / 1e6:.0f} MB, {found.license or 'unknown licence'}"
        raise UsageError(f"{name} is not fetched yet ({words})", f"imgai models fetch {task}/{name}")
    return found.path


def bring(wanted: Entry, tell: Tell = lambda came, size: None) -> Path:
    """Download a model's file unless it exists. Raises PluginError if that fails."""
    if not wanted.url:
        raise PluginError(f"{wanted.name} was imported, and its file {wanted.path} is gone", "import it again")
    return fetch(Wanted(wanted.url, wanted.sha256, wanted.size), wanted.path, tell)


def is_sound(fetched: Entry) -> bool:
    """Whether the file has the published checksum."""
    return fetched.path.stat().st_size == fetched.size and identity(fetched.path) == fetched.sha256


def take(file: Path, name: str, task: str, license: str = "") -> Entry:
    """Copy a model file and its companion files under a name. Raises UsageError if the name is in use."""
    from imgai.predict.foreign.content import files_of

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a model", "use lower-case words and digits joined by dashes")
    if any(each.name == name for each in entries(task)):
        raise UsageError(f"{task} has a model called {name!r} already", "choose another name, or remove that one")
    target = Path("imported") / task / f"{name}{file.suffix.lower()}"
    (_folder() / target).parent.mkdir(parents=True, exist_ok=True)
    for each in files_of(file):
        shutil.copyfile(each, (_folder() / target).with_suffix(each.suffix.lower()))
    made = Entry(task, name, identity(file), file.stat().st_size, license=license, source=str(file), file=str(target))
    _keep("imported", [*_kept("imported"), made])
    return made


def remove(gone: Entry) -> int:
    """Delete a model's files. Returns the number of bytes freed."""
    from imgai.predict.foreign.content import files_of

    freed = 0
    for path in (*files_of(gone.path), gone.path.with_name(f"{gone.path.name}.part")):
        if path.is_file():
            freed += path.stat().st_size
            path.unlink()
    if gone.file:
        _keep("imported", (each for each in _kept("imported") if (each.task, each.name) != (gone.task, gone.name)))
    return freed


def synchronise(content: bytes, tasks: Iterable[str]) -> tuple[int, int]:
    """Import a catalogue in OpenModelDB's schema. Returns the number of models, and of those left out.

    content: JSON, a model by its id. Left out are those without an address or a digest, those whose task is not
    known, and those that are not of this scheme. Raises PluginError for an invalid catalogue.
    """
    try:
        catalogue = json.loads(content)
    except (ValueError, RecursionError):
        raise PluginError("the catalogue is no JSON", "name a catalogue of OpenModelDB") from None
    if not isinstance(catalogue, dict) or not catalogue:
        raise PluginError("the catalogue holds no models by id", "name a catalogue of OpenModelDB")
    known = set(tasks)
    models = [made for id_, model in catalogue.items() if (made := _read(str(id_), model)) and made.task in known]
    if not models:
        raise PluginError("the catalogue holds no model that can be used", "name a catalogue of OpenModelDB")
    _keep("openmodeldb", models)
    return len(models), len(catalogue) - len(models)


def _read(id_: str, model: Any) -> Entry | None:
    """Convert a model of OpenModelDB; None if it cannot be downloaded and verified."""
    try:
        scale = int(model["scale"])
        usable = [each for each in model["resources"] if each["type"] in ("pth", "safetensors", "onnx")]
        usable.sort(key=lambda each: ("safetensors", "pth", "onnx").index(each["type"]))
        for resource in usable:
            urls = [url for url in resource["urls"] if url.startswith("https://")]
            direct = [url for url in urls if Path(url).suffix.lower() in (".pth", ".safetensors", ".onnx")]
            if not direct or not re.fullmatch(r"[0-9a-f]{64}", resource["sha256"]) or int(resource["size"]) <= 0:
                continue
            author = model.get("author") or ""
            return Entry(
                task="super-resolve" if scale > 1 else "denoise",
                name="-".join(re.findall(r"[a-z0-9]+", id_.lower())),
                sha256=resource["sha256"],
                size=int(resource["size"]),
                url=direct[0],
                license=str(model.get("license") or ""),
                architecture=str(model.get("architecture") or ""),
                scale=scale,
                author=author if isinstance(author, str) else ", ".join(map(str, author)),
                source="OpenModelDB",
            )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return None


def read_list(path: Path) -> list[Entry]:
    """Read a list of models in the format of ``imgai/zoo.toml``, with a table ``[task.name]`` for each.

    Raises PluginError, in one line, for a list that cannot be read, and for a model without an https address, a digest,
    a size, or a source: who published them.
    """
    try:
        tasks = tomllib.loads(path.read_text(encoding="utf-8"))
        pairs = [(task, name, values) for task, models in tasks.items() for name, values in models.items()]
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise PluginError(f"{path} is no list of models: {' '.join(str(error).split())[:160]}") from None
    return [_stated(path, *pair) for pair in pairs]


def troubles() -> list[str]:
    """Return an error message for each list of a plugin that cannot be read."""
    messages = []
    for path in _lists():
        try:
            read_list(path)
        except PluginError as error:
            messages.append(str(error))
    return messages


def _stated(path: Path, task: str, name: str, values: Any) -> Entry:
    """Convert the entry of a list to a model."""
    if not _NAME.fullmatch(name) or not isinstance(values, dict):
        raise PluginError(f"{path}: {task}.{name} is no model", "[task.name], in lower-case words joined by dashes")
    for key in ("url", "sha256", "size", "source", *values):
        if key not in _SAID:
            raise PluginError(f"{path}: {task}.{name} has {key!r}", f"a model says {', '.join(sorted(_SAID))}")
        if not _is_right(key, values.get(key)):
            raise PluginError(f"{path}: {key} of {task}.{name} cannot be {values.get(key)!r}")
    return Entry(task=task, name=name, **values)


def _is_right(key: str, value: object) -> bool:
    if key in ("size", "scale"):
        return type(value) is int and value > 0
    if not isinstance(value, str):
        return False
    if key == "url":
        return is_fetched(value)
    return bool(re.fullmatch(r"[0-9a-f]{64}", value)) if key == "sha256" else key != "source" or bool(value)


def _listed() -> Iterator[Entry]:
    """Yield the models of imgai's own list, then those of plugins' valid lists."""
    for path in _lists():
        try:
            yield from read_list(path)
        except PluginError:
            continue  # reported by `troubles`


def _lists() -> Iterator[Path]:
    """imgai's own list, and those of plugins: a ``zoo.toml`` beside the module that the entry point names."""
    yield _TABLE
    for plugin in discover():
        file = getattr(sys.modules.get(plugin.module), "__file__", None)
        if file and not plugin.broken and (path := Path(file).with_name(_TABLE.name)).is_file():
            yield path


def _folder() -> Path:
    from imgai.predict.weights import cache_folder

    return cache_folder() / "zoo"


def _kept(name: str) -> list[Entry]:
    """Return the entries of a cached list; none if it does not exist or is damaged."""
    known = {field.name for field in fields(Entry)}
    try:
        held = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
        return [Entry(**{key: value for key, value in each.items() if key in known}) for each in held]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def _keep(name: str, kept: Iterable[Entry]) -> None:
    from imgai import hidden

    content = json.dumps([asdict(each) for each in kept], indent=1).encode()
    _folder().mkdir(parents=True, exist_ok=True)
    file, half = hidden.create(_folder())
    with file:
        file.write(content)
    half.replace(_folder() / f"{name}.json")
    hidden.forget(half)
