"""Losses by name: each falls towards 0 (or its least) where the answer is right, and nothing is ignored in silence."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from imgai.errors import UsageError
from imgai.plugin import Output
from imgai.training.losses import ADJUSTED, MONAI, TABLES, Loss, adjusted, loss_of

NAMED = [
    pytest.param(kind, name, marks=pytest.mark.skipif(name in MONAI and not find_spec("monai"), reason="needs MONAI"))
    for kind, table in TABLES.items()
    for name in table
]
KINDS = {"scores": Output.SCORES, "mask": Output.MASK, "image": Output.IMAGE}
LABELS = ("a", "b")


def right(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if kind == "scores":
        return torch.tensor([0, 1, 1])
    if kind == "mask":
        first = (torch.rand(3, 1, 64, 64, generator=generator) > 0.8).float()
        return torch.cat((first, (1 - first) * (torch.rand(3, 1, 64, 64, generator=generator) > 0.5)), 1)
    return torch.rand(3, 3, 64, 64, generator=generator)


def said(kind: str, quality: float) -> Tensor:
    """Answers of a quality from -1 (wrong) over 0 (none) to 1 (right)."""
    target = right(kind)
    if kind == "scores":
        return 9 * quality * (torch.nn.functional.one_hot(target, 2).float() - 0.5)
    if kind == "mask":
        return 18 * quality * (target - 0.5)
    return target + (1 - quality) * (0.5 - target)


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_a_better_answer_has_a_smaller_loss(kind: str, name: str) -> None:
    loss = loss_of(name, KINDS[kind], LABELS)
    values = [float(loss(said(kind, quality), right(kind))) for quality in (-1, 0, 0.5, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 1e-3
    if name != "psnr":
        assert values[-1] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_every_loss_can_be_followed_downhill(kind: str, name: str) -> None:
    answer = said(kind, 0.1).requires_grad_()
    loss_of(name, KINDS[kind], LABELS)(answer, right(kind)).backward()
    assert answer.grad is not None
    assert bool(answer.grad.isfinite().all())
    assert float(answer.grad.abs().sum()) > 0


def test_losses_are_added_up() -> None:
    answer, target = said("mask", 0.3), right("mask")
    parts = [float(loss_of(name, Output.MASK, LABELS)(answer, target)) for name in ("dice", "bce", "dice+bce")]
    assert parts[2] == pytest.approx(parts[0] + parts[1])


def test_dice_is_one_less_the_dice_coefficient() -> None:
    target = torch.zeros(2, 1, 10, 10)
    target[0, :, :5] = 1  # 50 pixels
    answer = torch.full((2, 1, 10, 10), -30.0)
    answer[0, :, :, :5] = 30  # 50 pixels, of which 25 are right
    assert float(loss_of("dice", Output.MASK, ("a",))(answer, target)) == pytest.approx(0.5, abs=0.01)


def test_crops_without_an_object_are_no_failure() -> None:
    empty, answer = torch.zeros(2, 1, 16, 16), torch.full((2, 1, 16, 16), -20.0)
    for name in TABLES["mask"]:
        assert float(loss_of(name, Output.MASK, ("a",))(answer, empty)) < 0.02, name


def test_smoothing_and_weights_act() -> None:
    answer, target = said("scores", 1), right("scores")
    plain = float(loss_of("ce", Output.SCORES, LABELS)(answer, target))
    assert float(loss_of("ce", Output.SCORES, LABELS, smoothing=0.1)(answer, target)) > plain + 0.3
    halved = torch.tensor([[5.0, -5.0], [5.0, -5.0]])
    of_both = torch.tensor([0, 1])
    weighted = float(loss_of("ce", Output.SCORES, LABELS, weights=(1.9, 0.1))(halved, of_both))
    assert weighted == pytest.approx(0.05 * 10, abs=0.01)
    mask = torch.zeros(1, 2, 8, 8)
    wrong = torch.full((1, 2, 8, 8), -9.0)
    wrong[:, 1] = 9
    by_name = {
        n: float(loss_of(n, Output.MASK, LABELS, weights=(1.99, 0.01))(wrong, mask)) for n in ("bce", "focal", "l1")
    }
    assert all(value < 0.1 for value in by_name.values()), by_name


@pytest.mark.parametrize(
    ("name", "output", "more", "why"),
    [
        ("dicee", Output.MASK, {}, "no loss 'dicee' for mask; choose from dice"),
        ("dice", Output.SCORES, {}, "no loss 'dice' for scores; choose from ce, focal"),
        ("dice+", Output.MASK, {}, "no loss ''"),
        ("ce", Output.BOXES, {}, "bring their own loss"),
        ("dice", Output.MASK, {"smoothing": 0.1}, "does nothing to the loss dice"),
        ("l1", Output.IMAGE, {"weights": (1.0, 2.0)}, "weights of classes are for models with classes"),
        ("ce", Output.SCORES, {"weights": (1.0,)}, "weights of classes are for models with classes"),
    ],
)
def test_what_would_do_nothing_is_refused(name: str, output: Output, more: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        loss_of(name, output, LABELS, **more)  # type: ignore[arg-type]


def test_half_precision_does_not_overflow() -> None:
    target = torch.ones(1, 1, 600, 600)
    answer = torch.full((1, 1, 600, 600), 8.0, dtype=torch.float16)
    for name in ("dice", "bce", "tversky"):
        assert math.isfinite(float(loss_of(name, Output.MASK, ("a",))(answer, target)))


def test_a_class_with_many_pictures_must_be_surer() -> None:
    """Where nothing is known, the plain loss asks for the class's share, and the adjusted one does not."""
    shares = [math.log(0.9), math.log(0.1)]
    right = torch.tensor([0] * 9 + [1])
    for loss, expected in ((loss_of("ce", Output.SCORES, LABELS), math.log(9)), (None, (1 - ADJUSTED) * math.log(9))):
        answer = torch.zeros(2, requires_grad=True)
        made = loss or adjusted(loss_of("ce", Output.SCORES, LABELS), shares)
        optimizer = torch.optim.LBFGS([answer], max_iter=50)

        def closure(made: Loss = made, answer: Tensor = answer) -> Tensor:
            answer.grad = None
            value = made(answer.expand(10, 2), right)
            value.backward()
            return value

        optimizer.step(closure)
        assert float((answer[0] - answer[1]).detach()) == pytest.approx(expected, abs=1e-3)


def test_a_loss_of_a_library_that_is_not_there_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"the loss cldice needs MONAI; pip install 'imgai\[monai\]'"):
        loss_of("dice+cldice", Output.MASK, LABELS)
