"""Files that programs of Windows write begin with a byte order mark."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from imgai.cli.main import build_app
from imgai.discovery import Plugin
from imgai.registry import Registry
from imgai.testing import fake
from imgai.words.recipe import summary_of

REGISTRY = Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])


def test_a_recipe_that_begins_with_a_mark_is_run(tmp_path: Path) -> None:
    """Once a recipe was refused for the mark, and the message did not name it.

    imgai.toml and @lists with a mark are tested where they are read.
    """
    recipe, picture = tmp_path / "r.toml", tmp_path / "a.png"
    recipe.write_bytes(b'\xef\xbb\xbf# Twice the size.\r\n[[steps]]\r\ntask = "brighten"\r\n')
    Image.new("L", (64, 48), 90).save(picture)
    answer = CliRunner().invoke(build_app(REGISTRY), ["run", str(recipe), str(picture), "--out", str(tmp_path / "o")])
    assert answer.exit_code == 0, answer.stderr
    assert Image.open(tmp_path / "o" / "a.png").size == (128, 96)
    assert summary_of(recipe) == "Twice the size."
