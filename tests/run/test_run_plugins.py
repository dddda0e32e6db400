"""Models that fail, exit or talk while they work: the run says which, and ends as it should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgai.errors import PluginError
from imgai.plugin import Kind, Model, Output, Rendered, Task
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs import OutputOptions, RunOptions, run

FORWARD = {
    "exits": ("raise SystemExit(0)", "SystemExit"),
    "exits-with-words": ("raise SystemExit('so long')", "so long"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises": ("raise ValueError('no such thing')", "no such thing"),
    "raises-nothing": ("raise ValueError", "ValueError"),
    "cannot-say-why": ("class Bad(Exception):\n        def __str__(self): raise ValueError\n    raise Bad", "Bad"),
    "recursion": ("return network(image)", "RecursionError"),
    "out-of-memory": ("raise MemoryError", "out of memory"),
    "not-finite": ("return image / 0 * 0", "not finite"),
}
"""What a network does, and what is said of each picture then."""
ENDS = {
    "cuda": ("raise AssertionError('Torch not compiled with CUDA enabled')", "runs on CUDA devices alone"),
    "driver": ("raise RuntimeError('Found no NVIDIA driver on your system')", "runs on CUDA devices alone"),
    "returns-none": ("return None", "not a tensor"),
    "wrong-shape": ("return image[:, :1]", ", 3, 30, 40) is due"),
}
"""What ends a run, as no picture would escape it."""
LOADS = {
    "exits": ("raise SystemExit(0)", "SystemExit"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises": ("raise ValueError('no such thing')", "no such thing"),
    "returns-nothing": ("return None", "must return a Predictor"),
    "imports": ("import a_module_that_is_nowhere", "a_module_that_is_nowhere"),
}

TASK = Task(name="hostile", summary="S.", default_model="m", output=Output.IMAGE)
Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_picture: Any, words: Any) -> Start:
    """Run a model whose load, or whose network, does this, over two pictures."""
    for name in ("a.png", "b.png"):
        make_picture(tmp_path / "in" / name)
    monkeypatch.syspath_prepend(tmp_path)

    def call(module: str, *, load: str = "pass", forward: str = "return image", kind: KindSpec | None = None) -> Any:
        source = f"""from imgai.plugin import Predictor
def network(image):
    {forward}
def load(context):
    {load}
    return Predictor(network=network)
"""
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        model = Model(name="m", task="hostile", summary="S.", license="MIT", load=f"{module}:load")
        kinds = OutputOptions() if kind is None else OutputOptions(kinds=(kind,))
        options = RunOptions(inputs=(str(tmp_path / "in"),), out=tmp_path / "out", outputs=kinds)
        return run([StepSpec(TASK, model)], options, words)

    return call


@pytest.mark.parametrize("name", FORWARD)
def test_a_network_that_fails_fails_its_pictures_alone(start: Start, words: Any, name: str) -> None:
    body, says = FORWARD[name]
    summary = start(f"forward_{name.replace('-', '_')}", forward=body)
    assert summary.exit_code == 1
    assert words.text.count(says) >= 2
    assert "the model m" in words.text or "out of memory" in words.text


@pytest.mark.parametrize("name", ENDS)
def test_what_would_fail_for_every_picture_is_said_once(start: Start, name: str) -> None:
    body, says = ENDS[name]
    with pytest.raises(PluginError, match=r"the model m .*") as error:
        start(f"ends_{name.replace('-', '_')}", forward=body)
    assert says in str(error.value)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("name", LOADS)
def test_a_model_that_does_not_load_ends_the_run(start: Start, name: str) -> None:
    body, says = LOADS[name]
    with pytest.raises(PluginError) as error:
        start(f"loads_{name.replace('-', '_')}", load=body)
    assert says in str(error.value)


def exits(page: Any) -> list[Rendered]:
    """A kind that ends the process."""
    raise SystemExit(0)


def test_a_kind_that_exits_fails_its_files(start: Start, words: Any) -> None:
    kind = Kind(name="exits", of=Output.IMAGE, summary="S.", render=f"{__name__}:exits")
    sys.modules[__name__] = sys.modules.get(__name__) or sys.modules["__main__"]
    summary = start("kind_exits", kind=KindSpec(kind))
    assert summary.exit_code == 1
    assert "SystemExit" in words.text


def test_what_a_network_prints_is_not_in_the_picture_on_standard_output(
    site: Any, tmp_path: Path, make_picture: Any
) -> None:
    site.add(
        "imgai-loud",
        """
        print("import")
        from imgai.plugin import Model, Output, Predictor, Task, hookimpl

        @hookimpl
        def imgai_register_tasks():
            return [Task(name="loud", summary="Loud.", default_model="m", output=Output.IMAGE)]

        @hookimpl
        def imgai_register_models():
            return [Model(name="m", task="loud", summary="Loud.", license="MIT", load="imgai_loud:load")]

        def load(context):
            print("load")
            def network(image):
                print("forward")
                return 1 - image
            return Predictor(network=network)
        """,
    )
    make_picture(tmp_path / "a.png")
    line = [site.python, "-m", "imgai", "loud", str(tmp_path / "a.png"), "--out", "-", "--quiet"]
    answer = subprocess.run(line, capture_output=True, env=site.environment)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(b"\x89PNG")
    (tmp_path / "b.png").write_bytes(answer.stdout)
    Image.open(tmp_path / "b.png").verify()
    assert [word in answer.stderr for word in (b"import", b"load", b"forward")] == [True] * 3
