"""Shells complete tasks, models and what options take, and torch is not imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
import imgai.cli.main as cli
from imgai.discovery import Plugin
from imgai.plugin import Model, Output, Task, param
from imgai.registry import Registry
from dataclasses import dataclass

@dataclass(frozen=True)
class Params:
    style: tuple[str, ...] = param((), "Which.", choices=("night", "noon", "wave"), weighted=True)

TASK = Task(name="paint", summary="Paint.", default_model="oil", output=Output.IMAGE, params=Params)
MODELS = tuple(
    Model(name=name, task="paint", summary="So.", license="MIT", load="nowhere:load")
    for name in ("oil", "olive", "ink")
)
REGISTRY = Registry([Plugin("paint", "paint", "1", (TASK,), MODELS)])
cli.load_registry = lambda: REGISTRY
try:
    cli.main()
finally:
    heavy = {"torch", "numpy", "PIL", "kornia"} & set(sys.modules)
    print(*sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("imgai pai", {"paint"}),
        ("imgai paint --model o", {"oil", "olive"}),
        ("imgai paint --style no", {"noon"}),
        ("imgai paint --style wave,n", {"wave,night", "wave,noon"}),
        ("imgai paint --device cp", {"cpu"}),
        ("imgai paint --format jp", {"jpeg"}),
        ("imgai models info ol", {"olive"}),
        ("imgai paint --stren", set()),
        ("imgai paint --sty", {"--style"}),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, words: str, offered: set[str], tmp_path: Path) -> None:
    parts = words.split()
    environment = {
        **os.environ,
        "_IMGAI_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(parts) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    program = tmp_path / "imgai"
    program.write_text(PROGRAM)
    answer = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True)
    found = {line.replace('"', "").split("\t")[0].split(":")[0].strip() for line in answer.stdout.splitlines()}
    if shell == "zsh":  # _arguments '*: :(("oil" "olive"))'
        found = {
            part.split('"')[1]
            for part in answer.stdout.replace("((", "\n").replace("))", "\n").splitlines()
            if '"' in part
        }
    assert found - {""} == offered, answer.stdout + answer.stderr
    assert answer.stderr.strip() == ""
