"""Plugins that would hurt others, all installed at once: every command works, and each is told for what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGINS: dict[str, dict[str, dict[str, str]]] = tomllib.loads(
    (Path(__file__).parent / "hostile.toml").read_text(encoding="utf-8")
)
PRELUDE = "from dataclasses import dataclass\nfrom pathlib import Path\nfrom imgai.plugin import *\n"
WHOLE = """PRELUDE
@dataclass(frozen=True)
class Params:
    PARAMS

def changed(of, **others):
    return of | others

@hookimpl
def imgai_register_tasks():
    task = dict(name="NAME", summary="S.", default_model="m", output=Output.IMAGE, params=Params)
    return [Task(**changed(task, TASK))]

@hookimpl
def imgai_register_models():
    model = dict(name="m", task="NAME", summary="S.", license="MIT", load="a:b")
    return [Model(**changed(model, MODEL))]
"""
COMMANDS = (
    "--help", "plugins --json", "plugins", "config", "config --json", "schema recipe", "schema record", "models",
    "models --json", "models info segment/subject", "segment --help", "denoise --help", "help chain", "run --list",
    "help-with-markup --help", "summary-with-markup --help",
)  # fmt: skip
"""What is to work. Some plugins stay sound: their own help is among it."""
PROGRAM = """
import contextlib, io, json, os, sys
from imgai.cli.main import main
answers = {}
for words in json.loads(sys.argv[1]):
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = ["imgai", *words.split()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    answers[words] = [code, out.getvalue(), err.getvalue()]
found = {"answers": answers, "folder": os.getcwd(), "device": os.environ.get("IMGAI_DEVICE")}
print(json.dumps(found), file=sys.__stdout__)
"""


def hostile() -> Iterator[tuple[str, dict[str, str]]]:
    for section, plugins in PLUGINS.items():
        for name, about in plugins.items():
            yield f"{section}-{name}" if section in ("names", "distribution") else name, about


def source_of(name: str, about: dict[str, str]) -> str:
    source = about.get("source", WHOLE if "entry" not in about else "")
    sound = "broken" not in about
    if sound and "register_tasks" not in source:  # what it does while it is imported; then a plugin like any other
        source += "\n" + WHOLE
    values = {"TASK": about.get("task", ""), "MODEL": about.get("model", ""), "PARAMS": about.get("params", "pass")}
    for key, value in {**values, "NAME": name, "PRELUDE": PRELUDE}.items():
        source = source.replace(key, value)
    return source


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What commands answer beside all of them: code, standard output and standard error of each."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, about in hostile():
        module = "m_" + name.replace("-", "_")
        (folder / f"{module}.py").write_text(source_of(name, about), encoding="utf-8")
        info = folder / f"x_{module}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {about['requires']}\n" if "requires" in about else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: x-{name}\nVersion: 1.0\n{needs}")
        group, entry = about.get("group", "imgai.plugins.v1"), about.get("entry", "MODULE").replace("MODULE", module)
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {entry}\n")
    own = [name for name, about in hostile() if "broken" in about]
    commands = [*COMMANDS, "no-such-command", *own]
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    assert (found["folder"], found["device"]) == (str(folder), None)
    answers: dict[str, Any] = found["answers"]
    assert not any("NOT FOR STDOUT" in out for _, out, _ in answers.values())
    return answers


def test_there_are_enough_of_them() -> None:
    assert sum(1 for _ in hostile()) >= 70


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_beside_them(seen: dict[str, Any], command: str) -> None:
    code, out, err = seen[command]
    assert code == 0, err
    assert out
    assert "Traceback" not in err


@pytest.mark.parametrize(("name", "about"), hostile(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_is_told_for_what_it_is(seen: dict[str, Any], name: str, about: dict[str, str]) -> None:
    facts = [json.loads(line) for line in seen["plugins --json"][1].splitlines()]
    (mine,) = (each for each in facts if each["distribution"] == f"x-{name}")
    if "broken" not in about:
        assert mine["broken"] is None
        assert mine["tasks"] == [name]
        return
    assert about["broken"] in (mine["broken"] or "")
    assert mine["broken"]
    assert "\n" not in mine["broken"]
    code, _, err = seen[name]
    assert code == 3, (code, err)
    assert f"x-{name}" in err
    assert "Traceback" not in err


def test_official_plugins_are_sound_beside_them_and_the_number_of_the_broken_is_told(seen: dict[str, Any]) -> None:
    facts = [json.loads(line) for line in seen["plugins --json"][1].splitlines()]
    assert not [each for each in facts if each["official"] and each["broken"]]
    broken = sum(each["broken"] is not None for each in facts)
    code, _, err = seen["no-such-command"]
    assert code == 2
    assert f"{broken} plugins are broken: imgai plugins says why" in err
