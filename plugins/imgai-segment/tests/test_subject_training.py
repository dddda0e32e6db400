"""What the `subject` model is tuned on: what is held out stays out, and gradients are those of plain layers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

TRAINING = Path(__file__).parent.parent / "training"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(TRAINING))
    import subject_sources

    yield subject_sources
    for name in [name for name in sys.modules if name.startswith("subject_")]:
        del sys.modules[name]


def collection(folder: Path, names: list[str]) -> None:
    """Pictures with masks, of those names."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in names:
        Image.new("RGB", (600, 300), "red").save(folder / "images" / f"{name}.png")
        Image.fromarray(np.tile(np.arange(600) < 200, (300, 1))).save(folder / "masks" / f"{name}.png")


def folders(root: Path, sources: ModuleType) -> tuple[Path, Path]:
    """Small stand-ins for the folders of pairs and of things."""
    pairs, things = root / "pairs", root / "things"
    kinds = [f"{kind}-{number}" for kind in ("tiger", *sources.HELD_CLASSES) for number in range(3)]
    collection(pairs / "animals", kinds)
    rows = [f"x\tanimals\tanimals/images/{name}.png\t{name.split('-')[0]}" for name in kinds]
    (pairs / "manifest.tsv").write_text("\n".join(["pack\tsource\tfile\tclass", *rows]), encoding="utf-8")
    for folder, names in ((pairs, (*sources.LEARNED, *sources.MEASURED)), (things, sources.THINGS)):
        for name in names:
            collection(folder / name, [f"{name}{number}" for number in range(20)])
    return pairs, things


def test_what_is_held_out_teaches_nothing(tmp_path: Path, sources: ModuleType) -> None:
    """No picture is on both sides; a held-out class or kind, and research pictures, are on one side alone."""
    train, held = sources.split(*folders(tmp_path, sources))
    learned = {path for paths in train.values() for path in paths}
    assert learned
    assert learned.isdisjoint(path for paths in held.values() for path in paths)
    assert not {*sources.HELD_THINGS, *sources.MEASURED, *(f"animals-{name}" for name in sources.HELD_CLASSES)} & set(
        train
    )
    for kind in sources.LEARNED:
        assert len(train[kind]) + len(held[kind]) == 20
        assert 0 < len(held[kind]) < len(train[kind])


def test_a_pair_is_shrunk_together(tmp_path: Path, sources: ModuleType) -> None:
    collection(tmp_path, ["a"])
    image, mask = sources.read_pair(tmp_path / "images" / "a.png")
    assert image.shape == (sources.SIDE // 2, sources.SIDE, 3)
    assert mask.shape == image.shape[:2]
    assert set(np.unique(mask)) == {0, 255}
    assert abs((mask > 0).mean() - 1 / 3) < 0.01


def test_photographs_without_a_subject_are_barred_from_training(sources: ModuleType) -> None:
    empty = sources.names("subject_empty.txt")
    assert len(empty) == len(set(empty)) == 40
    assert set(empty) <= set(sources.names("subject_barred.txt"))


def test_depthwise_gradients_are_those_of_plain_layers(sources: ModuleType) -> None:
    from subject_depthwise import speed_up

    torch.manual_seed(0)
    plain = torch.nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6)
    fast = torch.nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6)
    fast.load_state_dict(plain.state_dict())
    speed_up(fast)
    images = torch.randn(2, 6, 12, 13)
    found = []
    for layer in (plain, fast):
        inputs = images.clone().requires_grad_()
        output = layer(inputs)
        output.square().sum().backward()
        found.append((output.detach(), inputs.grad, layer.weight.grad, layer.bias.grad))
    for ours, theirs in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
