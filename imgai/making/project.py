"""The files of a new plugin, from the templates beside this module."""

from __future__ import annotations

import dataclasses
import json
import time
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from imgai import __version__, trained
from imgai.errors import UsageError
from imgai.params import options_of
from imgai.plugin import Model, Task, Weights, param_of
from imgai.registry import Registry

_LEFT_OUT = frozenset(("name", "task", "weights", "params", "family", "label_ids", "variant", "untrained", "revision"))
"""Fields of `Model` that are written in another way, or that a packed model does not have."""
_CARD = "card.md"
"""The file name of a training's model card."""


@dataclass(frozen=True, slots=True)
class Project:
    """A plugin before it is written.

    files: by their paths below its folder, what is in them. copies: by their paths, files that are copied.
    """

    name: str
    files: dict[str, str]
    copies: dict[str, Path] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        return f"imgai-{self.name}"

    def write(self, folder: Path) -> None:
        """Write it into a folder that is not there yet, or is empty. Raises UsageError for another."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already", "give the plugin another name, or --out another folder")
        for path, text in self.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        for path, origin in self.copies.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(origin.read_bytes())


def plain_name(name: str, registry: Registry) -> str:
    """The name of a plugin, without ``imgai-``. Raises UsageError for one that cannot be."""
    plain = name.removeprefix("imgai-")
    from imgai.sound import RESERVED_COMMANDS

    try:
        Model(name=plain, task=plain, summary="", license="", load="a:b")
    except ValueError:
        raise UsageError(f"a plugin cannot be called {name!r}", "use lower-case words joined by dashes") from None
    if plain in RESERVED_COMMANDS or plain in registry.tasks:
        raise UsageError(f"imgai has a command {plain!r} already", "give the plugin another name")
    return plain


def of_task(name: str) -> Project:
    """A plugin of a task with one model."""
    summary = f"{name.replace('-', ' ').capitalize()}: pictures without their grain."
    command = f"imgai {name} photos/ --strength 0.5 --out made/"
    init = _text("task", name=name, package=_package(name), summary=summary)
    files = {"__init__.py": init, "model.py": _text("model_image", strength="context.params.strength")}
    return _project(name, summary, files, command, ["torch>=2.4"])


def of_model(name: str, task: Task, registry: Registry) -> Project:
    """A plugin of a model for a task that another plugin declares, of the same output as its other models."""
    default = registry.model(task.name)
    kind = task.output.value
    options = {option.name: option for option in options_of(task.params)}
    strength = options.get("strength")
    used = {"strength"} if kind == "image" and default.scale == 1 and strength and strength.type is float else set()
    fields: dict[str, Any] = {
        "name": name,
        "task": task.name,
        "summary": _SUMMARIES["scale" if default.scale > 1 else kind],
        "license": "MIT",
        "load": f"{_package(name)}.model:load",
        **_FIELDS[kind],
    }
    if default.scale > 1:
        fields |= {"scale": default.scale, "overlap": 24}
    if ignored := tuple(sorted(set(options) - used)):
        fields["ignores"] = ignored
    template = "model_scale" if default.scale > 1 else f"model_{kind}"
    model = _text(template, strength="context.params.strength" if used else "1.0")
    init = _declaring(name, task.name, fields)
    command = f"imgai {task.name} photos/ --model {name} --out made/"
    needs = ["torch>=2.4", *(["scipy>=1.11"] if "scipy" in model else []), _needed(registry, default)]
    return _project(name, fields["summary"], {"__init__.py": init, "model.py": model}, command, needs)


def of_file(name: str, path: Path, registry: Registry) -> Project:
    """A plugin of a model that ``imgai train`` wrote: the file, its card, and the code of the plugin that loads it.

    Raises UsageError for another file, PluginError for one that is damaged or whose plugin is not installed.
    """
    declared = trained.declaration(path)
    if declared is None:
        raise UsageError(f"{path} is no model that imgai train has written", "name NAME.safetensors of a training")
    (model,) = registry.members(declared["task"], str(path))
    assert model.weights is not None
    base = registry.origin(model)
    package = _package(name)
    fields: dict[str, Any] = {"name": name, "task": model.task}
    for each in dataclasses.fields(Model):
        value = getattr(model, each.name)
        if each.name not in _LEFT_OUT and value != each.default:
            fields[each.name] = value
    fields["weights"] = dataclasses.replace(model.weights, file=f"{package}:weights/{name}.safetensors")
    if model.params is not None and dataclasses.fields(model.params):
        fields["params"] = model.params
    command = f"imgai {model.task} photos/ --model {name} --out made/"
    card = path.parent / _CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else _no_card(name, declared)
    weights = f"src/{package}/weights/{name}"
    unsaid = text.count("*to be said by its owner*")
    more = f"\nThe card, `{weights}.md`, has {unsaid} lines that only you can fill in.\n" if unsaid else ""
    init = _declaring(name, model.task, fields)
    project = _project(name, model.summary, {"__init__.py": init}, command, [_needed(registry, base)], more)
    return dataclasses.replace(
        project, files={**project.files, f"{weights}.md": text}, copies={f"{weights}.safetensors": path}
    )


_SUMMARIES = {
    "image": "The guided filter: flat parts become smooth, edges stay.",
    "scale": "Bicubic, with a little more contrast at edges.",
    "mask": "What is lighter than middle grey.",
    "scores": "Dark or light, by the mean.",
    "boxes": "Spots that are brighter than the rest.",
    "map": "How steep the brightness is.",
    "data": "The mean colour.",
}
_FIELDS: dict[str, dict[str, Any]] = {
    "image": {"tile": 512, "overlap": 48},
    "mask": {"labels": ("light",), "tile": 512},
    "scores": {"labels": ("dark", "light"), "input_size": (64, 64)},
    "boxes": {"labels": ("spot",), "input_size": (256, 256), "fit": "letterbox"},
    "map": {"range": (0.0, 1.0), "tile": 512},
    "data": {"input_size": (64, 64)},
}


def _project(
    name: str, summary: str, modules: Mapping[str, str], command: str, needs: list[str], more: str = ""
) -> Project:
    package, distribution = _package(name), f"imgai-{name}"
    about = f"A plugin of imgai. {summary}"
    host = f"imgai>={_minor()},<{_minor(1)}"
    texts = {
        "name": name,
        "package": package,
        "distribution": distribution,
        "version": f"{_minor()}.0",
        "year": str(time.gmtime().tm_year),
        "command": command,
        "more": more,
        "dependencies": ", ".join(json.dumps(each) for each in dict.fromkeys([host, *needs])),
    }
    files = {
        "pyproject.toml": _text("pyproject", description=json.dumps(about, ensure_ascii=False), **texts),
        "README.md": _text("readme", description=about, **texts),
        "LICENSE": _text("licence", **texts),
        "tests/test_contract.py": _text("test", **texts),
        ".github/workflows/test.yml": _text("workflow", **texts),
        ".gitignore": "dist/\n__pycache__/\n.venv/\n",
    }
    return Project(name, files | {f"src/{package}/{path}": text for path, text in modules.items()})


def _declaring(name: str, task: str, fields: Mapping[str, Any]) -> str:
    """The module that declares one model."""
    of_plugin, params, head = ["Model", "hookimpl"], "", ""
    written = dict(fields)
    if (declared := written.pop("params", None)) is not None:
        head = "from dataclasses import dataclass\n\n"
        of_plugin.append("param")
        params = f"{_params(declared)}\n\n\n"
    if "weights" in written:
        of_plugin.append("Weights")
    lines = [f"            {key}={_code(value, 12)}," for key, value in written.items()]
    if params:
        lines.append("            params=Params,")
    names = ", ".join(sorted(of_plugin, key=lambda each: (each.islower(), each)))
    return _text(
        "models",
        distribution=f"imgai-{name}",
        task=task,
        imports=f"{head}from imgai.plugin import {names}",
        params=params,
        fields="\n".join(lines),
    )


def _params(params: type[Any]) -> str:
    hints = typing.get_type_hints(params)
    lines = ["@dataclass(frozen=True)", "class Params:", '    """Options that this model alone takes."""', ""]
    for each in dataclasses.fields(params):
        about = param_of(each)
        assert about is not None
        given = [_code(each.default), _code(about.help)]
        for fact in dataclasses.fields(about):
            value = getattr(about, fact.name)
            if fact.name != "help" and value != fact.default:
                given.append(f"{fact.name}={_code(value)}")
        hint = hints[each.name]
        called = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
        lines.append(f"    {each.name}: {called} = param({', '.join(given)})")
    return "\n".join(lines)


def _code(value: Any, indent: int = 0) -> str:
    """A value of a declaration as Python has it."""
    if isinstance(value, Weights):
        space = " " * (indent + 4)
        facts = [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
        lines = [f"{space}{key}={_code(fact)}," for key, fact in facts if fact != ""]
        return "\n".join(["Weights(", *lines, f"{' ' * indent})"])
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        inner = ", ".join(map(_code, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _needed(registry: Registry, model: Model) -> str:
    """The distribution that a model comes from, as a requirement."""
    owner = registry.owner(model)
    numbers = owner.version.split(".")
    if len(numbers) < 2 or not numbers[0].isdigit() or not numbers[1].isdigit():
        return owner.distribution
    return f"{owner.distribution}>={numbers[0]}.{numbers[1]},<{numbers[0]}.{int(numbers[1]) + 1}"


def _no_card(name: str, declared: Mapping[str, Any]) -> str:
    return (
        f"# {name}\n\nA model of `imgai {declared['task']}`.\n\nIts training data, its licence, how good it is and what"
        " it is not for: *to be said by its owner*\n"
    )


def _minor(more: int = 0) -> str:
    major, minor, *_ = __version__.split(".")
    return f"{major}.{int(minor) + more}"


def _package(name: str) -> str:
    return f"imgai_{name.replace('-', '_')}"


def _text(template: str, **values: str) -> str:
    text = resources.files(__package__).joinpath(f"templates/{template}.txt").read_text(encoding="utf-8")
    return Template(text).safe_substitute(values)
