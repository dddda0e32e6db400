"""`imgai compare` and `imgai try`: several chains side by side, on one page and one sheet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from imgai.cli import compare, trial
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.plugin import Weights
from imgai.registry import Registry
from imgai.testing import fake


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_picture: Callable[..., Path]) -> Path:
    for seed in range(2):
        make_picture(tmp_path / "in" / f"{seed}.png", (64, 48), seed=seed)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def app_of(*, broken: bool = False) -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    tasks = (fake.BRIGHTEN, fake.FIND_LIGHT, fake.WEIGH)
    far = Weights(file="https://example.org/a.safetensors", sha256="0" * 64, size=1, license="MIT")
    light = dataclasses.replace(fake.LIGHTNESS, load="nowhere:load") if broken else fake.LIGHTNESS
    double = dataclasses.replace(fake.DOUBLE, weights=far) if broken else fake.DOUBLE
    registry = Registry([Plugin("fake", "fake", "0", tasks, (double, light, fake.MEAN))])
    for command in (compare, trial):
        command.add(app, registry, Settings())
    return app


def sides(page: Path) -> dict[str, list[str]]:
    metas = [json.loads(part.split("</script>")[0]) for part in page.read_text().split('class="m">')[1:]]
    return {meta["name"]: [side["title"] for side in meta["sides"]] for meta in metas}


def test_settings_and_chains_lie_side_by_side(here: Path) -> None:
    words = ["in", "--with", "find-light", "--with", "find-light --gain 2", "--with", "brighten | find-light"]
    result = CliRunner().invoke(app_of(), ["compare", *words, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [each["done"] for each in told["runs"]] == [2, 2, 2]
    found = sides(here / "compare.html")
    titles = ["before", "find-light", "find-light --gain 2", "brighten | find-light"]
    assert found == {"0.png": titles, "1.png": titles}
    with Image.open(here / "compare.jpg") as sheet:
        assert sheet.width > 4 * 300  # a column for each
    assert {path.name for path in here.iterdir()} == {"in", "compare.html", "compare.jpg"}


def test_a_picture_that_fails_once_is_shown_with_what_else_became_of_it(here: Path) -> None:
    (here / "in" / "broken.png").write_bytes(b"no picture")
    result = CliRunner().invoke(app_of(), ["compare", "in", "--with", "find-light", "--with", "weigh"])
    assert result.exit_code == 1
    found = sides(here / "compare.html")
    assert found["0.png"] == ["before", "find-light", "weigh"]
    assert "broken.png" in found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["in"], "there is nothing to compare"),
        (["in", "--with", "find-light", "--with", " find-light"], "two of --with are the same"),
        (["in", "--with", "find-lihgt"], "find-light"),
        (["in", "--with", "find-light", "--report", "a.png"], "it is written as .html"),
    ],
)
def test_what_cannot_be_compared_is_refused(words: list[str], told: str, here: Path) -> None:
    result = CliRunner().invoke(app_of(), ["compare", *words])
    assert result.exit_code == 2
    assert told in result.stderr
    assert {path.name for path in here.iterdir()} == {"in"}


def test_trying_needs_no_picture_and_leaves_out_what_cannot_be(here: Path) -> None:
    result = CliRunner().invoke(app_of(broken=True), ["try"])
    assert result.exit_code == 0, result.output
    assert "brighten is left out: the weights of double would be fetched" in result.stderr
    assert "find-light" in result.stderr
    found = sides(here / "imgai-try.html")
    assert len(found) == 4
    assert all(titles == ["before", "weigh"] for titles in found.values())


def test_samples_are_small_pictures_in_the_wheel() -> None:
    samples = [each for each in (files("imgai") / "samples").iterdir() if each.name.endswith(".jpg")]
    assert len(samples) == 4
    assert sum(len(each.read_bytes()) for each in samples) < 200_000
