"""Entry points are read as `importlib.metadata` reads them, without importing it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imgai.installed import entry_points

ENTRIES = """
# a comment
[console_scripts]
mine = mine:main

[imgai.plugins.v1]
mine = mine.declared
one = mine.more : PLUGIN.part [extra]
[imgai.plugins.v2]
mine=mine.later
"""


def install(folder: Path, name: str, metadata: str = "Name: mine\nVersion: 1.0\n\nName: readme\n") -> Path:
    info = folder / name
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(ENTRIES)
    return info


def ours() -> set[tuple[str, str, str, str]]:
    return {(each.group, each.name, each.value, each.about()[0]) for each in entry_points("imgai.plugins.v")}


def theirs() -> set[tuple[str, str, str, str]]:
    return {
        (each.group, each.name, each.value, (each.dist.name or "") if each.dist else "")
        for group in importlib.metadata.entry_points().groups
        if group.startswith("imgai.plugins.v")
        for each in importlib.metadata.entry_points(group=group)
    }


def test_what_is_installed_here_is_found() -> None:
    assert len(ours()) > 5
    assert ours() == theirs()


def test_entry_points_are_those_that_importlib_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "first", "mine-1.0.dist-info")
    install(tmp_path / "second", "Mine-2.0.dist-info", "Name: other\n")  # of that name, and later on the path
    install(tmp_path / "second", "an_egg-2.0-py3.11.egg-info", "Name: an-egg\n")
    install(tmp_path / "second", "none.dist-info.bak")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "gone")])
    assert ours() == theirs()
    assert {name for *_, name in ours()} == {"mine", "an-egg"}
    assert ("imgai.plugins.v1", "one", "mine.more : PLUGIN.part [extra]", "mine") in ours()


def test_distributions_in_an_archive_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = install(tmp_path, "mine-1.0.dist-info")
    with zipfile.ZipFile(tmp_path / "mine.whl", "w") as archive:
        for path in info.iterdir():
            archive.write(path, f"mine-1.0.dist-info/{path.name}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "mine.whl")])
    assert len(ours()) == 3
    assert ours() == theirs()


def test_an_entry_point_is_a_module_or_an_attribute_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "mine-1.0.dist-info")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "declared.py").touch()
    (tmp_path / "mine" / "more.py").write_text("class PLUGIN:\n    part = 7\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    loaded = {each.name: each.load() for each in entry_points("imgai.plugins.v1")}
    assert loaded["mine"].__name__ == "mine.declared"
    assert loaded["one"] == 7


def test_reading_entry_points_imports_little() -> None:
    code = "import sys; from imgai.registry import load_registry; load_registry(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "imgai.installed" in done.stdout.split()
    assert not {"importlib.metadata", "email", "zipfile"} & set(done.stdout.split())
