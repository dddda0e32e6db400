"""A task that is given a mask beside each picture: paired by name, cut along, and nothing changes outside of it."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor

import imgai
from imgai.discovery import Plugin
from imgai.errors import InputError, PluginError, UsageError
from imgai.options import Machine, MaskOptions
from imgai.plugin import Model, Output, Predictor, param
from imgai.predict.pairing import mask_file
from imgai.predict.spec import StepSpec
from imgai.predict.step import Step
from imgai.registry import Registry
from imgai.runs import OutputOptions, RunOptions, Summary, run
from imgai.runs.scan import Input
from imgai.runs.watch import _State
from imgai.sample import GivenMask, Metadata, Sample, Source
from imgai.testing import fake, noise, step_of
from imgai.testing.kinds import named_kinds
from imgai.words.steps import parse_step, spec_of
from tests.run.conftest import Words, picture


@dataclasses.dataclass(frozen=True)
class GrowParams:
    """A param that would be called like the host's own option."""

    grow: float = param(1.0, "Something else.")


def mask_of(size: tuple[int, int] = (40, 30), at: tuple[int, int, int, int] = (10, 8, 20, 14)) -> np.ndarray:
    """White in a rectangle. size: width and height; at: left, top, right and bottom."""
    values = np.zeros(size[::-1], np.uint8)
    values[at[1] : at[3], at[0] : at[2]] = 255
    return values


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def go(inputs: list[Path], out: Path, mask: Path | None, *, grow: int = 0, **options: Any) -> tuple[Summary, Words]:
    spec = StepSpec(fake.PAINT_OVER, fake.EVEN, mask=MaskOptions(mask, grow))
    words, names = Words(), tuple(map(str, inputs))
    outputs = OutputOptions(named_kinds("image", of=Output.IMAGE, format="png"))
    told = RunOptions(inputs=names, out=out, outputs=outputs, machine=Machine(device="cpu"), **options)
    return run([spec], told, words), words


def records(out: Path) -> dict[str, dict[str, Any]]:
    lines = (out / ".imgai" / "records.jsonl").read_text().splitlines()
    return {Path(each["path"]).name: each for each in map(json.loads, lines) if each["status"] in ("done", "failed")}


def changed(before: Path, after: Path) -> np.ndarray:
    one, other = (np.asarray(Image.open(path).convert("RGB")) for path in (before, after))
    return np.asarray((one != other).any(axis=-1))


def test_masks_are_found_by_name_and_only_what_they_cover_changes(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "in/a.jpg"), picture(tmp_path / "in/deep/b.png", seed=1)
    save(tmp_path / "masks/a.png", mask_of())
    save(tmp_path / "masks/deep/b.png", mask_of(at=(0, 0, 5, 30)))
    summary, _ = go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")
    assert (summary.done, summary.failed) == (2, 0)
    assert np.array_equal(changed(one, tmp_path / "out/a.png"), mask_of() > 0)
    assert np.array_equal(changed(two, tmp_path / "out/deep/b.png"), mask_of(at=(0, 0, 5, 30)) > 0)
    found = records(tmp_path / "out")["a.jpg"]
    assert found["mask"] == {"path": str(tmp_path / "masks/a.png"), "part": pytest.approx(60 / 1200)}


def test_another_mask_makes_a_picture_again_and_an_equal_one_does_not(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"in/{name}.png")
        save(tmp_path / f"masks/{name}.png", mask_of())
    assert go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")[0].done == 2
    assert go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")[0].skipped == 2
    save(tmp_path / "masks/b.png", mask_of(at=(1, 1, 4, 4)))
    summary, _ = go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")
    assert (summary.done, summary.skipped) == (1, 1)
    assert go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks", grow=1)[0].done == 2
    assert changed(tmp_path / "in/a.png", tmp_path / "out/a.png").sum() == 12 * 8


def test_sixteen_bits_grey_and_other_colour_spaces_are_kept_to_the_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    deep = random.integers(0, 65536, (30, 40, 3), np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    grey = random.integers(0, 65536, (30, 40), np.uint16)
    tifffile.imwrite(tmp_path / "grey.tif", grey)
    from imgai.images.coded import adobe_rgb

    wide = random.integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png", icc_profile=adobe_rgb())
    mask = save(tmp_path / "mask.png", mask_of())
    outside = mask_of() == 0
    chain = imgai_paint()
    for name, before in (("deep.tif", deep), ("grey.tif", grey), ("wide.png", wide)):
        result = chain(tmp_path / name, mask=mask)
        after = result.sample.image[0].to(torch.int64).numpy()
        planes = before.transpose(2, 0, 1) if before.ndim == 3 else np.broadcast_to(before, (3, 30, 40))
        assert str(result.sample.image.dtype) == f"torch.{before.dtype}", name
        assert np.array_equal(after[:, outside], planes[:, outside]), name
        assert not np.array_equal(after[:, ~outside], planes[:, ~outside]), name


def imgai_paint(**options: Any) -> Any:
    """`imgai.load("paint-over")` where the fake plugin is not installed."""
    from imgai.library.chain import Asked, Chain

    registry = Registry([Plugin("fake", "fake", "0", fake.imgai_register_tasks(), fake.imgai_register_models())])
    spec = StepSpec(fake.PAINT_OVER, fake.EVEN, mask=MaskOptions(**options))
    outputs = OutputOptions(named_kinds("image", of=Output.IMAGE))
    return Chain(Asked((spec,), outputs, {}, registry), Machine(device="cpu"), 1 << 30)


def test_what_the_mask_hides_has_no_part_in_the_answer(tmp_path: Path) -> None:
    before = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    mask = np.zeros((90, 130), bool)
    mask[40:60, 50:80] = True
    other = np.where(mask[..., None], 255 - before, before).astype(np.uint8)
    chain = imgai_paint()
    one, two = chain(before, mask=mask).image, chain(other, mask=torch.from_numpy(mask)).image
    assert torch.equal(one, two)


def test_without_a_mask_the_transparent_pixels_are_filled_and_opaque(tmp_path: Path) -> None:
    before = np.full((30, 40, 4), 200, np.uint8)
    before[..., 3] = 255 - mask_of()
    before[10:12, 12:14, :3] = 7  # whatever lies there is not seen
    result = imgai_paint()(before)
    assert result.sample.alpha is None
    assert (result.image * 255).round().unique().tolist() == [200]
    with pytest.raises(InputError, match="no mask, and the picture has no transparent pixels"):
        imgai_paint()(before[..., :3].copy())


def test_alpha_is_kept_where_a_mask_is_given(tmp_path: Path) -> None:
    before = np.full((30, 40, 4), 200, np.uint8)
    before[..., 3] = 255
    before[:5, :, 3] = 0
    before[:5, :, :3] = 0
    result = imgai_paint()(before, mask=mask_of(at=(0, 3, 40, 10)))
    assert np.array_equal(result.sample.alpha[0, 0].numpy(), before[..., 3])
    assert (result.image[:, 5:] * 255).round().unique().tolist() == [200]  # no black from under what is transparent


def test_masks_of_one_bit_of_sixteen_with_alpha_and_turned_by_exif_are_read(tmp_path: Path) -> None:
    before = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    white = mask_of()
    Image.fromarray(white).convert("1").save(tmp_path / "bit.png")
    tifffile.imwrite(tmp_path / "deep.tif", (white.astype(np.uint16) * 257))
    drawn = np.full((30, 40, 4), 255, np.uint8)
    drawn[..., 3] = white
    Image.fromarray(drawn).save(tmp_path / "layer.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # what is stored is to be turned by a quarter
    Image.fromarray(np.ascontiguousarray(np.rot90(white, 1))).save(tmp_path / "turned.png", exif=turned)
    expected = imgai_paint()(before, mask=white).image
    for name in ("bit.png", "deep.tif", "layer.png", "turned.png"):
        assert torch.equal(imgai_paint()(before, mask=tmp_path / name).image, expected), name


def test_every_page_has_the_one_mask_or_its_own(tmp_path: Path) -> None:
    pages = np.random.default_rng(0).integers(0, 256, (3, 30, 40), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    masks = np.stack([mask_of(at=(i, 0, i + 1, 30)) for i in range(3)])
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks/a.tif", masks, photometric="minisblack")
    for mask, expected in ((masks[0], [0, 0, 0]), (tmp_path / "masks/a.tif", [0, 1, 2])):
        found = [
            (result.sample.image[0, 0].numpy() != page).any(axis=0).nonzero()[0].tolist()
            for result, page in zip(imgai_paint().pages(tmp_path / "a.tif", mask=mask), pages, strict=True)
        ]
        assert found == [[column] for column in expected]
    tifffile.imwrite(tmp_path / "masks/a.tif", masks[:2], photometric="minisblack")
    summary, words = go([tmp_path / "a.tif"], tmp_path / "out", tmp_path / "masks")
    assert summary.failed == 1
    assert "has 2 pages, and the picture 3" in words.text


def test_a_mask_that_does_not_fit_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    for name in ("good", "small", "none", "ones", "broken", "full"):
        picture(tmp_path / f"in/{name}.png")
    save(tmp_path / "masks/good.png", mask_of())
    save(tmp_path / "masks/small.png", mask_of((20, 15), (1, 1, 3, 3)))
    save(tmp_path / "masks/ones.png", mask_of() // 255)
    (tmp_path / "masks/broken.png").write_bytes((tmp_path / "masks/good.png").read_bytes()[:60])
    save(tmp_path / "masks/full.png", np.full((30, 40), 255, np.uint8))
    summary, words = go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks")
    assert (summary.done, summary.failed) == (1, 5)
    for text in (
        "small.png has 20x15 pixels, and the picture 40x30",
        "none.png has no mask in",
        "ones.png has no white: its brightest value is 1 of 255",
        "broken.png: its mask",
        "full.png: the mask covers all of it",
    ):
        assert text in words.text
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["good.png"]


def test_holes_wider_than_the_model_fills_well_are_told_once_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "EVEN", dataclasses.replace(fake.EVEN, hole=8))
    inputs, masks = tmp_path / "in", tmp_path / "masks"
    for name, at in {
        "wide": (8, 8, 26, 26),
        "also": (0, 0, 40, 24),
        "long": (0, 8, 40, 20),
        "thin": (1, 1, 9, 9),
    }.items():
        picture(inputs / f"{name}.png")
        save(masks / f"{name}.png", mask_of(at=at))
    told = "over twice as wide as the 8 pixels that the model fills well, and it will look smooth:"
    _, words = go([inputs], tmp_path / "out", masks)
    assert f"warning: 2 pictures have holes {told} also.png, wide.png" in words.said
    clear = np.full((30, 40, 4), 200, np.uint8)
    clear[..., 3] = 255 - mask_of(at=(8, 8, 26, 26))
    Image.fromarray(clear).save(tmp_path / "clear.png")
    _, words = go([tmp_path / "clear.png"], tmp_path / "clear", None)
    assert f"warning: 1 picture has a hole {told} clear.png" in words.said


def test_an_empty_mask_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    before = picture(tmp_path / "a.png")
    save(tmp_path / "m.png", np.zeros((30, 40), np.uint8))
    assert go([before], tmp_path / "out", tmp_path / "m.png")[0].done == 1
    assert (tmp_path / "out/a.png").read_bytes() == before.read_bytes()


def test_masks_among_the_pictures_are_no_pictures_and_are_not_replaced(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png")
    mask = save(tmp_path / "in/mask.png", mask_of())
    assert go([tmp_path / "in"], tmp_path / "out", mask)[0].done == 1
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["a.png"]
    save(tmp_path / "in/masks/a.png", mask_of())
    mask.unlink()
    assert go([tmp_path / "in"], tmp_path / "out2", tmp_path / "in/masks")[0].done == 1
    with pytest.raises(UsageError, match="is an input, and would be overwritten"):
        go([tmp_path / "in/a.png"], tmp_path / "in/masks/a.png", tmp_path / "in/masks")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "in/masks/a.png")), mask_of())
    summary, words = go([tmp_path / "in/a.png"], tmp_path / "out3", tmp_path / "in")
    assert summary.failed == 1
    assert "is the picture itself" in words.text


def test_a_dry_run_tells_what_has_no_mask(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png")
    (tmp_path / "masks").mkdir()
    summary, words = go([tmp_path / "in"], tmp_path / "out", tmp_path / "masks", dry_run=True)
    assert summary.failed == 1
    assert "a.png has no mask in" in words.text


def test_a_watched_picture_waits_for_its_mask_and_is_taken_again_with_another(tmp_path: Path) -> None:
    def save_before(path: Path, values: np.ndarray, seconds: float) -> Path:
        save(path, values)
        os.utime(path, (time.time() - seconds,) * 2)
        return path

    path = save_before(tmp_path / "in/a.png", mask_of(), 100)
    item = Input(path, "a.png")
    spec = StepSpec(fake.PAINT_OVER, fake.EVEN, mask=MaskOptions(tmp_path / "masks"))
    state = _State(lambda *given, **more: iter(()), once=False, specs=[spec])
    (tmp_path / "masks").mkdir()
    assert not state.accept(item)
    assert state.growing  # so that it is looked for again
    save(tmp_path / "masks/a.png", mask_of())
    assert not state.accept(item)  # it may be half written
    save_before(tmp_path / "masks/a.png", mask_of(), 50)
    assert state.accept(item)
    state.note([path])
    assert not state.accept(item)
    save_before(tmp_path / "masks/a.png", mask_of(at=(1, 1, 3, 3)), 40)
    assert state.accept(item)


def test_names_that_a_run_gives_to_masks_are_found(tmp_path: Path) -> None:
    for name in ("a.jpg.png", "b-mask.png", "c.tif", "d.jpg", "d.png"):
        save(tmp_path / name, mask_of())
    found = {name: mask_file(tmp_path, name).name for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")}
    assert found == {"a.jpg": "a.jpg.png", "b.jpg": "b-mask.png", "c.jpg": "c.tif", "d.jpg": "d.jpg"}
    with pytest.raises(InputError, match=r"x/e\.jpg has no mask in"):
        mask_file(tmp_path, "x/e.jpg")


def counted(seen: list[Tensor], model: Model = fake.EVEN, **placement: Any) -> Step:
    def network(given: Tensor) -> Tensor:
        seen.append(given.clone())
        return given[:, :3] * 0 + 0.5

    return step_of(fake.PAINT_OVER, model, Predictor(network=network), **placement)


def sample(mask: Tensor, side: int = 300) -> Sample:
    drawn = Sample(noise(side, side), Source(None, "drawn"), Metadata("PNG"))
    drawn.given["paint-over"] = GivenMask(mask)
    return drawn


def test_only_tiles_with_masked_pixels_are_predicted_and_seams_are_blended() -> None:
    mask = torch.zeros(1, 1, 300, 300, dtype=torch.bool)
    mask[..., 130:200, 120:190] = True
    mask[..., 290:, :5] = True
    seen: list[Tensor] = []
    given = sample(mask)
    result = counted(seen, batch=3)(given)
    assert sum(len(batch) for batch in seen) == 10  # of 36
    assert all(batch.shape[1] == 4 for batch in seen)
    assert torch.equal(result.image[..., ~mask[0, 0]], given.image[..., ~mask[0, 0]])
    assert torch.allclose(result.image[..., mask[0, 0]], torch.tensor(0.5), atol=1e-6)
    for batch in seen:  # black where masked, as it is elsewhere; the mask is 0 and 1
        assert not (batch[:, :3] * batch[:, 3:]).any()
        assert set(batch[:, 3].unique().tolist()) <= {0.0, 1.0}


def test_pictures_with_and_without_masked_pixels_share_batches_in_order() -> None:
    empty, some = torch.zeros(1, 1, 300, 300, dtype=torch.bool), torch.zeros(1, 1, 300, 300, dtype=torch.bool)
    some[..., 5, 5] = True
    given = [sample(some), sample(empty), Sample(noise(9, 9), Source(None, "bare"), Metadata("PNG")), sample(some)]
    seen: list[Tensor] = []
    results = list(counted(seen, batch=4).stream(given))
    assert [type(each).__name__ for each in results] == ["Sample", "Sample", "Failure", "Sample"]
    assert [len(batch) for batch in seen] == [2]
    assert results[1] is given[1]


def test_out_of_memory_halves_tiles_with_their_masks() -> None:
    mask = torch.zeros(1, 1, 300, 300, dtype=torch.bool)
    mask[..., 100:140, 90:150] = True

    def network(given: Tensor) -> Tensor:
        if given.shape[-1] > 128:
            raise torch.OutOfMemoryError("no room")
        return given[:, 3:].expand(-1, 3, -1, -1) * 0.25

    model = dataclasses.replace(fake.EVEN, tile=256)
    result = step_of(fake.PAINT_OVER, model, Predictor(network=network))(sample(mask))
    assert torch.allclose(result.image[..., mask[0, 0]], torch.tensor(0.25), atol=1e-6)


def test_the_mask_follows_the_size_that_an_earlier_step_gave(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    mask = save(tmp_path / "mask.png", mask_of())
    steps = [StepSpec(fake.BRIGHTEN, fake.DOUBLE), StepSpec(fake.PAINT_OVER, fake.EVEN, mask=MaskOptions(mask))]
    outputs = OutputOptions(named_kinds("image", of=Output.IMAGE))
    told = RunOptions(inputs=(str(tmp_path / "a.png"),), out=tmp_path / "out", outputs=outputs, machine=Machine("cpu"))
    assert run(steps, told, Words()).done == 1
    before = np.asarray(Image.open(tmp_path / "a.png")).repeat(2, 0).repeat(2, 1)
    after = np.asarray(Image.open(tmp_path / "out/a.png"))
    assert np.array_equal((before != after).any(axis=-1), mask_of().repeat(2, 0).repeat(2, 1) > 0)
    assert records(tmp_path / "out")["a.png"]["steps"][1]["mask"]["part"] == pytest.approx(0.05)


def test_declarations_that_cannot_be_are_refused() -> None:
    for broken in ({"inputs": ("points",)}, {"output": Output.MASK}):
        with pytest.raises(ValueError, match="inputs"):
            dataclasses.replace(fake.PAINT_OVER, **broken)
    for model, words in (
        (dataclasses.replace(fake.EVEN, scale=2), "scale=2"),
        (dataclasses.replace(fake.EVEN, input_size=(8, 8)), "input_size=(8, 8)"),
        (dataclasses.replace(fake.EVEN, params=GrowParams), "called like options of its mask: grow"),
    ):
        registry = Registry([Plugin("p", "p", "0", (fake.PAINT_OVER,), (model,))])
        assert words in registry.broken[0].broken


def test_files_of_other_people_are_refused_for_a_task_with_a_mask(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"x" * 100)
    registry = Registry([Plugin("fake", "fake", "0", fake.imgai_register_tasks(), fake.imgai_register_models())])
    with pytest.raises(PluginError, match="not run with a mask"):
        registry.model("paint-over", str(tmp_path / "net.pth"))


def test_a_mask_that_is_not_there_is_told_before_anything_is_done(tmp_path: Path) -> None:
    registry = Registry([Plugin("fake", "fake", "0", fake.imgai_register_tasks(), fake.imgai_register_models())])
    with pytest.raises(UsageError, match="there is no such file or folder"):
        spec_of(parse_step(f"paint-over --mask {tmp_path / 'nowhere'}", registry), registry)
    os.mkfifo(tmp_path / "pipe")  # nobody writes into it
    with pytest.raises(UsageError, match="there is no such file or folder"):
        spec_of(parse_step(f"paint-over --mask {tmp_path / 'pipe'}", registry), registry)
    assert spec_of(parse_step(f"paint-over --mask {tmp_path} --grow 3", registry), registry).mask.grow == 3


def test_a_mask_for_steps_that_take_none_is_refused() -> None:
    with pytest.raises(UsageError, match="none of the steps takes a mask"):
        imgai.load("denoise")(np.zeros((8, 8, 3), np.uint8), mask=np.zeros((8, 8), bool))
