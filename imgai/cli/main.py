"""Build the command line from the registry, and turn errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from imgai import __version__
from imgai.cli import chain, config, doctor, evaluate, models, plugins, run, schema
from imgai.cli.tasks import add_tasks
from imgai.console import Console
from imgai.discovery import Plugin
from imgai.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, ImgaiError, PluginError, UsageError
from imgai.registry import Registry, load_registry

_SUMMARY = "The command-line image toolkit: one command a task, whole folders at a time."
_EPILOG = (
    "Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage or nothing to do, "
    "3 a plugin or model could not be loaded, 130 interrupted, 141 the reader of a pipe left."
)


def build_app(registry: Registry, configuration: config.Configuration | None = None) -> typer.Typer:
    """The Typer app for what the registry holds."""
    app = typer.Typer(
        name="imgai",
        help=_SUMMARY,
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
        ] = False,
    ) -> None:
        pass

    add_tasks(app, registry)
    chain.add(app, registry)
    run.add(app, registry)
    evaluate.add(app, registry)
    models.add(app, registry)
    plugins.add(app, registry)
    doctor.add(app, registry)
    schema.add(app, registry)
    config.add(app, registry, configuration or config.Configuration())
    _add_broken(app, registry)
    return app


def main() -> None:
    """The ``imgai`` command."""
    # torch's threads spin while they wait for each other, and where something else runs on the same cores they spin
    # in vain: operations took five times as long. Read when torch is loaded, so it is said before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        registry = load_registry()
        configuration = config.Configuration()
        try:
            configuration = config.load(registry)
        except UsageError:
            if not {"-h", "--help", "--version"} & set(sys.argv[1:]):
                raise  # help is to be had all the same
        app = build_app(registry, configuration)
        app(default_map=configuration.default_map(registry))
    except ImgaiError as error:
        for line in (str(error), *error.more):
            Console().fail(line)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        # Typer and Rich make 1 of it, which says that inputs failed.
        from imgai.run.pipe import silence_stdout

        silence_stdout()
        sys.exit(EXIT_BROKEN_PIPE)


def _add_broken(app: typer.Typer, registry: Registry) -> None:
    """A command for each broken plugin, so that ``--help`` shows it and calling it says why."""
    taken = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    for plugin in registry.broken:
        if plugin.name not in taken:
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
