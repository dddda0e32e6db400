"""Find plugins through their entry points, and isolate those that are broken."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import islice
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from imgai import __version__, hookspecs, plugin
from imgai.apart import apart, is_interrupt, words_of
from imgai.installed import EntryPoint, entry_points
from imgai.plugin import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from imgai.plugin import Format, Kind, Model, Task

_GROUP_PREFIX = "imgai.plugins.v"
OFFICIAL = frozenset(
    f"imgai-{name}"
    for name in ("classify", "denoise", "detect", "dicom", "enhance", "inpaint", "segment", "stylize", "super-resolve")
)

_DECLARED = {"tasks": "Task", "models": "Model", "kinds": "Kind", "formats": "Format"}
"""The declarations: the field of `Plugin`, which is also the end of the hook's name, and the type that it returns."""
_HOST = ("imgai.images.codecs", "imgai.kinds")
"""The host's modules that implement the hooks. They are imported by name because they belong to a higher layer."""

_UNKNOWN: tuple[tuple[re.Pattern[str], type[BaseException]], ...] = (
    (
        re.compile(
            r"^(?:imgai\.plugin\.)?(?P<of>\w+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(?P<name>\w+)'"
        ),
        TypeError,
    ),
    (re.compile(r"^(?:type object '(?P<of>Output)' has no attribute ')?(?P<name>[A-Z_]+)'?$"), AttributeError),
    (re.compile(r"^cannot import name '(?P<name>\w+)' from '(?P<of>imgai\.plugin)'"), ImportError),
)
"""Patterns of error messages which say that a plugin uses a field, output or name unknown to this version of imgai."""
_VALUE = re.compile(r"\w[\w.]*(:\w[\w.]*)?(\s*\[.*\])?")
"""The form of a valid entry point."""
_HOOK = "imgai_register_"
_MOST = 2000
"""The maximum number of declarations per hook, so that an endless generator is stopped."""
_LONGEST = 500
"""The maximum number of characters of a reason: it may quote what a plugin declares."""
_AT_LEAST = re.compile(r"imgai\s*\(?[^;]*?>=\s*([\d.]+)")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, with what it declared or why it is broken.

    name: the entry point's name. distribution, version: the installed distribution that it belongs to.
    broken: one line that says why the plugin cannot be used; empty if it can.
    module: the module that its entry point names. seconds: how long the import and the hooks took.
    """

    name: str
    distribution: str
    version: str
    tasks: tuple[Task, ...] = ()
    models: tuple[Model, ...] = ()
    kinds: tuple[Kind, ...] = ()
    formats: tuple[Format, ...] = ()
    broken: str = ""
    module: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def official(self) -> bool:
        return self.distribution in OFFICIAL

    @property
    def host(self) -> bool:
        """Whether this entry holds the host's own declarations."""
        return self.distribution == "imgai"


def host() -> Plugin:
    """The host's own declarations, made through the same hooks."""
    return Plugin("imgai", "imgai", __version__, **_declarations([import_module(name) for name in _HOST]))


@cache
def discover() -> tuple[Plugin, ...]:
    """Return every installed plugin: official plugins first, then sorted by distribution and name.

    ``IMGAI_PLUGINS`` limits which plugins are loaded: names of entry points or distributions, separated by commas; an
    empty value means the official plugins only. A plugin that fails to import, exits, or has invalid declarations is
    returned with `Plugin.broken` set. With ``IMGAI_STRICT=1`` in the environment its exception is raised instead.
    """
    # An editable install and a wheel of one distribution can both be on the path.
    unique: dict[tuple[str, str, str], EntryPoint] = {}
    for each in entry_points(_GROUP_PREFIX):
        unique.setdefault((each.group, each.name, each.value), each)
    installed = _chosen([unique[key] for key in sorted(unique)])
    return tuple(sorted(installed, key=lambda each: (not each.official, each.distribution, each.name)))


def _chosen(found: list[EntryPoint]) -> list[Plugin]:
    """Load the plugins that ``IMGAI_PLUGINS`` names, or all if it is not set."""
    asked = os.environ.get("IMGAI_PLUGINS")
    if asked is None:
        return [_load(each) for each in found]
    wanted = {name.strip().lower().replace("_", "-") for name in asked.split(",") if name.strip()}
    named = [(each, {_named(each)[0], each.name.lower().replace("_", "-")}) for each in found]
    taken = [_load(each) for each, names in named if (names & wanted if wanted else names & OFFICIAL)]
    missing = sorted(wanted.difference(*(names for _, names in named)))
    why = "IMGAI_PLUGINS names it, and nothing of that name is installed"
    return [*taken, *(Plugin(name, name, "?", broken=why) for name in missing)]


def _named(entry_point: EntryPoint) -> tuple[str, str, list[str]]:
    """Return the name, the version and the requirements of the distribution that has an entry point."""
    # An interrupted installation leaves a distribution with missing or empty metadata.
    name, version, requires = entry_point.about()
    return (name or entry_point.module).lower().replace("_", "-"), version or "?", requires


def _load(entry_point: EntryPoint) -> Plugin:
    (name, version, requires), group, module = _named(entry_point), entry_point.group, entry_point.module
    if group != ENTRY_POINT_GROUP:
        theirs, ours = group.removeprefix(_GROUP_PREFIX), ENTRY_POINT_GROUP.removeprefix(_GROUP_PREFIX)
        why = f"it is made for plugin API {theirs}, and this imgai speaks {ours}; install a version of {name} for it"
        return Plugin(entry_point.name, name, version, broken=why, module=module)
    if not _VALUE.fullmatch(entry_point.value):
        why = f"its entry point is {entry_point.value!r}, which names no module"
        return Plugin(entry_point.name, name, version, broken=why, module=module)
    began = time.perf_counter()
    try:
        with apart(name, trusted=name in OFFICIAL):
            declared = _declarations([_module(entry_point.load())])
    except BaseException as error:
        # SystemExit and the like too: a plugin that exits while it is imported must not end the command.
        if is_interrupt(error) or os.environ.get("IMGAI_STRICT") == "1":
            raise
        broken = shortened(_newer(error, requires) or _missing(error, requires) or _one_line(error))
        return Plugin(entry_point.name, name, version, broken=broken, module=module)
    seconds = time.perf_counter() - began
    return Plugin(entry_point.name, name, version, **declared, module=module, seconds=seconds)


def _module(named: object) -> ModuleType:
    """Load the module that an entry point names. Raises TypeError, with advice, if it is not a module."""
    if not isinstance(named, ModuleType):
        what = (
            f"the class {named.__name__}"
            if isinstance(named, type)
            else f"something of the type {type(named).__name__}"
        )
        raise TypeError(f"its entry point names {what}; name the module that has its hooks")
    return named


def _missing(error: BaseException, requires: list[str]) -> str:
    """Return which requirements are missing if that is why the plugin cannot be imported, else an empty string."""
    if not isinstance(error, ImportError):
        return ""
    from imgai.requirements import unmet

    missing = unmet(requires)
    return f"{_one_line(error)}; it needs what is not there: {'; '.join(missing)}" if missing else ""


class _Hooks(pluggy.PluginManager):
    """Looks for hooks among functions only. pluggy inspects every name of a module, which takes ten times as long."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        attribute = vars(plugin).get(name)
        if isinstance(attribute, FunctionType):
            return super().parse_hookimpl_opts(plugin, name)
        if name.startswith(_HOOK) and isinstance(getattr(attribute, "imgai_impl", None), dict):
            raise TypeError(
                f"its hook {name} is no plain function but a {type(attribute).__name__}; def one, and mark that"
            )
        return None


def _declarations(modules: list[ModuleType]) -> dict[str, Any]:
    """Call the hooks of one plugin in a plugin manager of its own. Returns the declarations by field of `Plugin`."""
    hooks = _Hooks("imgai")
    hooks.add_hookspecs(hookspecs)
    for module in modules:
        hooks.register(module, module.__name__)
    hooks.check_pending()  # raises for hooks with unknown names, which are misspelled
    declared: dict[str, Any] = {}
    for name, type_ in _DECLARED.items():
        answers = getattr(hooks.hook, f"{_HOOK}{name}")()
        for answer in answers:
            if isinstance(answer, getattr(plugin, type_)):
                raise TypeError(f"its hook {_HOOK}{name} returns one {type_}; return a list of them: [{type_}(...)]")
        values = tuple(islice((value for answer in answers for value in answer), _MOST + 1))
        if len(values) > _MOST:
            raise ValueError(f"its hook {_HOOK}{name} returns more than {_MOST} declarations")
        declared[name] = values
        for value in values:
            if not isinstance(value, getattr(plugin, type_)):
                raise TypeError(f"a hook returned {value!r} where a {type_} is due")
            if type(value) is not getattr(plugin, type_):  # its attributes may be anything, at any time
                raise TypeError(f"a hook returned a {type(value).__name__}, a class of its own; return a {type_}")
    if not any(declared.values()):
        names = [f"no {type_.lower()}" for type_ in _DECLARED.values()]
        raise ValueError(f"it registers {', '.join(names)}; are its functions marked with @hookimpl?")
    return declared


def _newer(error: BaseException, requires: list[str]) -> str:
    """Say that the plugin needs a newer imgai if it uses something unknown to this version, else return "".

    requires: the requirements in the distribution's metadata.
    """
    about = words_of(error)
    unknown = next(
        (match for pattern, of in _UNKNOWN if isinstance(error, of) and (match := pattern.search(about))), None
    )
    if unknown is None:
        return ""
    what = f"this imgai {__version__} does not know {unknown['name']!r} of {unknown['of'] or 'Output'}"
    wanted = next(filter(None, map(_AT_LEAST.match, requires)), None)
    if wanted is not None and _numbers(wanted[1]) > _numbers(__version__):
        return f"it needs imgai >= {wanted[1]}: {what}; pip install --upgrade imgai"
    return f"{what}: it needs a newer one, or the name is misspelled"


def shortened(why: str) -> str:
    """Return a reason, without its middle if it is long."""
    return why if len(why) <= _LONGEST else f"{why[: _LONGEST - 100]} ... {why[-95:]}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _one_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) while it was imported"
    if isinstance(error, KeyboardInterrupt):
        return "it raised KeyboardInterrupt while it was imported"
    text = words_of(error)
    origin = ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and isinstance(error, (ImportError, SyntaxError, NameError, AttributeError, TypeError)):
        code = trace.tb_frame.f_code.co_filename
        if not code.startswith("<") and "imgai/discovery" not in code.replace(os.sep, "/"):
            origin = f" ({code}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {text or 'no message'}{origin}"
