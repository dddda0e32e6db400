"""A model that is made of others: it gets them loaded, and what they are is a part of what its outputs depend on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from imgai.cli.show import describe
from imgai.discovery import Plugin
from imgai.errors import PluginError, UsageError
from imgai.plugin import LoadContext, Model, Predictor
from imgai.predict.load import load_step
from imgai.predict.spec import StepSpec
from imgai.registry import Registry
from imgai.runs import OutputOptions
from imgai.runs.digest import digest
from imgai.runs.scan import Input
from imgai.sample import Metadata, Sample, Source
from imgai.testing import fake
from imgai.words.steps import parse_step, spec_of

DIM = Model(
    name="dim", task="find-light", summary="Half of lightness.", license="MIT", labels=("light",),
    load="tests.run.test_run_uses:load_dim", uses=("find-light/lightness",), tile=64, overlap=8,
)  # fmt: skip


def load_dim(context: LoadContext) -> Predictor:
    light = context.load("find-light/lightness")
    return Predictor(network=lambda image: light.postprocess(light.network(light.preprocess(image))) / 2)


def load_other(context: LoadContext) -> Predictor:
    return context.load("weigh/mean")


def registry(*models: Model, used: Model = fake.LIGHTNESS) -> Registry:
    others = [model for model in fake.imgai_register_models() if model.name != used.name]
    fakes = Plugin("fake", "imgai-fake", "1", fake.imgai_register_tasks(), (*others, used))
    return Registry([fakes, Plugin("mine", "imgai-mine", "1", (), models)])


def spec(made: Registry, model: str = "dim") -> StepSpec:
    return spec_of(parse_step(f"find-light --model {model}", made), made)


def test_it_is_given_the_models_that_it_declares() -> None:
    sample = Sample(torch.full((1, 3, 20, 30), 0.8), Source(None, "x"), Metadata("PNG"))
    made = load_step(spec(registry(DIM)))(sample).masks["find-light"].values
    assert made.float().mean() / 255 == pytest.approx(0.4, abs=0.01)


def test_another_revision_of_a_part_or_of_a_part_of_it_makes_outputs_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    twice = dataclasses.replace(DIM, name="twice", uses=("find-light/dim",))

    def mark(revision: int) -> list[str]:
        made = registry(DIM, twice, used=dataclasses.replace(fake.LIGHTNESS, revision=revision))
        specs = [spec(made, "dim"), spec(made, "twice"), spec(made, "lightness")]
        return [digest(Input(path, "a.png"), [each], OutputOptions(), "a") for each in specs]

    assert mark(1) == mark(1)
    assert not set(mark(1)) & set(mark(2))


def test_its_parts_and_their_licences_are_told() -> None:
    made = registry(DIM)
    about = describe(made, made.model("find-light", "dim"))
    (used,) = about["uses"]
    assert used["name"] == "find-light/lightness"
    assert (used["license"], used["plugin"]) == ("Apache-2.0", "imgai-fake")


@pytest.mark.parametrize(
    ("uses", "words"),
    [(("find-light/none",), "made of find-light/none, which no plugin offers"), (("other/x",), "made of other/x")],
)
def test_a_part_that_is_missing_is_told_when_it_is_needed(uses: tuple[str, ...], words: str) -> None:
    made = registry(dataclasses.replace(DIM, uses=uses))
    assert not made.broken
    with pytest.raises(PluginError, match=words):
        spec(made)


def test_models_that_are_made_of_each_other_are_refused() -> None:
    one = dataclasses.replace(DIM, name="one", uses=("find-light/two",))
    two = dataclasses.replace(DIM, name="two", uses=("find-light/one",))
    with pytest.raises(PluginError, match="made of itself"):
        spec(registry(one, two), "one")


def test_what_is_not_declared_is_not_given() -> None:
    other = dataclasses.replace(DIM, load="tests.run.test_run_uses:load_other")
    with pytest.raises(UsageError, match="loads weigh/mean, which it does not declare"):
        load_step(spec(registry(other)))


@pytest.mark.parametrize("uses", [("lightness",), ("find-light/dim",), ("a/b", "a/b"), ("A/b",)])
def test_names_that_cannot_be_are_refused(uses: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="uses are"):
        dataclasses.replace(DIM, uses=uses)
