"""``--report`` and ``--contact``: a page with everything in it that a person can look through, and one sheet."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgai.cli.start import start
from imgai.console import Console
from imgai.errors import UsageError
from imgai.options import Machine
from imgai.plugin import Kind
from imgai.predict.spec import KindSpec, StepSpec
from imgai.report.entry import Entry, Side, packed, webp
from imgai.report.page import Run as About
from imgai.report.page import fitting, write_page
from imgai.report.sheet import columns_of
from imgai.runs import OutputOptions, Run, RunOptions, Summary, run
from imgai.testing import fake
from imgai.testing.kinds import named_kinds

Runner = Callable[..., tuple[Summary, Any]]


@pytest.fixture
def pictures(tmp_path: Path, make_picture: Callable[..., Path]) -> Path:
    for seed, name in enumerate(("one.png", "deep/two.jpg", "three.webp")):
        make_picture(tmp_path / "in" / name, (64, 48), seed=seed)
    return tmp_path / "in"


def entries_of(page: Path) -> list[dict[str, Any]]:
    """What the page says of each picture, with its images."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    rows = [json.loads(each) for each in re.findall(r'<script type="application/json" class="m">(.*?)</script>', text)]
    for index, row in enumerate(rows):
        images = re.search(rf'<script type="application/json" id="d{index}">(.*?)</script>', text)
        row["images"] = json.loads(images[1]) if images else {}
    return rows


def test_a_page_is_looked_through_by_keyboard_and_asks_nothing_of_the_network(
    find_light: Runner, pictures: Path, tmp_path: Path, browser: Any
) -> None:
    (pictures / "broken <b>.png").write_bytes(b"no picture")
    find_light([pictures], tmp_path / "out", report=tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.until("document.querySelectorAll('.card img').length >= 6")  # a picture and its mask, each
    names = browser.run("[...document.querySelectorAll('.card .name')].map((each) => each.textContent)")
    assert names[0] == "broken <b>.png"  # what failed comes first, and its name is no markup
    assert sorted(names[1:]) == ["deep/two.jpg", "one.png", "three.webp"]
    assert "1 picture failed" in browser.run("document.getElementById('told').textContent")
    browser.run("document.querySelectorAll('.card')[0].focus()")
    browser.press("ArrowRight")
    browser.press("Enter")
    browser.until("document.getElementById('viewer').open")
    assert browser.run("document.getElementById('which').textContent") == names[1]
    assert browser.run("document.querySelectorAll('#right img').length") == 2
    browser.press("m")
    assert browser.run("document.querySelectorAll('#right img').length") == 1
    before = browser.run("getComputedStyle(document.getElementById('right')).clipPath")
    browser.press(".")
    assert browser.run("getComputedStyle(document.getElementById('right')).clipPath") != before
    slider = "document.getElementById('slider')"
    browser.run(f"{slider}.focus()")
    place = browser.run(f"+{slider}.value")
    browser.press("ArrowRight")
    assert browser.run(f"+{slider}.value") == place + 2
    assert browser.run("document.getElementById('which').textContent") == names[1]
    browser.run("document.getElementById('stage').focus()")
    browser.press("ArrowRight")
    assert browser.run("document.getElementById('which').textContent") == names[2]
    browser.press("Escape")
    browser.until("!document.getElementById('viewer').open")
    browser.until(f"document.activeElement.querySelector('.name').textContent === '{names[2]}'")
    assert browser.asked() == []
    assert browser.complaints() == []


def test_a_page_fits_a_telephone_and_the_night(brighten: Runner, pictures: Path, tmp_path: Path, browser: Any) -> None:
    brighten([pictures], tmp_path / "out", report=tmp_path / "page.html")
    browser.open(tmp_path / "page.html", width=390, height=844, touch=True, dark=True)
    browser.until("document.querySelectorAll('.card img').length == 3")
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches")
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", paper))) < 60
    browser.run("document.querySelector('.card').click()")
    browser.until("document.getElementById('viewer').open")
    across = "document.getElementById('stage').getBoundingClientRect()"
    assert browser.run(f"{across}.width") <= 390
    # A finger on the picture moves the line.
    x, y = browser.run(f"[{across}.left + {across}.width / 4, {across}.top + 20]")
    for kind in ("mousePressed", "mouseReleased"):
        browser.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert 20 < float(browser.run("document.getElementById('slider').value")) < 30


def test_two_thousand_pictures_are_a_file_that_opens_and_loads_those_that_are_seen(
    tmp_path: Path, browser: Any
) -> None:
    longest, limit = fitting(2000)
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (longest * 3 // 4, longest, 3), dtype=np.uint8))
    data = base64.b64encode(webp(picture, limit)).decode()  # noise: nothing takes more room
    sides = [{"title": "before"}, {"title": "after"}]
    about = {"size": [4000, 3000], "sides": sides, "notes": [], "worst": 0, "empty": False}
    rows = (Entry({"name": f"{index:04}.jpg", **about}, {"0": data, "1": data}) for index in range(2000))
    with (tmp_path / "page.html").open("wb") as file:
        assert write_page(file, About("many"), rows) == 0
    assert (tmp_path / "page.html").stat().st_size < 60e6
    browser.open(tmp_path / "page.html")
    browser.until("document.querySelectorAll('.card').length == 2000", 60)
    browser.until("document.querySelectorAll('.card img').length > 5")
    assert browser.run("document.querySelectorAll('.card img').length") < 100
    browser.run("window.scrollTo(0, document.body.scrollHeight / 2)")
    browser.until("[...document.querySelectorAll('.card img')].some((each) => each.alt > '0500')")
    browser.until("document.querySelectorAll('.card img').length < 150")
    find = "document.getElementById('find')"
    # On paper, everything that is chosen is there, also what was not scrolled to.
    browser.run(f"{find}.value = '12'; {find}.dispatchEvent(new Event('input'))")
    browser.until("document.querySelectorAll('.card').length < 200")
    empty = "[...document.querySelectorAll('.card')].filter((each) => !each.querySelector('img')).length"
    assert browser.run(empty) > 0
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(empty) == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(empty) > 0
    browser.run(f"{find}.value = '1234'; {find}.dispatchEvent(new Event('input'))")
    browser.until("document.querySelectorAll('.card').length == 1")


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (9, 3), (10, 4), (12, 4), (100, 12)]
)
def test_a_sheet_leaves_little_room_empty(count: int, columns: int) -> None:
    assert columns_of(count) == columns


def test_what_has_no_room_is_listed_without_its_picture(tmp_path: Path) -> None:
    about: dict[str, Any] = {"size": [4, 3], "sides": [{"title": "before"}], "notes": [], "worst": 0, "empty": False}
    rows = [Entry({"name": str(index), **about}, {"0": "A" * 333}) for index in range(5)]
    with (tmp_path / "page.html").open("wb") as file:
        assert write_page(file, About("much"), rows, most=1000) == 2
    found = entries_of(tmp_path / "page.html")
    assert [bool(each["images"]) for each in found] == [True, True, True, False, False]
    assert "no room" in found[4]["notes"][0]


def test_a_second_run_shows_what_was_done_before_too(find_light: Runner, pictures: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    find_light([pictures], out)
    (pictures / "three.webp").unlink()
    summary, words = find_light([pictures], out, report=page)
    assert summary.done == 2  # nothing was kept of them yet to be looked at
    assert f"the report is {page}" in words.text
    Image.new("RGB", (20, 20)).save(pictures / "four.png")
    summary, _ = find_light([pictures], out, report=page)
    assert (summary.done, summary.skipped) == (1, 2)
    assert sorted(each["name"] for each in entries_of(page)) == ["deep/two.jpg", "four.png", "one.png"]
    assert all(each["images"].keys() >= {"0", "1o"} for each in entries_of(page))


def test_every_output_is_shown(pictures: Path, tmp_path: Path) -> None:
    models = {
        fake.BRIGHTEN: fake.DOUBLE, fake.FIND_LIGHT: fake.LIGHTNESS, fake.WEIGH: fake.MEAN,
        fake.BOX_LIGHT: fake.EXTENT, fake.RELIEF: fake.METRES, fake.DESCRIBE: fake.MIDDLE,
    }  # fmt: skip
    shown = {}
    for task, model in models.items():
        page = tmp_path / f"{task.name}.html"
        table = None if task is not fake.WEIGH else tmp_path / "labels.csv"
        options = RunOptions(
            inputs=(str(pictures),), out=table or tmp_path / task.name, report=page, machine=Machine(device="cpu"),
            outputs=OutputOptions(() if table else _kinds_of(task.name), table=table),
        )  # fmt: skip
        assert run([StepSpec(task, model, task.params())], options, Console(quiet=True)).exit_code == 0
        shown[task.name] = entries_of(page)[0]
    assert shown["brighten"]["images"].keys() == {"0", "1"}
    assert shown["brighten"]["sides"][1]["facts"] == [["size", "128 x 96"]]
    assert shown["find-light"]["images"].keys() == {"0", "1o"}
    assert shown["weigh"]["sides"][1]["labels"][0][0] in ("dark", "light")
    assert shown["box-light"]["sides"][1]["marks"][0][4].startswith("light")
    assert shown["relief"]["images"].keys() == {"0", "1"}
    assert "{" in shown["describe"]["sides"][1]["text"]


def _kinds_of(task: str) -> tuple[KindSpec, ...]:
    from imgai import kinds

    output = {
        "brighten": kinds.IMAGE, "find-light": kinds.MASK, "box-light": kinds.BOXES, "relief": kinds.MAP,
        "describe": kinds.DATA,
    }[task]  # fmt: skip
    first: Kind = output[0]
    return (KindSpec(first, first.params()),) if first.name != "image" else named_kinds("image")


def test_pages_grey_depth_and_transparency_are_shown(find_light: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frames = [Image.new("RGB", (30, 20), color) for color in ("red", "green")]
    frames[0].save(folder / "pages.tif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (1, 1)).save(folder / "o\tn\ne.png")
    Image.fromarray(np.full((9, 800), 40000, np.uint16)).save(folder / "deep.png")
    Image.new("RGBA", (20, 10), (255, 0, 0, 90)).save(folder / "glass.png")
    find_light([folder], tmp_path / "out", report=tmp_path / "page.html", contact=tmp_path / "contact.jpg")
    found = {each["name"]: each for each in entries_of(tmp_path / "page.html")}
    assert found.keys() == {"pages.tif, page 1", "pages.tif, page 2", "o\tn\ne.png", "deep.png", "glass.png"}
    assert found["glass.png"]["sides"][0]["alpha"]
    assert found["deep.png"]["size"] == [800, 9]
    assert found["o\tn\ne.png"]["empty"]


def test_a_sheet_is_no_input_of_the_next_run(find_light: Runner, pictures: Path, tmp_path: Path) -> None:
    for _ in range(2):
        find_light([pictures], tmp_path / "out", contact=pictures / "contact.jpg", force=True)
        with Image.open(pictures / "contact.jpg") as sheet:
            assert sheet.format == "JPEG"
            assert min(sheet.size) > 200
    summary, _ = find_light([pictures], tmp_path / "out", contact=pictures / "contact.jpg", force=True)
    assert summary.done == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"report": "page.pdf"}, "--report page.pdf: it is written as .html"),
        ({"contact": "sheet.png"}, "--contact sheet.png: it is written as .jpg"),
        ({"report": "mine.html"}, "--report mine.html: such a file is there, and no report of imgai's"),
        ({"report": "mine.html/a.html"}, "--report mine.html/a.html cannot be written"),
        ({"open": True}, "--open is for --report"),
        ({"report": "a.html", "watch": True}, "neither --report nor --contact"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    options: dict[str, Any], words: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.html").write_text("<p>mine")
    given = {name: Path(value) if isinstance(value, str) else value for name, value in options.items()}
    asked = RunOptions(inputs=(str(pictures),), out=Path("out"), outputs=OutputOptions(named_kinds("mask")), **given)
    with pytest.raises(UsageError) as caught:
        start([StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS)], asked)
    assert words in str(caught.value)
    assert not Path("out").exists()
    assert Path("mine.html").read_text() == "<p>mine"


def test_images_keep_to_their_room_whatever_is_in_them() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 4), dtype=np.uint8), "RGBA")
    assert len(webp(noise, 5000)) <= 5000
    entry = packed("a", (400, 400), [Side("before", detail=noise)], 3000)
    assert entry.size <= 4000
    assert entry.about["detail"] == 1


def test_a_run_that_is_stopped_leaves_a_page_of_what_was_done(pictures: Path, tmp_path: Path) -> None:
    for seed in range(12):
        Image.fromarray(np.full((20, 20, 3), seed, np.uint8)).save(pictures / f"{seed}.png")
    spec = StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams(slow=0.1))
    options = RunOptions(
        inputs=(str(pictures),), out=tmp_path / "out", report=tmp_path / "page.html",
        outputs=OutputOptions(named_kinds("mask")), machine=Machine(device="cpu", batch=1),
    )  # fmt: skip
    stopped = Run([spec], options, Console(quiet=True))
    for number, _ in enumerate(stopped):
        if number == 1:
            stopped.interrupt()
    shown = len(entries_of(tmp_path / "page.html"))
    assert 2 <= shown == stopped.summary.done < 15
    again = run([spec], options, Console(quiet=True))
    assert again.skipped == shown
    assert len(entries_of(tmp_path / "page.html")) == 15


def test_cut_outs_are_shown_as_they_are_written(pictures: Path, tmp_path: Path) -> None:
    shown = {}
    for background in ("transparent", "#ff0000"):
        options = RunOptions(
            inputs=(str(pictures / "one.png"),), out=tmp_path / background.strip("#"), report=tmp_path / "page.html",
            outputs=OutputOptions(named_kinds("cutout", background=background, canvas="900x300")),
            machine=Machine(device="cpu"),
        )  # fmt: skip
        run([StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams())], options, Console(quiet=True))
        (shown[background],) = entries_of(tmp_path / "page.html")
    assert shown["transparent"]["sides"][1]["alpha"]
    assert "alpha" not in shown["#ff0000"]["sides"][1]
    with Image.open(io.BytesIO(base64.b64decode(shown["#ff0000"]["images"]["1"]))) as image:
        assert image.width == pytest.approx(3 * image.height, abs=3)
        red, green, blue = image.convert("RGB").getpixel((1, 1))  # type: ignore[misc]
    assert red > 230
    assert max(green, blue) < 40
