"""Labels of a folder: a table of all, folders by label, keywords, where a picture speaks for its label."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from imgai.errors import InputError, UsageError
from imgai.images import read
from imgai.options import Machine
from imgai.plugin import LoadContext, Output, Predictor
from imgai.predict.spec import StepSpec
from imgai.runs import OutputOptions, RunOptions, Summary, run
from imgai.runs.names import Plan
from imgai.runs.scan import Input
from imgai.runs.sort import sort_into
from imgai.sample import Source
from imgai.testing import fake
from imgai.testing.kinds import named_kinds
from tests.run.conftest import Words

SEEN: list[tuple[int, ...]] = []
CROPPED = dataclasses.replace(
    fake.MEAN, name="cropped", load="tests.run.test_run_labels:load_cropped", crop=0.8, label_ids=("n0", "n1")
)


def load_cropped(context: LoadContext) -> Predictor:
    """Dark or light, of the middle; it says so too of where."""
    network = fake.load_mean(context).network

    def explain(images: torch.Tensor, label: int) -> torch.Tensor:
        light = images.mean(1)
        return light if label else 1 - light

    return Predictor(network=network, explain=explain)


def go(inputs: list[Path], out: Path | None, *, spec: StepSpec | None = None, **options: Any) -> tuple[Summary, Words]:
    words = Words()
    names = [str(path) for path in inputs]
    run_options = {key: options.pop(key) for key in ("force", "json") if key in options}
    table = out if out is not None and out.suffix in (".csv", ".jsonl") else None
    outputs = OutputOptions(
        named_kinds(*options.pop("kinds", ()), of=Output.SCORES), **{"threshold": 0.0, "table": table, **options}
    )
    settings = RunOptions(inputs=names, out=out, outputs=outputs, machine=Machine(device="cpu"), **run_options)
    return run([spec or StepSpec(fake.WEIGH, fake.MEAN)], settings, words), words


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dark picture and two light ones, one of them in a folder, and a broken one."""
    (tmp_path / "in" / "below").mkdir(parents=True)
    for name, level in (("dark.png", 20), ("light.png", 230), ("below/light.png", 200)):
        Image.new("RGB", (60, 40), (level,) * 3).save(tmp_path / "in" / name)
    (tmp_path / "in" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    return tmp_path / "in"


def test_a_table_tells_every_input_also_what_failed(folder: Path, tmp_path: Path) -> None:
    summary, words = go([folder], tmp_path / "labels.csv", top=2)
    assert (summary.done, summary.failed, summary.exit_code) == (3, 1, 1)
    rows = table(tmp_path / "labels.csv")
    assert (rows["dark.png"]["label"], rows["dark.png"]["width"], rows["dark.png"]["height"]) == ("dark", "60", "40")
    assert float(rows["dark.png"]["score"]) + float(rows["dark.png"]["score_2"]) == pytest.approx(1, abs=1e-4)
    assert "torn.jpg" in rows["torn.jpg"]["error"]
    assert any(line.endswith("dark 0.92  light 0.08") for line in words.lines), words.lines


def test_again_takes_what_is_known_and_tells_all_of_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    go([folder], out)
    first = out.read_bytes()
    summary, _ = go([folder], out)
    assert (summary.done, summary.skipped, summary.failed) == (0, 3, 1)
    assert out.read_bytes() == first
    Image.new("RGB", (60, 40), (250, 250, 250)).save(folder / "dark.png")
    summary, _ = go([folder], out, top=2)  # more labels than before: the records know them
    assert (summary.done, summary.skipped) == (1, 2)
    rows = table(out)
    assert rows["dark.png"]["label"] == "light"
    assert all(row["label_2"] for name, row in rows.items() if name != "torn.jpg")
    other, _ = go([folder], tmp_path / "others.jsonl")
    assert other.done == 3, "another table has records of its own"
    lines = [json.loads(line) for line in (tmp_path / "others.jsonl").read_text().splitlines()]
    assert len(lines) == 4


def test_rows_come_in_the_order_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    go([folder], out)
    expected = {
        "path": ["below/light.png", "dark.png", "light.png", "torn.jpg"],
        "label": ["dark.png", "light.png", "below/light.png", "torn.jpg"],
        "score": ["dark.png", "light.png", "below/light.png", "torn.jpg"],
        "margin": ["below/light.png", "light.png", "dark.png", "torn.jpg"],
    }
    for by, names in expected.items():
        summary, _ = go([folder], out, sort_by=by, excel=True, threshold=0.0)
        assert summary.skipped == 3, "the order of rows is no reason to look again"
        text = out.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
        assert [Path(row["path"]).relative_to(folder).as_posix() for row in rows] == names, by
        assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    scores = [(float(row["score"]), float(row["margin"])) for row in rows[:3]]
    assert [margin for _, margin in scores] == pytest.approx([2 * score - 1 for score, _ in scores], abs=1e-4)


def test_without_a_table_nothing_is_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    _, words = go([folder], None)
    assert sorted(tmp_path.rglob("*")) == before
    assert len(words.lines) == 3


def test_many_are_summed_up_by_label(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(24):
        Image.new("RGB", (8, 8), (number * 10,) * 3).save(tmp_path / "in" / f"{number}.png")
    _, words = go([tmp_path / "in"], None)
    assert [line.split() for line in words.lines] == [["13", "54%", "dark"], ["11", "46%", "light"]]


def test_labels_under_the_threshold_are_left_out(folder: Path, tmp_path: Path) -> None:
    go([folder], tmp_path / "labels.csv", top=2, threshold=0.1)
    rows = table(tmp_path / "labels.csv")
    assert (rows["dark.png"]["label"], rows["dark.png"]["label_2"]) == ("dark", "")


def test_files_are_sorted_and_none_is_moved_or_overwritten(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "sorted"
    (into / "dark").mkdir(parents=True)
    (into / "dark" / "dark.png").write_bytes(b"mine")
    go([folder], tmp_path / "labels.csv", sort_into=into)
    found = sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file())
    assert found == ["dark/dark-2.png", "dark/dark.png", "light/below/light.png", "light/light.png"]
    assert (into / "dark" / "dark.png").read_bytes() == b"mine"
    assert (into / "dark" / "dark-2.png").read_bytes() == (folder / "dark.png").read_bytes()
    assert not (into / "dark" / "dark-2.png").samefile(folder / "dark.png")
    go([folder], tmp_path / "labels.csv", sort_into=into, force=True)
    again = sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file())
    assert again == found, "what is there is not copied once more"


def test_what_was_sorted_is_skipped_whatever_folders_are_relative(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for skipped in (0, 3):
        summary, _ = go([Path("in")], Path("res/labels.csv"), sort_into=Path("sorted"), write_xmp=True)
        assert summary.skipped == skipped


def test_what_was_sorted_below_the_inputs_is_not_sorted_again(folder: Path) -> None:
    for _ in range(3):
        summary, _ = go([folder], None, sort_into=folder / "sorted")
        assert summary.done == 3
    assert not (folder / "sorted" / "light" / "sorted").exists()


def test_without_an_output_folder_none_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "below")
    summary, words = go([Path("..")], None)
    assert summary.done == 3
    assert "left out" not in words.text


def test_files_are_linked_where_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    go([folder], tmp_path / "labels.csv", sort_into=tmp_path / "sorted", link=True)
    assert (tmp_path / "sorted" / "light" / "light.png").samefile(folder / "light.png")


def test_a_symbolic_link_is_linked_to_its_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "a.png").symlink_to(Path("..") / folder.name / next(folder.glob("*.png")).name)
    go([tmp_path / "names"], None, sort_into=tmp_path / "sorted", link=True)
    (linked,) = (tmp_path / "sorted").rglob("a.png")
    assert linked.is_file()


def test_an_input_is_no_place_to_sort_into(folder: Path) -> None:
    with pytest.raises(UsageError, match="is an input"):
        go([folder], None, sort_into=folder)


def test_what_has_no_label_above_the_threshold_is_unsure(folder: Path, tmp_path: Path) -> None:
    go([folder], tmp_path / "labels.csv", sort_into=tmp_path / "sorted", threshold=0.99)
    assert (tmp_path / "sorted" / "_unsure" / "dark.png").is_file()


def test_keywords_lie_beside_the_picture(folder: Path, tmp_path: Path) -> None:
    (folder / "light.png.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='darktable'/>")
    _, words = go([folder], tmp_path / "labels.csv", top=2, threshold=0.05, write_xmp=True)
    root = ElementTree.fromstring((folder / "dark.png.xmp").read_bytes())
    found = [each.text for each in root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")]
    assert found == ["dark", "light"]
    assert "darktable" in (folder / "light.png.xmp").read_text(), "another program's sidecar is left alone"
    assert "light.png.xmp is there already" in words.text


def test_heat_is_shown_over_the_part_that_was_seen(tmp_path: Path) -> None:
    pixels = np.full((100, 200, 3), 40, np.uint8)
    pixels[:, 100:] = 220
    Image.fromarray(pixels).save(tmp_path / "a.png")
    spec = StepSpec(fake.WEIGH, CROPPED, explain="light")
    go([tmp_path / "a.png"], tmp_path / "labels.csv", spec=spec, kinds=("heat",))
    shown = np.asarray(Image.open(tmp_path / "labels" / "a.jpg")).astype(int)
    assert shown.shape == (100, 200, 3)
    color = shown.max(2) - shown.min(2)  # the picture itself is grey
    seen = slice(10, 90), slice(60, 140)  # 0.8 of the shorter side, in the middle
    assert color[seen][:, 50:].mean() > 60
    outside = np.ones((100, 200), bool)
    outside[8:92, 58:142] = False
    assert color[outside].mean() < 3
    rows = table(tmp_path / "labels.csv")
    assert rows["a.png"]["id"] in ("n0", "n1")


def test_what_cannot_be_explained_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the model mean cannot explain its scores"):
        go([folder], tmp_path / "l.csv", spec=StepSpec(fake.WEIGH, fake.MEAN, explain=""), kinds=("heat",))


def test_a_table_overwrites_no_input(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    picture = make_picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match="is an input, and would be overwritten"):
        go([picture], picture, table=picture)


def test_pages_are_scored_by_their_mean(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), (level,) * 3) for level in (0, 0, 255)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    go([tmp_path / "a.tif"], tmp_path / "labels.csv")
    assert float(table(tmp_path / "labels.csv")["a.tif"]["score"]) == pytest.approx(2 / 3, abs=1e-3)


def test_a_jpeg_is_decoded_no_larger_than_a_classifier_needs(tmp_path: Path) -> None:
    pixels = np.zeros((1200, 1600, 3), np.uint8)
    pixels[:, :800] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=90, exif=exif)
    (small,) = read(tmp_path / "a.jpg", Source(None, "a"), least=256)
    (whole,) = read(tmp_path / "a.jpg", Source(None, "a"))
    assert (small.height, small.width) == (400, 300)
    assert small.metadata.full == whole.metadata.full == (whole.height, whole.width) == (1600, 1200)
    spec = StepSpec(fake.WEIGH, CROPPED)
    go([tmp_path / "a.jpg"], tmp_path / "labels.csv", spec=spec)
    row = table(tmp_path / "labels.csv")["a.jpg"]
    assert (row["width"], row["height"]) == ("1200", "1600"), "the size that is told is the file's"


def test_a_killed_line_does_no_harm_to_the_table(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    go([folder], out)
    records = tmp_path / ".imgai" / "labels.csv.jsonl"
    records.write_bytes(records.read_bytes()[:-40])
    summary, _ = go([folder], out)
    assert summary.done + summary.skipped == 3
    assert len(table(out)) == 3  # two are called light.png


def test_files_of_one_name_do_not_race_for_one_place(tmp_path: Path) -> None:
    sources = [tmp_path / str(number) / "a.png" for number in range(8)]
    for number, source in enumerate(sources):
        source.parent.mkdir()
        source.write_bytes(bytes([number]) * 3_000_000)

    def put(source: Path) -> Path:
        plan = Plan(Input(source, "a.png"), tmp_path / "a", ())
        return sort_into(tmp_path / "sorted", "x", plan, source, link=False)[0]

    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(put, sources))
    assert [place.read_bytes()[0] for place in places] == list(range(8))
    assert len(set(places)) == 8


def test_members_of_a_stream_are_copied_and_have_no_place_for_keywords(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(folder / "dark.png", "dark.png")
        tar.add(folder / "light.png", "light.png")
    torn = content.getvalue()[:1556]  # in the middle of the second
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": io.BytesIO(torn)}))
    with pytest.raises(InputError, match="breaks off"):
        go([Path("-")], tmp_path / "labels.csv", sort_into=tmp_path / "sorted", link=True)
    assert list(table(tmp_path / "labels.csv")) == ["dark.png"], "what was whole is in the table"
    assert (tmp_path / "sorted" / "dark" / "dark.png").read_bytes() == (folder / "dark.png").read_bytes()
    with pytest.raises(UsageError, match="--write-xmp writes beside the pictures"):
        go([Path("-")], None, write_xmp=True)
