"""A new plugin is whole from the first moment: it keeps the contract, is checked, packed and installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner

from imgai import __version__
from imgai.cli.main import build_app
from imgai.errors import UsageError
from imgai.making import pip, project
from imgai.making.built import declared_by, opened
from imgai.plugin import Task
from imgai.registry import Registry, load_registry
from imgai.testing import fake
from imgai.testing.checks import check_all, faults
from imgai.testing.subject import Subject

TASKS = (fake.BRIGHTEN, fake.FIND_LIGHT, fake.WEIGH, fake.BOX_LIGHT, fake.RELIEF, fake.DESCRIBE)


@pytest.fixture(scope="module")
def registry() -> Registry:
    from imgai.discovery import Plugin

    installed = load_registry()
    mine = Plugin("fake", "imgai-fake", "1.0", fake.imgai_register_tasks(), fake.imgai_register_models())
    return Registry([*installed.plugins, mine])


def faults_of(folder: Path, tasks: tuple[Task, ...] = ()) -> list[str]:
    """What the contract has against the plugin of a folder, but for its import, which takes an interpreter."""
    with opened(folder) as plugins:
        subject = Subject("", **declared_by(plugins[0]))
        subject.task = lambda model: next(  # type: ignore[method-assign]
            each for each in (*tasks, *subject.tasks, *load_registry().tasks.values()) if each.name == model.task
        )
        return [f"{check}: {fault}" for check, found in check_all(subject) for fault in found if check != "registers"]


def test_a_new_task_keeps_the_contract(tmp_path: Path) -> None:
    project.of_task("sand").write(tmp_path / "sand")
    assert faults_of(tmp_path / "sand") == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_new_model_of_each_output_keeps_the_contract(registry: Registry, tmp_path: Path, task: Task) -> None:
    made = project.of_model("sand", task, registry)
    made.write(tmp_path / "sand")
    assert faults_of(tmp_path / "sand", TASKS) == []


def test_a_new_model_uses_the_strength_of_its_task_and_ignores_the_rest(registry: Registry) -> None:
    init, model = (
        project.of_model("sand", registry.task("enhance"), registry).files[f"src/imgai_sand/{name}.py"]
        for name in ("__init__", "model")
    )
    assert "context.params.strength" in model
    assert 'ignores=("only",)' in init


def test_a_trained_model_is_packed_with_its_card_and_its_labels(tmp_path: Path, registry: Registry) -> None:
    from imgai import trained

    base = registry.model("segment", "subject")
    assert base.weights is not None
    from safetensors.torch import load_file

    from imgai.predict.weights import find

    folder = tmp_path / "mine"
    folder.mkdir()
    declared = {
        "schema": trained.SCHEMA,
        "task": "segment",
        "name": "mine",
        "base": {"model": "subject", "plugin": "imgai-segment", "version": "0.2.0"},
        "model": {"labels": ["cup"], "summary": "Cups.", "license": "CC-BY-4.0"},
        "data": "my cups",
    }
    save_file(load_file(find(base.weights)), folder / "mine.safetensors", {trained.KEY: json.dumps(declared)})
    (folder / "card.md").write_text("# mine\n\n- Intended use: *to be said by its owner*\n")
    made = project.of_file("cups", folder / "mine.safetensors", registry)
    made.write(tmp_path / "cups")
    assert "has 1 lines that only you can fill in" in made.files["README.md"]
    assert '"imgai-segment>=0.2,<0.3"' in made.files["pyproject.toml"]
    with opened(tmp_path / "cups") as plugins:
        (model,) = declared_by(plugins[0])["models"]
        subject = Subject("", models=(model,))
        found = {check: faults(check, subject) for check in ("registers", "summaries", "functions", "weights")}
        assert (model.name, model.labels, model.license) == ("cups", ("cup",), "CC-BY-4.0")
        assert model.load == base.load
    assert found == {check: [] for check in found}


@pytest.mark.parametrize("name", ["Sand", "sand_1", "", "segment", "plugins", "a b"])
def test_a_name_that_cannot_be_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(UsageError):
        project.plain_name(name, registry)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        project.of_task("sand").write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


def run(*words: str) -> Any:
    return CliRunner().invoke(build_app(load_registry()), ["plugins", *words])


def test_a_folder_and_a_wheel_are_checked_and_a_fault_is_one_line(tmp_path: Path) -> None:
    project.of_task("sand").write(tmp_path / "sand")
    answer = run("check", str(tmp_path / "sand"))
    assert answer.exit_code == 0, answer.output
    assert "no faults, 20 checks" in answer.stderr
    wheel = tmp_path / "imgai_sand-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted((tmp_path / "sand" / "src").rglob("*.py")):
            text = path.read_text().replace("self.strength * (smooth", "(smooth")
            archive.writestr(path.relative_to(tmp_path / "sand" / "src").as_posix(), text)
        archive.writestr("imgai_sand-0.1.0.dist-info/entry_points.txt", "[imgai.plugins.v1]\nsand = imgai_sand\n")
    answer = run("check", str(wheel))
    assert answer.exit_code == 1
    (line,) = answer.stdout.splitlines()
    assert line.startswith("sand: params: sand/guided: --strength changes nothing; read context.params.strength")
    (tmp_path / "not.whl").write_bytes(b"PK")
    for wrong in (tmp_path / "not.whl", tmp_path, "nobody"):
        assert run("check", str(wrong)).exit_code == 2


def test_a_check_knows_what_a_plugin_says_of_itself_and_what_a_model_needs(tmp_path: Path) -> None:
    project.of_task("sand").write(tmp_path / "sand")
    declaring, loading = (tmp_path / "sand" / "src" / "imgai_sand" / name for name in ("__init__.py", "model.py"))
    loading.write_text(loading.read_text().replace("self.strength * (smooth", "(smooth"))
    assert "params: sand/guided: --strength changes nothing" in run("check", str(tmp_path / "sand")).stdout
    text = declaring.read_text().replace("from imgai.plugin import ", "from imgai.plugin import Contract, ")
    said = 'Contract(unseen=("strength",), exempt={"memory": "it keeps a table"})'
    declaring.write_text(f"{text}\n\n@hookimpl\ndef imgai_contract():\n    return {said}\n")
    answer = run("check", str(tmp_path / "sand"))
    assert answer.exit_code == 0, answer.output
    assert "sand: memory is left out: it keeps a table" in answer.stderr
    assert "no faults, 19 checks" in answer.stderr
    text = loading.read_text().replace(
        "    return Predictor(", '    raise UsageError("give a grain")\n    return Predictor('
    )
    loading.write_text(text.replace("from imgai.plugin import ", "from imgai.plugin import UsageError, "))
    answer = run("check", str(tmp_path / "sand"))
    assert answer.exit_code == 0, answer.output
    assert "sand: sand/guided is not checked: give a grain" in answer.stderr


def test_a_plugin_that_needs_another_imgai_is_refused_before_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "imgai_new-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("imgai_new-1.0.dist-info/METADATA", "Name: imgai-new\nRequires-Dist: imgai>=99\n\nimgai<1\n")
    ran: list[Any] = []
    monkeypatch.setattr(pip, "_run", lambda command, say: ran.append(command))
    with pytest.raises(UsageError, match=rf"needs imgai>=99, and this is imgai {__version__}; nothing was changed"):
        pip.install([str(wheel)], editable=False, upgrade=False, say=lambda text: None)
    assert ran == []
    pip.install(["imgai-sand"], editable=False, upgrade=True, say=lambda text: None)
    assert ran[0][:3] == [sys.executable, "-m", "pip"]
    assert ran[0][3:] == ["install", "--upgrade", "imgai-sand"]


@pytest.mark.slow
def test_from_nothing_to_a_wheel_that_denoises_in_three_commands(tmp_path: Path) -> None:
    environment = {**os.environ, "PIP_TARGET": str(tmp_path / "site"), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
    environment |= {"PYTHONPATH": str(tmp_path / "site"), "PIP_NO_BUILD_ISOLATION": "0", "NO_COLOR": "1"}

    def imgai(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "imgai", *words]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)

    shutil.copytree(Path(__file__).parents[2] / "examples" / "scans", tmp_path / "photos")
    new = imgai("plugins", "new", "grain", "--model-of", "denoise")
    assert new.returncode == 0, new.stderr
    installed = imgai("plugins", "install", "./imgai-grain")
    assert installed.returncode == 0, installed.stderr
    assert "runs: " in installed.stderr
    made = imgai("denoise", "photos", "--model", "grain", "--out", "clean", "--device", "cpu")
    assert made.returncode == 0, made.stderr
    assert len(list((tmp_path / "clean").glob("*.jpg"))) == len(list((tmp_path / "photos").glob("*.jpg")))
    assert list((tmp_path / "imgai-grain" / "dist").glob("*.whl"))
