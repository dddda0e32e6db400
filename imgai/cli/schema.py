"""``imgai schema``: the JSON Schema of recipes and of records."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any

import typer

from imgai.cli.settings import Settings
from imgai.params import as_schema
from imgai.plugin import Task
from imgai.registry import Registry
from imgai.words.recipe import RUN, STEPS, run_options
from imgai.words.steps import step_options


class Which(Enum):
    """The objects that have a schema."""

    recipe = "recipe"
    record = "record"


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai schema``."""

    @app.command("schema")
    def schema(which: Annotated[Which, typer.Argument(help="What of.", show_default=False)]) -> None:
        """Print the JSON Schema of recipes, with the tasks that are installed here, or of records."""
        from imgai.runs.schema import record_schema

        printed = recipe_schema(registry) if which is Which.recipe else record_schema()
        typer.echo(json.dumps(printed, indent=2))


def recipe_schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of recipes with the tasks of a registry."""
    from imgai.runs.schema import DIALECT

    return {
        "$schema": DIALECT,
        "title": "A recipe of imgai",
        "type": "object",
        "properties": {
            RUN: _object({option.key: as_schema(option) for option in run_options()}),
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
    options = {option.key: as_schema(option) for option in step_options(task, registry)}
    keep = {"type": "boolean", "description": "Write the masks of this step too."}
    return _object({"task": {"const": task.name, "description": task.summary}, **options, "keep": keep}, ["task"])


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})
