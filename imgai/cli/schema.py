"""``imgai schema``: the JSON Schema of recipes and of records."""

from __future__ import annotations

import inspect
import json
import typing
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from imgai.cli.recipe import RUN, STEPS, run_parameters
from imgai.cli.steps import flag_of, step_parameters
from imgai.params import fields_of
from imgai.plugin import NoParams, Param, Task
from imgai.registry import Registry


class Which(Enum):
    """What there is a schema of."""

    recipe = "recipe"
    record = "record"


def add(app: typer.Typer, registry: Registry) -> None:
    """Add ``imgai schema``."""

    @app.command("schema")
    def schema(which: Annotated[Which, typer.Argument(help="What of.", show_default=False)]) -> None:
        """Print the JSON Schema of recipes, with the tasks that are installed here, or of records."""
        from imgai.runs.schema import record_schema

        found = recipe_schema(registry) if which is Which.recipe else record_schema()
        typer.echo(json.dumps(found, indent=2))


def recipe_schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of recipes with the tasks of a registry."""
    from imgai.runs.schema import DIALECT

    return {
        "$schema": DIALECT,
        "title": "A recipe of imgai",
        "type": "object",
        "properties": {
            RUN: _object({flag_of(option): _option(option) for option in run_parameters()}),
            STEPS: {
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [_step(task, registry) for task in registry.tasks.values()]},
            },
        },
        "required": [STEPS],
        "additionalProperties": False,
    }


def _step(task: Task, registry: Registry) -> dict[str, Any]:
    params = [task.params, *(model.params or NoParams for model in registry.models(task.name))]
    about = {field.name: found for each in params for field, _, found in fields_of(each)}
    options = {flag_of(option): _option(option, about.get(option.name)) for option in step_parameters(task, registry)}
    keep = {"type": "boolean", "description": "Write what this step found, too."}
    return _object({"task": {"const": task.name, "description": task.summary}, **options, "keep": keep}, ["task"])


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _option(parameter: inspect.Parameter, about: Param | None = None) -> dict[str, Any]:
    """The schema of an option's values, with the words of its help and the bounds that it declares."""
    from imgai.runs.schema import schema_of

    kind, option = parameter.annotation.__origin__, parameter.annotation.__metadata__[0]
    found = schema_of(_plain(kind))
    one = found.get("items", found)
    lowest, highest = (option.min, option.max) if about is None else (about.minimum, about.maximum)
    if lowest is not None:
        one["minimum"] = lowest
    if highest is not None:
        one["maximum"] = highest
    if about is not None and about.choices and not found.get("items"):
        one["enum"] = list(about.choices)
    if found.get("items"):  # several, or one alone
        found = {"anyOf": [one, found]}
    return found | {"description": option.help}


def _plain(kind: Any) -> Any:
    """Paths are texts in TOML."""
    inner = [each for each in typing.get_args(kind) if each is not type(None)]
    if typing.get_origin(kind) is list:
        return kind
    plain = inner[0] if inner else kind
    return str if plain is Path else plain
