"""Several steps in one run: one file in, one file out, and what was found on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgai.console import Console
from imgai.errors import UsageError
from imgai.options import Machine
from imgai.params import as_values
from imgai.plugin import LoadContext, Model, Predictor
from imgai.predict.size import Size
from imgai.predict.spec import Keep, StepSpec
from imgai.runs import OutputOptions, RunOptions, Summary, run
from imgai.testing import fake
from imgai.testing.kinds import named_kinds

THIRD = Model(
    name="third", task="brighten", summary="A third.", license="MIT", load="tests.run.test_run_chain:load_third"
)
TRIPLE = Model(
    name="triple", task="brighten", summary="Three times.", license="MIT", load="tests.run.test_run_chain:load_triple"
)
DEVICES: list[tuple[torch.dtype, torch.device]] = []


def load_third(context: LoadContext) -> Predictor:
    return Predictor(network=lambda image: image / 3)


def load_triple(context: LoadContext) -> Predictor:
    def network(image: torch.Tensor) -> torch.Tensor:
        DEVICES.append((image.dtype, image.device))
        return image * 3

    return Predictor(network=network)


def light(name: str = "", gain: float = 1.0, keep: Keep | None = None) -> StepSpec:
    params = as_values(fake.LightParams, {"gain": gain})
    return StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, params, name=name, keep=keep)


def go(specs: list[StepSpec], inputs: list[Path], out: Path, kinds: tuple[str, ...] = ("image",)) -> Summary:
    names = [str(path) for path in inputs]
    options = RunOptions(
        inputs=names, out=out, outputs=OutputOptions(named_kinds(*kinds)), machine=Machine(device="cpu")
    )
    return run(specs, options, Console(quiet=True))


def records(out: Path) -> list[dict[str, object]]:
    lines = (out / ".imgai" / "records.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["status"] == "done"]


def test_nothing_is_rounded_between_steps(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    """A third of 8 bits holds 86 levels; what comes back in all of its 256 was never in 8 bits."""
    picture = make_picture(tmp_path / "a.png")
    steps = [StepSpec(fake.BRIGHTEN, THIRD), StepSpec(fake.BRIGHTEN, TRIPLE, name="brighten-2")]
    assert go(steps, [picture], tmp_path / "out").done == 1
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), np.asarray(Image.open(picture)))
    assert DEVICES[-1] == (torch.float32, torch.device("cpu"))


def test_a_chain_gives_what_its_steps_give_one_after_the_other(
    tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    picture = make_picture(tmp_path / "a.png")
    steps = [StepSpec(fake.BRIGHTEN, fake.DOUBLE), light(gain=1.5)]
    go(steps, [picture], tmp_path / "chain", ("mask",))
    go(steps[:1], [picture], tmp_path / "one")
    go(steps[1:], [tmp_path / "one" / "a.png"], tmp_path / "two", ("mask",))
    assert (tmp_path / "chain" / "a.png").read_bytes() == (tmp_path / "two" / "a.png").read_bytes()
    assert not list((tmp_path / "chain").glob("*-*")), "what the steps before the last made is not written"


def test_what_is_kept_lies_beside_the_last_image_and_has_its_size(
    tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    picture = make_picture(tmp_path / "a.jpg", (40, 30))
    keep = Keep("find-light", named_kinds("mask", "binary", threshold=0.3))
    steps = [light(keep=keep), StepSpec(fake.BRIGHTEN, fake.DOUBLE, size=Size(scale=1.7))]
    go(steps, [picture], tmp_path / "out")
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").glob("*.*") if path.is_file()}
    assert sizes == dict.fromkeys(("a.jpg", "a-find-light-mask.png", "a-find-light-binary.png"), (68, 51))
    small = np.asarray(Image.open(picture).convert("RGB").resize((68, 51), Image.Resampling.BILINEAR)).mean(2)
    mask = np.asarray(Image.open(tmp_path / "out" / "a-find-light-mask.png"))
    assert np.abs(mask - small).mean() < 4
    (record,) = records(tmp_path / "out")
    assert [(o["kind"], o.get("step")) for o in record["outputs"]] == [  # type: ignore[attr-defined]
        ("image", None),
        ("binary", "find-light"),
        ("mask", "find-light"),
    ]


def test_two_steps_of_one_task_keep_apart_what_they_found(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    picture = make_picture(tmp_path / "a.png")
    steps = [light(gain=0.5, keep=Keep("find-light", named_kinds("mask"))), light("find-light-2", gain=2.0)]
    go(steps, [picture], tmp_path / "out", ("mask",))
    dim, bright = (
        np.asarray(Image.open(tmp_path / "out" / name)).astype(int) for name in ("a-find-light.png", "a.png")
    )
    assert np.abs(np.minimum(dim * 4, 255) - bright).max() <= 4
    (record,) = records(tmp_path / "out")
    steps_ = record["steps"]
    assert [step["name"] for step in steps_] == ["find-light", "find-light-2"]  # type: ignore[attr-defined]
    areas = [step["classes"]["light"] for step in steps_]  # type: ignore[attr-defined]
    assert areas[0] < areas[1] == record["classes"]["light"]  # type: ignore[index]


def test_scores_of_every_step_are_in_the_record(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    picture = make_picture(tmp_path / "a.png")
    go([StepSpec(fake.WEIGH, fake.MEAN), StepSpec(fake.BRIGHTEN, fake.DOUBLE)], [picture], tmp_path / "out")
    (record,) = records(tmp_path / "out")
    assert "scores" not in record, "those at the top are of the last step"
    assert sum(record["steps"][0]["scores"].values()) == pytest.approx(1, abs=1e-4)  # type: ignore[index]


def test_again_does_what_has_changed(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    picture, out = make_picture(tmp_path / "a.png"), tmp_path / "out"
    double = StepSpec(fake.BRIGHTEN, fake.DOUBLE)
    assert go([light(), double], [picture], out).done == 1
    assert go([light(), double], [picture], out).skipped == 1
    assert go([light(gain=2.0), double], [picture], out).done == 1, "an earlier step's params count"
    with pytest.raises(UsageError, match="would be overwritten"):
        go([double, light(gain=2.0)], [picture], out, ("mask",))  # another order is another run
    keep = Keep("find-light", named_kinds("mask"))
    assert go([light(gain=2.0), double], [picture], out).skipped == 1
    assert go([light(gain=2.0, keep=keep), double], [picture], out).done == 1, "and what is kept"


def test_what_is_kept_overwrites_nothing(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    make_picture(tmp_path / "in" / "a.png", seed=1)
    make_picture(tmp_path / "in" / "a-find-light.png", seed=2)
    steps = [light(keep=Keep("find-light", named_kinds("mask"))), StepSpec(fake.BRIGHTEN, THIRD)]
    assert go(steps, [tmp_path / "in"], tmp_path / "out").done == 2
    made = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert made == ["a-find-light.png", "a-find-light.png-find-light.png", "a-find-light.png.png", "a.png"]
    other = make_picture(tmp_path / "other" / "a.png")
    with pytest.raises(UsageError, match=r"a-find-light\.png is an input, and would be overwritten"):
        go(steps, [other, tmp_path / "in" / "a-find-light.png"], tmp_path / "in")


def test_every_page_of_a_file_goes_through_every_step(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 16), (60 * i, 90, 120)) for i in range(1, 4)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    steps = [light(keep=Keep("find-light", named_kinds("mask"))), StepSpec(fake.BRIGHTEN, fake.DOUBLE)]
    assert go(steps, [tmp_path / "a.tif"], tmp_path / "out").done == 1
    with Image.open(tmp_path / "out" / "a.tif") as image:
        assert (image.n_frames, image.size) == (3, (40, 32))
    masks = [np.asarray(Image.open(tmp_path / "out" / f"a-find-light-p000{i}.png")) for i in (1, 2, 3)]
    assert [mask.shape for mask in masks] == [(32, 40)] * 3
    assert masks[0].mean() < masks[1].mean() < masks[2].mean()
