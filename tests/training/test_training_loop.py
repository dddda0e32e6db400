"""The loop: what it does where a loss explodes, is no number, or memory runs out; and what is around it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgai.errors import UsageError
from imgai.training.average import Average
from imgai.training.clock import Clock, factor
from imgai.training.head import find_head, train_head
from imgai.training.log import Log
from imgai.training.loop import Learner, Loop, State, Unlearned
from imgai.training.optimizers import RATES, make_optimizer, orthogonal
from imgai.training.world import World


class Data:
    """Numbers whose sign is to be told."""

    def __init__(self, batch: int) -> None:
        self.size = batch

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(self.size, 3, 4, 4, generator=generator)
        return images, (images.mean((1, 2, 3)) > 0).long()


class Ear:
    """Hears the loop; the score is what it is given, one after the other."""

    def __init__(self, scores: list[float] | None = None) -> None:
        self.scores, self.measured, self.warnings, self.rows = scores, 0, [], []
        self.epochs: list[float] = []

    def stepped(self, row: dict[str, Any], progress: float, left: float | None) -> None:
        self.rows += [row] if row else []

    def measure(self, state: State, epoch: float) -> float | None:
        self.measured += 1
        self.epochs.append(epoch)
        return self.scores.pop(0) if self.scores else float(self.measured)

    def keep(self, state: State) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))


def loop(
    ear: Ear,
    *,
    steps: int = 60,
    optimizer: str = "adamw",
    loss: Callable[[Any, Tensor], Tensor] = nn.functional.cross_entropy,
    make: Callable[[int], Any] = Data,
    **more: Any,
) -> Loop:
    net = network()
    learner = Learner(
        network=net,
        prepare=lambda images: images,
        loss=loss,
        optimizer=make_optimizer(optimizer, net, rate=RATES[optimizer] * 3, weight_decay=0.0),
        average=Average(net),
    )
    clock = Clock(steps=steps, minutes=None)
    return Loop(learner, make, clock, 10, World(torch.device("cpu")), ear, State(batch=8), **more)


@pytest.mark.parametrize("optimizer", RATES)
def test_the_loss_falls_with_every_optimizer(optimizer: str) -> None:
    ear = Ear()
    state = loop(ear, steps=120, optimizer=optimizer).run()
    assert state.step == 120
    assert ear.rows[-1]["loss"] < 0.9 * ear.rows[0]["loss"], [row["loss"] for row in ear.rows]


@pytest.mark.parametrize("optimizer", RATES)
def test_a_network_that_is_good_stays_good_with_every_optimizer(optimizer: str) -> None:
    """Its gradients are small, so that a decay of 0.01 which is added to them is all that Adam would follow."""
    generator = torch.Generator().manual_seed(1)
    net = network()
    images = torch.rand(64, *Data(1).batch(0)[0].shape[1:], generator=generator)
    right = net(images).detach()
    made = make_optimizer(optimizer, net, rate=RATES[optimizer], weight_decay=None)
    for _ in range(200):
        made.zero_grad()
        nn.functional.mse_loss(net(images), right + 0.01 * torch.randn(right.shape, generator=generator)).backward()
        made.step()
    lost = nn.functional.mse_loss(net(images).detach(), right) / right.var()
    assert float(lost) < 0.01


def test_a_step_that_explodes_is_not_taken() -> None:
    calls = 0

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return nn.functional.cross_entropy(output, target) * (1e4 if calls == 55 else 1)

    state = loop(Ear(), loss=loss).run()
    assert state.skipped == 1
    assert not state.went_back


def test_a_loss_that_is_no_number_goes_back_once_and_then_stops() -> None:
    calls, wrong = 0, {25}

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return nn.functional.cross_entropy(output, target) * (math.nan if calls in wrong else 1)

    ear = Ear()
    state = loop(ear, loss=loss).run()
    assert state.went_back
    assert state.step == 60
    assert state.scale == 0.5
    assert "going back to step 20" in ear.warnings[0]
    calls, wrong = 0, {25, 30}
    with pytest.raises(Unlearned, match="the best model so far is kept"):
        loop(Ear(), loss=loss).run()


def test_out_of_memory_halves_the_batch() -> None:
    class Large(Data):
        def batch(self, step: int) -> tuple[Tensor, Tensor]:
            return super().batch(step)

    def loss(output: Tensor, target: Tensor) -> Tensor:
        if len(output) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return nn.functional.cross_entropy(output, target)

    ear = Ear()
    state = loop(ear, loss=loss, make=Large).run()
    assert state.batch == 2
    assert state.step == 60
    assert len(ear.warnings) == 2


def test_events_for_tensorboard_hold_what_the_log_holds(tmp_path: Path) -> None:
    board = pytest.importorskip("tensorboardX")
    log = Log(tmp_path, tensorboard=True)
    log.add({"step": 10, "loss": 0.5, "rate": 0.01})
    log.add({"step": 20, "score": 0.75, "note": "no number"})
    log.close()
    (path,) = (tmp_path / "events").iterdir()
    content, found = path.read_bytes(), {}
    while content:  # each record: its length in 8 bytes, 4 of a checksum, itself, 4 of a checksum
        size = int.from_bytes(content[:8], "little")
        event = board.proto.event_pb2.Event.FromString(content[12 : 12 + size])
        found.update({(event.step, value.tag): value.simple_value for value in event.summary.value})
        content = content[16 + size :]
    assert found == pytest.approx({(10, "loss"): 0.5, (10, "rate"): 0.01, (20, "score"): 0.75})


def test_a_full_disk_costs_no_line_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path)
    log.add({"step": 1, "loss": 0.5})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        log.add({"step": 2, "loss": 0.4})
    log.add({"step": 3, "loss": 0.3})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]


def test_momentum_that_dies_away_slows_no_step() -> None:
    """The momentum of weights without a gradient becomes a number below float32's normal range, which CPUs are slow
    with: it counts as 0 while it trains, and the process computes as before afterwards."""
    tiny = torch.tensor([1e-30])
    seen: list[float] = []

    def loss(answer: Tensor, target: Tensor) -> Tensor:
        seen.append(float(tiny * 1e-10))
        return nn.functional.cross_entropy(answer, target)

    loop(Ear(), steps=2, loss=loss).run()
    assert seen == [0.0, 0.0]
    assert float(tiny * 1e-10) > 0


def test_patience_ends_it_and_the_best_counts() -> None:
    ear = Ear([0.1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    run = loop(ear, steps=1000, patience=3)
    run.clock = Clock(steps=1000, minutes=None)
    state = run.run()
    assert state.best == 0.5
    assert ear.measured == 5
    assert run.ending == "patience"


def test_time_that_was_used_goes_on_counting() -> None:
    now = 100.0
    clock = Clock(steps=None, minutes=1, used=30, now=lambda: now)
    assert clock.progress(0) == 0.5
    now = 130.0
    assert clock.progress(5) == 1.0
    both = Clock(steps=10, minutes=1, now=lambda: now)
    assert both.progress(5) == 0.5, "whichever ends first"


def test_by_the_clock_it_is_measured_within_an_epoch_that_takes_long() -> None:
    ticks = iter(range(10**6))
    ear = Ear()
    run = loop(ear)
    run.epoch = 10**6
    run.clock = Clock(steps=None, minutes=2, now=lambda: 0.5 * next(ticks))
    run.run()
    assert ear.measured > 5


def test_each_measurement_is_told_its_own_epoch_also_between_two_lines_of_the_log() -> None:
    ear = Ear()
    run = loop(ear)
    run.epoch = 3
    run.run()
    assert ear.epochs == [float(number) for number in range(1, 21)]


def test_the_rate_rises_and_falls() -> None:
    factors = [factor(step / 100, step) for step in range(101)]
    assert factors[0] == pytest.approx(0.02)
    assert max(factors) == max(factors[4:7]), "a short training rises in a twentieth of its steps"
    assert factors[-1] == pytest.approx(0.01)
    assert factor(0.001, 49) > 0.99, "a long one in fifty"


def test_an_orthogonal_matrix_keeps_its_directions() -> None:
    torch.manual_seed(0)
    for shape in ((6, 20), (20, 6)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert float(values.min()) > 0.6
        assert float(values.max()) < 1.3


def test_the_head_has_the_full_rate_and_the_rest_a_tenth() -> None:
    net = network()
    optimizer = make_optimizer(
        "adamw", net, rate=1.0, weight_decay=0.1, is_head=lambda name: name.startswith("3."), rest=0.1
    )
    rates = {id(value): group["highest"] for group in optimizer.param_groups for value in group["params"]}
    decays = {id(value): group["weight_decay"] for group in optimizer.param_groups for value in group["params"]}
    named = dict(net.named_parameters())
    assert {name: rates[id(value)] for name, value in named.items()} == {
        "0.weight": 0.1, "0.bias": 0.1, "3.weight": 1.0, "3.bias": 1.0,
    }  # fmt: skip
    assert {name: decays[id(value)] > 0 for name, value in named.items()} == {
        "0.weight": True, "0.bias": False, "3.weight": True, "3.bias": False,
    }  # fmt: skip
    with pytest.raises(UsageError, match="there is no optimizer 'lion'; it is one of adamw"):
        make_optimizer("lion", net, rate=1.0, weight_decay=0.0)


def test_a_head_is_trained_alone_on_features() -> None:
    net = network()
    head = find_head(net, lambda name: name.startswith("3."))
    assert head is net[3]  # type: ignore[index]
    before = net[0].weight.clone()  # type: ignore[index]
    data = Data(16)
    images, targets = Data(320).batch(1000)
    untrained = float(nn.functional.cross_entropy(net(images), targets).detach())
    steps = train_head(net, head, (data.batch(step) for step in range(20)), nn.functional.cross_entropy, seed=0)
    assert steps > 0
    assert torch.equal(before, net[0].weight)  # type: ignore[index]
    assert float(nn.functional.cross_entropy(net(images), targets).detach()) < 0.95 * untrained
    assert find_head(net, lambda name: name in ("0.weight", "3.weight")) is None


def test_a_head_whose_answer_is_not_the_networks_is_left_alone() -> None:
    net = nn.Sequential(network(), nn.Softmax(1))
    head = find_head(net, lambda name: name.startswith("0.3."))
    assert head is not None
    assert train_head(net, head, iter([Data(4).batch(0)]), nn.functional.cross_entropy, seed=0) == 0
