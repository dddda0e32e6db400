"""`imgai evaluate` of masks, pictures and boxes: folders as a training has them, tables, comparisons, the report."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from imgai.cli import evaluate as command
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.evaluation.paired import difference
from imgai.registry import Registry
from imgai.testing import fake

Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate() -> Evaluate:
    app = typer.Typer()
    app.callback()(lambda: None)
    tasks = (fake.BRIGHTEN, fake.FIND_LIGHT, fake.BOX_LIGHT, fake.WEIGH)
    second = dataclasses.replace(fake.LIGHTNESS, name="second")
    models = (fake.DOUBLE, fake.LIGHTNESS, second, fake.EXTENT, fake.MEAN)
    command.add(app, Registry([Plugin("fake", "fake", "0", tasks, models)]), Settings())

    def call(*words: object) -> Result:
        return CliRunner().invoke(app, ["evaluate", *map(str, words), "--device", "cpu"])

    return call


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Light squares on black, with masks: of one the mask is right, of the other it is half of what is light."""
    for name, true in (("right", 32), ("half", 16)):
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[16:48, 16:48] = 255
        mask = np.zeros((64, 64), np.uint8)
        mask[16:48, 16 : 16 + true] = 255
        save(tmp_path / "data" / "images" / f"{name}.png", picture)
        save(tmp_path / "data" / "masks" / f"{name}.png", mask)
    return tmp_path / "data"


def test_masks_are_measured_and_every_picture_is_in_the_table(
    evaluate: Evaluate, squares: Path, tmp_path: Path
) -> None:
    result = evaluate("find-light", squares, "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["pictures"] == 2
    assert told["mean_iou"] == pytest.approx(0.75, abs=1e-4)
    with (tmp_path / "out" / "pictures.csv").open(newline="") as file:
        rows = {row["picture"]: row for row in csv.DictReader(file)}
    assert rows["images/right.png"]["dice"] == "1.0000"
    assert rows["images/half.png"]["dice"] == "0.6667"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "pictures.csv", "classes.csv", "confusion.csv", "confusion.png"
    }  # fmt: skip


def test_a_report_shows_what_is_missed_and_too_much_the_worst_first(
    evaluate: Evaluate, squares: Path, tmp_path: Path
) -> None:
    result = evaluate("find-light", squares, "--report", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "page.html").read_text()
    metas = [json.loads(part.split("</script>")[0]) for part in text.split('class="m">')[1:]]
    metas.sort(key=lambda each: -each["worst"])
    assert [each["name"] for each in metas] == ["images/half.png", "images/right.png"]
    assert [side["title"] for side in metas[0]["sides"]] == ["before", "true", "lightness"]
    assert [words for _, words in metas[0]["sides"][2]["legend"]] == ["right", "missed", "too much"]


def test_what_has_no_partner_or_cannot_be_read_is_told_and_the_rest_is_measured(
    evaluate: Evaluate, squares: Path
) -> None:
    (squares / "images" / "broken.png").write_bytes(b"no picture")
    (squares / "masks" / "broken.png").write_bytes((squares / "masks" / "half.png").read_bytes())
    save(squares / "images" / "lonely.png", np.zeros((8, 8, 3), np.uint8))
    result = evaluate("find-light", squares, "--json")
    assert json.loads(result.stdout)["pictures"] == 2
    assert "lonely.png" in result.stderr
    assert "broken.png" in result.stderr


def test_of_a_folder_in_parts_the_test_part_is_taken(evaluate: Evaluate, squares: Path, tmp_path: Path) -> None:
    for part, name in (("train", "half"), ("test", "right")):
        for kind in ("images", "masks"):
            target = tmp_path / "parts" / part / kind / f"{name}.png"
            target.parent.mkdir(parents=True)
            target.write_bytes((squares / kind / f"{name}.png").read_bytes())
    told = json.loads(evaluate("find-light", tmp_path / "parts", "--json").stdout)
    assert (told["pictures"], told["dice"]) == (1, 1.0)


def test_large_pictures_alone_are_shrunk_and_enlarged_again(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "large" / "flat.png", np.full((70, 81, 3), 120, np.uint8))
    save(tmp_path / "large" / "tiny.png", np.zeros((9, 9, 3), np.uint8))
    result = evaluate("brighten", tmp_path / "large", "--scale", "2", "--json")
    told = json.loads(result.stdout)
    assert (told["pictures"], told["psnr"]) == (1, 100)
    assert "1 picture left out" in result.stderr
    assert evaluate("brighten", tmp_path / "large", "--scale", "1.5").exit_code == 2


def test_pairs_are_measured_as_they_are(evaluate: Evaluate, tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    save(tmp_path / "pairs" / "input" / "a.png", small)
    save(tmp_path / "pairs" / "target" / "a.png", small.repeat(2, 0).repeat(2, 1))
    assert json.loads(evaluate("brighten", tmp_path / "pairs", "--json").stdout)["psnr"] == 100


def test_boxes_of_yolo_and_of_coco_give_the_same(evaluate: Evaluate, tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 255
    yolo, coco = tmp_path / "yolo", tmp_path / "coco"
    save(yolo / "images" / "a.png", picture)
    (yolo / "labels").mkdir()
    (yolo / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (yolo / "classes.txt").write_text("light\ndark\n")
    save(coco / "a.png", picture)
    annotation = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [16, 16, 32, 32], "area": 1024, "iscrowd": 0}
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 64}
    categories = [{"id": 7, "name": "light"}]
    (coco / "truth.json").write_text(
        json.dumps({"images": [image], "annotations": [annotation], "categories": categories})
    )
    found = [json.loads(evaluate("box-light", folder, "--json").stdout) for folder in (yolo, coco)]
    assert found[0] == found[1]
    assert found[0]["map50"] == pytest.approx(1, abs=0.01)
    assert found[0]["f1"] == 1


def test_models_side_by_side_say_whether_they_can_be_told_apart(
    evaluate: Evaluate, squares: Path, tmp_path: Path
) -> None:
    result = evaluate("find-light", squares, "--compare", "lightness")
    assert "two models or more" in result.stderr
    assert evaluate("find-light", squares, "--compare", "lightness,lightness").exit_code == 2
    page = tmp_path / "page.html"
    result = evaluate(
        "find-light", squares, "--compare", "lightness,second", "--report", page, "--contact", tmp_path / "a.jpg"
    )
    assert result.exit_code == 0, result.output
    assert "second - lightness, dice a picture: +0.0000 [+0.0000, +0.0000] on 2 pictures" in result.stdout
    assert "not told apart" in result.stdout
    metas = [json.loads(part.split("</script>")[0]) for part in page.read_text().split('class="m">')[1:]]
    assert [side["title"] for side in metas[0]["sides"]] == ["before", "true", "lightness", "second"]
    assert metas[0]["sides"][3]["figures"]["dice"] == metas[0]["sides"][2]["figures"]["dice"]
    told = json.loads(evaluate("find-light", squares, "--compare", "lightness,second", "--json").stdout)
    assert told["models"]["second"] == told["models"]["lightness"]
    assert told["differences"][0]["than"] == "lightness"


def rows(values: list[float]) -> dict[str, dict[str, float | None]]:
    return {str(index): {"dice": value} for index, value in enumerate(values)}


def test_the_interval_is_of_pairs_and_holds_what_it_should() -> None:
    random = np.random.default_rng(1)
    base = random.uniform(0.2, 0.9, 60)
    better = difference(rows(base.tolist()), rows((base + random.normal(0.02, 0.02, 60)).tolist()), "dice")
    assert better is not None
    assert 0 < better.low < better.mean < better.high
    assert better.high - better.low == pytest.approx(2 * 1.96 * 0.02 / 60**0.5, rel=0.25)
    same = difference(rows(base.tolist()), rows((base + random.normal(0, 0.02, 60)).tolist()), "dice")
    assert same is not None
    assert same.low < 0 < same.high
    assert difference(rows([]), rows([0.5]), "dice") is None


def test_what_says_nothing_is_refused(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for task in ("find-light", "brighten", "box-light"):
        result = evaluate(task, tmp_path / "empty")
        assert result.exit_code == 2, (task, result.output)
        assert str(tmp_path / "empty") in result.stderr
    picture: Any = np.zeros((8, 8, 3), np.uint8)
    save(tmp_path / "alone" / "a.png", picture)
    assert "--open is for --report" in evaluate("find-light", tmp_path / "alone", "--open").stderr


def test_labels_of_a_table_or_of_the_test_part_are_known_too(evaluate: Evaluate, tmp_path: Path) -> None:
    for name, level in (("a", 20), ("b", 230), ("c", 240)):
        save(tmp_path / "table" / f"{name}.png", np.full((20, 20, 3), level, np.uint8))
    (tmp_path / "table" / "labels.csv").write_text("name,label\na.png,dark\nb.png,light\nc.png,dark\n")
    told = json.loads(evaluate("weigh", tmp_path / "table", "--json").stdout)
    assert (told["pictures"], told["top1"]) == (3, 0.6667)
    for part, level in (("train", 10), ("test", 250)):
        save(tmp_path / "parts" / part / "dark" / "a.png", np.full((20, 20, 3), level, np.uint8))
        save(tmp_path / "parts" / part / "light" / "b.png", np.full((20, 20, 3), level + 1, np.uint8))
    told = json.loads(evaluate("weigh", tmp_path / "parts", "--json").stdout)
    assert (told["pictures"], told["top1"]) == (2, 0.5)
