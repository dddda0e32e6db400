"""Shells complete tasks, models and what options take, and torch is not imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, io, json, os, sys
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
answers = []
asked, sys.argv = json.loads(sys.argv[1]), ["imgai"]
for environment in asked:
    os.environ.update(environment)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        cli.main()
    answers.append(out.getvalue())
    for name in environment:
        del os.environ[name]
heavy = {"torch", "numpy", "PIL", "kornia"} & set(sys.modules)
print(*sorted(heavy), file=sys.stderr)
print(json.dumps(answers))
"""
SHELLS = ("bash", "zsh", "fish")
OFFERED = {
    "imgai pai": {"paint"},
    "imgai paint --model o": {"oil", "olive"},
    "imgai paint --style no": {"noon"},
    "imgai paint --style wave,n": {"wave,night", "wave,noon"},
    "imgai paint --device cp": {"cpu"},
    "imgai paint --format jp": {"jpeg"},
    "imgai models info ol": {"olive"},
    "imgai paint --stren": set(),
    "imgai paint --sty": {"--style"},
}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], str]:
    """What each shell is offered for each line."""
    asked = {
        (shell, words): {
            "_IMGAI_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        for shell in SHELLS
        for words in OFFERED
    }
    line = [sys.executable, "-c", PROGRAM, json.dumps(list(asked.values()))]
    answer = subprocess.run(line, capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == ""
    return dict(zip(asked, json.loads(answer.stdout), strict=True))


@pytest.mark.parametrize("words", OFFERED)
@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete(shell: str, words: str, answers: dict[tuple[str, str], str]) -> None:
    answer = answers[shell, words]
    found = {line.replace('"', "").split("\t")[0].split(":")[0].strip() for line in answer.splitlines()}
    if shell == "zsh":  # _arguments '*: :(("oil" "olive"))'
        parts = answer.replace("((", "\n").replace("))", "\n").splitlines()
        found = {part.split('"')[1] for part in parts if '"' in part}
    assert found - {""} == OFFERED[words], answer
