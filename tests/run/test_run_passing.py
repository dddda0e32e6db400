"""A cut-out before the last step becomes the picture of the next; recipes that come with imgai."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imgai.cli.main import build_app
from imgai.discovery import Plugin, host
from imgai.library.ask import load
from imgai.options import Machine
from imgai.registry import Registry, load_registry
from imgai.testing import fake
from imgai.words.chain import assemble
from imgai.words.recipe import named_recipes, read_recipe

REGISTRY = Registry([host(), Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])


def imgai(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(REGISTRY), [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A light box on dark ground, as JPEG."""
    pixels = np.full((60, 90, 3), 20, dtype=np.uint8)
    pixels[20:40, 30:60] = 200
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.jpg", quality=100, subsampling=0)
    return folder


def test_cut_out_then_brighten_on_white(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = ("find-light --as cutout --alpha hard --background white --crop --margin 0", "brighten")
    result = imgai("chain", photo, *steps, "--out", out, "--device", "cpu", "--format", "png")
    assert result.exit_code == 0, result.output
    files = [path for path in out.rglob("*") if path.is_file() and ".imgai" not in path.parts]
    assert [path.name for path in files] == ["a.png"]  # of the cut-out itself, no file
    with Image.open(files[0]) as image:
        assert image.mode == "RGB"
        assert np.abs(np.subtract(image.size, (60, 40))).max() <= 4  # brighten doubles it
    again = imgai("chain", photo, *steps, "--out", out, "--device", "cpu", "--format", "png")
    assert "0 done, 1 done before" in again.output
    other = (steps[0].replace("white", "black"), steps[1])
    changed = imgai("chain", photo, *other, "--out", out, "--device", "cpu", "--format", "png")
    assert "1 done in" in changed.output, changed.output


def test_what_was_cut_out_stays_transparent(photo: Path, tmp_path: Path) -> None:
    """A JPEG holds no alpha, so the picture is written as PNG."""
    out = tmp_path / "out"
    result = imgai("chain", photo, "find-light --as cutout", "brighten", "--out", out, "--device", "cpu")
    assert result.exit_code == 0, result.output
    with Image.open(out / "a.png") as image:
        assert image.mode == "RGBA"
        alpha = np.asarray(image)[..., 3]
    assert alpha[4, 4] == 0
    assert alpha[60, 90] == 255


def test_a_cut_out_that_is_passed_on_can_be_kept(photo: Path, tmp_path: Path) -> None:
    """As it was given to the next step: cropped, on its ground, and at its own size."""
    out = tmp_path / "out"
    words = ("--format", "png", "--out", out, "--device", "cpu")
    steps = ("find-light --as cutout --alpha hard --background white --crop --margin 0 --format jpeg", "brighten")
    result = imgai("chain", photo, *steps, "--keep", "find-light", *words)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {".imgai", "a.png", "a-find-light.jpg"}
    with Image.open(out / "a.png") as last, Image.open(out / "a-find-light.jpg") as kept:
        assert np.equal(np.multiply(kept.size, 2), last.size).all()  # brighten doubles it
        assert np.abs(np.subtract(kept.size, (30, 20))).max() <= 2
    assert "1 done before" in imgai("chain", photo, *steps, "--keep", "find-light", *words).output
    (out / "a-find-light.jpg").unlink()
    assert "1 done in" in imgai("chain", photo, *steps, "--keep", "find-light", *words).output
    assert (out / "a-find-light.jpg").exists()


def test_the_library_passes_cut_outs_on_too(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgai.library.ask._registry", lambda: REGISTRY)
    step = "find-light --as cutout --alpha hard --background white --crop --margin 0"
    result = load(step, "brighten", machine=Machine(device="cpu"))(photo / "a.jpg")
    assert np.abs(np.subtract((result.sample.width, result.sample.height), (60, 40))).max() <= 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("find-light --as cutout,mask", "brighten"), "one picture is passed on"),
        (
            ("find-light", "find-light --as cutout", "brighten", "--keep", "find-light"),
            "becomes the picture of the next",
        ),
        (("find-light --as mask", "brighten"), "is not the last"),
        (("brighten", "find-light --as mask", "--format", "png"), "--format is an option of cutout"),
        (("brighten --format png", "--format", "png"), "given twice"),
        (("brighten", "--format", "pgn"), "--format cannot be"),
    ],
)
def test_what_cannot_be_passed_on_is_refused(photo: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    result = imgai("chain", photo, *words, "--out", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())


def test_recipes_have_names(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "config"
    own.mkdir()
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_: own)
    (own / "brighter.toml").write_text('# Brighter.\n[[steps]]\ntask = "brighten"\n')
    (own / "product.toml").write_text('# My own products.\n[[steps]]\ntask = "brighten"\n')
    listed = imgai("run", "--list").output
    assert "Brighter." in listed
    assert "My own products." in listed  # what the user calls so counts more
    assert "Products for a shop" not in listed
    assert imgai("run", "brighter", photo, "--out", tmp_path / "out", "--device", "cpu").exit_code == 0
    assert (tmp_path / "out" / "a.jpg").exists()
    missed = imgai("run", "brigter", photo, "--out", tmp_path / "out")
    assert missed.exit_code == 2
    assert "did you mean 'brighter'?" in missed.output
    assert "no pictures are named" in imgai("run", "brighter").output
    assert "no recipe is named" in imgai("run").output


@pytest.mark.parametrize("name", ["product", "portrait", "archive", "holiday"])
def test_recipes_that_come_with_imgai_are_right(name: str) -> None:
    registry = load_registry()
    recipe = read_recipe(named_recipes()[name], registry)
    specs, outputs = assemble(recipe.steps, recipe.keep, registry, out=Path("out"), hint="")
    assert specs
    assert outputs.kinds
    if name == "product":
        assert outputs.kinds[0].params.metadata == "rights"
