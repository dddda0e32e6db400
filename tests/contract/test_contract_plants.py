"""Faults planted in a good plugin: the contract finds each, by the check that is for it, and says what to change."""

from __future__ import annotations

import hashlib
import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imgai.apart import apart
from imgai.testing.checks import CHECKS, check_all, faults
from imgai.testing.subject import Subject

GOOD = Path(__file__).parent / "planted"
KERNEL = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).view(1, 1, 3, 3)


# Where lines are added.
PLACES = {
    "forward": "        made = image + self.params.strength * (made - image)\n",
    "load": "def load_blur(context):\n",
    "import": "import numpy as np\nimport torch\n",
    "declaring": "from dataclasses import dataclass\n",
}
INDENT = {"forward": 8, "load": 4}
PLANTS: list[dict[str, Any]] = tomllib.loads((GOOD.parent / "plants.toml").read_text(encoding="utf-8"))["plant"]


def edits_of(plant: dict[str, Any]) -> list[tuple[str, str]]:
    """Texts of the good plugin, and what takes their place."""
    added = [(place, " " * INDENT.get(place, 0) + plant[place]) for place in PLACES if place in plant]
    lines = [(PLACES[place], f"{PLACES[place]}{line}\n") for place, line in added]
    return [*lines, *((old, new) for old, new in plant.get("replace", ()))]


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on the path, for the packages of all plants."""
    folder = tmp_path_factory.mktemp("garden")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def grown(garden: Path, name: str, edits: list[tuple[str, str]], of: str = "") -> Subject:
    """The good plugin as a package of that name, with the edits made. of: the one model that it has; "" for all."""
    package = garden / name
    (package / "weights").mkdir(parents=True)
    weights = package / "weights" / "blur.safetensors"
    save_file({"weight": KERNEL}, weights)
    for other in ("alone.safetensors", "blur.pth"):
        (weights.parent / other).write_bytes(weights.read_bytes())
    weights.with_suffix(".md").write_text("# blur\n")
    texts = {path.name: path.read_text(encoding="utf-8") for path in GOOD.glob("*.py")}
    for old, new in edits:
        holding = [file for file, text in texts.items() if old in text]
        assert len(holding) == 1, f"{name}: {old!r} is in {holding}"
        texts[holding[0]] = texts[holding[0]].replace(old, new)
    facts = {
        "PACKAGE": name,
        "SHA256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "0x51E5": str(weights.stat().st_size),
    }
    for file, text in texts.items():
        for key, value in facts.items():
            text = text.replace(key, value)
        (package / file).write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    with apart(name):
        module = importlib.import_module(name)
    models = [model for model in module.MODELS if of in ("", model.name)]
    return Subject(name, [task for task in module.TASKS if task.name in {m.task for m in models}], models)


def test_there_are_enough_plants_and_each_check_finds_some() -> None:
    assert len(PLANTS) >= 60
    assert len({each["name"] for each in PLANTS}) == len(PLANTS)
    assert {each["check"] for each in PLANTS} == set(CHECKS) - {"bfloat16", "training", "examples"}


def test_the_good_plugin_passes(garden: Path) -> None:
    subject = grown(garden, "planted_good", [])
    assert {name: list(map(str, found)) for name, found in check_all(subject)} == {name: [] for name in CHECKS}


@pytest.mark.parametrize("each", PLANTS, ids=lambda each: each["name"])
def test_a_planted_fault_is_found(garden: Path, monkeypatch: pytest.MonkeyPatch, each: dict[str, Any]) -> None:
    monkeypatch.chdir(garden)  # some write where they are run
    before = sorted(sys.modules)
    subject = grown(garden, f"planted_{each['name'].replace('-', '_')}", edits_of(each), each["of"])
    found = faults(each["check"], subject)
    assert found, f"{each['check']} has nothing against it"
    assert any(each["says"] in str(fault) for fault in found), list(map(str, found))
    for name in set(sys.modules) - set(before):
        if name.startswith("planted_"):
            del sys.modules[name]


INNOCENT = {
    "fills-a-table-late": (
        "self.__dict__.setdefault('calls', []).append(0) if len(self.__dict__.get('calls', ())) < 5 else "
        "self.__dict__.setdefault('table', [bytes(1000) for _ in range(100)])"
    ),
    "leaves-cycles": "cycle = [made.numpy().copy()]; cycle.append(cycle)",
}
"""What takes memory and does not go on doing so."""


@pytest.mark.parametrize("name", INNOCENT)
def test_what_does_not_go_on_growing_is_no_leak(garden: Path, name: str) -> None:
    edits = edits_of({"forward": INNOCENT[name]})
    subject = grown(garden, f"planted_{name.replace('-', '_')}", edits, "blur")
    assert faults("memory", subject) == []
