"""One model in words: for people and as JSON."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from imgai import trained
from imgai.cli.listing import show
from imgai.errors import PluginError, UsageError
from imgai.params import as_table
from imgai.plugin import Model, Weights
from imgai.registry import Registry, is_path


def describe(registry: Registry, model: Model) -> dict[str, Any]:
    """Return everything about a model as JSON-able values."""
    weights = model.weights
    plugin = registry.owner(model)
    return {
        "name": model.name,
        "task": model.task,
        "family": model.family,
        "default": registry.task(model.task).default_model in (model.name, model.family),
        "summary": model.summary,
        "license": model.license,
        "parameters": model.parameters,
        "labels": list(model.labels or ()),
        "input": f"{model.input_size[1]}x{model.input_size[0]}" if model.input_size else f"tiles of {model.tile}",
        "scale": model.scale,
        "weights": None if weights is None else _describe_weights(weights),
        "uses": [_describe_used(registry, registry.used(model, name)) for name in model.uses],
        "plugin": f"{plugin.distribution} {plugin.version}".strip(),
    }


def _describe_used(registry: Registry, model: Model) -> dict[str, Any]:
    license_ = model.weights.license if model.weights else model.license
    return {
        "name": f"{model.task}/{model.name}",
        "license": license_,
        "sha256": model.weights.sha256 if model.weights else None,
        "plugin": registry.owner(model).distribution,
    }


def _describe_weights(weights: Weights) -> dict[str, Any]:
    path = _place(weights)
    return {
        "file": weights.file,
        "path": None if path is None else str(path),
        "size": weights.size,
        "sha256": weights.sha256,
        "license": weights.license,
        "data": weights.data,
    }


def _place(weights: Weights) -> Path | None:
    from imgai.predict.weights import location

    return location(weights)


def find_models(registry: Registry, name: str) -> tuple[Model, ...]:
    """The model of that name or in that file, or the members of the family of that name."""
    own = Path(name) if name.endswith(trained.SUFFIX) and Path(name).is_file() else trained.find(name)
    if own is not None and (declared := trained.declaration(own)) is not None:
        offered = [model for model in registry.models() if name in (model.name, model.family)]
        if not offered:  # a plugin's name wins
            return (registry.model(declared["task"], name),)
    if is_path(name):
        return (_held(registry, Path(name)),)
    if "/" in name:
        task, _, model = name.partition("/")
        return registry.members(task, model)
    tasks = dict.fromkeys(model.task for model in registry.models() if name in (model.name, model.family))
    if len(tasks) == 1:
        return registry.members(next(iter(tasks)), name)
    if tasks:
        words = " or ".join(f"{task}/{name}" for task in tasks)
        raise UsageError(f"several tasks have a model called {name!r}", f"say which: {words}")
    if known := dict.fromkeys(each for model in registry.models() for each in (model.family, model.name) if each):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise UsageError(f"no model is called {name!r}", f"did you mean {near[0]!r}?" if near else "see: imgai models")
    raise UsageError(f"no model is called {name!r}", "no plugin is installed; try: pip install 'imgai[all]'")


def _held(registry: Registry, path: Path) -> Model:
    """The model in a file, for the first task that it can be used for. Raises what it cannot be used for says."""
    refusal: PluginError | None = None
    for task in registry.tasks:
        try:
            return registry.model(task, str(path))
        except PluginError as error:
            if refusal is None or len(error.message) > len(refusal.message):
                refusal = error
    raise refusal or UsageError(f"{path}: no task is installed", "pip install 'imgai[all]'")


def print_facts(facts: dict[str, Any], model: Model) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    weights = facts["weights"] or {}
    rows = [
        ("model", f"{facts['task']}/{facts['name']}" + (" (default)" if facts["default"] else "")),
        ("for", facts["summary"]),
        ("licence", facts["license"]),
        ("parameters", millions(facts["parameters"])),
        ("takes", facts["input"]),
        ("labels", ", ".join(facts["labels"]) or "-"),
        ("plugin", facts["plugin"]),
        ("weights", weights.get("path") or (f"{weights['file']} (fetched at first use)" if weights else "none")),
        ("size", megabytes(weights["size"]) if weights else "-"),
        ("sha256", weights.get("sha256", "-")),
        ("weights' licence", weights.get("license", "-")),
        ("trained on", weights.get("data") or "-"),
    ]
    for used in facts["uses"]:
        rows.append(("made of", f"{used['name']} of {used['plugin']}, {used['license']}"))
    for name, value in rows:
        table.add_row(name, str(value))
    if model.params is not None:
        for option, takes, default, text in as_table(model.params):
            table.add_row(option, f"{text} ({takes}; default {default})")
    show(table)


def millions(parameters: int | None) -> str:
    if parameters is None:
        return "?"
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters:,}"


def megabytes(size: int) -> str:
    """A size in words: of less than 0.1 MB, in kB."""
    if size < 1e5:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB"
