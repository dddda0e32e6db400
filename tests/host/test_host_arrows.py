"""Imports point down only, and a plugin knows nothing of the host but `imgai.plugin`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import imgai

HOST = Path(imgai.__file__).parent
PLUGINS = sorted((HOST.parent / "plugins").glob("imgai-*/src/*"))

# From the bottom up. A module may import those of its own level and of the levels below.
LEVELS = (
    {"plugin", "errors", "console"},
    {"hookspecs", "sample", "params"},
    {"depth"},
    {"discovery", "device", "weights", "images"},
    {"registry", "resize", "size", "tiling"},
    {"alpha", "upsample"},
    {"work"},
    {"step"},
    {"scaling"},
    {"chain"},
    {"outputs"},
    {"run"},
    {"cli", "testing"},
)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports at run time, in functions too, `if TYPE_CHECKING` left out."""
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


def part_of(path: Path) -> str:
    return path.relative_to(HOST).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(HOST.rglob("*.py")), ids=lambda path: str(path.relative_to(HOST)))
def test_host_arrows_point_down(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert not [name for name in imports(path) if name.startswith("imgai")]
        return
    assert part in LEVEL_OF, f"say in LEVELS where {part} stands"
    for name in imports(path):
        pieces = name.split(".")
        if pieces[0] != "imgai" or len(pieces) < 2 or pieces[1] not in LEVEL_OF:
            continue
        assert LEVEL_OF[pieces[1]] <= LEVEL_OF[part], f"{part} must not import {name}"


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_plugins_import_the_plugin_module_alone(package: Path) -> None:
    files = sorted(package.rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            if name.split(".")[0] == "imgai":
                assert name.startswith("imgai.plugin"), f"{path.name} imports {name} of the host"
