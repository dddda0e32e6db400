"""``imgai run``: a recipe over whatever is named."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgai.cli.chain import assemble, send_to
from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.recipe import Recipe, read_recipe
from imgai.cli.settings import with_variables
from imgai.cli.start import start
from imgai.cli.steps import is_given
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec
    from imgai.runs.options import OutputOptions

_HELP = """Take pictures through the steps of a recipe: a TOML file that imgai chain --save-recipe
writes, or that you do.

What is given here counts more than what the recipe's \\[run] says."""


def add(app: typer.Typer, registry: Registry) -> None:
    """Add ``imgai run``."""

    def command(context: typer.Context, **values: Any) -> None:
        def steps() -> tuple[list[StepSpec], OutputOptions]:
            recipe = read_recipe(values["recipe"], registry)
            for name, value in recipe.defaults.items():
                if not is_given(context, name):
                    values[name] = value
            return _assembled(recipe, values["out"], registry)

        raise typer.Exit(start(values, steps))

    (recipe,) = options_of(recipe_options)
    of_runs = [option for option in options_of(run_options) if option.name != "model"]
    # A recipe may say where to; without either, it is told below.
    of_runs = [option.replace(default=None) if option.name == "out" else option for option in of_runs]
    of_context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [recipe, *with_variables([*of_runs, *options_of(machine_options)])]
    command.__signature__ = inspect.Signature([of_context, *parameters])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [of_context, *parameters]}
    app.command("run", help=_HELP)(command)


def recipe_options(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.", show_default=False, metavar="RECIPE")],
) -> None:
    """Which recipe."""


def _assembled(recipe: Recipe, out: Path | None, registry: Registry) -> tuple[list[StepSpec], OutputOptions]:
    send_to(out, recipe.steps, "add --out FOLDER, or out to the recipe's [run]")
    return assemble(recipe.steps, recipe.texts, recipe.keep, registry)
