"""The training loop: batch, loss, step, average, until the end of the schedule or an interruption."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from imgai.errors import ImgaiError
from imgai.training.average import Average
from imgai.training.clock import Clock, factor
from imgai.training.optimizers import set_rates
from imgai.training.world import World

EXPLODES = 8.0
"""Steps with a gradient norm larger than this multiple of the usual one are skipped."""
CLIP = 3.0
"""The clipping threshold, as a multiple of the usual gradient norm."""
FINE = 0.85
"""The part of a training on a CPU after which bfloat16 is left for float32: the last small steps are lost in it."""
_SETTLED = 50  # steps after which the usual gradient is known
_REPORT = 10  # steps between two lines of the log
_KEPT_EVERY = 120.0  # seconds between two checkpoints
_SHARE = 5.0  # how many times as long as a measurement is trained until the next one
_MEASUREMENTS = 20  # in a training by epochs
_AHEAD = 2  # batches that are made while a step is computed


class Unlearned(ImgaiError):
    """The loss is NaN, and returning to earlier weights did not help."""


class Batches(Protocol):
    """The interface of training data: a pure function of the step."""

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images ``(B, 3, h, w)`` in [0, 1] and what is right for them, on the CPU."""
        ...


@dataclass
class Learner:
    """The arguments of a training.

    network: the module whose parameters are stepped. prepare: images to what it takes. loss: of its answer as float32.
    precision: what the network computes in. l1: weight of the sum of absolute weights. clip: the greatest norm that a
    gradient keeps, besides what is usual: large first ones slow down Adam for long.
    """

    network: nn.Module
    prepare: Callable[[Tensor], Tensor]
    loss: Callable[[Any, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    average: Average
    precision: torch.dtype = torch.float32
    l1: float = 0.0
    seed: int = 0
    clip: float = math.inf


@dataclass
class State:
    """The state of a training, which is saved in checkpoints.

    step: how many are done. usual: the running mean of the gradient's norm. scale: of the rate, halved where it went
    back. best: the best score so far; since: measurements without a better one. measured: the step of the latest.
    head: steps that the head was trained alone. used: seconds. losses: since the latest line of the log.
    """

    step: int = 0
    usual: float = 0.0
    scale: float = 1.0
    went_back: bool = False
    skipped: int = 0
    batch: int = 0
    best: float | None = None
    since: int = 0
    measured: int = -1
    head: int = 0
    used: float = 0.0
    losses: list[float] = field(default_factory=list)


class Listener(Protocol):
    """Receives the events of the loop, on the first process."""

    def stepped(self, row: dict[str, Any], progress: float, left: float | None) -> None: ...

    def measure(self, state: State, epoch: float) -> float | None:
        """Measure the averaged weights, after so many epochs. Returns a score; larger is better."""
        ...

    def keep(self, state: State) -> None:
        """Write a checkpoint."""
        ...

    def warn(self, text: str) -> None: ...


@dataclass
class Loop:
    """Steps until the clock is at its end, a person stops it, or nothing gets better.

    batches: a batch size to the data. epoch: steps in a round of all pictures. patience: measurements without a better
    one that end it. from_start: it is measured before the first step too.
    """

    learner: Learner
    batches: Callable[[int], Batches]
    clock: Clock
    epoch: int
    world: World
    listener: Listener
    state: State
    patience: int | None = None
    from_start: bool = False
    stopped: bool = False
    ending: str = ""
    _snapshot: dict[str, Any] = field(default_factory=dict)
    _due: float = 0.0
    _kept: float = 0.0

    def stop(self) -> None:
        """Stop after the current step, with the best weights so far."""
        self.stopped = True

    def run(self) -> State:
        """Train. Raises Unlearned if the loss stays NaN; the best weights until then are kept.

        Numbers below float32's normal range count as 0 meanwhile: the momentum of a weight that gets no gradient any
        more shrinks into that range within some 1,700 steps, where CPUs compute a hundred times as slowly.
        """
        learner, state = self.learner, self.state
        call = self.world.wrap(learner.network)
        self._remember()
        self._schedule(0.0)
        self._kept = time.monotonic()
        if self.from_start and state.step == 0 and state.measured < 0:
            self._measure()
        data = _Ahead(self.batches(state.batch), state.step, self.world)
        torch.set_flush_denormal(True)
        try:
            while True:
                stop = self.stopped or (self.patience is not None and state.since >= self.patience)
                progress, stops, due = self.world.agree(
                    self.clock.progress(state.step), float(stop), float(self._is_due())
                )
                if due and state.measured != state.step:
                    self._measure()
                    continue
                if progress >= 1 or stops:
                    break
                try:
                    loss = self._step(call, data.take(state.step), progress)
                except RuntimeError as error:
                    if not _out_of_memory(error) or self.world.size > 1 or state.batch < 2:
                        raise
                    loss = None
                if loss is None:
                    data.close()
                    state.batch //= 2
                    self.listener.warn(f"out of memory; going on with batches of {state.batch}")
                    if torch.cuda.is_available():
                        torch.cuda.empty_cache()
                    learner.optimizer.zero_grad(set_to_none=True)
                    data = _Ahead(self.batches(state.batch), state.step, self.world)
                    continue
                state.step += 1
                self._report(loss, progress)
        finally:
            torch.set_flush_denormal(False)
            data.close()
        if state.measured != state.step and state.step:
            self._measure()
        self.ending = "stopped" if self.stopped else "patience" if stops else "done"
        return state

    def rehearse(self, batch: tuple[Tensor, Tensor]) -> None:
        """One step that is told nobody, to see how long it takes."""
        self._step(self.learner.network, batch, 0.0)

    def _step(self, call: Callable[..., Any], batch: tuple[Tensor, Tensor], progress: float) -> float:
        """One step. Returns the loss; NaN where the step was not taken."""
        learner, state = self.learner, self.state
        device = self.world.device
        torch.manual_seed((learner.seed * 1_000_003 + state.step) * 64 + self.world.rank)
        images, targets = (_moved(each, device) for each in batch)
        half = learner.precision is not torch.float32 and (device.type != "cpu" or progress < FINE)
        prepared = _in_channels(learner.prepare(images))
        with torch.autocast(device.type, learner.precision) if half else contextlib.nullcontext():
            answer = call(prepared)
        loss = learner.loss(_float32(answer), targets)
        learned = [each for each in learner.network.parameters() if each.requires_grad]
        whole = loss
        if learner.l1:
            whole = loss + learner.l1 * torch.stack([each.abs().sum() for each in learned if each.ndim > 1]).sum()
        learner.optimizer.zero_grad(set_to_none=True)
        whole.backward()
        most = CLIP * state.usual if state.usual and state.step > 0 else math.inf
        norm = float(nn.utils.clip_grad_norm_(learned, min(most, learner.clip)))
        value = float(loss.detach())
        # The norm is of the gradients of all processes together, so that all of them decide alike.
        if not math.isfinite(norm) or (self.world.size == 1 and not math.isfinite(value)):
            self._go_back()
            return math.nan
        if state.step >= _SETTLED and norm > EXPLODES * state.usual:
            state.skipped += 1
            return math.nan
        state.usual = norm if not state.usual else 0.98 * state.usual + 0.02 * min(norm, CLIP * state.usual)
        set_rates(learner.optimizer, state.scale * factor(progress, state.step))
        learner.optimizer.step()
        learner.average.update(state.step)
        return value

    def _go_back(self) -> None:
        """Take up the weights of the latest measurement, at half the rate; the second time, give up."""
        learner, state = self.learner, self.state
        if state.went_back:
            kept = "" if state.best is None else "; the best model so far is kept"
            raise Unlearned(
                "the loss is no number, and was none after going back once",
                f"use a lower --rate or another --loss{kept}",
            )
        learner.network.load_state_dict(self._snapshot["network"])
        learner.optimizer.load_state_dict(copy.deepcopy(self._snapshot["optimizer"]))
        learner.average.restore(self._snapshot["average"])
        state.went_back, state.usual, state.scale = True, 0.0, state.scale / 2
        self.listener.warn(f"the loss is no number at step {state.step}; going back to step {self._snapshot['step']}")

    def _remember(self) -> None:
        learner = self.learner
        self._snapshot = {
            "step": self.state.step,
            "network": {name: value.clone() for name, value in learner.network.state_dict().items()},
            "optimizer": copy.deepcopy(learner.optimizer.state_dict()),
            "average": {name: value.clone() for name, value in learner.average.state().items()},
        }

    def _is_due(self) -> bool:
        """Whether it is time to measure: after some epochs, or where minutes count, when enough time was trained."""
        state = self.state
        if state.step == 0:
            return False
        if self.clock.minutes is not None:
            return self.clock.used >= self._due
        assert self.clock.steps is not None
        epochs = max(1, round(self.clock.steps / self.epoch / _MEASUREMENTS))
        return state.step % (epochs * self.epoch) == 0

    def _schedule(self, took: float) -> None:
        """When the next measurement is due, after one that took so many seconds."""
        least = 60 * (self.clock.minutes or 0) / (2 * _MEASUREMENTS)
        self._due = self.clock.used + max(_SHARE * took, least)

    def _measure(self) -> None:
        state = self.state
        state.measured, state.used = state.step, self.clock.used
        if self.world.first:
            begun = time.monotonic()
            score = self.listener.measure(state, self._epochs)
            better = score is not None and (state.best is None or score > state.best)
            state.since = 0 if better else state.since + 1
            state.best = score if better else state.best
            self._schedule(time.monotonic() - begun)
            self._keep()
        self._remember()

    @property
    def _epochs(self) -> float:
        """How many epochs are done."""
        return round(self.state.step / self.epoch, 3)

    def _report(self, loss: float, progress: float) -> None:
        state = self.state
        if math.isfinite(loss):
            state.losses.append(loss)
        if not self.world.first:
            return
        row: dict[str, Any] = {}
        if state.step % _REPORT == 0 and state.losses:
            row = {
                "step": state.step,
                "epoch": self._epochs,
                "loss": round(sum(state.losses) / len(state.losses), 6),
                "rate": round(self.learner.optimizer.param_groups[0]["lr"], 9),
                "seconds": round(self.clock.used, 1),
            }
            state.losses.clear()
        self.listener.stepped(row, progress, self.clock.left(state.step))
        if time.monotonic() - self._kept > _KEPT_EVERY:
            self._keep()

    def _keep(self) -> None:
        self.state.used = self.clock.used
        self.listener.keep(self.state)
        self._kept = time.monotonic()


class _Ahead:
    """Batches made by a thread while steps are computed. With several processes, each takes its own."""

    def __init__(self, batches: Batches, step: int, world: World) -> None:
        self._batches = batches
        self._world = world
        self._pool = ThreadPoolExecutor(1, "batches")
        self._coming: dict[int, Future[tuple[Tensor, Tensor]]] = {}
        self._ask(step)

    def take(self, step: int) -> tuple[Tensor, Tensor]:
        self._ask(step)
        return self._coming.pop(step).result()

    def _ask(self, step: int) -> None:
        for number in range(step, step + 1 + _AHEAD):
            if number not in self._coming:
                place = number * self._world.size + self._world.rank
                self._coming[number] = self._pool.submit(self._batches.batch, place)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _moved(each: Any, device: torch.device) -> Any:
    """A tensor of a batch, or a tuple of them, on the device."""
    if isinstance(each, tuple):
        return tuple(_moved(inner, device) for inner in each)
    return each.to(device, non_blocking=True)


def _in_channels(images: Any) -> Any:
    """Convert the input of a network to channels-last memory format."""
    if isinstance(images, tuple):
        return tuple(_in_channels(each) for each in images)
    if isinstance(images, Tensor) and images.ndim == 4:
        return images.contiguous(memory_format=torch.channels_last)
    return images


def _float32(answer: Any) -> Any:
    """Convert a network's output, a tensor or a tuple, list or dict of tensors, to float32."""
    if isinstance(answer, Tensor):
        return answer.float() if answer.is_floating_point() else answer
    if isinstance(answer, (tuple, list)):
        return tuple(_float32(each) for each in answer)
    return {name: _float32(each) for name, each in answer.items()} if isinstance(answer, dict) else answer


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, so that sums are added up in the same order each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
