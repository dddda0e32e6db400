"""One step, as people write it: the same options and the same errors wherever it stands."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import shlex
from collections.abc import Collection, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main

from imgai.cli.options import OUTPUT_OPTIONS, kind_options, options_of, run_options, size_options
from imgai.errors import UsageError
from imgai.images.formats import TABLES
from imgai.params import as_options, as_values, completion, fields_of, option_name
from imgai.plugin import Kind, Model, NoParams, Output, Task
from imgai.predict.size import Size
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.spec import KindSpec, StepSpec
    from imgai.runs.options import OutputOptions

_SIZES = frozenset(("scale", "width", "height", "megapixels"))


def parameters_of(task: Task, registry: Registry) -> list[inspect.Parameter]:
    """The options of a task and its models, and of what it writes."""
    return [
        *_output_options(task.output, registry),
        *_sizes_of(registry.members(task.name)),
        *as_options(task.params, panel=f"Options of {task.name}"),
        *_model_options(registry.models(task.name)),
    ]


def _output_options(output: Output, registry: Registry) -> list[inspect.Parameter]:
    """The options of what is written: ``--as`` where there are several kinds, and those of the kinds."""
    if output in OUTPUT_OPTIONS:
        return options_of(OUTPUT_OPTIONS[output])
    kinds = registry.kinds(output)
    options: dict[str, inspect.Parameter] = {}
    if len(kinds) > 1:
        (asked,) = options_of(kind_options)
        about = asked.annotation.__metadata__[0]
        names = [kind.name for kind in kinds]
        about.help = f"What to write: {', '.join(names[:-1])} or {names[-1]}; may be given several times."
        about.autocompletion, about.show_default = completion(names), names[0]
        options["as_"] = asked
    for kind in kinds:
        for option in as_options(kind.params, panel="Output", unset=True):
            options.setdefault(option.name, option)
    return list(options.values())


def parse(text: str, registry: Registry) -> tuple[Task, dict[str, Any]]:
    """``denoise --strength 0.4`` as a task and the values of its options, those that were not given included.

    Raises UsageError with the very words that ``imgai denoise`` has for it.
    """
    task, values, _ = parse_step(text, registry)
    return task, values


def parse_step(text: str, registry: Registry) -> tuple[Task, dict[str, Any], set[str]]:
    """The same, and the names of the values that were typed; what was not is as files and variables say."""
    return parse_words(_words(text), text, registry, configured=True)


def set_options(text: str, registry: Registry, leave: Collection[str] = ()) -> dict[str, Any]:
    """The options of a step that are not as by default, as they are called on the command line, without dashes."""
    task, values, given = parse_step(text, registry)
    _, plain, _ = parse_words([task.name], task.name, registry)
    plain = _without_empty(plain)
    return {
        flag: values[name]
        for flag, name in flags_of(task, registry).items()
        if name in given or (name not in leave and values[name] is not None and values[name] != plain[name])
    }


def parse_words(
    words: Sequence[str], text: str, registry: Registry, *, configured: bool = False
) -> tuple[Task, dict[str, Any], set[str]]:
    """A step's words as its task, the values of all of its options, and the names of those that were given.

    text: how the step was written, for errors. configured: what is not given is as files and variables say, if it goes
    with what is. Raises UsageError.
    """
    name, *rest = words
    task = registry.task(name)

    def command(**values: Any) -> None:
        pass

    parameters = step_parameters(task, registry)
    if configured:
        from imgai.cli.settings import with_variables  # which knows steps

        parameters = with_variables(parameters, name)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command(name)(command)
    defaults = registry.defaults.get(name) if configured else None
    try:
        context = typer.main.get_command(app).make_context(name, rest, default_map=defaults)
    except Exception as error:
        # Typer's errors are Click's, of the version that comes with it; all of them can say what they mean.
        if not hasattr(error, "format_message"):
            raise
        raise UsageError(f"the step {text!r}: {error.format_message()}", f"see: imgai {name} --help") from None
    given = {key for key in context.params if is_given(context, key)}
    return task, settled(task, registry, context.params, given) if configured else context.params, given


def settled(task: Task, registry: Registry, values: dict[str, Any], given: Set[str]) -> dict[str, Any]:
    """The values without those of files and variables that do not go with what was typed.

    A setting is for the runs that it fits: it neither breaks one that is of another model, nor one that says
    otherwise. given: the names of what was typed.
    """
    found = _without_empty(values)
    if given & _SIZES:
        found.update(dict.fromkeys((_SIZES - given) & found.keys()))
    models = registry.models(task.name)
    own = {model.name: {field.name for field in dataclasses.fields(model.params or NoParams)} for model in models}
    every = set[str]().union(*own.values())
    if "model" not in given:
        found["model"] = _implied(models, {name: found[name] for name in given}) or found["model"]
        if found["model"] is None and (implied := _implied(models, found)):
            # What a file implies gives way to an option of another model.
            mine = own[registry.members(task.name, implied)[0].name]
            found["model"] = implied if not (given & every) - mine else None
    mine = own[registry.members(task.name, found["model"])[0].name]
    found.update(dict.fromkeys(every - mine - given))
    if task.output not in OUTPUT_OPTIONS:
        asked = _asked_kinds(task.output, registry, found)
        for name, kinds in _options_of_kinds(task.output, registry).items():
            if name in found and name not in given and not set(kinds) & set(asked):
                found[name] = None
    if found.get("sort_into") is None and "link" in found and "link" not in given:
        found["link"] = False
    return without_maps(found, given)


def without_maps(values: dict[str, Any], given: Set[str]) -> dict[str, Any]:
    """The values without a heat map that only a file or a variable asks for, where there is no place for it.

    A step of a chain does not know its place; without "out" among the values, all is well.
    """
    found = dict(values)
    if "explain" in found and "explain" not in given and found.get("out", ...) is None:
        found["explain"] = None
    if found.get("explain") is None and "explain_label" not in given and "explain_label" in found:
        found["explain_label"] = None
    return found


def is_given(context: Any, name: str) -> bool:
    """Whether an option was written on the command line, and not left to its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def step_parameters(task: Task, registry: Registry) -> list[inspect.Parameter]:
    """All options of a step: which model, and what its task takes."""
    model = next(option for option in options_of(run_options) if option.name == "model")
    return [model, *parameters_of(task, registry)]


def flags_of(task: Task, registry: Registry) -> dict[str, str]:
    """The options of a step as they are typed, without dashes, and the names of their values."""
    return {flag_of(parameter): parameter.name for parameter in step_parameters(task, registry)}


def flag_of(parameter: inspect.Parameter) -> str:
    """``as`` for the parameter ``as_`` whose option is ``--as``."""
    long = next((flag for flag in declared_flags(parameter) if flag.startswith("--")), f"--{parameter.name}")
    return long.split("/")[0].removeprefix("--")


def declared_flags(parameter: inspect.Parameter) -> list[str]:
    """How an option is written: ``--as``, or ``--keep-colors/--no-keep-colors``."""
    option = parameter.annotation.__metadata__[0]
    # Within Annotated, Typer has the first of them where a default would be.
    return [flag for flag in (option.default, *option.param_decls) if isinstance(flag, str)]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the step {text!r} cannot be read: {error}") from None


def spec_of(task: Task, registry: Registry, values: dict[str, Any], *, name: str = "") -> StepSpec:
    """The step that the values of a command line, or of a part of one, ask for. Raises UsageError."""
    from imgai.predict.spec import StepSpec

    values = _without_empty(values)
    members = registry.members(task.name, values["model"] or _implied(registry.models(task.name), values))
    model = members[0]
    return StepSpec(
        task=task,
        model=model,
        members=members if len(members) > 1 else (),
        size=_size(members, values),
        params=as_values(task.params, {field.name: values[field.name] for field in dataclasses.fields(task.params)}),
        model_params=_model_values(model, registry.models(task.name), values),
        name=name,
        explain=_explained(values),
    )


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """An option that may be given several times and was not is an empty list or, of some versions, tuple."""
    return {name: None if isinstance(value, (list, tuple)) and not value else value for name, value in values.items()}


def outputs_of(task: Task, registry: Registry, values: dict[str, Any]) -> OutputOptions:
    """What is to be written of a task's results. Raises UsageError."""
    from imgai.predict.spec import KindSpec
    from imgai.runs.options import OutputOptions

    if task.output is Output.SCORES:
        if values["link"] and values["sort_into"] is None:
            raise UsageError("--link is for --sort-into", "name a folder with it, or leave it out")
        explained = _explained(values) is not None
        return OutputOptions(
            kinds=(KindSpec(registry.kind(task.output, "heat")),) if explained else (),
            threshold=values["threshold"],
            top=values["top"],
            table=_table(values.get("out"), explained),
            sort_into=values["sort_into"],
            link=values["link"],
            xmp=values["write_xmp"],
        )
    return OutputOptions(_kinds(task.output, registry, values))


def _explained(values: dict[str, Any]) -> str | None:
    """The label to explain, "" for the best; None if nothing is."""
    method, label = values.get("explain"), values.get("explain_label")
    if method is None:
        if label is not None:
            raise UsageError("--explain-label is for --explain", "add --explain gradcam")
        return None
    if method != "gradcam":
        raise UsageError(f"--explain cannot be {method!r}", "it is gradcam")
    return label or ""


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


def _kinds(output: Output, registry: Registry, values: dict[str, Any]) -> tuple[KindSpec, ...]:
    """The kinds that were asked for, or the usual one, with their options. Raises UsageError."""
    from imgai.predict.spec import KindSpec

    asked = _asked_kinds(output, registry, values)
    for name, kinds in _options_of_kinds(output, registry).items():
        if values.get(name) is not None and not set(kinds) & set(asked):
            names = " and ".join(kind.name for kind in kinds)
            raise UsageError(
                f"{option_name(name)} is an option of {names}", f"add --as {kinds[0].name} or leave it out"
            )
    return tuple(
        KindSpec(
            kind, as_values(kind.params, {field.name: values.get(field.name) for field, _, _ in fields_of(kind.params)})
        )
        for kind in asked
    )


def _asked_kinds(output: Output, registry: Registry, values: dict[str, Any]) -> list[Kind]:
    # --as mask,cutout is as good as --as mask --as cutout, in either order and once each.
    texts = values.get("as_") or [registry.kinds(output)[0].name]
    names = dict.fromkeys(name.strip() for text in texts for name in text.split(","))
    return [registry.kind(output, name) for name in names]


def _options_of_kinds(output: Output, registry: Registry) -> dict[str, list[Kind]]:
    """The options that kinds of an output have, each with the kinds that have it."""
    kinds: dict[str, list[Kind]] = {}
    for kind in registry.kinds(output):
        for field in dataclasses.fields(kind.params):
            kinds.setdefault(field.name, []).append(kind)
    return kinds


def _sizes_of(members: tuple[Model, ...]) -> list[inspect.Parameter]:
    """``--scale`` and its like, for a task whose default changes the size."""
    if members[-1].scale == 1:
        return []
    found = options_of(size_options)
    found[0].annotation.__metadata__[0].show_default = f"{members[0].scale}"
    return found


def _size(members: tuple[Model, ...], values: dict[str, Any]) -> Size | None:
    """What was asked for; nothing is the smallest scale there is."""
    asked = {name: values.get(name) for name in ("scale", "width", "height", "megapixels")}
    if all(value is None for value in asked.values()):
        return Size(scale=members[0].scale) if members[-1].scale > 1 else None
    return Size(**asked)


def _model_options(models: list[Model]) -> list[inspect.Parameter]:
    options: dict[str, inspect.Parameter] = {}
    for model in models:
        if model.params is not None:
            for option in as_options(model.params, panel=f"Options of the model {model.name}", unset=True):
                # Two models may share an option; the first says what it is.
                options.setdefault(option.name, option)
    return list(options.values())


def _implied(models: list[Model], values: dict[str, Any]) -> str | None:
    """The model that an option of it stands for, where that option is given; None if none does."""
    for model in models:
        for field, _, about in fields_of(model.params or NoParams):
            if about.selects and values.get(field.name) is not None:
                return model.family or model.name
    return None


def _model_values(model: Model, models: list[Model], values: dict[str, Any]) -> Any:
    mine = model.params or NoParams
    _, _, variant = (values["model"] or "").partition("/")
    if variant and model.variant:
        values = {**values, model.variant: variant}
    names = {field.name for field in dataclasses.fields(mine)}
    for other in models:
        for field, _, _ in fields_of(other.params or NoParams):
            if field.name not in names and values.get(field.name) is not None:
                raise UsageError(
                    f"{option_name(field.name)} is an option of the model {other.name}, not of {model.name}",
                    f"add --model {other.name} or leave it out",
                )
    return as_values(mine, {name: values.get(name) for name in names})
