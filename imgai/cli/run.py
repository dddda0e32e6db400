"""``imgai run``: process inputs by a recipe."""

from __future__ import annotations

import dataclasses

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.errors import UsageError
from imgai.options import Machine, RecipeOptions
from imgai.registry import Registry
from imgai.words.chain import assemble
from imgai.words.command import Given, machine_options, run_options
from imgai.words.recipe import find_recipe, named_recipes, read_recipe, summary_of

_HELP = """Process images by the steps of a recipe: a TOML file that imgai chain --save-recipe
writes, or that you write; or one that comes with imgai: imgai run product ./shop --out ready/.

Options given here override those in the recipe's \\[run]."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai run``."""

    def work(given: Given) -> int:
        if given.values.get("list"):
            return _list()
        if "recipe" not in given.values:
            raise UsageError("no recipe is named", "imgai run --list lists them; or name a TOML file")
        if not given.values.get("inputs"):
            raise UsageError("no pictures are named", f"imgai run {given.values['recipe']} FOLDER --out FOLDER")
        recipe = read_recipe(find_recipe(given.values["recipe"]), registry)
        given = given.over(recipe.defaults)
        options = given.of(RecipeOptions, machine=given.of(Machine))
        hint = "add --out FOLDER, or out to the recipe's [run]"
        specs, outputs = assemble(recipe.steps, recipe.keep, registry, out=options.out, hint=hint)
        return start(specs, dataclasses.replace(options, outputs=outputs))

    # The recipe is named before the inputs.
    options = sorted(run_options(RecipeOptions), key=lambda each: each.name != "recipe")
    options += machine_options()
    add_command(app, "run", options, work, help=_HELP, settings=settings.of())


def _list() -> int:
    """Print the named recipes with their descriptions."""
    recipes = named_recipes()
    width = max(map(len, recipes))
    for name, path in sorted(recipes.items()):
        typer.echo(f"{name:{width}}  {summary_of(path)}")
        typer.echo(f"{'':{width}}  {path}")
    return 0
