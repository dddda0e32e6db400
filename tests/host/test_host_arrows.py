"""Imports point down only and in no circle, and a plugin imports nothing of the host but `imgai.plugin`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import imgai

HOST = Path(imgai.__file__).parent
PLUGINS = sorted((HOST.parent / "plugins").glob("imgai-*/src/*"))
PLUGIN_TESTS = [
    path for pattern in ("plugins/*/tests", "examples/plugin*/**/tests") for folder in sorted(HOST.parent.glob(pattern))
    for path in sorted(folder.rglob("*.py"))
]  # fmt: skip

# From the bottom up. A file may import those of its own level and of the levels below.
LEVELS = (
    {"errors"},
    {
        "plugin",
        "bar",
        "apart",
        "restored",
        "imports",
        "requirements",
        "bounded",
        "console",
        "hidden",
        "log",
        "pages",
        "plural",
    },
    {"stores"},
    {"hookspecs", "installed", "params", "sample", "options", "sound", "prefixed", "discovery", "trained", "registry"},
    {"images"},
    {"outputs"},
    {"predict"},
    {"kinds", "measure"},
    {"report"},
    {"runs"},
    {"words"},
    {"training", "evaluation"},
    {"cli", "library", "making", "testing"},
    {"__main__"},
)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
FILES = {
    ".".join(("imgai", *path.relative_to(HOST).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(HOST.rglob("*.py"))
}


def imports(path: Path) -> Iterator[str]:
    """Every name that a file imports at run time, in functions too; `if TYPE_CHECKING` is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(name: str) -> str | None:
    """The file that an imported name comes from: ``imgai.predict.size.Size`` is of ``imgai.predict.size``."""
    while name and name not in FILES:
        name = name.rpartition(".")[0]
    return name or None


@cache
def edges() -> dict[str, set[str]]:
    """Which files each file imports."""
    return {
        file: {found for name in imports(path) if (found := files_of(name)) not in (None, file)}
        for file, path in FILES.items()
    }


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every group of files that import each other (Tarjan 1972: strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(file: str) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in graph[file]:
            if other not in index:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], index[other])
        if low[file] == index[file]:
            place = stack.index(file)
            group, stack[place:] = stack[place:], []
            groups.append(group)

    for file in graph:
        if file not in index:
            visit(file)
    return [sorted(group) for group in groups if len(group) > 1]


@pytest.mark.parametrize("file", FILES)
def test_host_arrows_point_down(file: str) -> None:
    if file == "imgai":
        return
    part = file.split(".")[1]
    assert part in LEVEL_OF, f"say in LEVELS where {part} stands"
    for other in edges()[file]:
        below = other.split(".")[1] if "." in other else None
        if below is not None:
            assert LEVEL_OF[below] <= LEVEL_OF[part], f"{file} must not import {other}"


def test_host_no_files_import_each_other_in_a_circle() -> None:
    assert circles(edges()) == []


def test_host_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_plugins_import_the_plugin_module_alone(package: Path) -> None:
    files = sorted(package.rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            if name.split(".")[0] == "imgai":
                assert name.startswith("imgai.plugin"), f"{path.name} imports {name} of the host"


@pytest.mark.parametrize("file", PLUGIN_TESTS, ids=lambda path: path.name)
def test_tests_of_plugins_import_what_is_public_alone(file: Path) -> None:
    for name in imports(file):
        if name.split(".")[0] == "imgai":
            public = name == "imgai" or name.startswith(("imgai.plugin", "imgai.testing"))
            assert public, f"{file} imports {name} of the host"


def test_host_decides_on_outputs_where_they_are_declared_alone() -> None:
    """What is special about an output stands in its file, in its kinds and measures, and in tables of declarations."""
    allowed = (
        *("imgai.plugin", "imgai.options", "imgai.outputs", "imgai.kinds", "imgai.measure", "imgai.testing.fake"),
        "imgai.training.layouts",
    )
    for file, path in FILES.items():
        if not file.startswith(allowed):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                decides = isinstance(node, ast.Attribute) and ast.unparse(node).startswith("Output.")
                assert not decides, f"{file}:{node.lineno} decides on {ast.unparse(node)}"
