"""What is set in files, in variables and by flags, in that order; and where each value comes from."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from imgai.cli import settings
from imgai.cli.main import build_app
from imgai.discovery import Plugin
from imgai.errors import UsageError
from imgai.plugin import Kind, MaskParams, Output, param
from imgai.registry import Registry
from imgai.testing import fake


@pytest.fixture
def registry() -> Registry:
    return Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a picture, and a user without settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Image.new("RGB", (40, 30), (90, 120, 60)).save("a.png")
    return tmp_path


def imgai(registry: Registry, *arguments: str) -> Any:
    return CliRunner().invoke(build_app(registry, settings.load(registry)), list(arguments))


def gain(registry: Registry, *arguments: str) -> float:
    answer = imgai(registry, *arguments, "--out", "out", "--json", "--force")
    assert answer.exit_code == 0, answer.stderr
    record = json.loads(answer.stdout.splitlines()[0])
    steps = record.get("steps", [record])
    return float(steps[0]["params"]["gain"])


def user_file() -> Path:
    path = settings.user_file()
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_later_counts_more(registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ("find-light", "a.png")
    assert gain(registry, *line) == 1
    user_file().write_text("[find-light]\ngain = 2\n")
    assert gain(registry, *line) == 2
    Path("imgai.toml").write_text("[find-light]\ngain = 3\n")
    assert gain(registry, *line) == 3
    monkeypatch.setenv("IMGAI_FIND_LIGHT_GAIN", "4")
    assert gain(registry, *line) == 4
    assert gain(registry, *line, "--gain", "5") == 5


def test_steps_of_a_chain_are_configured_and_recipes_are_not(registry: Registry, folder: Path) -> None:
    """A recipe means the same wherever it is run."""
    Path("imgai.toml").write_text("[find-light]\ngain = 3\n")
    assert gain(registry, "chain", "a.png", "find-light", "brighten") == 3
    Path("r.toml").write_text('[[steps]]\ntask = "find-light"\n[[steps]]\ntask = "brighten"\n')
    assert gain(registry, "run", "r.toml", "a.png") == 1


def test_a_map_that_a_file_asks_for_is_made_where_there_is_a_place_for_it(registry: Registry, folder: Path) -> None:
    Path("imgai.toml").write_text('[weigh]\nexplain = "gradcam"\n')
    for line in (["weigh", "a.png"], ["chain", "a.png", "weigh"]):
        assert imgai(registry, *line).exit_code == 0
    for line in (["weigh", "a.png", "--explain", "gradcam"], ["chain", "a.png", "weigh --explain gradcam"]):
        assert "--explain needs --out" in imgai(registry, *line).stderr


def test_variables_reach_the_steps_of_a_chain_and_what_it_saves(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("imgai.toml").write_text("[find-light]\nslow = 0.001\n")
    monkeypatch.setenv("IMGAI_FIND_LIGHT_GAIN", "4")
    line = ("chain", "a.png", "find-light", "brighten")
    assert gain(registry, *line, "--save-recipe", "r.toml") == 4
    assert gain(registry, *line[:2], "find-light --gain 5", "brighten") == 5
    monkeypatch.delenv("IMGAI_FIND_LIGHT_GAIN")
    assert gain(registry, "run", "r.toml", "a.png") == 4
    assert "slow = 0.001" in Path("r.toml").read_text()


def test_settings_of_what_is_written_leave_steps_before_the_last_alone(registry: Registry, folder: Path) -> None:
    Path("imgai.toml").write_text('[brighten]\nformat = "png"\nquality = 80\n[find-light]\nas = ["cutout"]\n')
    for steps in (("brighten", "find-light"), ("find-light", "brighten")):
        answer = imgai(registry, "chain", "a.png", *steps, "--out", "out", "--force", "--overwrite")
        assert answer.exit_code == 0, answer.stderr
    typed = imgai(registry, "chain", "a.png", "brighten --quality 3", "find-light", "--out", "out")
    assert typed.exit_code == 2


@dataclass(frozen=True)
class Digits(MaskParams):
    """The option of one kind of masks, beside the one that all share."""

    outline_digits: int = param(2, "Digits after the point.", minimum=0)


def test_an_option_of_a_kind_needs_its_kind(folder: Path) -> None:
    outline = Kind(name="outline", of=Output.MASK, summary="Outlines.", render="imgai.kinds.mask:render", params=Digits)
    mine = Plugin("mine", "mine", "1", kinds=(outline,))
    registry = Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models()), mine])
    line = ("find-light", "a.png", "--out", "out")
    typed = imgai(registry, *line, "--outline-digits", "3")
    assert typed.exit_code == 2
    assert "--outline-digits is an option of outline; add --as outline or leave it out" in typed.stderr
    Path("r.toml").write_text('[[steps]]\ntask = "find-light"\nthreshold = 0.3\noutline-digits = 3\n')
    cooked = imgai(registry, "run", "r.toml", *line[1:])
    assert cooked.exit_code == 2
    assert "r.toml:4: --outline-digits is an option of outline" in cooked.stderr
    # A setting is for the runs that it fits.
    Path("imgai.toml").write_text("[find-light]\noutline-digits = 3\n")
    assert imgai(registry, *line).exit_code == 0
    assert imgai(registry, *line, "--as", "outline", "--outline-digits", "1", "--overwrite").exit_code == 0


@dataclass(frozen=True)
class Named:
    """What one model takes, which stands for it."""

    like: str | None = param(None, "Like what.", selects=True)


@dataclass(frozen=True)
class Styled:
    """What the other takes."""

    style: str | None = param(None, "Which.")


def test_settings_give_way_to_what_is_typed(folder: Path) -> None:
    plain = dataclasses.replace(fake.DOUBLE, params=Styled)
    other = dataclasses.replace(fake.DOUBLE, name="other", params=Named)
    registry = Registry([Plugin("fake", "fake", "1", (fake.BRIGHTEN,), (plain, other))])

    def model(*typed: str) -> str:
        texts = []
        for line in (("brighten", "a.png", *typed), ("chain", "a.png", " ".join(["brighten", *typed]))):
            answer = imgai(registry, *line, "--out", "out", "--json", "--force")
            assert answer.exit_code == 0, answer.stderr
            texts.append(json.loads(answer.stdout.splitlines()[0])["model"])
        assert texts[0] == texts[1]
        return texts[0]

    Path("imgai.toml").write_text('[brighten]\nscale = 2\nstyle = "so"\n')
    assert model("--width", "96") == "double"
    assert model("--like", "this") == "other"
    assert model("--model", "other") == "other"
    Path("imgai.toml").write_text('[brighten]\nlike = "this"\n')
    assert model() == "other"
    assert model("--style", "so") == "double"
    assert model("--model", "double") == "double"
    both = imgai(registry, "brighten", "a.png", "--out", "out", "--style", "so", "--like", "this")
    assert both.exit_code == 2


def test_what_is_of_every_task_reaches_every_command(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("imgai.toml").write_text('device = "mps"\n')
    Path("r.toml").write_text('[[steps]]\ntask = "brighten"\n')
    for line in (("brighten", "a.png"), ("chain", "a.png", "brighten"), ("run", "r.toml", "a.png")):
        answer = imgai(registry, *line, "--out", "out", "--force")
        assert answer.exit_code == 2, line
        assert "mps" in answer.stderr
        monkeypatch.setenv("IMGAI_DEVICE", "cpu")
        assert imgai(registry, *line, "--out", "out", "--force").exit_code == 0, line
        monkeypatch.delenv("IMGAI_DEVICE")


def test_each_setting_is_shown_with_its_source(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file().write_text('memory = "2G"\ntile = 64\n')
    Path("imgai.toml").write_text("# here\ntile = 128\n\n[find-light]\ngain = 3\n")
    monkeypatch.setenv("IMGAI_BATCH", "7")
    rows = {(row["task"], row["option"]): row for row in json.loads(imgai(registry, "config", "--json").stdout)}
    assert rows[None, "--memory"]["source"] == f"{user_file()}:1"
    assert (rows[None, "--tile"]["value"], rows[None, "--tile"]["source"]) == (128, "imgai.toml:2")
    assert (rows[None, "--batch"]["value"], rows[None, "--batch"]["source"]) == ("7", "IMGAI_BATCH")
    assert rows[None, "--device"]["source"] == "default"
    assert (rows["find-light", "--gain"]["value"], rows["find-light", "--gain"]["source"]) == (3, "imgai.toml:5")
    words = imgai(registry, "config").stdout
    assert "find-light --gain" in words
    assert "imgai.toml:5" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('devise = "cpu"', "imgai.toml:1: there is no option 'devise'; did you mean 'device'?"),
        ("\n[find-lihgt]\ngain = 2", "imgai.toml:2: no task is called 'find-lihgt'; did you mean 'find-light'?"),
        ("[find-light]\ngian = 2", "imgai.toml:2: there is no option 'gian'; did you mean 'gain'?"),
        ("tile = 3", "imgai.toml:1: tile cannot be 3; it takes a whole number of at least 32"),
        ('out = "x"', "imgai.toml:1: there is no option 'out'"),
        ("tile = ", "imgai.toml:1: no valid TOML"),
        ("device = 3", "imgai.toml:1: device takes text, not 3"),
        ("tile = true", "imgai.toml:1: tile takes a whole number of at least 32, not true"),
        ('threads = "2"', "imgai.toml:1: threads takes a whole number of at least 1, not '2'"),
        ("verbose = 1", "imgai.toml:1: verbose takes true or false, not 1"),
        ('memory = "much"', "imgai.toml:1: memory cannot be 'much'; it takes bytes, as 512M or 2G"),
        ("memory = [1]", "imgai.toml:1: memory takes bytes, as 512M or 2G, not [1]"),
        ('[find-light]\nas = ["maks"]', "imgai.toml:2: as cannot be 'maks'; did you mean 'mask'?"),
        ("a = " + "[" * 100_000, "imgai.toml: no valid TOML: it is nested too deeply"),
        ("a = " + "{a=" * 100_000, "imgai.toml: no valid TOML: it is nested too deeply"),
        ("a." * 100_000 + "a = 1", "imgai.toml: no valid TOML: it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(registry: Registry, folder: Path, text: str, words: str) -> None:
    Path("imgai.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        settings.load(registry)
    assert words in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(registry: Registry, folder: Path) -> None:
    Path("imgai.toml").write_text('tile = 3\ndevise = "cpu"\nbatch = 0\n[find-light]\ngain = 11\n[briten]\n')
    with pytest.raises(UsageError) as caught:
        settings.load(registry)
    lines = [str(caught.value), *caught.value.more]
    assert [line.split(": ")[0] for line in lines] == [f"imgai.toml:{line}" for line in (1, 2, 3, 5, 6)]


def test_a_mark_at_the_beginning_of_a_file_changes_nothing(registry: Registry, folder: Path) -> None:
    """Editors of Windows write one into UTF-8."""
    Path("imgai.toml").write_bytes(b"\xef\xbb\xbf[find-light]\r\ngain = 3\r\n")
    assert gain(registry, "find-light", "a.png") == 3
    Path("imgai.toml").write_bytes("[find-light]".encode("utf-16"))
    with pytest.raises(UsageError, match=r"imgai\.toml cannot be read"):
        settings.load(registry)


def test_a_folder_that_is_set_can_be_shown(registry: Registry, folder: Path) -> None:
    user_file().write_text('[weigh]\nsort-into = "by"\n')
    (row,) = [row for row in json.loads(imgai(registry, "config", "--json").stdout) if row["task"] == "weigh"]
    assert row["value"] == "by"


@pytest.mark.parametrize(
    "text", ['[weigh]\nsort-into = "by"', "[weigh]\nwrite-xmp = true", "[weigh]\nlink = true", '\nmax-pixels = "9G"']
)
def test_a_file_that_came_with_the_pictures_may_not_say_where_to_write(
    registry: Registry, folder: Path, text: str
) -> None:
    key = text.split("\n")[1].split(" ")[0]
    user_file().write_text(text)
    settings.load(registry)
    Path("imgai.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        settings.load(registry)
    assert str(caught.value).startswith(f"imgai.toml:2: {key} is not taken from the current folder; set it in ")


def test_a_folder_that_is_the_users_own_may_set_everything(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file().write_text('max-pixels = "9G"\n')
    monkeypatch.chdir(user_file().parent)
    assert settings.load(registry).of()["max_pixels"] == 9_000_000_000


def test_who_has_no_home_has_no_file_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home, ~ is a name like any other, and may have come with the pictures."""
    for name in ("XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert settings.user_file() is None
    assert settings.files() == [Path("imgai.toml")]


def test_a_file_that_may_not_be_looked_at_is_told(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", closed)
    with pytest.raises(UsageError, match=r"imgai\.toml cannot be read: Permission denied"):
        settings.load(registry)


def test_what_is_printed_of_a_setting_cannot_change_the_terminal(registry: Registry, folder: Path) -> None:
    Path("imgai.toml").write_text('device = "cpu\\u001b[31m\\nred"\n')
    words = imgai(registry, "config").stdout
    assert "\x1b" not in words
    assert "cpu\\x1b[31m\\nred" in words
    assert json.loads(imgai(registry, "config", "--json").stdout)[-5]["value"] == "cpu\x1b[31m\nred"


def test_measuring_is_configured_as_the_task_is(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("light").mkdir()
    Path("a.png").rename("light/a.png")
    assert imgai(registry, "evaluate", "weigh", ".").exit_code == 0
    user_file().write_text('[weigh]\nsort-into = "by"\n')  # of no concern here
    assert imgai(registry, "evaluate", "weigh", ".").exit_code == 0
    assert not Path("by").exists()
    for text, variable in (('device = "mps"\n', ""), ("", "mps")):
        Path("imgai.toml").write_text(text)
        monkeypatch.setenv("IMGAI_DEVICE", variable)
        answer = imgai(registry, "evaluate", "weigh", ".")
        assert answer.exit_code == 2
        assert "mps" in answer.stderr
