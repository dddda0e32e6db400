"""Kinds are declared by the host and by plugins through one hook, and looked up wherever one is named."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from imgai.discovery import Plugin, host
from imgai.errors import PluginError, UsageError
from imgai.kinds.files import files, load
from imgai.plugin import Kind, MaskParams, Output, Page, param
from imgai.registry import Registry
from imgai.testing import fake


@dataclass(frozen=True)
class Digits(MaskParams):
    """The shared threshold, and an option of the kind's own."""

    outline_digits: int = param(2, "Digits after the point.", minimum=0)


OUTLINE = Kind(
    name="outline", of=Output.MASK, summary="Outlines.", render="a_plugin:render", suffixes=(".txt",), params=Digits
)


def state_of(kind: Kind, *others: Kind) -> Plugin:
    """A plugin of these kinds, as the registry holds it."""
    registry = Registry([Plugin("mine", "mine", "1", kinds=(kind, *others))])
    return next(plugin for plugin in registry.plugins if plugin.name == "mine")


@pytest.mark.parametrize("kind", host().kinds, ids=lambda kind: f"{kind.of.value}-{kind.name}")
def test_the_hosts_kinds_can_be_loaded(kind: Kind) -> None:
    load(kind)
    assert kind.summary.endswith(".")


def test_a_kind_of_a_plugin_stands_beside_the_hosts() -> None:
    registry = Registry([Plugin("mine", "mine", "1", kinds=(OUTLINE,))])
    assert registry.kinds(Output.MASK)[0].name == "mask"
    assert registry.kind(Output.MASK, "outline") is OUTLINE
    with pytest.raises(UsageError, match=r"cannot be 'outlin'; it is one or more of mask, .*, outline"):
        registry.kind(Output.MASK, "outlin")


@dataclass(frozen=True)
class Unprefixed:
    """An option whose name says nothing of its kind."""

    digits: int = param(2, "Digits.")


@dataclass(frozen=True)
class Redeclared:
    """An option that is called like the shared one, and is another."""

    threshold: float = param(0.1, "Something else.")


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"name": "coco"}, "clashes with that of imgai"),
        ({"name": "outline"}, "twice"),
        ({"params": Unprefixed}, "must begin with 'another_'"),
        ({"params": Redeclared}, "must begin with 'another_'"),
    ],
)
def test_a_clash_takes_the_plugin_whole(declared: dict[str, Any], why: str) -> None:
    kind = Kind(**{"name": "another", "of": Output.MASK, "summary": "Another.", "render": "a:b", **declared})
    plugin = state_of(OUTLINE, kind)
    assert why in plugin.broken
    assert plugin.kinds == ()


def test_an_option_of_a_kind_and_of_a_task_cannot_share_a_name() -> None:
    @dataclass(frozen=True)
    class Glow:
        light_gain: float = param(1.0, "Gain.")

    model = dataclasses.replace(fake.LIGHTNESS, params=Glow)
    kind = Kind(name="light", of=Output.MASK, summary="Light.", render="a:b", params=Glow)
    registry = Registry(
        [Plugin("fake", "fake", "1", (fake.FIND_LIGHT,), (model,)), Plugin("mine", "mine", "1", kinds=(kind,))]
    )
    assert "'light_gain', which a task or model of mask has too" in registry.broken[0].broken


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "Two Words"},
        {"render": "nowhere"},
        {"suffixes": ("png",)},
        {"suffixes": ()},
        {"once": "run"},
        {"merge": "a:b"},
        {"once": "sometimes"},
        {"once": "input", "passes": True},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kind"):
        Kind(**{"name": "a", "of": Output.MASK, "summary": "A.", "render": "a:b", **declared})


def test_declaring_kinds_imports_nothing_heavy(run_python: Callable[[str], Any]) -> None:
    answer = run_python(
        """
        import sys
        from imgai.discovery import host
        assert host().kinds
        sys.exit(", ".join({"torch", "kornia", "numpy", "PIL", "scipy"} & set(sys.modules)) or 0)
        """
    )
    assert answer.returncode == 0, answer.stderr


@pytest.fixture
def module(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A module of that source that can be imported; its name."""

    def add(source: str) -> str:
        name = f"kind_{abs(hash(source))}"
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return add


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import a_module_that_is_nowhere", "ModuleNotFoundError"),
        ("import sys; sys.exit(1)", "SystemExit"),
        ("", "AttributeError"),
    ],
)
def test_a_kind_that_cannot_be_imported_says_why(module: Callable[[str], str], source: str, why: str) -> None:
    kind = Kind(name="broken", of=Output.MASK, summary="Broken.", render=f"{module(source)}:render")
    with pytest.raises(PluginError, match=f"the kind broken cannot be loaded by .*{why}"):
        load(kind)


@pytest.mark.parametrize(("made", "why"), [("[b'']", "of bytes"), ("[Rendered(b'', '.exe')]", "does not declare")])
def test_a_kind_that_makes_something_else_says_so(module: Callable[[str], str], made: str, why: str) -> None:
    name = module(f"from imgai.plugin import Rendered\ndef render(page): return {made}")
    kind = Kind(name="odd", of=Output.MASK, summary="Odd.", render=f"{name}:render")
    with pytest.raises(PluginError, match=why):
        list(files(kind, Page(None, None)))  # type: ignore[arg-type]


def test_kinds_are_listed_and_offered(site: Any) -> None:
    site.add(
        "imgai-outline",
        """
        from imgai.plugin import Kind, Output, hookimpl

        @hookimpl
        def imgai_register_kinds():
            return [Kind(name="outline", of=Output.MASK, summary="Outlines.", render="nowhere:render")]
        """,
    )
    listed = [json.loads(line) for line in site.imgai("plugins", "--json").stdout.splitlines()]
    kinds = {plugin["distribution"]: plugin["kinds"] for plugin in listed}
    assert kinds["imgai-outline"] == ["mask/outline"]
    assert "mask/cutout" in kinds["imgai"]
    refused = site.imgai("segment", "nothing.png", "--out", "out", "--as", "outlines")
    assert refused.returncode == 2
    assert "--as cannot be 'outlines'" in refused.stderr
    assert "outline" in refused.stderr
