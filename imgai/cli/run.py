"""``imgai run``: a recipe over whatever is named."""

from __future__ import annotations

import dataclasses

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.options import Machine, RecipeOptions
from imgai.registry import Registry
from imgai.words.chain import assemble
from imgai.words.command import Given, machine_options, run_options
from imgai.words.recipe import read_recipe

_HELP = """Take images through the steps of a recipe: a TOML file that imgai chain --save-recipe
writes, or that you do.

What is given here counts more than what the recipe's \\[run] says."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai run``."""

    def work(given: Given) -> int:
        recipe = read_recipe(given.values["recipe"], registry)
        given = given.over(recipe.defaults)
        options = given.of(RecipeOptions, machine=given.of(Machine))
        hint = "add --out FOLDER, or out to the recipe's [run]"
        specs, outputs = assemble(recipe.steps, recipe.keep, registry, out=options.out, hint=hint)
        return start(specs, dataclasses.replace(options, outputs=outputs))

    options = [*run_options(RecipeOptions), *machine_options()]
    add_command(app, "run", options, work, help=_HELP, settings=settings.of())
