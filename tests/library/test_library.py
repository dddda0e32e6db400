"""imgai from Python gives what the command gives."""

from __future__ import annotations

import io
import json
import logging
import pickle
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from PIL import Image

import imgai
import imgai.testing
from imgai.library.chain import Asked
from imgai.library.pages import samples
from imgai.options import OutputOptions
from imgai.plugin import Model, Task
from imgai.predict.chain import Chain as Steps
from imgai.predict.spec import StepSpec
from imgai.registry import Registry
from imgai.testing import fake

ROOT = Path(__file__).parents[2]
CPU = imgai.Machine(device="cpu")


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.chelsea()[40:200, 60:280])


@pytest.fixture
def folder(tmp_path: Path, cat: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures that the page speaks of, in the current folder."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    Image.fromarray(cat).save(tmp_path / "cat.jpg", quality=95, dpi=(300, 300), exif=exif)
    (tmp_path / "photos").mkdir()
    Image.fromarray(cat[:64, :64]).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    Image.fromarray(cat).save(tmp_path / "scan.tif")
    Image.fromarray(np.uint8(255) * (np.arange(160 * 220) % 97 == 0).reshape(160, 220)).save(tmp_path / "scratches.png")
    tifffile.imwrite(tmp_path / "pages.tif", np.stack([cat[:40, :50]] * 3), photometric="rgb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def denoise() -> imgai.Chain:
    return imgai.load("denoise", strength=0.4, machine=CPU)


@pytest.fixture(scope="module")
def segment() -> imgai.Chain:
    return imgai.load("segment", model="subject", threshold=0.4, machine=CPU)


def test_every_line_of_the_page_runs(folder: Path, python: str) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    program = "\n".join(blocks)
    answer = subprocess.run([python, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "done photos/a.png" in answer.stdout
    assert "failed photos/bad.png" in answer.stdout
    assert {path.name for path in folder.iterdir()} >= {"cat.png", "mask.png", "black.tif", "clean"}


def test_importing_imgai_is_quick_and_brings_nothing_heavy(run_python: Callable[..., Any]) -> None:
    program = """
        import sys, time
        before = time.process_time()
        import imgai
        taken = time.process_time() - before
        imgai.load("segment", model="subject")
        heavy = {"torch", "kornia", "scipy", "skimage"} & set(sys.modules)
        before = time.process_time()
        import asyncio, email.message, http.client, unittest.mock, xml.dom.minidom  # a yardstick
        print(taken / (time.process_time() - before), sorted(heavy))
    """
    answers = [run_python(program).stdout.split(" ", 1) for _ in range(3)]
    assert min(float(share) for share, _ in answers) < 1
    assert {heavy.strip() for _, heavy in answers} == {"[]"}


def test_a_result_is_what_the_command_writes(
    folder: Path, segment: imgai.Chain, denoise: imgai.Chain, python: str
) -> None:
    command = [python, "-m", "imgai.cli.main"]
    for words in (
        ("segment", "cat.jpg", "-o", "command", "--as", "cutout,mask", "--threshold", "0.4", "--device", "cpu"),
        ("denoise", "cat.jpg", "--strength", "0.4", "--out", "command", "--device", "cpu", "--json"),
    ):
        answer = subprocess.run([*command, *words], capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
    theirs = json.loads(answer.stdout.splitlines()[0])
    made = {path.name: path.read_bytes() for path in (folder / "command").iterdir() if path.is_file()}
    found = segment("cat.jpg")
    assert found.render("cutout") in made.values()
    assert found.save("mine.png", "mask").read_bytes() in made.values()
    clean = denoise("cat.jpg")
    assert clean.save("mine.jpg").read_bytes() == made["cat.jpg"]
    with Image.open("mine.jpg") as image:
        assert image.getexif()[0x010F] == "Camera"
        assert image.info["dpi"] == (300, 300)
    same = set(clean.record) - {"seconds", "run", "outputs", "input"}
    assert {name: clean.record[name] for name in same} == {name: theirs[name] for name in same}


def test_a_picture_may_come_in_many_ways(folder: Path, cat: np.ndarray, denoise: imgai.Chain) -> None:
    Image.fromarray(cat).save("cat.png")
    expected = denoise("cat.png").image
    tensor = torch.from_numpy(cat).permute(2, 0, 1)
    for same in (Path("cat.png"), Path("cat.png").read_bytes(), Image.open("cat.png"), cat, tensor, tensor[None]):
        assert torch.equal(denoise(same).image, expected)
    deep = denoise(cat.astype(np.uint16) * 257)
    assert deep.sample.image.dtype == torch.uint16
    assert (deep.image - expected).abs().max() < 1.5 / 255
    for floats in (cat / 255, torch.from_numpy(cat / np.float32(255)).permute(2, 0, 1)):
        assert (denoise(floats).image - expected).abs().max() < 1.5 / 255
    gray = denoise(cat[..., 1])
    assert gray.picture().mode == "L"
    alpha = np.dstack([cat, np.full(cat.shape[:2], 128, np.uint8)])
    assert denoise(alpha).picture().mode == "RGBA"


@pytest.mark.parametrize(
    "picture",
    [
        3, None, np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.int32),
        np.full((4, 4), 255.0), np.full((4, 4), np.nan), torch.zeros(2, 3, 4, 4), np.zeros(5, np.uint8),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_told(denoise: imgai.Chain, picture: Any) -> None:
    with pytest.raises(imgai.UsageError):
        denoise(picture)


def test_files_that_cannot_be_read_are_input_errors(folder: Path, denoise: imgai.Chain) -> None:
    for name in ("nowhere.png", "photos/bad.png"):
        with pytest.raises(imgai.InputError):
            denoise(name)
    with pytest.raises(imgai.InputError, match="pixels"):
        imgai.load("denoise", machine=CPU, max_pixels=100)("cat.jpg")


def test_several_pages_are_taken_one_by_one(folder: Path, denoise: imgai.Chain) -> None:
    with pytest.raises(imgai.UsageError, match=r"pages\.tif has 3 pages; .*chain\.pages\(x\)"):
        denoise("pages.tif")
    pages = list(denoise.pages("pages.tif"))
    assert [result.sample.source.page for result in pages] == [0, 1, 2]


@pytest.mark.parametrize(
    ("steps", "options", "words"),
    [
        ((), {}, "no step"),
        (("segmnt",), {}, "did you mean 'segment'"),
        (("segment",), {"modle": "subject"}, "no option 'modle'"),
        (("segment",), {"model": "objct"}, "objct"),
        (("denoise",), {"strength": 3}, "--strength cannot be 3"),
        (("denoise",), {"strength": "much"}, "--strength takes a number"),
        (("denoise", "segment"), {"strength": 1}, "options are of one step"),
        (("denoise '",), {}, "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_told_at_once(steps: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(imgai.UsageError, match=re.escape(words)):
        imgai.load(*steps, **options)


def test_a_channel_and_a_resolution_are_those_of_the_command(folder: Path, cat: np.ndarray) -> None:
    result = imgai.load("denoise --strength 0", channel="green", dpi=120)(cat)
    assert np.array_equal(np.asarray(result.picture()), cat[..., 1])
    assert result.picture().info["dpi"] == pytest.approx((120, 120), abs=0.1)
    (record,) = imgai.run("denoise", folder / "cat.jpg", out=folder / "blue", channel="blue", dpi=120, force=True)
    assert record["status"] == "done", record
    with pytest.raises(imgai.InputError, match="no channel"):
        imgai.load("denoise", channel="far red")(cat)
    with pytest.raises(imgai.UsageError, match="dpi cannot be 0"):
        imgai.load("denoise", dpi=0)


def test_settings_and_variables_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "imgai.toml").write_text("[denoise]\nstrength = 0.9\n")
    monkeypatch.setenv("IMGAI_DENOISE_STRENGTH", "0.8")
    chain = imgai.load("denoise", machine=CPU)
    assert chain(np.zeros((16, 16, 3), np.uint8)).record["params"]["strength"] == 1.0


def test_steps_have_results_of_their_own(segment: imgai.Chain, cat: np.ndarray) -> None:
    chain = imgai.load("segment --model subject", "super-resolve --scale 2", machine=CPU)
    result = chain(cat)
    assert list(result.steps) == ["segment", "super-resolve"]
    assert result.masks == {}
    assert result.image.shape == (3, 320, 440)
    mask = result.steps["segment"].masks["subject"]
    assert mask.shape == (320, 440), "what a step found follows the image"
    assert (result.record["width"], result.record["height"]) == (220, 160)
    assert result.steps["segment"].picture("cutout").size == (440, 320)


def test_kinds_say_what_they_lack(segment: imgai.Chain, cat: np.ndarray, folder: Path) -> None:
    result = segment(cat)
    for ask, words in (
        (lambda: result.render("scores"), "--as cannot be 'scores'"),
        (lambda: result.render("mask", label="dog"), "no class 'dog'"),
        (lambda: result.render("binary", quality=3), "no option --quality"),
        (lambda: result.save("a.jpg", "cutout"), "JPEG holds no transparency"),
        (lambda: segment("cat.jpg").save("cat.jpg", "overlay"), "is the input"),
    ):
        with pytest.raises(imgai.UsageError, match=re.escape(words)):
            ask()
    assert not Path("a.jpg").exists()
    fragment = json.loads(result.render("coco"))
    assert [image["width"] for image in fragment["images"]] == [cat.shape[1]]
    scores = imgai.load("classify", machine=CPU)(cat)
    assert sum(scores.scores.values()) == pytest.approx(1, abs=1e-3)
    assert list(scores.scores.values()) == sorted(scores.scores.values(), reverse=True)
    with pytest.raises(imgai.UsageError, match="explain"):
        scores.picture()
    assert imgai.load("classify", explain="gradcam", machine=CPU)(cat).picture().size == (220, 160)


def test_a_run_is_the_run_of_the_command(folder: Path, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    with caplog.at_level(logging.WARNING, logger="imgai"):
        records = {record["input"]: record for record in imgai.run("denoise", "photos", out="clean", machine=CPU)}
    assert {name: record["status"] for name, record in records.items()} == {
        "photos/a.png": "done",
        "photos/bad.png": "failed",
    }
    assert Path("clean/a.png").is_file()
    assert "bad.png" in caplog.text
    again = [record["status"] for record in imgai.run("denoise", "photos", out="clean", machine=CPU)]
    assert sorted(again) == ["failed", "skipped"]
    (forced,) = imgai.run("denoise", [Path("photos/a.png")], out="clean", force=True, machine=CPU)
    assert forced["status"] == "done"
    assert capfd.readouterr() == ("", ""), "a library prints nothing"
    for wrong in ({"out": None}, {"out": "clean", "forse": True}):
        with pytest.raises(imgai.UsageError):
            imgai.run("denoise", "photos", **wrong)
    with pytest.raises(imgai.UsageError, match="no picture"):
        list(imgai.run("denoise", folder / "clean" / ".imgai", out="other"))


def test_threads_share_a_chain_that_is_loaded_once(cat: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    import imgai.library.chain as module

    loads: list[int] = []
    original = module._load

    def load(*about: Any) -> Steps:
        loads.append(1)
        return original(*about)

    monkeypatch.setattr(module, "_load", load)
    chain = imgai.load("denoise", machine=CPU)
    assert not loads, "nothing is loaded before the first call"
    tiles = [np.ascontiguousarray(cat[i : i + 40, :60]) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda tile: chain(tile).image, tiles))
    assert len(loads) == 1
    for tile, image in zip(tiles, together, strict=True):
        assert (chain(tile).image - image).abs().max() <= 1 / 255


def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(imgai.DeviceError):
        imgai.load("denoise", machine=imgai.Machine(device="cuda:77"))(np.zeros((8, 8), np.uint8))


def test_what_a_caller_writes_into_an_array_does_not_reach_the_result(segment: imgai.Chain, cat: np.ndarray) -> None:
    array = cat.copy()
    result = segment(array)
    array[:] = 0
    assert float(result.image.mean()) > 0.1
    assert len(pickle.dumps(result.sample)) < 2 * (array.nbytes + array.nbytes // 3)


def test_the_testing_module_has_the_same_load() -> None:
    assert imgai.testing.load is imgai.load


def test_a_call_costs_next_to_nothing_beside_its_steps() -> None:
    # The steps of real models take from 20 ms, those of this one 0.15 ms; a call must add far less than a tenth.
    spec = StepSpec(fake.BRIGHTEN, fake.DOUBLE)
    chain = imgai.Chain(Asked((spec,), OutputOptions(), {}, Registry([])), CPU, 10**8)
    tile = np.zeros((16, 16, 3), np.uint8)
    chain(tile)
    steps = chain._loaded()
    ours, alone = [], []
    for _ in range(100):
        begun = time.perf_counter()
        chain(tile)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for sample in samples(tile, 10**8):
            steps(sample)
        alone.append(time.perf_counter() - begun)
    assert min(ours) < 4 * min(alone)


def chain_of(task: Task, model: Model) -> imgai.Chain:
    """A chain of a task that no installed plugin declares."""
    return imgai.Chain(Asked((StepSpec(task, model),), OutputOptions(), {}, Registry([])), CPU, 10**8)


def test_every_output_has_its_place_in_a_result() -> None:
    array = np.zeros((60, 90, 3), np.uint8)
    array[20:40, 30:60] = 255
    found = chain_of(fake.BOX_LIGHT, fake.EXTENT)(array)
    (box,) = found.boxes
    assert box.label == "light"
    assert box[2:] == pytest.approx((30, 20, 60, 40), abs=1.5)
    assert found.record["objects"] == {"light": 1}
    (annotation,) = json.loads(found.render("coco"))["annotations"]
    assert annotation["bbox"] == pytest.approx([30, 20, 30, 20], abs=2)
    assert found.picture("overlay").size == (90, 60)

    height = chain_of(fake.RELIEF, fake.METRES)(array)
    assert height.map is not None
    assert height.map.shape == (60, 90)
    assert (float(height.map[0, 0]), float(height.map[30, 45])) == (0.0, 100.0)
    assert tifffile.imread(io.BytesIO(height.render("tiff")))[30, 45] == 100

    said = chain_of(fake.DESCRIBE, fake.MIDDLE)(array)
    assert said.data == {"color": "red", "points": [[45, 30]]}
    assert said.boxes == ()
    assert said.map is None
    assert said.masks == {}
    assert said.scores == {}
