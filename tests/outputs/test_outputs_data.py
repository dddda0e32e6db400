"""Data is a dict an image; the places in it are where they were seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from imgai.errors import PluginError
from imgai.outputs.counting import Counting
from imgai.outputs.data import DataOutput
from imgai.plugin import Model, Output, Predictor, Task
from imgai.predict.chain import Chain
from imgai.predict.step import Step
from imgai.sample import Metadata, Sample, Source
from imgai.testing import PluginContract, fake, gradient, load_step, step_of
from imgai.testing.subject import Subject

TASK = Task(name="read", summary="What stands there.", default_model="corner", output=Output.DATA)
MODEL = Model(
    name="corner", task="read", summary="The darkest place.", license="Apache-2.0", load="x:load", input_size=(50, 100)
)
SEEN = {
    "text": "hello",
    "sure": 0.5,
    "lines": [{"box": [0.25, 0.5, 0.5, 1.0], "polygon": [[0, 0], [1, 0], [1, 1]]}],
    "points": [[0.5, 0.5, 0.9]],
}


def read(images: Tensor) -> list[dict[str, Any]]:
    return [dict(SEEN) for _ in images]


def step(answer: Callable[[Tensor], Any] = read, **changes: Any) -> Step:
    model = dataclasses.replace(MODEL, **changes)
    return step_of(TASK, model, Predictor(network=lambda image: image, postprocess=answer))


def sample(height: int, width: int) -> Sample:
    return Sample(gradient(height, width), Source(None, "drawn"), Metadata("PNG"))


def value(result: Sample) -> dict[str, Any]:
    return result.data["read"].value


def test_places_are_in_pixels_and_the_rest_stays() -> None:
    found = value(step()(sample(80, 40)))
    assert found == {
        "text": "hello",
        "sure": 0.5,
        "lines": [{"box": [10, 40, 20, 80], "polygon": [[0, 0], [40, 0], [40, 80]]}],
        "points": [[20, 40, 0.9]],
    }


def test_places_come_through_a_letterbox() -> None:
    # 50x100 holds 40x40 pixels as 50x50, with bars of 25 on the left and on the right.
    found = value(step(fit="letterbox")(sample(40, 40)))
    assert found["points"] == [[pytest.approx(20), pytest.approx(20), 0.9]]
    assert found["lines"][0]["box"] == pytest.approx([0, 20, 20, 40])
    assert found["lines"][0]["polygon"] == [[0, 0], [40, 0], [40, 40]], "what lies in the bars is moved to the edge"


def test_places_follow_later_steps() -> None:
    result = Chain([step(), load_step(fake.BRIGHTEN, fake.DOUBLE)])(sample(80, 40))
    assert value(result)["lines"][0]["box"] == [20, 80, 40, 160]
    assert value(result)["points"] == [[40, 80, 0.9]]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda images: images, "not a list"),
        (lambda images: [], "0 dicts for 1"),
        (lambda images: ["text"], "list of str"),
        (lambda images: [{"values": images}], "JSON"),
        (lambda images: [{"sure": float("nan")}], "JSON"),
        (lambda images: [{"box": [1, 2]}], "box is x0"),
        (lambda images: [{"parts": [{"points": [1, 2]}]}], "lists of x, y"),
    ],
)
def test_what_is_no_data_is_told(answer: Callable[[Tensor], Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        step(answer)(sample(20, 20))


def test_data_needs_an_input_size() -> None:
    with pytest.raises(PluginError, match="input_size"):
        load_step(TASK, dataclasses.replace(MODEL, input_size=None, load=f"{__name__}:load"))


def load(context: object) -> Predictor:
    return Predictor(network=lambda image: image, postprocess=read)


def test_the_record_holds_short_things_only() -> None:
    output = DataOutput()
    long = step(lambda images: [{"text": "x" * 1000, "vector": [0.5] * 512, "n": 3} for _ in images])
    note = output.note(long(sample(20, 20)), "read", Counting())
    assert output.line([note]) == {"data": {"text": "x" * 200, "n": 3}}
    assert output.line([note, note]) == {"data": [note, note]}


def test_the_contract_holds_data_to_one_answer(subject: Callable[..., Subject]) -> None:
    contract = PluginContract()
    contract.test_images_of_any_size_give_what_is_promised(subject(step()))
    contract.test_a_batch_gives_what_single_images_give(subject(step()))
    uneven = step(lambda images: [{"text": f"{len(images)}"} for _ in images])
    with pytest.raises(AssertionError):
        contract.test_a_batch_gives_what_single_images_give(subject(uneven))
