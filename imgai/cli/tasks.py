"""The sub-command of a task: the run's options, the output's, the task's and its models'."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from imgai.cli.options import labels_out, machine_options, options_of, run_options
from imgai.cli.settings import with_variables
from imgai.cli.start import start
from imgai.cli.steps import is_given, outputs_of, parameters_of, settled, spec_of
from imgai.params import completion
from imgai.plugin import Output, Task
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec
    from imgai.runs.options import OutputOptions


def add_task(app: typer.Typer, task: Task, registry: Registry) -> None:
    """Add a task's command."""
    app.command(task.name, help=_help(task, registry))(task_command(task, registry))


def task_command(task: Task, registry: Registry) -> Callable[..., None]:
    """The function behind one task's sub-command, with the signature that Typer reads."""

    def command(context: typer.Context, **values: Any) -> None:
        def steps() -> tuple[list[StepSpec], OutputOptions]:
            found = settled(task, registry, values, {name for name in values if is_given(context, name)})
            return [spec_of(task, registry, found)], outputs_of(task, registry, found)

        raise typer.Exit(start(values, steps))

    of_runs = options_of(run_options)
    model = next(option for option in of_runs if option.name == "model")
    names = dict.fromkeys(each.family or each.name for each in registry.models(task.name))
    model.annotation.__metadata__[0].autocompletion = completion(names)
    if task.output is Output.SCORES:
        (out,) = options_of(labels_out)
        of_runs = [out if option.name == "out" else option for option in of_runs]
    of_context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    options = with_variables([*of_runs, *parameters_of(task, registry), *options_of(machine_options)], task.name)
    parameters = [of_context, *options]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _help(task: Task, registry: Registry) -> str:
    named = {model.family or model.name: model.summary for model in reversed(registry.models(task.name))}
    models = "\n".join(f"- {name}: {summary}" for name, summary in reversed(named.items()))
    return f"{task.summary}\n\nModels, the default first:\n\n{models}"
