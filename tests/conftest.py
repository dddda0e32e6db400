"""A folder that plays site-packages, so that discovery meets real distributions."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


class Site:
    """Distributions on the path of an interpreter."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python

    def add(
        self, distribution: str, source: str, *, group: str = "imgai.plugins.v1", name: str = "", requires: str = ""
    ) -> None:
        """Install a distribution of one module whose entry point is `name`. requires: what it needs, `imgai>=0.2`."""
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{module}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name or module} = {module}\n")

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which these distributions are installed too."""
        return {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200", "NO_COLOR": "1"}

    def imgai(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a person would, with these distributions installed too."""
        return subprocess.run(
            [self.python, "-m", "imgai.cli.main", *arguments],
            capture_output=True,
            text=True,
            env={**self.environment, **environment},
        )


@pytest.fixture
def site(tmp_path: Path, python: str) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder, python)


GREET = """
    from imgai.plugin import Model, Output, Task, hookimpl

    @hookimpl
    def imgai_register_tasks():
        return [Task(name="greet", summary="Say hello to a picture.", default_model="plain", output=Output.IMAGE)]

    @hookimpl
    def imgai_register_models():
        return [Model(name="plain", task="greet", summary="Plainly.", license="MIT", load="nowhere:load")]
"""


@pytest.fixture
def greet() -> str:
    return GREET


@pytest.fixture
def run_python() -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a program in a fresh interpreter."""

    def run(program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)

    return run


EXAMPLES = Path(__file__).parents[1] / "examples" / "plugins"
BUILD = """
import os, sys
from hatchling.build import build_wheel
folder, *plugins = sys.argv[1:]
os.makedirs(f"{folder}/wheels")
for plugin in plugins:
    os.chdir(plugin)
    build_wheel(f"{folder}/wheels")
"""
"""What pip does to build a wheel, for all of them in one interpreter."""


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheels of the example plugins are installed."""
    folder = tmp_path_factory.mktemp("plugins")
    plugins = sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml"))
    subprocess.run([sys.executable, "-c", BUILD, folder, *plugins], check=True, capture_output=True)
    wheels = list((folder / "wheels").glob("*.whl"))
    assert len(wheels) == len(plugins) > 5
    for wheel in wheels:  # all of them are of Python alone, so that unpacking installs them
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
    return folder / "site"
