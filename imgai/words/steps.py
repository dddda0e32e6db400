"""One step as the user writes it, with the same options and errors in every place."""

from __future__ import annotations

import dataclasses
import importlib.util
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.errors import PluginError, UsageError
from imgai.images.formats import TABLES
from imgai.options import (
    INPUTS,
    METHODS,
    PRINTED,
    KindOptions,
    MaskOptions,
    NormalizeOptions,
    OutputOptions,
    SizeOptions,
    StepOptions,
)
from imgai.params import Option, option_name, options_of, picked, plain, read
from imgai.plugin import Kind, Model, NoParams, Output, Task
from imgai.predict.normalize import AUTO, Normalize, normalize_of
from imgai.predict.size import Size
from imgai.registry import Registry
from imgai.words.command import parse, with_variable

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec

_INPUT, _OUTPUT = "Input", "Output"
_HEAT = "heat"
"""The kind that shows the map of --explain."""
_SIZES = frozenset(field.name for field in dataclasses.fields(SizeOptions))


@dataclass(frozen=True, slots=True)
class Asked:
    """A requested step.

    values: checked, by the names of the options; one that nothing sets is not among them.
    typed: the names of those that the person gave, in place of a file or a variable.
    text: how the step was written, for errors.
    """

    task: Task
    values: Mapping[str, Any]
    typed: frozenset[str]
    text: str

    def without(self, names: Iterable[str]) -> Asked:
        """Return the step without the values of these options, unless they were typed."""
        dropped = set(names) - self.typed
        kept = {name: value for name, value in self.values.items() if name not in dropped}
        return dataclasses.replace(self, values=kept)


def step_options(task: Task, registry: Registry) -> list[Option]:
    """The options of a step: its model, what is written, the size, the task's params and its models'."""
    models = registry.models(task.name)
    (model,) = options_of(StepOptions, "Run")
    names = dict.fromkeys(each.family or each.name for each in models if not each.untrained)
    options = [
        dataclasses.replace(model, suggested=tuple(names)),
        *written_options(task.output, registry),
        *(option for name in task.inputs for option in options_of(INPUTS[name], _INPUT)),
        *_size_options(registry.members(task.name)),
        *(options_of(NormalizeOptions, _OUTPUT) if any(map(_normalizes, models)) else []),
        *options_of(task.params, f"Options of {task.name}"),
    ]
    for each in models:
        options += options_of(each.params or NoParams, f"Options of the model {each.name}")
    # Two models or kinds may share an option; the first says what it is.
    unique = {each.name: each for each in reversed(options)}
    return [with_variable(each, task.name) for each in options if unique[each.name] is each]


def written_options(output: Output, registry: Registry) -> list[Option]:
    """Return the output options: ``--as`` if there are several kinds, and the options of the kinds."""
    if output in PRINTED:
        return options_of(PRINTED[output], _OUTPUT)
    kinds = registry.kinds(output)
    options: list[Option] = []
    if len(kinds) > 1:
        names = tuple(kind.name for kind in kinds)
        (as_,) = options_of(KindOptions, _OUTPUT)
        about = dataclasses.replace(as_.about, choices=names)
        traits = dataclasses.replace(as_.traits, shown=names[0])
        options.append(dataclasses.replace(as_, about=about, traits=traits, suggested=names))
    for params in dict.fromkeys(kind.params for kind in kinds):
        options += [with_formats(each, registry) for each in options_of(params, _OUTPUT)]
    return options


def with_formats(option: Option, registry: Registry) -> Option:
    """The option with the formats of pictures to complete, where it is ``--format``."""
    if option.name != "format" or option.suggested:
        return option
    names = tuple(each.name.lower() for each in registry.formats.values() if each.write)
    return dataclasses.replace(option, suggested=names)


def parse_step(text: str, registry: Registry, settings: Mapping[str, Any] | None = None) -> Asked:
    """``denoise --strength 0.4`` as a step. settings: what files set of its task.

    Raises UsageError in the words that ``imgai denoise`` has for it.
    """
    try:
        name, *words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the step {text!r} cannot be read: {error}") from None
    task = registry.task(name)
    try:
        given = parse(name, words, step_options(task, registry), settings)
    except UsageError as error:
        raise UsageError(f"the step {text!r}: {error.message}", error.hint) from None
    return settled(Asked(task, given.values, given.typed, text), registry)


def settled(asked: Asked, registry: Registry) -> Asked:
    """The step without those values of files and variables that do not go with what was typed.

    A setting is for the runs that it fits: it neither breaks one that is of another model, nor one that says
    otherwise.
    """
    task, typed = asked.task, asked.typed
    if typed & _SIZES:
        asked = asked.without(_SIZES)
    models = registry.models(task.name)
    every = set[str]().union(*map(_names, models))
    if "model" not in typed:
        implied = _implied(models, {name: asked.values[name] for name in typed})
        if implied is None and "model" not in asked.values and (implied := _implied(models, asked.values)):
            # What a file implies gives way to an option of another model.
            mine = _names(registry.members(task.name, implied)[0])
            implied = implied if not (typed & every) - mine else None
        if implied is not None:
            asked = dataclasses.replace(asked, values={**asked.values, "model": implied})
    chosen = registry.members(task.name, asked.values.get("model"))[0]
    mine = _names(chosen)
    asked = asked.without(every - mine).without(_without_kind(asked, registry)).without(chosen.ignores)
    if not _normalizes(registry.members(task.name, asked.values.get("model"))[0]):
        asked = asked.without(("normalize",))
    if "sort_into" not in asked.values:
        asked = asked.without(("link",))
    return asked if "explain" in asked.values else asked.without(("explain_label",))


def unplaced(asked: Asked) -> Asked:
    """Drop a heat map that was requested only by a file or a variable if it cannot be written."""
    return asked.without(("explain", "explain_label"))


def set_options(asked: Asked, registry: Registry, leave: Collection[str] = ()) -> dict[str, object]:
    """The options of a step that are not as by default, by their keys, as TOML has their values.

    leave: names of options that are left out unless they were typed.
    """
    return {
        each.key: plain(each, asked.values[each.name])
        for each in step_options(asked.task, registry)
        if each.name in asked.typed
        or (each.name not in leave and asked.values.get(each.name, each.default) != each.default)
    }


def spec_of(asked: Asked, registry: Registry, *, name: str = "") -> StepSpec:
    """Make the specification of a step. name: the key of its results. Raises UsageError."""
    from imgai.predict.spec import StepSpec

    task, values = asked.task, asked.values
    models = registry.models(task.name)
    members = registry.members(task.name, values.get("model") or _implied(models, values))
    if members[0].untrained:
        words = f"the model {members[0].name} has learned nothing yet, and cannot be run"
        raise UsageError(words, f"train it: imgai train {task.name} FOLDER --from {members[0].name} --name NAME")
    if ignored := [name for name in members[0].ignores if name in values]:
        words = f"{option_name(ignored[0])} changes nothing of what the model {members[0].name} does"
        raise UsageError(words, "leave it out, or take another --model")
    return StepSpec(
        task=task,
        model=members[0],
        members=members if len(members) > 1 else (),
        size=_size(members, values),
        params=picked(task.params, values),
        model_params=_model_values(members[0], models, values),
        name=name,
        explain=_explained(values),
        explain_by=str(values.get("explain") or METHODS[0]),
        normalize=_normalize(members[0], models, values),
        mask=_mask(values) if "mask" in task.inputs else MaskOptions(),
        version=registry.owner(members[0]).version,
        uses=uses_of(members[0], registry),
    )


def _mask(values: Mapping[str, Any]) -> MaskOptions:
    """Return the requested mask. Raises UsageError if the path does not exist."""
    asked = picked(MaskOptions, values)
    if asked.mask is not None and not (asked.mask.is_file() or asked.mask.is_dir()):  # a pipe can be read but once
        raise UsageError(f"--mask {asked.mask}: there is no such file or folder", "check the path")
    return asked


def uses_of(model: Model, registry: Registry, within: tuple[str, ...] = ()) -> dict[str, StepSpec]:
    """The models that a model is made of, as they are run by default. Raises PluginError where one is missing."""
    from imgai.predict.spec import StepSpec

    specs: dict[str, StepSpec] = {}
    within = (*within, f"{model.task}/{model.name}")
    for name in model.uses:
        used = registry.used(model, name)
        if f"{used.task}/{used.name}" in within:
            raise PluginError(f"the model {within[0]} is made of itself", f"by way of {', '.join(within[1:]) or name}")
        task = registry.tasks[used.task]
        specs[name] = StepSpec(
            task,
            used,
            task.params(),
            (used.params or NoParams)(),
            version=registry.owner(used).version,
            uses=uses_of(used, registry, within),
        )
    return specs


def outputs_of(asked: Asked, registry: Registry, out: Path | None = None) -> OutputOptions:
    """Return how a step's results are written. out: the output path. Raises UsageError."""
    from imgai.predict.spec import KindSpec

    values = asked.values
    for name, kinds in _without_kind(asked, registry).items():
        names = " and ".join(kind.name for kind in kinds)
        raise UsageError(f"{option_name(name)} is an option of {names}", f"add --as {kinds[0].name} or leave it out")
    if values.get("link") and "sort_into" not in values:
        raise UsageError("--link is for --sort-into", "name a folder with it, or leave it out")
    explained = _explained(values) is not None
    table = _table(out, explained) if asked.task.output in PRINTED else None
    specs = tuple(KindSpec(kind, picked(kind.params, values)) for kind in _kinds_of(asked, registry))
    return picked(OutputOptions, values, kinds=specs, table=table)


def _kinds_of(asked: Asked, registry: Registry) -> list[Kind]:
    """Return the kinds to write: those requested, or the default. Outputs that are printed have only heat maps."""
    output = asked.task.output
    if output in PRINTED:
        return [registry.kind(output, _HEAT)] if "explain" in asked.values else []
    names = dict.fromkeys(asked.values.get("as_", ()))
    kinds = [registry.kind(output, name) for name in names] or registry.kinds(output)[:1]
    if "explain" in asked.values and _HEAT not in names:
        kinds.append(registry.kind(output, _HEAT))  # who wants an explanation wants to see it
    return kinds


def _without_kind(asked: Asked, registry: Registry) -> dict[str, list[Kind]]:
    """The names of values that are options of kinds, none of which is written; and the kinds that they are of."""
    if asked.task.output in PRINTED:
        return {}
    written = {field.name for kind in _kinds_of(asked, registry) for field in dataclasses.fields(kind.params)}
    without: dict[str, list[Kind]] = {}
    for kind in registry.kinds(asked.task.output):
        for field in dataclasses.fields(kind.params):
            if field.name in asked.values and field.name not in written:
                without.setdefault(field.name, []).append(kind)
    return without


def _names(model: Model) -> set[str]:
    """The names of a model's own params."""
    return {field.name for field in dataclasses.fields(model.params or NoParams)}


def _explained(values: Mapping[str, Any]) -> str | None:
    """Return the label to explain; "" for the best; None for no explanation."""
    if "explain" in values or _HEAT in values.get("as_", ()):
        return str(values.get("explain_label", ""))
    if "explain_label" in values:
        raise UsageError("--explain-label is for --explain", "add --explain gradcam")
    return None


def _table(out: Path | None, explained: bool) -> Path | None:
    if out is None:
        if explained:
            raise UsageError("--explain needs --out", "name a table, labels.csv say: the maps go into labels/")
        return None
    suffix = out.suffix.lower()
    if suffix not in TABLES:
        raise UsageError(f"--out {out}: labels are not written as that", f"let it end in {', '.join(TABLES)}")
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"--out {out}: Parquet needs pyarrow", "pip install 'imgai[parquet]', or write CSV")
    return out


def _size_options(members: tuple[Model, ...]) -> list[Option]:
    """Return the size options for a task whose default model changes the size."""
    if members[-1].scale == 1:
        return []
    scale, *others = options_of(SizeOptions, _OUTPUT)
    traits = dataclasses.replace(scale.traits, shown=f"{members[0].scale}")
    return [dataclasses.replace(scale, traits=traits), *others]


def _size(members: tuple[Model, ...], values: Mapping[str, Any]) -> Size | None:
    """Return the requested size; default: the smallest scale of the family."""
    asked = {name: value for name, value in values.items() if name in _SIZES}
    if not asked:
        return Size(scale=members[0].scale) if members[-1].scale > 1 else None
    return Size(**asked)


def _normalizes(model: Model) -> bool:
    return model.normalize is not None


def _normalize(model: Model, models: list[Model], values: Mapping[str, Any]) -> Normalize:
    """The range that was asked for. Raises UsageError where the model takes every picture as it is."""
    if "normalize" in values and not _normalizes(model):
        others = [other.name for other in models if _normalizes(other)]
        raise UsageError(
            f"--normalize is an option of the model {others[0]}, not of {model.name}",
            f"add --model {others[0]} or leave it out",
        )
    return normalize_of(values.get("normalize", AUTO))


def _implied(models: list[Model], values: Mapping[str, Any]) -> str | None:
    """Return the model selected by one of its options (`param(selects=True)`); None if there is none."""
    for model in models:
        for option in options_of(model.params or NoParams):
            if option.about.selects and option.name in values:
                return model.family or model.name
    return None


def _model_values(model: Model, models: list[Model], values: Mapping[str, Any]) -> Any:
    params = model.params or NoParams
    _, _, variant = (values.get("model") or "").partition("/")
    if variant and model.variant:
        (option,) = (each for each in options_of(params) if each.name == model.variant)
        values = {**values, model.variant: read(option, variant)}
    for other in models:
        for name in sorted(_names(other) - _names(model)):
            if name in values:
                raise UsageError(
                    f"{option_name(name)} is an option of the model {other.name}, not of {model.name}",
                    f"add --model {other.name} or leave it out",
                )
    return picked(params, values)
