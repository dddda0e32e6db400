"""Batches: a function of the seed and the step, with target and picture cut, mirrored and turned alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor

from imgai.errors import UsageError
from imgai.plugin import Model, Output
from imgai.sample import Sample
from imgai.training import labels, pictures
from imgai.training.augment import Amounts, relit
from imgai.training.batches import Batches
from imgai.training.cache import Cache
from imgai.training.dataset import read_dataset
from imgai.training.example import Example
from imgai.training.order import Order, class_weights

TILES = Model(name="tiles", task="t", summary="", license="MIT", load="a:b")


def model(**about: object) -> Model:
    return Model(name="m", task="t", summary="", license="MIT", load="a:b", **about)  # type: ignore[arg-type]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose masks are where they are red: whatever is done to both must keep that. Sizes from 1x1 on."""
    folder = tmp_path_factory.mktemp("spots")
    sizes = [(1, 1), (3, 200), (40, 30), (64, 64), (150, 90), (97, 131)]
    for number, (height, width) in enumerate(sizes):
        rng = np.random.default_rng(number)
        mask = rng.random((-(-height // 8), -(-width // 8))).repeat(8, 0).repeat(8, 1)[:height, :width] > 0.7
        mask.flat[0] = True
        picture = np.zeros((height, width, 3), np.uint8)
        picture[mask] = (250, 0, number)
        save(folder / "images" / f"{number}.png", picture)
        save(folder / "masks" / f"{number}.png", mask.astype(np.uint8) * 255)
    return folder


@pytest.mark.parametrize("augment", ["none", "light", "strong"])
@pytest.mark.parametrize("about", [{}, {"input_size": (48, 48)}, {"input_size": (48, 64), "fit": "letterbox"}])
def test_a_mask_follows_its_picture(spots: Path, augment: str, about: dict[str, object]) -> None:
    dataset = read_dataset(spots, Output.MASK)
    size = about.get("input_size", (48, 48))
    batches = Batches(dataset, "train", model=model(**about), size=size, batch=6, augment=augment)  # type: ignore[arg-type]
    for step in range(4):
        images, targets = batches.batch(step)
        assert images.shape == (6, 3, *size)  # type: ignore[misc]
        assert targets.shape == (6, 1, *size)  # type: ignore[misc]
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        red = images[:, 0] - images[:, 1]
        middle = torch.nn.functional.avg_pool2d(targets, 5, 1, 2)[:, 0]  # away from edges, which are resized
        for one, inside in zip(red, middle, strict=True):
            if (inside > 0.99).any() and (inside < 0.01).any():
                assert float(one[inside > 0.99].median()) > float(one[inside < 0.01].median()) + 0.2


def test_batches_are_a_function_of_seed_and_step(spots: Path) -> None:
    dataset = read_dataset(spots, Output.MASK)

    def made(seed: int, step: int) -> tuple[Tensor, Tensor]:
        return Batches(dataset, "train", model=TILES, size=32, batch=4, augment="strong", seed=seed).batch(step)

    batches = Batches(dataset, "train", model=TILES, size=32, batch=4, augment="strong", seed=5)
    kept = [batches.batch(step) for step in range(3)]
    torch.manual_seed(3)
    for step in (2, 0, 1):
        assert all(torch.equal(a, b) for a, b in zip(made(5, step), kept[step], strict=True))
    assert not torch.equal(made(6, 0)[0], kept[0][0])


def test_random_numbers_of_the_program_are_left_alone(spots: Path) -> None:
    """A network's dropout draws from them, in another thread."""
    batches = Batches(read_dataset(spots, Output.MASK), "train", model=TILES, size=32, batch=4, augment="strong")
    before = torch.get_rng_state()
    batches.batch(0)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_a_network_is_to_find_may_be_maps_of_its_own(spots: Path) -> None:
    dataset = read_dataset(spots, Output.MASK)

    def target(labels: np.ndarray) -> np.ndarray:
        return np.stack([labels > 0, labels == 0]).astype(np.float32)

    _, maps = Batches(dataset, "train", model=TILES, size=40, batch=3, target=target).batch(0)
    assert maps.shape == (3, 2, 40, 40)
    assert torch.allclose(maps.sum(1), torch.ones(3, 40, 40), atol=0.02)


def test_input_and_target_are_cut_alike(tmp_path: Path) -> None:
    for number in range(4):
        small = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        save(tmp_path / "input" / f"{number}.png", small)
        save(tmp_path / "target" / f"{number}.png", (255 - small).repeat(2, 0).repeat(2, 1))
    dataset = read_dataset(tmp_path, Output.IMAGE, scale=2)
    images, targets = Batches(dataset, "train", model=model(scale=2), size=16, batch=6, augment="strong").batch(3)
    assert (images.shape, targets.shape) == ((6, 3, 16, 16), (6, 3, 32, 32))
    assert torch.allclose(1 - images, targets[:, :, ::2, ::2], atol=1e-6)


def test_inputs_are_made_from_clean_pictures(tmp_path: Path) -> None:
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 50), dtype=np.uint8)
        save(tmp_path / f"{number}.png", pixels if number % 2 else pixels.astype(np.uint16) * 257)
    dataset = read_dataset(tmp_path, Output.IMAGE)
    with pytest.raises(UsageError, match="clean pictures alone"):
        Batches(dataset, "train", model=TILES, size=16, batch=2)
    images, targets = Batches(dataset, "train", model=model(scale=3), size=16, batch=3).batch(0)
    assert (images.shape, targets.shape) == ((3, 3, 16, 16), (3, 3, 48, 48))
    assert torch.allclose(images.mean((1, 2, 3)), targets.mean((1, 2, 3)), atol=0.02)

    def spoil(clean: Tensor, generator: torch.Generator) -> Tensor:
        return clean + torch.randn(clean.shape, generator=generator)

    twice = [Batches(dataset, "train", model=TILES, size=16, batch=2, spoil=spoil).batch(7)[0] for _ in range(2)]
    assert torch.equal(*twice)


def test_boxes_follow_their_objects(tmp_path: Path) -> None:
    annotations, images = [], []
    for number in range(6):
        pixels = np.full((90, 120, 3), 60, np.uint8)
        x, y = 10 + 12 * number, 8 + 9 * number
        pixels[y : y + 20, x : x + 26] = (240, 30, 30)
        save(tmp_path / "images" / f"{number}.png", pixels)
        images.append({"id": number, "file_name": f"{number}.png", "width": 120, "height": 90})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, 26, 20]})
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "red"}]}
    (tmp_path / "all.json").write_text(json.dumps(document))
    dataset = read_dataset(tmp_path, Output.BOXES)
    names = ("flip", "turn", "scale")
    for about, size in (({"input_size": (96, 96), "fit": "letterbox"}, (96, 96)), ({}, (64, 64))):
        batches = Batches(dataset, "train", model=model(**about), size=size, batch=6, augment="strong", names=names)  # type: ignore[arg-type]
        seen = 0
        for step in range(3):
            pictures, boxes = batches.batch(step)
            for picture, of in zip(pictures, boxes, strict=True):
                red = ((picture[0] - picture[1]) > 0.5).nonzero()
                for label, *corners in of[of[:, 0] >= 0].tolist():
                    assert label == 0
                    x0, y0, x1, y1 = (value * size[0] for value in corners)
                    found = (red[:, 1].min(), red[:, 0].min(), red[:, 1].max() + 1, red[:, 0].max() + 1)
                    assert np.allclose([float(v) for v in found], [x0, y0, x1, y1], atol=2)
                    seen += 1
        assert seen


def examples(*counts: int) -> list[Example]:
    return [
        Example(Path("x"), 0, kind, "", f"{kind}-{n}", classes=(kind,))
        for kind, count in enumerate(counts)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("balance", "counts", "shares"),
    [
        ("none", (60, 10), (60 / 70, 10 / 70)),
        ("weights", (60, 10), (60 / 70, 10 / 70)),
        ("auto", (60, 10), (0.5, 0.5)),
        ("auto", (29, 10), (29 / 39, 10 / 39)),
        ("oversample", (60, 10), (0.5, 0.5)),
        ("undersample", (60, 10), (0.5, 0.5)),
    ],
)
def test_classes_are_seen_as_often_as_is_asked(
    balance: str, counts: tuple[int, int], shares: tuple[float, float]
) -> None:
    given = examples(*counts)
    order = Order(given, 7, balance, seed=1)
    steps = 60 * order.steps
    seen = [given[index] for step in range(steps) for index in order.step(step)]
    found = Counter(example.target for example in seen)
    assert found[0] / len(seen) == pytest.approx(shares[0], abs=0.04)
    assert len({example.key for example in seen}) == sum(counts)  # also of the class that is cut
    if balance in ("none", "oversample"):
        epoch = [given[i].key for s in range(order.steps) for i in order.step(s)][: order.steps * 7 // 7 * 7]
        assert len(set(epoch)) == sum(counts)


def test_where_classes_take_turns_none_of_a_class_comes_again_before_the_others() -> None:
    given = examples(60, 10)
    order = Order(given, 8, "auto", seed=1)
    seen = [index for step in range(15) for index in order.step(step)]
    assert sorted(index for index in seen if given[index].target == 0) == [i for i in range(70) if given[i].target == 0]
    rare = Counter(index for index in seen if given[index].target == 1)
    assert set(rare.values()) == {6}
    assert Order(given, 8, "auto", seed=1).step(9) == order.step(9), "whatever was asked for before"


def test_weights_of_classes_fall_with_their_number() -> None:
    weights = class_weights(examples(60, 10), 2)
    assert weights[1] / weights[0] == pytest.approx(6)
    assert sum(weights) == pytest.approx(2)


def test_small_objects_are_in_half_of_the_crops(tmp_path: Path) -> None:
    for number in range(3):
        mask = np.zeros((300, 300), np.uint8)
        mask[140:144, 20 : 24 + number] = 255
        save(tmp_path / "images" / f"{number}.png", mask // 2 + np.uint8(number))
        save(tmp_path / "masks" / f"{number}.png", mask)
    dataset = read_dataset(tmp_path, Output.MASK)

    def share(balance: str) -> float:
        batches = Batches(dataset, "train", model=TILES, size=32, batch=40, augment="none", balance=balance)
        return float((batches.batch(0)[1].amax((1, 2, 3)) > 0).float().mean())

    assert share("auto") > 0.3
    assert share("none") < 0.15


def test_decoded_pictures_stay_within_their_bound() -> None:
    cache: Cache[tuple[np.ndarray, ...]] = Cache(1000)
    made = []

    def make(key: int, size: int = 300) -> tuple[np.ndarray, ...]:
        made.append(key)
        return (np.full(size, key, np.uint8),)

    for key in (0, 1, 2, 0, 3, 0, 1):
        assert cache.get(key, lambda key=key: make(key))[0][0] == key  # type: ignore[misc]
        assert cache.bytes <= 1000
    assert made == [0, 1, 2, 3, 1]
    assert cache.get(9, lambda: make(9, 2000))[0].size == 2000
    assert cache.bytes <= 1000


def test_pages_of_a_stack_are_decoded_once_in_whatever_order_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 99, (24, 12, 10), dtype=np.uint8)
    inside = stack > 49
    for name, pages in (("images", stack), ("masks", inside.astype(np.uint8) * 255)):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", pages, photometric="minisblack")
    dataset = read_dataset(tmp_path, Output.MASK)
    decoded = Counter[str]()
    seen, matched = pictures.seen, pictures.label_pages

    def count(sample: Sample) -> np.ndarray:
        decoded["pages"] += 1
        return seen(sample)

    def count_labels(*about: Any) -> Iterator[np.ndarray]:
        for page in matched(*about):
            decoded["labels"] += 1
            yield page

    monkeypatch.setattr(pictures, "seen", count)
    monkeypatch.setattr(labels, "label_pages", count_labels)
    batches = Batches(dataset, "train", model=TILES, size=8, batch=4, augment="none")
    for step in range(2 * batches.steps):
        images, targets = batches.batch(step)
        assert torch.equal(images[:, :1] * 255 > 49.5, targets > 0.5)
    # Pages that are kept to measure with are passed over, and the first is decoded twice.
    assert decoded["pages"] <= 25
    assert decoded["labels"] <= 25


def test_a_picture_that_vanishes_is_told(spots: Path, tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", np.full((9, 9 + number), 200, np.uint8))
        save(tmp_path / "masks" / f"{number}.png", np.eye(9, 9 + number, dtype=np.uint8) * 255)
    batches = Batches(read_dataset(tmp_path, Output.MASK), "train", model=TILES, size=8, batch=2)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    with pytest.raises(Exception, match="there is no such file"):
        batches.batch(0)


@pytest.mark.parametrize(
    "pixels", [np.arange(256, dtype=np.uint8).reshape(16, 16), np.full((5, 7, 3), 40_000, np.uint16)]
)
def test_levels_are_kept_where_nothing_is_asked(pixels: np.ndarray) -> None:
    image = relit(pixels, Amounts(), np.random.default_rng(0))
    planes = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max)
    planes = planes.expand(3, -1, -1) if pixels.ndim == 2 else planes.permute(2, 0, 1)
    assert torch.allclose(image, planes, atol=1e-6)


def test_grey_pictures_stay_grey() -> None:
    amount = Amounts(gain=0.3, contrast=0.3, gamma=0.3, color=0.3, blur=1.5, noise=0.1)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    for seed in range(6):
        image = relit(pixels, amount, np.random.default_rng(seed))
        assert torch.equal(image[0], image[1])
        assert torch.equal(image[0], image[2])
