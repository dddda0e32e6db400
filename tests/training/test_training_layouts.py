"""Folders of pictures with what is right for each: read, checked whole, and split by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgai.errors import UsageError
from imgai.plugin import Output
from imgai.training.dataset import Dataset, read_dataset
from imgai.training.example import Example
from imgai.training.labels import LabelFile


def drawn(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    """A picture like no other."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def square(value: int = 255, dtype: type = np.uint8, height: int = 24, width: int = 32) -> np.ndarray:
    mask = np.zeros((height, width), dtype)
    mask[4:12, 6:16] = value
    return mask


def classes(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    for name, count in counts.items():
        for number in range(count):
            save(folder / name / f"{number}.png", drawn(first + 1000 * len(name) + ord(name[0]) * 50 + number))
    return folder


def masks(folder: Path, count: int = 5, **options: object) -> Path:
    for number in range(count):
        save(folder / "images" / f"{number}.png", drawn(number))
        save(folder / "masks" / f"{number}.png", square(**options))  # type: ignore[arg-type]
    return folder


def names(dataset: Dataset, part: str) -> list[str]:
    return [example.name for example in dataset.parts[part]]


def every(dataset: Dataset) -> list[Example]:
    return [example for part in dataset.parts.values() for example in part]


def test_a_folder_for_each_class_is_split_by_content(tmp_path: Path) -> None:
    folder = classes(tmp_path / "a", {"cat": 10, "dog": 10})
    dataset = read_dataset(folder, Output.SCORES)
    assert dataset.labels == ("cat", "dog")
    assert [len(dataset.parts[part]) for part in ("train", "val")] == [16, 4]
    assert sorted(example.target for example in dataset.parts["val"]) == [0, 0, 1, 1]
    assert not dataset.report

    other = tmp_path / "b"
    for path in folder.rglob("*.png"):  # other names, in another order
        save(other / path.parent.name / f"x{99 - int(path.stem)}.bmp", np.array(Image.open(path)))
    again = read_dataset(other, Output.SCORES)
    assert {e.key for e in again.parts["val"]} == {e.key for e in dataset.parts["val"]}
    assert again.fingerprint == dataset.fingerprint


def test_parts_that_are_folders_stay(tmp_path: Path) -> None:
    classes(tmp_path / "train", {"cat": 3, "dog": 3})
    classes(tmp_path / "validation", {"cat": 1, "dog": 1}, first=100)
    classes(tmp_path / "test", {"cat": 1, "dog": 2}, first=200)
    dataset = read_dataset(tmp_path, Output.SCORES)
    assert {part: len(examples) for part, examples in dataset.parts.items()} == {"train": 6, "val": 2, "test": 3}
    assert names(dataset, "val") == ["validation/cat/0.png", "validation/dog/0.png"]


def test_copies_are_never_on_both_sides_and_never_in_two_classes(tmp_path: Path) -> None:
    classes(tmp_path / "train", {"cat": 4, "dog": 4})
    classes(tmp_path / "val", {"cat": 1, "dog": 1}, first=100)
    shutil.copy(tmp_path / "val/cat/0.png", tmp_path / "train/cat/copy.png")
    save(tmp_path / "train/cat/again.bmp", np.array(Image.open(tmp_path / "train/cat/1.png")))
    shutil.copy(tmp_path / "train/dog/2.png", tmp_path / "train/cat/wrong.png")
    dataset = read_dataset(tmp_path, Output.SCORES)
    assert [len(dataset.parts[part]) for part in ("train", "val")] == [7, 2]
    report = "\n".join(dataset.report)
    assert "1 file left out: the same picture is there already in val/ (train/cat/copy.png)" in report
    assert "2 files left out: the same picture is there in another class" in report
    assert "the same picture is there already (train/cat/again.bmp)" in report or "(train/cat/1.png)" in report


def test_a_group_stays_on_one_side(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / "images" / f"patient{number % 8}_slide{number}.png", drawn(number))
        save(tmp_path / "masks" / f"patient{number % 8}_slide{number}.png", square())
    dataset = read_dataset(tmp_path, Output.MASK, group=r"patient(\d+)_")
    sides = {part: {name.split("_")[0] for name in names(dataset, part)} for part in ("train", "val")}
    assert sides["val"]
    assert not sides["train"] & sides["val"]
    with pytest.raises(UsageError, match="no regular expression"):
        read_dataset(tmp_path, Output.MASK, group="(")
    assert "finds nothing in the names of 40 pictures" in "\n".join(
        read_dataset(tmp_path, Output.MASK, group="z9").report
    )


def test_a_group_in_two_folders_is_refused(tmp_path: Path) -> None:
    masks(tmp_path / "train")
    save(tmp_path / "val/images/0.png", drawn(77))
    save(tmp_path / "val/masks/0.png", square())
    with pytest.raises(UsageError, match="the group '0' lies in train/ and val/"):
        read_dataset(tmp_path, Output.MASK, group=r"/(\d+)\.")


def test_a_table_of_names_and_labels(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", drawn(number))
    rows = [f"in/{number}.png;{'ab'[number % 2]};{'train' if number < 4 else 'val'}" for number in range(6)]
    (tmp_path / "labels.csv").write_text("\n".join(["file;class;split", *rows, "in/gone.png;a;train", ";a;train"]))
    dataset = read_dataset(tmp_path, Output.SCORES)
    assert names(dataset, "val") == ["in/4.png", "in/5.png"]
    assert "1 file left out: the file is not there (in/gone.png)" in dataset.report
    assert "1 file left out: labels.csv has a row without a name or a label (row 9)" in dataset.report
    (tmp_path / "labels.csv").write_text("first,second\n")
    with pytest.raises(UsageError, match="its first row names no column 'name'"):
        read_dataset(tmp_path, Output.SCORES)


def test_what_cannot_be_learned_from_is_left_out_with_counts(tmp_path: Path) -> None:
    masks(tmp_path, 8)
    (tmp_path / "images/0.png").write_bytes((tmp_path / "images/0.png").read_bytes()[:200])
    (tmp_path / "masks/1.png").write_bytes(b"")
    (tmp_path / "masks/2.png").unlink()
    (tmp_path / "images/3.png").unlink()
    save(tmp_path / "masks/4.png", square(height=30))
    save(tmp_path / "masks/5.png", np.zeros((24, 32), np.uint8))
    save(tmp_path / "masks/6.png", np.full((24, 32), 255, np.uint8))
    save(tmp_path / "images/8.png", drawn(8))
    save(tmp_path / "masks/8.png", square())
    (tmp_path / "images/notes.psd").write_bytes(b"8BPS")
    dataset = read_dataset(tmp_path, Output.MASK)
    assert {example.name for example in every(dataset)} == {f"images/{n}.png" for n in (5, 6, 7, 8)}
    report = "\n".join(dataset.report)
    assert "the PNG file is damaged" in report
    assert "the file is empty (images/1.png)" in report
    assert "1 file left out: there is none of the same name in masks/ (images/2.png)" in report
    assert "1 file left out: there is none of the same name in images/ (masks/3.png)" in report
    assert "1 file left out: its mask is of another size (images/4.png)" in report
    assert "1 mask of 4 show nothing" in report
    assert "1 mask of 4 are of one value everywhere (images/6.png)" in report
    assert ".psd is no format that imgai reads: 1 left out" in report


@pytest.mark.parametrize(
    ("value", "why"),
    [(0, "all masks are empty"), (None, "every mask has one value everywhere")],
)
def test_masks_that_say_nothing_are_refused(tmp_path: Path, value: int | None, why: str) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", drawn(number))
        save(tmp_path / "masks" / f"{number}.png", np.full((24, 32), 255 if value is None else value, np.uint8))
    with pytest.raises(UsageError, match=why):
        read_dataset(tmp_path, Output.MASK)


@pytest.mark.parametrize("folder", ["missing", "empty", "file"])
def test_no_folder_of_pictures_is_said(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    for output in (Output.SCORES, Output.MASK, Output.IMAGE, Output.BOXES):
        with pytest.raises(UsageError):
            read_dataset(tmp_path / folder, output)
    with pytest.raises(UsageError, match="cannot be trained"):
        read_dataset(tmp_path / "empty", Output.MAP)


def test_masks_of_every_kind(tmp_path: Path) -> None:
    binary = read_dataset(masks(tmp_path / "a", value=255), Output.MASK)
    assert (binary.labels, binary.objects) == (("foreground",), False)
    assert read_dataset(masks(tmp_path / "b", value=1), Output.MASK).labels == ("foreground",)

    folder = masks(tmp_path / "c", value=2)
    with pytest.raises(UsageError, match=r"the values 0, 2 of the masks .*--as binary"):
        read_dataset(folder, Output.MASK)
    (folder / "classes.txt").write_text("background\ncell\nwall\n")
    save(folder / "masks/3.png", square(1))
    save(folder / "masks/4.png", square(1))
    save(folder / "masks/1.png", square(7))
    named = read_dataset(folder, Output.MASK)
    assert named.labels == ("cell", "wall")
    assert "its mask has the value 7, and classes.txt names 2 (images/1.png)" in "\n".join(named.report)

    objects = masks(tmp_path / "d", value=300, dtype=np.uint16)
    numbered = read_dataset(objects, Output.MASK)
    assert (numbered.labels, numbered.objects) == (("object",), True)

    soft = masks(tmp_path / "e", 4)
    for path in (soft / "masks").iterdir():
        save(path.with_suffix(".jpg"), np.array(Image.open(path)), quality=60)
        path.unlink()
    dataset = read_dataset(soft, Output.MASK)
    assert "soft edges" in "\n".join(dataset.report)
    target = dataset.parts["train"][0].target
    assert isinstance(target, LabelFile)
    assert np.array_equal(target.read(10**6), square(1))


def test_masks_with_a_palette_hold_its_numbers(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", drawn(number))
        mask = Image.fromarray(square(1 + number % 2))
        mask.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
        (tmp_path / "masks").mkdir(exist_ok=True)
        mask.save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.txt").write_text("one\ntwo\n")
    dataset = read_dataset(tmp_path, Output.MASK)
    assert {example.name: example.classes for example in every(dataset)} == {
        "images/0.png": (0,), "images/1.png": (1,), "images/2.png": (0,)
    }  # fmt: skip
    colored = np.zeros((24, 32, 3), np.uint8)
    colored[4:9] = (200, 10, 10)
    save(tmp_path / "masks/2.png", colored)
    assert "a mask in colours" in "\n".join(read_dataset(tmp_path, Output.MASK).report)


def test_more_objects_than_16_bits_number(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", drawn(number))
        (tmp_path / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "masks" / f"{number}.tif", square(70_000 + number, np.uint32))  # type: ignore[arg-type]
    dataset = read_dataset(tmp_path, Output.MASK)
    read = sorted(int(example.target.read(10**6).max()) for example in every(dataset))  # type: ignore[union-attr]
    assert read == [70_000, 70_001, 70_002]


@pytest.mark.parametrize("upright", [True, False])
def test_a_mask_is_turned_as_its_picture_is(tmp_path: Path, upright: bool) -> None:
    """A camera's picture lies on its side with a note; the mask was drawn on it upright, or as it lies."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(3):
        save(tmp_path / "images" / f"{number}.jpg", drawn(number), exif=exif, quality=95)
        lying = square()
        save(tmp_path / "masks" / f"{number}.png", np.rot90(lying, -1) if upright else lying)
    dataset = read_dataset(tmp_path, Output.MASK)
    for example in every(dataset):
        assert example.size == (32, 24)
        assert np.array_equal(example.target.read(10**6), np.rot90(square(1), -1))  # type: ignore[union-attr]
    assert ("turned with it" in "\n".join(dataset.report)) is not upright


def test_pages_of_a_stack_are_pictures_with_masks_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    stack = np.stack([drawn(number) for number in range(4)])
    labels = np.stack([square() for _ in range(3)])
    tifffile.imwrite(tmp_path / "images/a.tif", stack, photometric="rgb")
    tifffile.imwrite(tmp_path / "masks/a.tif", labels, photometric="minisblack")
    dataset = read_dataset(tmp_path, Output.MASK)
    assert sorted(example.name for example in every(dataset)) == ["images/a.tif", "images/a.tif#2", "images/a.tif#3"]
    assert "its mask has fewer pages (images/a.tif)" in "\n".join(dataset.report)


def test_pictures_as_they_are_and_should_be(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "input" / f"{number}.png", drawn(number))
        save(tmp_path / "target" / f"{number}.png", drawn(number + 50, 48, 64))
    with pytest.raises(UsageError, match="its target is of another size"):
        read_dataset(tmp_path, Output.IMAGE)
    dataset = read_dataset(tmp_path, Output.IMAGE, scale=2)
    assert all(isinstance(example.target, Path) for example in every(dataset))
    shutil.rmtree(tmp_path / "target")
    with pytest.raises(UsageError, match="has input/ and no target/"):
        read_dataset(tmp_path, Output.IMAGE)
    clean = read_dataset(tmp_path / "input", Output.IMAGE)
    assert [example.target for example in every(clean)] == [None] * 5


def coco(folder: Path, name: str, images: list[int], *, label: str = "cell", shape: object = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 32, "height": 24} for n in images],
        "categories": [{"id": 7, "name": label}, {"id": 3, "name": "dirt"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7, "bbox": [6, 4, 10, 8], "area": 80, "iscrowd": 0,
             "segmentation": shape or [[6, 4, 16, 4, 16, 12, 6, 12]]}
            for n in images
        ],
    }  # fmt: skip
    (folder / name).write_text(json.dumps(document))
    for number in images:
        save(folder / "images" / f"{number}.png", drawn(number))


def test_cocos_boxes_and_masks(tmp_path: Path) -> None:
    coco(tmp_path, "instances_train2017.json", [1, 2, 3])
    coco(tmp_path, "val.json", [4])
    boxes = read_dataset(tmp_path, Output.BOXES)
    assert boxes.labels == ("dirt", "cell")
    assert {part: len(examples) for part, examples in boxes.parts.items()} == {"train": 3, "val": 1}
    assert boxes.parts["val"][0].target == ((1, 6 / 32, 4 / 24, 16 / 32, 12 / 24),)
    assert "no picture to learn from shows dirt" in boxes.report
    assert "no mask to learn from shows the class 'dirt'" in read_dataset(tmp_path, Output.MASK).report
    for path in tmp_path.glob("*.json"):
        document = json.loads(path.read_text())
        document["categories"].pop()
        path.write_text(json.dumps(document))
    drawn_masks = read_dataset(tmp_path, Output.MASK)
    assert drawn_masks.objects
    assert np.array_equal(drawn_masks.parts["val"][0].target.read(10**6), square(1))  # type: ignore[union-attr]
    (tmp_path / "val.json").write_text("{}")
    with pytest.raises(UsageError, match=r"val\.json is not COCO's JSON"):
        read_dataset(tmp_path, Output.BOXES)


def test_yolos_texts(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "images" / f"{number}.png", drawn(number))
    (tmp_path / "labels").mkdir()
    for number, text in enumerate(["0 0.5 0.5 0.5 0.5\n", "1 0.9 0.5 0.4 0.2", "2 0.5 0.5 0.1 0.1", "0 0.1 0.1 0.2"]):
        (tmp_path / "labels" / f"{number}.txt").write_text(text)
    with pytest.raises(UsageError, match="does not say what its classes are called"):
        read_dataset(tmp_path, Output.BOXES)
    (tmp_path / "data.yaml").write_text("path: .\nnames:\n  0: cat\n  1: 'dog'\nnc: 2\n")
    dataset = read_dataset(tmp_path, Output.BOXES)
    assert dataset.labels == ("cat", "dog")
    targets = {example.name: example.target for example in every(dataset)}
    assert targets["images/0.png"] == ((0, 0.25, 0.25, 0.75, 0.75),)
    assert targets["images/1.png"] == ((1, pytest.approx(0.7), pytest.approx(0.4), 1.0, pytest.approx(0.6)),)
    assert targets["images/4.png"] == ()
    report = "\n".join(dataset.report)
    assert "it has the class 2, and 2 are named, from 0 (images/2.png)" in report
    assert "line 1 of its text has 3 numbers, and a box has 4 (images/3.png)" in report
    assert "1 object reached beyond the picture" in report
    assert "1 picture of 3 have no object" in report


def test_a_model_for_other_classes_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, {"cat": 3, "dog": 3})
    assert read_dataset(tmp_path, Output.SCORES, labels=("dog", "cat")).labels == ("dog", "cat")
    with pytest.raises(UsageError, match="has the class 'cat', which is none of dog, bird"):
        read_dataset(tmp_path, Output.SCORES, labels=("dog", "bird"))


def test_few_pictures_of_a_class_are_said(tmp_path: Path) -> None:
    classes(tmp_path, {"cat": 12, "dog": 2})
    report = "\n".join(read_dataset(tmp_path, Output.SCORES).report)
    assert "the class 'dog' has only 1 picture to learn from" in report
    classes(tmp_path / "one", {"cat": 4})
    with pytest.raises(UsageError, match="has the one class 'cat'"):
        read_dataset(tmp_path / "one", Output.SCORES)
