"""Training with batches made by a script, which uses the loop of ``imgai train``. Shipped models were trained so.

A script has its data, its network and its loss; the clock, the optimizer, the average, the log, the checkpoint and
what is done about steps that explode are the loop's.

    parser = argparse.ArgumentParser()
    add_options(parser, rate=4e-3)
    learn(network, batch, loss, parser.parse_args(), name="photo", measure=measure)
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as serialized
from torch import Tensor, nn

from imgai.console import Console
from imgai.errors import InputError
from imgai.predict.device import multiplies_bfloat16, tune_allocator
from imgai.runs.commit import commit
from imgai.runs.signals import on_signal
from imgai.training import checkpoint
from imgai.training.average import Average
from imgai.training.clock import Clock
from imgai.training.log import Log
from imgai.training.loop import Learner, Loop, State
from imgai.training.optimizers import make_optimizer
from imgai.training.recorder import CHECKPOINT
from imgai.training.settings import OPTIMIZERS
from imgai.training.tell import Teller
from imgai.training.world import World

Batch = Callable[[np.random.Generator, float], tuple[Any, Any]]
"""Makes a batch of a step: random numbers that follow from the seed and the step, and how far the training is (0 to 1),
to what the network takes and what the loss compares with; each a tensor or a tuple of tensors, on the CPU."""
_MEASUREMENTS = 20  # in a training by steps


def add_options(
    parser: argparse.ArgumentParser,
    *,
    rate: float,
    minutes: float = 40,
    batch: int = 8,
    optimizer: str = "muon",
    amp: str = "auto",
    needs_out: bool = True,
) -> None:
    """Declare what every such script is told. The values are the defaults; the minutes those without --steps.

    needs_out: False for a script that does other things, too, which need no folder.
    """
    parser.set_defaults(usual_minutes=minutes)
    group = parser.add_argument_group("the training")
    group.add_argument(
        "--out", type=Path, required=needs_out, help="folder for the weights, log.jsonl and checkpoint.pt"
    )
    group.add_argument("--minutes", type=float, help=f"end after this long; {minutes:g} without --steps")
    group.add_argument("--steps", type=int, help="end after this many steps, if --minutes have not ended it")
    group.add_argument("--batch", type=int, default=batch, help="pictures in a step")
    group.add_argument("--rate", type=float, default=rate, help="the highest learning rate")
    group.add_argument("--optimizer", choices=OPTIMIZERS, default=optimizer)
    group.add_argument("--amp", choices=("auto", "bf16", "off"), default=amp, help="bfloat16 where it is faster")
    group.add_argument("--seed", type=int, default=1)
    group.add_argument("--threads", type=int, default=1)
    group.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")


def halved(network: nn.Module) -> dict[str, Tensor]:
    """The weights of a network in half precision."""
    return {name: value.half().contiguous() for name, value in network.state_dict().items()}


def learn(
    network: nn.Module,
    batch: Batch,
    loss: Callable[[Any, Any], Tensor],
    options: argparse.Namespace,
    *,
    name: str,
    measure: Callable[[nn.Module], Mapping[str, Any]] = lambda _: {},
    tensors: Callable[[Any], Mapping[str, Tensor]] = halved,
    weight_decay: float | None = None,
    is_head: Callable[[str], bool] | None = None,
    rest: float = 1.0,
    clip: float = math.inf,
) -> State:
    """Train until the minutes or the steps are over, or a person stops it.

    loss: of what the network said, in float32. options: those of `add_options`.
    name: of the file of weights in OUT, written at every measurement. measure: figures of the averaged network, for the
    log. tensors: what is saved of it. is_head: parameters by name that have the whole rate where others have `rest` of
    it; None: all have it. weight_decay: None is that of the optimizer. clip: the greatest norm of a gradient.
    Parameters that require no gradient stay as they are.

    Raises Unlearned where the loss stays no number, UsageError for a checkpoint that cannot be read.
    """
    tune_allocator()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    half = options.amp == "bf16" or (options.amp == "auto" and multiplies_bfloat16())
    learner = Learner(
        network=network,
        prepare=lambda images: images,
        loss=loss,
        optimizer=make_optimizer(
            options.optimizer, network, rate=options.rate, weight_decay=weight_decay, is_head=is_head, rest=rest
        ),
        average=Average(network),
        precision=torch.bfloat16 if half else torch.float32,
        seed=options.seed,
        clip=clip,
    )
    state = State(batch=options.batch)
    if options.resume:
        kept = checkpoint.load(out / CHECKPOINT, torch.device("cpu"))
        state = State(**kept["state"])
        network.load_state_dict(kept["network"])
        learner.optimizer.load_state_dict(kept["optimizer"])
        learner.average.restore(kept["average"])
    minutes = options.minutes or (None if options.steps else options.usual_minutes)
    clock = Clock(steps=options.steps, minutes=minutes, used=state.used)
    teller = Teller(Console())
    listener = _Writer(out, name, learner, measure, tensors, Log(out, step=state.step), teller)
    data = _Made(batch, options.seed, clock)
    epoch = max(1, (options.steps or 0) // _MEASUREMENTS)
    loop = Loop(learner, lambda _: data, clock, epoch, World(torch.device("cpu")), listener, state)
    with on_signal(loop.stop):
        teller.start()
        try:
            return loop.run()
        finally:
            teller.stop()


@dataclasses.dataclass(frozen=True)
class _Made:
    """Batches by the number of the step."""

    make: Batch
    seed: int
    clock: Clock

    def batch(self, step: int) -> tuple[Any, Any]:
        return self.make(np.random.default_rng((self.seed, step)), self.clock.progress(step))


@dataclasses.dataclass
class _Writer:
    """Hears the loop, and writes the weights, the log and the checkpoint."""

    out: Path
    name: str
    learner: Learner
    figures: Callable[[nn.Module], Mapping[str, Any]]
    tensors: Callable[[Any], Mapping[str, Tensor]]
    log: Log
    teller: Teller

    def stepped(self, row: dict[str, Any], progress: float, left: float | None) -> None:
        if row:
            self.log.add(row)
        self.teller.stepped(row, progress, left)

    def measure(self, state: State, epoch: float) -> None:
        average = self.learner.average.network
        content = serialized({name: value.detach().contiguous() for name, value in self.tensors(average).items()})
        commit(self.out / f"{self.name}.safetensors", lambda file: file.write(content))
        row = {"step": state.step, "seconds": round(state.used, 1), **self.figures(average)}
        self.log.add(row)
        self.teller.say(json.dumps(row))

    def keep(self, state: State) -> None:
        learner = self.learner
        content = {
            "state": dataclasses.asdict(state),
            "network": learner.network.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "average": learner.average.state(),
        }
        try:
            checkpoint.save(self.out / CHECKPOINT, content)
        except InputError as error:  # a disk that is full ends no training
            self.warn(f"no checkpoint: {error}")

    def warn(self, text: str) -> None:
        self.teller.warn(text)
