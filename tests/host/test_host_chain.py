"""Steps on the command line are the sub-commands themselves."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from imgai.cli.chain import _divide
from imgai.cli.main import build_app
from imgai.discovery import Plugin
from imgai.errors import UsageError
from imgai.plugin import param
from imgai.predict.spec import Keep
from imgai.registry import Registry
from imgai.testing import fake
from imgai.testing.kinds import named_kinds
from imgai.words.chain import assemble
from imgai.words.steps import parse_step, spec_of

REGISTRY = Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])


def chain(*texts: str, keep: list[str] | None = None) -> list[object]:
    steps = [parse_step(text, REGISTRY) for text in texts]
    specs, outputs = assemble(steps, keep or [], REGISTRY, out=Path("out"), hint="add --out FOLDER")
    return [*specs, outputs]


def said(*arguments: str) -> str:
    """What a command says of its arguments, without the frame that is around some of it."""
    answer = CliRunner().invoke(build_app(REGISTRY), list(arguments), terminal_width=200)
    if isinstance(answer.exception, UsageError):  # which main prints
        return str(answer.exception)
    assert answer.exit_code == 2, answer.output
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", answer.output).split())


@pytest.mark.parametrize(
    "options", ["--gain", "--gain fast", "--gain 11", "--model darkness", "--as cutouts", "--threshold 2", "--shine 3"]
)
def test_a_step_takes_what_the_command_takes_and_says_what_it_says(options: str) -> None:
    with pytest.raises(UsageError) as chained:
        chain(f"find-light {options}")
    alone = said("find-light", "a.png", "--out", "out", *options.split())
    message = chained.value.message.removeprefix(f"the step 'find-light {options}': ")
    # Which other options are near is another matter: those of the run are not a step's.
    assert " ".join(message.split(" (Possible")[0].split()) in alone


def test_a_step_names_no_input() -> None:
    with pytest.raises(UsageError, match=r"again\.png"):
        chain("find-light again.png")


def test_values_and_defaults_are_those_of_the_command() -> None:
    spec, outputs = chain("find-light --gain 2.5 --as cutout,mask --threshold 0.25")
    assert spec.params == fake.LightParams(gain=2.5)  # type: ignore[attr-defined]
    assert outputs.kinds == named_kinds("cutout", "mask", threshold=0.25)  # type: ignore[attr-defined]
    assert spec_of(parse_step("find-light", REGISTRY), REGISTRY).params == fake.LightParams()


def test_steps_of_one_task_are_told_apart() -> None:
    first, second, third, _ = chain("find-light", "brighten", "find-light", keep=["find-light"])
    assert [step.name for step in (first, second, third)] == ["find-light", "brighten", "find-light-2"]  # type: ignore[attr-defined]
    assert first.keep == Keep("find-light", named_kinds("mask"))  # type: ignore[attr-defined]
    assert third.keep is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("texts", "keep", "words"),
    [
        (
            ("find-light --as overlay", "brighten"),
            [],
            "is not the last, so nothing is written of it; add --keep find-light",
        ),
        (("brighten --format png", "find-light"), [], "is not the last"),
        (("weigh --sort-into by", "find-light"), [], "is not the last"),
        (("weigh --write-xmp", "find-light"), [], "is not the last"),
        (("brighten", "find-light"), ["brighten"], "--keep brighten: nothing of that step can be kept"),
        (("find-light", "brighten"), ["find-lite"], "there is no such step; the steps are find-light, brighten"),
        (("find-light --as coco", "brighten"), ["find-light"], "--as coco is for the last step"),
        (("find-light 'a", "brighten"), [], "cannot be read"),
        (("find-lite", "brighten"), [], "did you mean 'find-light'?"),
    ],
)
def test_what_makes_no_sense_is_told(texts: tuple[str, ...], keep: list[str], words: str) -> None:
    with pytest.raises(UsageError) as told:
        chain(*texts, keep=keep)
    assert words in str(told.value)


def test_inputs_come_first_and_steps_are_known_by_their_task() -> None:
    assert _divide(["a.png", "b dir", "find-light --gain 2", "brighten"], REGISTRY) == (
        ["a.png", "b dir"],
        ["find-light --gain 2", "brighten"],
    )
    # The first is an input whatever it is called.
    assert _divide(["brighten", "brighten"], REGISTRY) == (["brighten"], ["brighten"])
    with pytest.raises(UsageError, match="there is no step"):
        _divide(["a.png"], REGISTRY)
    with pytest.raises(UsageError, match="did you mean 'brighten'"):
        _divide(["a.png", "brigten --scale 2"], REGISTRY)


def test_labels_of_the_last_step_go_into_the_table_or_are_shown(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 200, 200)).save(tmp_path / "a.png")
    line = ["chain", str(tmp_path / "a.png"), "brighten", "weigh --top 2"]
    app = build_app(REGISTRY)
    shown = CliRunner().invoke(app, line)
    assert shown.exit_code == 0, shown.stderr
    assert "light" in shown.stdout
    table = tmp_path / "labels.csv"
    told = CliRunner().invoke(app, [*line, "--out", str(table)])
    assert told.exit_code == 0, told.stderr
    assert "light" in table.read_text()
    nowhere = CliRunner().invoke(app, line[:-1])
    assert nowhere.exit_code == 2
    assert "add --out FOLDER" in nowhere.stderr


def test_an_option_of_several_values_that_was_not_given_is_of_no_model() -> None:
    @dataclass(frozen=True)
    class Params:
        style: tuple[str, ...] = param((), "Which.")

    other = dataclasses.replace(fake.DOUBLE, name="styled", params=Params)
    plain = dataclasses.replace(fake.DOUBLE, name="double")
    registry = Registry([Plugin("fake", "fake", "1", (fake.BRIGHTEN,), (plain, other))])
    assert spec_of(parse_step("brighten --model double", registry), registry).model == plain
