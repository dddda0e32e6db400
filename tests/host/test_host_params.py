"""A params dataclass is declared once: options, checked values and the table come from it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imgai.errors import UsageError
from imgai.options import GROUPS
from imgai.params import (
    as_schema,
    as_table,
    as_values,
    check,
    option,
    options_of,
    plain,
    read,
    to_dict,
    weight_of,
)
from imgai.plugin import Output, Task, param


@dataclass(frozen=True)
class Params:
    strength: float = param(0.5, "How much.", minimum=0, maximum=1)
    steps: int = param(3, "How often.", minimum=1)
    mode: str = param("soft", "How.", choices=("soft", "hard"))
    keep_colors: bool = param(False, "Keep them.")
    size: int | None = param(None, "How large.")
    only: tuple[str, ...] = param((), "Which.", choices=("left", "right"))
    style: tuple[str, ...] = param(("plain",), "What.", choices=("plain", "fancy"), weighted=True)
    like: str | None = param(None, "Like what.", file=True)


def test_values_given_are_taken_and_none_means_the_default() -> None:
    assert as_values(Params, {"strength": 1, "steps": None}) == Params(strength=1.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strength": 1.5}, "--strength cannot be 1.5; it takes a number from 0 to 1"),
        ({"strength": math.nan}, "--strength cannot be nan"),
        ({"steps": 0}, "--steps cannot be 0; it takes a whole number of at least 1"),
        ({"steps": 2.5}, "--steps takes a whole number of at least 1, not 2.5"),
        ({"steps": True}, "--steps takes"),
        ({"mode": "loud"}, "--mode cannot be 'loud'; it is one of soft, hard"),
        ({"keep_colors": "yes"}, "--keep-colors takes true or false, not 'yes'"),
        ({"keep_colours": True}, "there is no option --keep-colours"),
        ({"only": ["left", "rigth"]}, "--only cannot be 'rigth'; did you mean 'right'?"),
        ({"only": ["left:2"]}, "--only cannot be 'left:2'"),
        ({"style": ["fancy:much"]}, "--style fancy:much: 'much' is no weight"),
        ({"style": ["fancy:-1"]}, "--style fancy:-1: '-1' is no weight"),
        ({"style": ["fancy:0", "plain:0"]}, "--style fancy:0,plain:0: all weights are 0"),
        ({"like": "no such file"}, "--like no such file: there is no such file; check the path"),
        ({"like": "s3://key:word@bucket/a"}, "--like takes no address; name a file or folder of this machine"),
    ],
)
def test_a_wrong_value_is_refused_in_one_clear_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_values(Params, given)
    assert str(caught.value).startswith(words)


def test_every_field_is_an_option_and_a_row() -> None:
    options = options_of(Params, "Here")
    assert [option.name for option in options] == [field.name for field in dataclasses.fields(Params)]
    assert [option.default for option in options] == [0.5, 3, "soft", False, None, (), ("plain",), None]
    table = as_table(Params)
    assert [row[0] for row in table] == [
        "--strength",
        "--steps",
        "--mode",
        "--keep-colors",
        "--size",
        "--only",
        "--style",
        "--like",
    ]
    assert table[2] == ("--mode", "soft or hard", "soft", "How.")


@dataclass(frozen=True, kw_only=True)
class Base:
    """Options that two groups share."""

    memory: int = option(1 << 30, "How much.", minimum=1, base=1024, unit="bytes, as 512M")
    out: Path | None = option(None, "Where to.")


@dataclass(frozen=True, kw_only=True)
class Own(Base):
    """Options of the host's kind, and a field that is none."""

    names: tuple[str, ...] = option(help="Which.", plain=True)
    inside: int = 0


def test_the_hosts_options_come_before_those_of_their_base_and_other_fields_are_none() -> None:
    assert [each.name for each in options_of(Own)] == ["names", "memory", "out"]
    assert as_values(Own, {"names": ["a,b", "c"]}, inside=3) == Own(names=("a,b", "c"), inside=3)


@pytest.mark.parametrize(
    ("text", "value"), [("512M", 512 << 20), ("2GiB", 2 << 30), ("1.5k", 1536), ("7", 7), (" 3 M ", 3 << 20)]
)
def test_units_are_read_and_written(text: str, value: int) -> None:
    (memory,) = (each for each in options_of(Own) if each.name == "memory")
    assert read(memory, text) == value
    assert check(memory, value) == value
    assert read(memory, str(plain(memory, value))) == value


@pytest.mark.parametrize("text", ["much", "-3M", "0", "3X", ""])
def test_a_unit_that_is_none_is_refused(text: str) -> None:
    (memory,) = (each for each in options_of(Own) if each.name == "memory")
    with pytest.raises(UsageError, match=f"--memory cannot be '{text}'; it takes bytes, as 512M"):
        read(memory, text)


def test_what_is_typed_and_what_is_in_a_file_is_refused_in_the_same_words() -> None:
    strength = options_of(Params)[0]
    for attempt in (lambda: read(strength, "fast"), lambda: check(strength, "fast")):
        with pytest.raises(UsageError, match="--strength takes a number from 0 to 1, not 'fast'"):
            attempt()
    with pytest.raises(UsageError, match=r"^strength cannot be 2"):
        check(strength, 2, "strength")


@pytest.mark.parametrize("declared", [*GROUPS, Params], ids=lambda declared: declared.__name__)
def test_every_default_is_a_value_that_the_option_takes(declared: type[Any]) -> None:
    for each in options_of(declared):
        assert each.about.help.endswith("."), each
        if each.default not in (None, dataclasses.MISSING, ()):
            assert check(each, each.default) == each.default
            jsonschema.validate(plain(each, each.default), as_schema(each))


def test_a_field_without_help_is_refused_when_it_is_declared() -> None:
    @dataclass
    class Bare:
        strength: float = 0.5

    with pytest.raises(TypeError, match=r"imgai\.plugin\.param"):
        Task(name="t", summary="s", default_model="m", output=Output.IMAGE, params=Bare)


def test_several_texts_come_one_by_one_or_with_commas() -> None:
    assert as_values(Params, {"only": ["left,right"]}).only == ("left", "right")
    assert as_values(Params, {"style": ["fancy:0.7", "plain"]}).style == ("fancy:0.7", "plain")
    assert [weight_of(text) for text in ("fancy:0.7", "plain")] == [("fancy", 0.7), ("plain", 1.0)]


def test_what_is_in_a_file_is_a_part_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "like.txt"
    file.write_text("one")
    before = to_dict(as_values(Params, {"like": str(file)}))
    file.write_text("other")
    after = to_dict(as_values(Params, {"like": str(file)}))
    assert before["like"] == after["like"] == str(file)
    assert before["like_sha256"] != after["like_sha256"]
