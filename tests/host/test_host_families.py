"""A family is asked for by one name, and no param may take a name that the host has."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from imgai import options
from imgai.discovery import Plugin
from imgai.errors import UsageError
from imgai.plugin import Model, Output, Task, param_of
from imgai.registry import Registry, load_registry

TASK = Task(name="enlarge", summary="Larger.", default_model="photo", output=Output.IMAGE)


def member(scale: int, family: str) -> Model:
    return Model(
        name=f"{family}-x{scale}", family=family, scale=scale, task="enlarge", summary=".", license="MIT", load="a:b"
    )


@pytest.fixture
def registry() -> Registry:
    models = tuple(member(scale, family) for family in ("clean", "photo") for scale in (4, 2, 3))
    return Registry([Plugin("enlarge", "imgai-enlarge", "1", (TASK,), models)])


def test_the_default_family_comes_first_and_by_scale(registry: Registry) -> None:
    assert not registry.broken
    names = [model.name for model in registry.models("enlarge")]
    assert names == ["photo-x2", "photo-x3", "photo-x4", "clean-x2", "clean-x3", "clean-x4"]


def test_a_family_or_one_of_its_members_can_be_asked_for(registry: Registry) -> None:
    assert [model.scale for model in registry.members("enlarge")] == [2, 3, 4]
    assert [model.name for model in registry.members("enlarge", "clean")] == ["clean-x2", "clean-x3", "clean-x4"]
    assert [model.name for model in registry.members("enlarge", "clean-x3")] == ["clean-x3"]
    with pytest.raises(UsageError, match="did you mean 'photo'"):
        registry.members("enlarge", "fhoto")


def test_two_plugins_cannot_fill_one_place_of_a_family(registry: Registry) -> None:
    other = dataclasses.replace(member(2, "photo"), name="mine")
    both = Registry([*registry.plugins, Plugin("other", "other", "1", (), (other,))])
    assert "one family and one scale" in both.broken[0].broken


def test_every_option_of_the_host_is_kept_from_params() -> None:
    """`reserved_names` reads a list of groups; a group that is missing from it would not be reserved."""
    groups = [each for each in vars(options).values() if isinstance(each, type) and each.__module__ == options.__name__]
    groups.remove(options.ChainFormat)  # options of kinds, which kinds reserve
    groups.remove(options.MaskOptions)  # which are kept from params of tasks with inputs alone
    named = {each.name for group in groups for each in dataclasses.fields(group) if param_of(each) is not None}
    declared = {name.rstrip("_") for name in named}
    assert {"device", "out", "as", "threshold", "save_recipe", "folder"} <= declared
    assert declared | {"help", "version"} == options.reserved_names()


def test_official_plugins_keep_away_from_the_hosts_options() -> None:
    registry = load_registry()
    declared = [task.params for task in registry.tasks.values()] + [model.params for model in registry.models()]
    names = {field.name for params in declared if params is not None for field in dataclasses.fields(params)}
    assert "strength" in names
    assert not names & options.reserved_names()


def test_official_plugins_stand_what_is_checked_of_others() -> None:
    """The registry takes their kinds, formats and names of params on trust, so that nothing of the host is imported."""
    official = [plugin for plugin in load_registry().plugins if plugin.official]
    assert len(official) > 5
    others = [dataclasses.replace(plugin, distribution=f"x-{plugin.distribution}") for plugin in official]
    assert not any(plugin.official for plugin in others)
    assert Registry(others).broken == []


def test_what_the_host_declares_is_imported_when_it_is_asked_for() -> None:
    code = """
import sys
from imgai.registry import load_registry
registry = load_registry()
assert registry.tasks and not registry.broken
later = {"imgai.kinds", "imgai.images.codecs"}
later |= {f"imgai.plugin.{name}" for name in ("contract", "kind", "predictor", "training")}
assert not later & sys.modules.keys(), later & sys.modules.keys()
task = registry.task("segment")
assert registry.kinds(task.output)[0].name == "mask"
assert "imgai.kinds" in sys.modules
"""
    chosen = {**os.environ, "IMGAI_PLUGINS": "imgai-segment"}  # imgai-dicom declares a kind
    subprocess.run([sys.executable, "-c", code], check=True, env=chosen)
