"""Checks of declarations, before a model is loaded."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from imgai.imports import measure
from imgai.plugin import Model, Task, Weights
from imgai.predict.weights import location
from imgai.sound import troubles
from imgai.testing.fault import Fault
from imgai.testing.subject import Subject, short

_LONGEST_SUMMARY = 90
_FOR_OTHERS = ("plugin", "testing", "load", "run", "__version__")
"""The names in `imgai` that a plugin may import: the plugin API, the test API and the library."""
_UNKNOWN_LICENCES = ("unknown", "none", "other", "n/a", "todo", "tbd", "?", "free", "open source", "custom")


def registers(subject: Subject) -> Iterator[Fault]:
    """The host accepts the declarations together with those of all installed plugins."""
    problems = list(dict.fromkeys(troubles([*subject.tasks, *subject.models, *subject.kinds, *subject.formats])))
    yield from (Fault("the plugin", words) for words in problems)
    if problems:
        return
    for plugin in subject.registry.broken:
        if plugin.name == "under-test":
            yield Fault("the plugin", plugin.broken)
    if not (subject.models or subject.kinds or subject.formats):
        yield Fault("the plugin", "it declares no model, kind or format", "are its functions marked with @hookimpl?")


def imports(subject: Subject) -> Iterator[Fault]:
    """Importing the declarations is fast, imports nothing heavy, prints nothing and changes no global state."""
    if not subject.module:
        return
    seen = measure(subject.module)
    for _ in range(2):  # measured again, because the machine may be busy
        if seen.error or seen.heavy or not seen.slow:
            break
        again = measure(subject.module)
        seen = again if again.seconds / again.longest < seen.seconds / seen.longest else seen
    where = subject.module
    if seen.error:
        yield Fault(where, f"it does not import: {seen.error}", "every command imports it")
        return
    if seen.heavy:
        advice = "import them in the module that load names, or within functions"
        yield Fault(where, f"declaring imports {', '.join(seen.heavy)}", advice)
    if seen.slow:
        advice = "every command waits for it: move the work into load"
        yield Fault(where, f"importing it takes {seen.seconds:.2f} s, {seen.longest:.1f} s at most", advice)
    if seen.printed:
        words = seen.printed.splitlines()[0][:80]
        yield Fault(where, f"importing it prints {words!r}", "take the print out: it would be told at every command")
    for what in seen.changed:
        yield Fault(where, f"importing it changes {what}", "that belongs to the whole process: leave it alone")
    for file, name in _reaches_in(where.partition(".")[0]):
        words = f"{file} imports {name}, which may be otherwise in the next imgai"
        yield Fault(where, words, "imgai.plugin alone stays as it is; what it lacks is worth an issue")


def _reaches_in(package: str) -> Iterator[tuple[str, str]]:
    """Imports of the host, besides that of what is for plugins: the file, and what it imports."""
    spec = importlib.util.find_spec(package) if package != "imgai" else None
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).rglob("*.py")):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                continue  # told by another check
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    names = [each.name for each in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    names = [f"{node.module}.{each.name}" for each in node.names]
                else:
                    continue
                if found := next((name for name in names if _is_inside(name)), None):
                    yield path.name, found
                    break


def _is_inside(name: str) -> bool:
    """Whether a name is of a part of the host that is not for others."""
    head, _, rest = name.partition(".")
    return head == "imgai" and rest.partition(".")[0] not in ("", *_FOR_OTHERS)


def summaries(subject: Subject) -> Iterator[Fault]:
    """Summaries are sentences that fit on a line; labels are unique and valid in file names."""
    declarations: list[Task | Model] = [*subject.tasks, *subject.models]
    for declared in declarations:
        summary = declared.summary
        if not 0 < len(summary) <= _LONGEST_SUMMARY:
            words = f"its summary has {len(summary)} characters"
            yield Fault(declared.name, words, f"let it be one sentence of at most {_LONGEST_SUMMARY}")
        elif not summary.endswith("."):
            yield Fault(declared.name, "its summary does not end with a full stop", "a summary is a sentence")
    for model in subject.models:
        yield from _labels(model)
        yield from _licence(model.name, model.license)


def _labels(model: Model) -> Iterator[Fault]:
    labels = model.labels or ()
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        yield Fault(model.name, f"its labels hold {twice[0]!r} twice", "people choose by them: give each its own")
    for label in labels:
        if not label.strip() or label != label.strip() or any(c in label for c in "/\\,:\n\0"):
            yield Fault(
                model.name, f"its labels hold {label!r}", "labels become parts of file names: no / \\ , : in them"
            )


@cache
def _parser() -> object:
    try:
        return importlib.import_module("packaging.licenses")
    except ImportError:
        return None


def _licence(where: str, licence: str) -> Iterator[Fault]:
    advice = 'declare its SPDX identifier, "Apache-2.0" say, or "LicenseRef-" and a name of your own'
    if not licence.strip() or licence.strip().lower() in _UNKNOWN_LICENCES:
        yield Fault(where, f"its licence is {licence!r}, so that nobody may use it", advice)
        return
    parser = _parser()
    if parser is None:
        return
    try:
        parser.canonicalize_license_expression(licence)  # type: ignore[attr-defined]
    except ValueError:
        yield Fault(where, f"its licence {licence!r} is none that SPDX knows", advice)


def functions(subject: Subject) -> Iterator[Fault]:
    """Functions named as ``"package.module:function"`` exist and can be called."""
    named = [(model.name, name) for model in subject.models for name in (model.load, model.train) if name]
    named += [(kind.name, name) for kind in subject.kinds for name in (kind.render, kind.merge) if name]
    for format_ in subject.formats:
        functions_ = (format_.check, format_.probe, format_.read, format_.write)
        named += [(format_.name, name) for name in functions_ if name]
    for where, name in dict.fromkeys(named):
        module, _, function = name.partition(":")
        try:
            value = getattr(importlib.import_module(module), function)
        except Exception as error:
            yield Fault(where, f"{name} cannot be imported: {short(error)}", "is the package in the wheel?")
            continue
        if not callable(value) or inspect.isclass(value):
            yield Fault(where, f"{name} is a {type(value).__name__}", "it names a function")
            continue
        if (words := _not_callable_as(value, 1)) and any(name in (each.load, each.train) for each in subject.models):
            yield Fault(where, f"{name} {words}", "it is called with one argument, the context, and returns at once")


def _not_callable_as(function: Callable[..., object], count: int) -> str:
    """Why a function cannot be called with that many arguments for what it returns; empty if it can."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is an async function"
    if inspect.isgeneratorfunction(function):
        return "is a generator: it yields"
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError as error:
        return f"cannot be called with {count} argument: {error}"
    except ValueError:
        pass  # no signature is known
    return ""


def weights(subject: Subject) -> Iterator[Fault]:
    """Weights match their declaration (file, size, checksum, licence) and have a model card."""
    for model in subject.models:
        if model.weights is not None:
            yield from _weights(model, model.weights)


def _weights(model: Model, declared: Weights) -> Iterator[Fault]:
    yield from _licence(f"{model.name}: weights", declared.license)
    if not declared.file.endswith((".safetensors", ".onnx")):
        yield Fault(model.name, f"its weights are {declared.file}", "ship safetensors (or ONNX), never pickles")
    try:
        path = location(declared)
    except Exception as error:
        yield Fault(model.name, short(error), "is the file a part of the package?")
        return
    if path is None or not path.is_file():
        return  # it is downloaded and checked when it is needed
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != declared.size:
        advice = f"declare size={len(content)}"
        yield Fault(model.name, f"its weights have {len(content)} bytes, not {declared.size}", advice)
    if digest != declared.sha256:
        yield Fault(model.name, f"its weights are others: {digest[:12]}...", f'declare sha256="{digest}"')
    if "://" not in declared.file:
        cards = [path.with_name(f"{name}.md") for name in (path.stem, model.family) if name]
        if not any(card.is_file() for card in cards):
            advice = f"write {cards[0].name} beside them: data, licence, how good they are, what they are not for"
            yield Fault(model.name, "its weights have no model card", advice)
