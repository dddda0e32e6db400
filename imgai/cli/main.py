"""Build the command line from the registry, and turn errors into one line and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Annotated

import typer

from imgai import __version__
from imgai.cli.group import Commands
from imgai.cli.later import add_later
from imgai.cli.settings import Settings, load
from imgai.console import Console, shown, silence_stdout
from imgai.discovery import Plugin
from imgai.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    ImgaiError,
    PluginError,
    UsageError,
)
from imgai.measure import MEASURES
from imgai.pages import PAGES
from imgai.plugin import Task
from imgai.registry import Registry, load_registry

_SUMMARY = "The command-line image toolkit: one command a task, whole folders at a time."
_EXAMPLES = (
    "imgai try",
    "imgai segment photos/ --as cutout --out cutouts/",
    "imgai super-resolve old.jpg --scale 2 --out large.jpg",
    'imgai chain scans/ --out clean/ "denoise" "enhance"',
)
_EPILOG = "\n\n".join(("Examples:", *_EXAMPLES)) + (
    f"\n\nPages of the manual, which imgai help shows: {', '.join(PAGES)}."
    "\n\nExit codes: 0 all done, 1 some inputs failed, 2 wrong usage or nothing to do, "
    "3 a plugin or model could not be loaded, 130 interrupted, 141 the reader of a pipe left."
)
_TASKS, _ABOUT = "Tasks", "About"
_HELP = frozenset(("-h", "--help", "-V", "--version"))
COMMANDS = (
    ("chain", "Run several steps in a row, without files in between.", _TASKS),
    ("run", "Run the steps of a recipe.", _TASKS),
    ("train", "Train a model on your own pictures.", _TASKS),
    ("evaluate", "Measure models on pictures with ground truth.", _TASKS),
    ("compare", "Show the results of several steps or models side by side.", _TASKS),
    ("try", "Run every installed task on sample pictures.", _TASKS),
    ("undo", "Remove the files that imgai made in a folder.", _TASKS),
    ("runs", "Show what was done in an output folder, and what is missing.", _ABOUT),
    ("models", "List, download, import and export models.", _ABOUT),
    ("plugins", "List, check, create and install plugins.", _ABOUT),
    ("doctor", "Check this installation and list what is missing.", _ABOUT),
    ("schema", "Print the JSON Schema of recipes or records.", _ABOUT),
    ("config", "Show each setting and its source.", _ABOUT),
    ("help", "Show the help of imgai or of a command, or a page of the manual.", _ABOUT),
)
"""The host's own commands. The module `imgai.cli.NAME` adds each one when it is called."""
_COMMAND = re.compile(r"[A-Za-z0-9][\w-]*")
"""Valid names of entry points; a broken plugin with such a name becomes a command that prints the reason."""
_MODULES = {"try": "trial"}
"""Commands whose module has another name, because theirs is a keyword of Python."""


def build_app(registry: Registry, settings: Settings | None = None) -> typer.Typer:
    """Build the Typer app for a registry. settings: the values set by files."""
    settings = settings or Settings()
    app = typer.Typer(
        name="imgai",
        cls=type("Commands", (Commands,), {"broken": len(registry.broken)}),
        help=_SUMMARY,
        epilog=_EPILOG,
        invoke_without_command=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        context: typer.Context,
        version: Annotated[
            bool,
            typer.Option("--version", "-V", help="Print the version and exit.", is_eager=True, callback=_print_version),
        ] = False,
    ) -> None:
        if context.invoked_subcommand is None:
            from imgai.cli.alone import first_words

            typer.echo(first_words(context.command))
            raise typer.Exit(EXIT_USAGE)

    own = {name for name, _, _ in COMMANDS}
    for task in registry.tasks.values():
        name = task.name if task.name not in own else _other_name(task, registry, own)
        add_later(app, name, shown(task.summary), _TASKS, partial(_add_task, task, name, registry, settings))
    for name, summary, panel in COMMANDS:
        if name != "evaluate" or any(task.output in MEASURES for task in registry.tasks.values()):
            add_later(app, name, summary, panel, partial(_add, name, registry, settings))
    _add_broken(app, registry)
    return app


def main() -> None:
    """The ``imgai`` command."""
    # torch's threads spin while they wait for each other, and where something else runs on the same cores they spin
    # in vain: operations took five times as long. Read when torch is loaded, so it is said before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        registry = load_registry()
        build_app(registry, _settings(registry, sys.argv[1:]))()
    except ImgaiError as error:
        for line in (str(error), *error.more):
            Console().fail(line)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        silence_stdout()
        sys.exit(EXIT_BROKEN_PIPE)
    except (OSError, RecursionError, MemoryError) as error:
        if os.environ.get("IMGAI_STRICT") == "1":
            raise
        Console().fail(_why(error))
        sys.exit(EXIT_FAILED)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        # Typer and Rich make 1 of it, which says that inputs failed.
        silence_stdout()
        sys.exit(EXIT_BROKEN_PIPE)


def _settings(registry: Registry, words: list[str]) -> Settings:
    """Read imgai.toml, except for help, which has to work with an invalid file."""
    if not words or words[0] in (*_HELP, "help"):
        return Settings()
    try:
        return load(registry)
    except UsageError:
        if _HELP & set(words):
            return Settings()
        raise


def _why(error: BaseException) -> str:
    """Return a message for an unexpected error of the file system or memory."""
    if isinstance(error, OSError) and error.strerror:
        names = [os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        where = " -> ".join(os.fsdecode(name) for name in names)
        return f"{where}: {error.strerror}" if where else error.strerror
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _other_name(task: Task, registry: Registry, own: set[str]) -> str:
    """Return the name of the command for a task whose name is that of a host's command."""
    from imgai.sound import command_of

    return command_of(task, registry.owner(registry.models(task.name)[0]).name, own)


def _add_task(task: Task, name: str, registry: Registry, settings: Settings, app: typer.Typer) -> None:
    from imgai.cli.tasks import add_task

    add_task(app, task, registry, settings, name)


def _add(name: str, registry: Registry, settings: Settings, app: typer.Typer) -> None:
    import_module(f"imgai.cli.{_MODULES.get(name, name)}").add(app, registry, settings)


def _add_broken(app: typer.Typer, registry: Registry) -> None:
    """Add a command for each broken plugin, which ``--help`` lists and which prints the reason."""
    taken = {command.name for command in app.registered_commands}
    for plugin in registry.broken:
        if plugin.name not in taken and _COMMAND.fullmatch(plugin.name):
            taken.add(plugin.name)
            app.command(
                plugin.name,
                help="Broken plugin: imgai plugins says why.",
                rich_help_panel="Broken plugins",
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
            )(_say_why(plugin))


def _say_why(plugin: Plugin) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        raise PluginError(
            f"plugin {plugin.distribution} {plugin.version} cannot be used: {plugin.broken}",
            f"mend it, reinstall it (pip install --force-reinstall {plugin.distribution}) or remove it",
        )

    return command


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"imgai {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    main()
