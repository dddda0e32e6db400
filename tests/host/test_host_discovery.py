"""A plugin is found when it is installed, and breaks itself alone when it is broken."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from imgai import __version__
from imgai.discovery import Plugin
from imgai.params import as_values, options_of
from imgai.plugin import Output, Task, param
from imgai.prefixed import prefixed
from imgai.sound import command_of


def state_of(site: Any, distribution: str) -> dict[str, Any]:
    answer = site.imgai("plugins", "--json")
    assert answer.returncode == 0, answer.stderr
    plugins = [json.loads(line) for line in answer.stdout.splitlines()]
    return next(plugin for plugin in plugins if plugin["distribution"] == distribution)


def test_an_installed_plugin_is_a_command(site: Any, greet: str) -> None:
    site.add("imgai-greet", greet)
    assert "Say hello to a picture." in site.imgai("--help").stdout
    assert state_of(site, "imgai-greet")["models"] == ["greet/plain"]


BROKEN = {
    "unfitting": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='m', output=Output.SCORES)]\n@hookimpl\n"
        "def imgai_register_models():\n"
        "    return [Model(name='m', task='t', summary='s', license='MIT', load='a:b', unit='m')]",
        "declares unit='m', which is for models of map",
    ),
    "nameless": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='m', output=Output.MASK)]\n@hookimpl\n"
        "def imgai_register_models():\n"
        "    return [Model(name='m', task='t', summary='s', license='MIT', load='a:b')]",
        "returns mask and declares no labels",
    ),
    "import": ("import a_module_that_is_nowhere", "a_module_that_is_nowhere"),
    "syntax": ("def (:", "SyntaxError"),
    "exit": ("import sys; sys.exit(0)", "sys.exit(0)"),
    "misspelled": (
        "from imgai.plugin import hookimpl\n@hookimpl\ndef imgai_register_task():\n    return []",
        "imgai_register_task",
    ),
    "empty": ("", "registers no task"),
    "nonsense": (
        "from imgai.plugin import hookimpl\n@hookimpl\ndef imgai_register_tasks():\n    return ['denoise']",
        "a Task is due",
    ),
    "no-default": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='m', output=Output.IMAGE)]",
        "no model called 'm'",
    ),
    "orphan": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_models():\n"
        "    return [Model(name='m', task='nothing', summary='s', license='MIT', load='a:b')]",
        "which no plugin that is installed declares",
    ),
    "taken": (
        "from dataclasses import dataclass\nfrom imgai.plugin import *\n@dataclass(frozen=True)\nclass P:\n"
        "    out: str = param('', 'Where.')\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='m', output=Output.IMAGE, params=P)]\n@hookimpl\n"
        "def imgai_register_models():\n    return [Model(name='m', task='t', summary='s', license='MIT', load='a:b')]",
        "called like options of the host: out",
    ),
    "twins": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='f', output=Output.IMAGE)]\n@hookimpl\n"
        "def imgai_register_models():\n"
        "    return [Model(name=n, family='f', scale=2, task='t', summary='s', license='MIT', load='a:b')\n"
        "            for n in 'ab']",
        "one family and one scale",
    ),
    "namesake": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='f', output=Output.IMAGE)]\n@hookimpl\n"
        "def imgai_register_models():\n"
        "    return [Model(name=n, family='f', scale=s, task='t', summary='s', license='MIT', load='a:b')\n"
        "            for n, s in (('f', 2), ('g', 3))]",
        "which is a model's name too",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_breaks_itself_alone(site: Any, greet: str, kind: str) -> None:
    source, why = BROKEN[kind]
    site.add("imgai-broken", source, name="broken")
    site.add("imgai-greet", greet)
    help_ = site.imgai("--help")
    assert help_.returncode == 0
    assert "greet" in help_.stdout
    assert "broken" in help_.stdout
    assert why in state_of(site, "imgai-broken")["broken"]
    assert state_of(site, "imgai-greet")["broken"] is None
    called = site.imgai("broken", "some", "--arguments")
    assert called.returncode == 3
    assert why in called.stderr
    assert "Traceback" not in called.stderr


def test_strict_raises(site: Any) -> None:
    site.add("imgai-broken", "import a_module_that_is_nowhere")
    answer = site.imgai("plugins", IMGAI_STRICT="1")
    assert answer.returncode != 0
    assert "ModuleNotFoundError" in answer.stderr


def test_a_plugin_for_another_version_is_reported_without_being_imported(site: Any) -> None:
    site.add("imgai-future", "raise SystemError('imported')", group="imgai.plugins.v2")
    broken = state_of(site, "imgai-future")["broken"]
    assert "plugin API 2" in broken
    assert "imported" not in broken


def test_the_official_plugin_wins_a_clash_and_the_other_is_named(site: Any) -> None:
    source = """
        from imgai.plugin import *

        @hookimpl
        def imgai_register_tasks():
            return [Task(name="segment", summary="Mine.", default_model="m", output=Output.IMAGE)]

        @hookimpl
        def imgai_register_models():
            return [Model(name="m", task="segment", summary="s", license="MIT", load="a:b")]
    """
    site.add("aaa-first-by-name", source)
    assert "clashes with that of imgai-segment" in state_of(site, "aaa-first-by-name")["broken"]
    assert "Mine." not in site.imgai("--help").stdout


def test_a_plugin_may_add_a_model_to_a_task_of_another(site: Any) -> None:
    source = """
        from imgai.plugin import *

        @hookimpl
        def imgai_register_models():
            return [Model(name="mine", task="segment", summary="s", license="MIT", load="a:b", labels=("thing",))]
    """
    site.add("aaa-more-models", source)
    assert state_of(site, "aaa-more-models")["broken"] is None
    assert "mine" in site.imgai("segment", "--help").stdout


@pytest.mark.parametrize("metadata", [None, "", "Metadata-Version: 2.1\n"])
def test_what_is_left_of_a_distribution_breaks_itself_alone(site: Any, greet: str, metadata: str | None) -> None:
    site.add("imgai-greet", greet)
    file = site.folder / "imgai_greet-1.0.dist-info" / "METADATA"
    file.unlink()
    if metadata is not None:
        file.write_text(metadata)
    assert "segment" in site.imgai("--help").stdout
    assert state_of(site, "imgai-greet")["version"] == "?"


def test_a_command_that_does_not_exist_suggests_one(site: Any) -> None:
    answer = site.imgai("sgement", "x")
    assert answer.returncode == 2
    assert "segment" in answer.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("plugins",), ("segment", "--help"), ("models",)])
def test_looking_around_imports_nothing_heavy(run_python: Any, arguments: tuple[str, ...]) -> None:
    answer = run_python(
        f"""
        import sys
        sys.argv = ["imgai", *{arguments!r}]
        from imgai.cli.main import main
        try:
            main()
        except SystemExit as stop:
            assert not stop.code, stop.code
        heavy = {{"torch", "kornia", "numpy", "PIL", "scipy", "skimage"}} & set(sys.modules)
        assert not heavy, heavy
        """
    )
    assert answer.returncode == 0, answer.stderr


def test_the_list_of_commands_is_told_without_building_one(run_python: Any) -> None:
    answer = run_python(
        """
        import sys
        sys.argv = ["imgai", "--help"]
        from imgai.cli.main import main
        try:
            main()
        except SystemExit as stop:
            assert not stop.code, stop.code
        names = {name.removeprefix("imgai.cli.") for name in sys.modules if name.startswith("imgai.cli.")}
        assert names == {"main", "group", "panels", "settings", "later"}, names
        words = {name for name in sys.modules if name.startswith("imgai.words.")}
        assert words == {"imgai.words.mistakes"}, words
        """
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", ["plugins", "config", "models"])
def test_a_reader_that_left_ends_a_list_quietly(command: str, python: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    line = [python, "-m", "imgai.cli.main", command]
    answer = subprocess.run(line, stdout=writes, stderr=subprocess.PIPE)
    os.close(writes)
    assert (answer.returncode, answer.stderr) == (141, b"")


def test_help_is_had_by_word_and_the_package_is_a_program(tmp_path: Path, python: str) -> None:
    def imgai(*words: str) -> tuple[int, str]:
        line = [python, "-m", "imgai", *words]
        answer = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
        return answer.returncode, answer.stdout + answer.stderr

    assert imgai("-V") == imgai("--version") == (0, f"imgai {__version__}\n")
    assert imgai("help") == imgai("--help")
    assert imgai("help", "models", "info") == imgai("models", "info", "--help")
    (tmp_path / "imgai.toml").write_text("devise = 1")
    assert imgai("segment", "a.png")[0] == 2
    assert imgai("help", "config")[0] == imgai("config", "-h")[0] == 0
    code, words = imgai("help", "modles")
    assert code == 2
    assert "there is no command or page modles; did you mean models?" in words


def test_plugins_may_be_chosen_by_a_variable(site: Any, greet: str) -> None:
    site.add("imgai-greet", greet)
    site.add("imgai-broken", "import a_module_that_is_nowhere")

    def names(chosen: str) -> list[str]:
        answer = site.imgai("plugins", "--json", IMGAI_PLUGINS=chosen)
        plugins = [json.loads(line) for line in answer.stdout.splitlines()]
        others = [each for each in plugins if each["distribution"] != "imgai"]
        return [each["distribution"] + (" broken" if each["broken"] else "") for each in others]

    assert names("imgai_greet, segment") == ["imgai-segment", "imgai-greet"]
    assert "imgai-segment" in names("")
    assert "imgai-greet" not in names("")
    assert names("imgai-nowhere") == ["imgai-nowhere broken"]


def test_a_model_of_a_task_that_is_not_installed_says_what_has_it(site: Any) -> None:
    source = """
        from imgai.plugin import *

        @hookimpl
        def imgai_register_models():
            return [Model(name="mine", task="denoise", summary="s", license="MIT", load="a:b")]
    """
    site.add("more-models", source)
    answer = site.imgai("plugins", "--json", IMGAI_PLUGINS="more-models")
    assert "imgai-denoise declares, and that is not installed, or broken: pip install imgai-denoise" in answer.stdout


def test_doctor_says_what_is_wrong_with_plugins(site: Any, greet: str) -> None:
    site.python = sys.executable  # which has imported nothing
    site.add("imgai-greet", greet, requires="a-distribution-that-is-nowhere>=2")
    site.add("imgai-heavy", "import numpy\nprint('hello')\n" + textwrap.dedent(greet).replace("greet", "weigh"))
    answer = site.imgai("plugins", "doctor", "--json", IMGAI_PLUGINS="imgai-greet,imgai-heavy")
    assert answer.returncode == 1
    greeting, heavy = map(json.loads, answer.stdout.splitlines())
    assert "a-distribution-that-is-nowhere>=2 is not installed" in greeting["problems"][0]
    assert heavy["heavy"] == ["numpy"]
    assert any("prints 'hello'" in words for words in heavy["problems"])
    told = site.imgai("plugins", "info", "imgai-heavy", IMGAI_PLUGINS="imgai-heavy")
    assert told.returncode == 0
    assert "weigh/plain" in told.stdout
    assert site.imgai("plugins", "info", "nobody").returncode == 2


def test_an_option_that_the_host_got_later_turns_no_plugin_off() -> None:
    @dataclasses.dataclass(frozen=True)
    class Params:
        shine: float = param(1.0, "How much.", minimum=0, maximum=2)
        other: bool = param(False, "Other.")

    task = Task(name="polish-up", summary="S.", default_model="m", output=Output.IMAGE, params=Params)
    (renamed,) = prefixed(Plugin("polish", "polish", "1", (task,)), later={"shine"}).tasks
    assert [option.flag for option in options_of(renamed.params)] == ["--polish-up-shine", "--other"]
    values = as_values(renamed.params, {"polish_up_shine": 0.5})
    assert (values.shine, values.polish_up_shine, values.other) == (0.5, 0.5, False)
    assert prefixed(Plugin("polish", "polish", "1", (task,)), later=set()).tasks == (task,)
    assert command_of(task, "polish", {"polish-up"}) == "polish-polish-up"
    assert command_of(task, "polish", {"other"}) == "polish-up"


def test_ctrl_c_during_an_import_says_which_plugin(site: Any) -> None:
    site.add("imgai-slow", "import os, time\nos.write(2, b'now')\ntime.sleep(60)")
    line = [sys.executable, "-m", "imgai", "plugins"]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, env={**site.environment, "IMGAI_PLUGINS": "imgai-slow"})
    assert process.stderr is not None
    assert process.stderr.read(3) == b"now"
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which is ignored in the background
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"while the plugin imgai-slow was imported" in err
