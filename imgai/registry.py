"""Tasks, models, kinds and formats by name, from the host and all valid plugins; broken plugins with the reason."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.apart import words_of
from imgai.discovery import OFFICIAL, Plugin, discover, host, shortened
from imgai.errors import PluginError, UsageError
from imgai.plugin import FIELDS_OF, NEEDED_BY, NOT_OF, Model, NoParams, Output, Task, param_of

if TYPE_CHECKING:
    from imgai.plugin import Format, Kind

_FOREIGN = "imgai.predict.foreign"
"""The module that declares a model from a file. Imported by name because it belongs to a higher layer."""
_ZOO = "imgai.predict.zoo"
"""The module with the models that are downloaded by name."""
_FILES = (".pth", ".pt", ".ckpt", ".safetensors", ".param", ".onnx")
"""Suffixes of model files; an existing file with another suffix is read too."""


class Registry:
    """Everything that the host and the installed plugins offer.

    A plugin is accepted completely or not at all: one that clashes with an earlier plugin, or declares a model for an
    unknown task, is listed in `plugins` with the reason, and none of its declarations are used.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.tasks: dict[str, Task] = {}
        self._models: dict[tuple[str, str], Model] = {}
        self._owners: dict[str, Plugin] = {}
        self._origins: dict[str, Model] = {}
        given = list(plugins)
        self._host = next((plugin for plugin in given if plugin.host), None)
        installed = [plugin for plugin in given if not plugin.host]
        self._installed = [plugin for plugin in installed if plugin.broken]
        # Plugins with tasks come before those that only add models to them, regardless of their names.
        for plugin in sorted(installed, key=lambda plugin: not plugin.tasks):
            if not plugin.broken:
                self._add(plugin, self._why_not(plugin))

    @property
    def plugins(self) -> list[Plugin]:
        """The host's declarations as a plugin, then the installed plugins, broken ones first."""
        if self._host is None:
            self._host = host()  # made on demand, because `imgai --help` and many commands do not need it
        return [self._host, *self._installed]

    @cached_property
    def formats(self) -> dict[str, Format]:
        """The file formats by name: those of the host, then those of plugins."""
        return {format_.name: format_ for plugin in self.plugins for format_ in plugin.formats}

    @cached_property
    def _kinds(self) -> dict[tuple[Output, str], Kind]:
        written = tuple(suffix for format_ in self.formats.values() if format_.write for suffix in format_.suffixes)
        return {
            (kind.of, kind.name): dataclasses.replace(kind, suffixes=written) if kind.suffixes == ("*",) else kind
            for plugin in self.plugins
            for kind in plugin.kinds
        }

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self._installed if plugin.broken]

    def also_broken(self) -> str:
        """A remark for "not found" errors, since a broken plugin may have the thing; empty if none is broken."""
        count = len(self.broken)
        plugins = "1 plugin is" if count == 1 else f"{count} plugins are"
        return f"; {plugins} broken: imgai plugins says why" if count else ""

    def task(self, name: str) -> Task:
        """Return a task by name. Raises UsageError with the closest names if there is none."""
        try:
            return self.tasks[name]
        except KeyError:
            hint = _suggestion(name, self.tasks) + self.also_broken()
            raise UsageError(f"no task is called {name!r}", hint) from None

    def models(self, task: str | None = None) -> list[Model]:
        """Return the models of one task, or of all: the default model first, families sorted by scale."""
        names = [task] if task is not None else sorted(self.tasks)
        models: list[Model] = []
        for name in names:
            default = self.task(name).default_model
            mine = [model for model in self._models.values() if model.task == name]
            models += sorted(
                mine,
                key=lambda model: (
                    default not in (model.name, model.family),
                    model.family or model.name,
                    model.scale,
                    model.name,
                ),
            )
        return models

    def model(self, task: str, name: str | None = None) -> Model:
        """Return a model of a task by name, or the default model; for a family, the member with the smallest scale.

        Raises UsageError with the closest names.
        """
        return self.members(task, name)[0]

    def members(self, task: str, name: str | None = None) -> tuple[Model, ...]:
        """Return the model of that name as a tuple of one, or all members of the family of that name, by scale.

        The variant after a slash is ignored. If no plugin has a model of that name, it is looked up among the models
        that the user has trained; a path is the model in that file.
        Raises UsageError with the closest names, PluginError for a file that cannot be used.
        """
        wanted = name or self.task(task).default_model
        if (task, wanted) in self._models:
            return (self._models[task, wanted],)
        head, slash, _ = wanted.partition("/")
        if slash and (task, head) in self._models and self._models[task, head].variant:
            return (self._models[task, head],)
        if members := tuple(model for model in self.models(task) if model.family == wanted):
            return members
        if (own := self._trained(task, wanted)) is not None:
            return (own,)
        if is_path(wanted):
            return (
                import_module(_FOREIGN).declare(Path(wanted).expanduser(), self.task(task), self.members(task)[-1]),
            )
        if (path := import_module(_ZOO).path_of(task, wanted)) is not None:
            model = import_module(_FOREIGN).declare(path, self.task(task), self.members(task)[-1])
            return (dataclasses.replace(model, name=wanted),)
        names = {name for model in self.models(task) for name in (model.name, model.family) if name}
        raise UsageError(f"{task} has no model called {wanted!r}", _suggestion(wanted, names) + self.also_broken())

    def used(self, model: Model, name: str) -> Model:
        """Return a model that another one uses, by its name in `Model.uses`. Raises PluginError if it is missing."""
        task, _, wanted = name.partition("/")
        if (candidate := self._models.get((task, wanted))) is None or candidate.untrained:
            words = f"the model {model.name} of {model.task} is made of {name}, which no plugin offers here"
            raise PluginError(words, f"install the plugin that has it: imgai-{task}, say")
        return candidate

    def kinds(self, output: Output) -> list[Kind]:
        """Return the kinds of an output: those of the host, the default first, then those of plugins."""
        return [kind for kind in self._kinds.values() if kind.of is output]

    def kind(self, output: Output, name: str) -> Kind:
        """Return a kind of an output by name. Raises UsageError that lists the kinds."""
        try:
            return self._kinds[output, name]
        except KeyError:
            names = ", ".join(kind.name for kind in self.kinds(output))
            hint = f"it is one or more of {names}" if names else f"{output.value} has no kinds"
            raise UsageError(f"--as cannot be {name!r}", hint) from None

    def owner(self, model: Model) -> Plugin:
        """Return the plugin that declared a model; for a trained model, the plugin whose code loads it.

        For a model from a file of another project, a stand-in named after that project.
        """
        model = self.origin(model)
        if self._models.get((model.task, model.name)) == model or model.weights is None:
            return self._owners[f"{model.task}/{model.name}"]
        return Plugin(model.name, model.weights.file, "")

    def origin(self, model: Model) -> Model:
        """Return the plugin's model whose code loads this one: itself, unless the user has trained it."""
        return self._origins.get(model.weights.file, model) if model.weights is not None else model

    def trained(self) -> list[Model | PluginError]:
        """Return the models that the user has trained, by name; for a file that cannot be used, the error."""
        from imgai import trained  # imported here and below because most commands do not need it

        models: list[Model | PluginError] = []
        for path in trained.files():
            try:
                if (declared := trained.declaration(path)) is not None:
                    models.append(self._declared(path, declared))
            except PluginError as error:
                models.append(error)
        return models

    def _trained(self, task: str, wanted: str) -> Model | None:
        """Return the user's trained model of that name, or the model in that file; None if there is none.

        Raises PluginError for a file that cannot be used, UsageError for a model of another task.
        """
        from imgai import trained

        path = Path(wanted) if wanted.endswith(trained.SUFFIX) else trained.find(wanted)
        if path is None or not path.is_file() or (declared := trained.declaration(path)) is None:
            return None
        if declared["task"] != task:
            words = f"{path.name} is a model of {declared['task']}, not of {task}"
            raise UsageError(words, f"use it with: imgai {declared['task']} --model {wanted}")
        return self._declared(path, declared)

    def _declared(self, path: Path, declared: dict[str, Any]) -> Model:
        """Return the model in a file. Raises PluginError if the plugin that loads it is not installed."""
        from imgai import trained

        base, task = declared["base"], declared["task"]
        if base.get("plugin") == trained.FILE:
            bare = import_module(f"{_FOREIGN}.community").bare(path, declared["name"], self.task(task))
            return trained.declare(path, declared, bare)
        origin = self._models.get((task, base.get("model")))
        if origin is None:
            plugin = base.get("plugin") or "a plugin"
            words = f"{path} is loaded by {task}/{base.get('model')} of {plugin}, which is not installed"
            raise PluginError(words, f"pip install {plugin}")
        model = trained.declare(path, declared, origin)
        assert model.weights is not None
        self._origins[model.weights.file] = origin
        return model

    def _why_not(self, plugin: Plugin) -> str:
        try:
            return self._problem(plugin)
        except Exception as error:  # values of a plugin's own classes may raise whatever is done with them
            return f"its declarations cannot be read: {type(error).__name__}: {words_of(error)}"

    def _problem(self, plugin: Plugin) -> str:
        if not plugin.official:  # tests hold those to it
            from imgai.sound import trouble

            if words := trouble((*plugin.tasks, *plugin.models, *plugin.kinds, *plugin.formats)):
                return words
        known = set(self.tasks) | {task.name for task in plugin.tasks}
        names = [task.name for task in plugin.tasks]
        for task in plugin.tasks:
            if task.name in self.tasks or names.count(task.name) > 1:
                return f"its task {task.name!r} clashes with that of {self._origin_of_task(task.name, plugin)}"
            mine = [model for model in plugin.models if model.task == task.name]
            if task.default_model not in {name for model in mine for name in (model.name, model.family)}:
                return f"its task {task.name!r} has no model called {task.default_model!r}, its default"
        pairs = [(model.task, model.name) for model in plugin.models]
        for model in plugin.models:
            pair = (model.task, model.name)
            if pair in self._models:
                return f"its model {model.name!r} of {model.task} clashes with that of {self.owner(model).distribution}"
            if pairs.count(pair) > 1:
                return f"it declares its model {model.name!r} of {model.task} twice"
            if model.task not in known:
                return f"its model {model.name!r} is for the task {model.task!r}, {_where_from(model.task)}"
            if problem := self._mismatch(model, plugin) or self._family_trouble(model, plugin):
                return problem
        if plugin.official:  # a test holds them to it: what the host declares is not imported for it
            return ""
        troubles = (
            *(self._kind_trouble(kind, plugin) for kind in plugin.kinds),
            *(self._format_trouble(format_, plugin) for format_ in plugin.formats),
        )
        return next(filter(None, troubles), "")

    def _mismatch(self, model: Model, plugin: Plugin) -> str:
        """Return what a model declares that does not suit its task, or an option name that would be ambiguous."""
        task = next((task for task in plugin.tasks if task.name == model.task), self.tasks.get(model.task))
        if task is None:
            return ""
        for field in dataclasses.fields(model):
            of, value = FIELDS_OF.get(field.name, task.output), getattr(model, field.name)
            if of is not task.output and value != field.default:
                return f"its model {model.name!r} declares {field.name}={value!r}, which is for models of {of.value}"
            if NOT_OF.get(field.name) is task.output and value != field.default:
                return f"its model {model.name!r} declares {field.name}={value!r}, and returns {task.output.value}"
        needed = NEEDED_BY.get(task.output)
        if needed is not None and not getattr(model, needed):
            return f"its model {model.name!r} returns {task.output.value} and declares no {needed}"
        mine = {field.name for field in dataclasses.fields(model.params or NoParams)}
        theirs = {field.name for field in dataclasses.fields(task.params)}
        if unknown := sorted(set(model.ignores) - theirs):
            return f"its model {model.name!r} ignores {unknown[0]!r}, which is no param of {task.name}"
        if shared := mine & theirs:
            return f"its model {model.name!r} repeats the task's params {', '.join(sorted(shared))}"
        if problem := _input_trouble(model, task, mine | theirs):
            return problem
        if plugin.official or not mine | theirs:  # a test holds the official ones to it
            return ""
        from imgai.sound import RESERVED_OPTIONS

        of_kinds = {field.name for kind in self.kinds(task.output) for field in dataclasses.fields(kind.params)}
        if taken := {name.rstrip("_") for name in mine | theirs} & (of_kinds | RESERVED_OPTIONS):
            return (
                f"params of {model.name!r} or its task are called like options of the host: {', '.join(sorted(taken))}"
            )
        return ""

    def _family_trouble(self, model: Model, plugin: Plugin) -> str:
        """Return why a family is ambiguous: a model has the same name, or two members have the same scale."""
        others = [*self._models.values(), *plugin.models]
        mine = [other for other in others if other.task == model.task and other.name != model.name]
        if any(other.name == model.family for other in [*mine, model]):
            return f"its model {model.name!r} is of the family {model.family!r}, which is a model's name too"
        for other in mine:
            if model.family and (other.family, other.scale) == (model.family, model.scale):
                return f"its models {model.name!r} and {other.name!r} have one family and one scale"
        return ""

    def _kind_trouble(self, kind: Kind, plugin: Plugin) -> str:
        """Return why a kind cannot be used: its name or the name of one of its options is already in use."""
        pair = (kind.of, kind.name)
        called = f"its kind {kind.name!r} of {kind.of.value}"
        if pair in self._kinds:
            return f"{called} clashes with that of {self._origin_of_kind(pair)}"
        if [(other.of, other.name) for other in plugin.kinds].count(pair) > 1:
            return f"it declares {called.removeprefix('its ')} twice"
        shared = {id(param_of(field)) for other in self.kinds(kind.of) for field in dataclasses.fields(other.params)}
        prefix = kind.name.replace("-", "_") + "_"
        taken = {field.name for params in self._params(kind.of) for field in dataclasses.fields(params)}
        for field in dataclasses.fields(kind.params):
            if field.name in taken:
                return f"{called} has the option {field.name!r}, which a task or model of {kind.of.value} has too"
            # A field that is inherited from the host's params is the same declaration, not another of that name.
            if not field.name.startswith(prefix) and id(param_of(field)) not in shared:
                return f"{called} has the option {field.name!r}, whose name must begin with {prefix!r}"
        return ""

    def _params(self, output: Output) -> list[type[Any]]:
        """Return the params of all tasks with an output, and of their models."""
        tasks = [task for task in self.tasks.values() if task.output is output]
        models = [model for task in tasks for model in self.models(task.name)]
        return [*(task.params for task in tasks), *(model.params or NoParams for model in models)]

    def _format_trouble(self, format_: Format, plugin: Plugin) -> str:
        """Return why a format cannot be used: a readable format already has its name or one of its suffixes."""
        if [other.name for other in plugin.formats].count(format_.name) > 1:
            return f"its format {format_.name} is declared twice"
        for other in self.formats.values():
            # A format that is recognized but not readable may be declared again by a plugin that reads it.
            if other.name == format_.name and other.read:
                return f"its format {format_.name} clashes with that of {self._origin_of_format(other)}"
            if other.name != format_.name and (shared := set(other.suffixes) & set(format_.suffixes)):
                return f"its format {format_.name} has the suffix {min(shared)} of {other.name}"
        return ""

    def _origin_of_format(self, format_: Format) -> str:
        return next(other.distribution for other in self.plugins if format_ in other.formats)

    def _origin_of_kind(self, pair: tuple[Output, str]) -> str:
        owners = (other for other in self.plugins if any((kind.of, kind.name) == pair for kind in other.kinds))
        return next(other.distribution for other in owners)

    def _origin_of_task(self, name: str, plugin: Plugin) -> str:
        for other in self.plugins:
            if not other.broken and any(task.name == name for task in other.tasks):
                return other.distribution
        return f"{plugin.distribution} itself"

    def _add(self, plugin: Plugin, why_not: str) -> None:
        if why_not:
            why_not = shortened(why_not)
            if os.environ.get("IMGAI_STRICT") == "1":
                raise PluginError(f"plugin {plugin.distribution} cannot be used: {why_not}")
            nothing: dict[str, Any] = dict.fromkeys(("tasks", "models", "kinds", "formats"), ())
            self._installed.append(dataclasses.replace(plugin, **nothing, broken=why_not))
            return
        if not plugin.official:
            from imgai.prefixed import prefixed

            plugin = prefixed(plugin)
        self._installed.append(plugin)
        for task in plugin.tasks:
            self.tasks[task.name] = task
        for model in plugin.models:
            self._models[model.task, model.name] = model
            self._owners[f"{model.task}/{model.name}"] = plugin
        for of_all in ("_kinds", "formats"):  # made anew with this plugin's, where they were asked for
            vars(self).pop(of_all, None)


def _input_trouble(model: Model, task: Task, params: set[str]) -> str:
    """Return what a model declares that is incompatible with a task that takes a mask."""
    if not task.inputs:
        return ""
    for name, wanted in (("scale", 1), ("input_size", None), ("longest", None)):
        if getattr(model, name) != wanted:
            return f"its model {model.name!r} declares {name}={getattr(model, name)!r}, and is given a mask"
    if not params:
        return ""
    from imgai.options import INPUTS

    taken = params & {field.name for each in task.inputs for field in dataclasses.fields(INPUTS[each])}
    return f"params of {model.name!r} or its task are called like options of its mask: {min(taken)}" if taken else ""


def _where_from(task: str) -> str:
    """Say why a task is unknown, and which distribution has it if that is known."""
    name = f"imgai-{task}"
    if name in OFFICIAL:
        return f"which {name} declares, and that is not installed, or broken: pip install {name}"
    return "which no plugin that is installed declares; install the one that does"


def is_path(name: str) -> bool:
    """Whether the name of a model is the path of a file: it has the suffix of a model, or the file exists."""
    return Path(name).suffix.lower() in _FILES or (
        ("/" in name or "." in name or os.sep in name) and Path(name).is_file()
    )


@cache
def load_registry() -> Registry:
    """Return the registry of the installed plugins."""
    return Registry(discover())


def _suggestion(name: str, known: Iterable[str]) -> str:
    import difflib  # imported here because few commands need it

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(names)}" if names else "none is installed"
