"""Prepare and run the part of one process in a training."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgai import trained
from imgai.console import Console
from imgai.errors import EXIT_INTERRUPTED, UsageError
from imgai.plugin import Model, Task, Trainable
from imgai.predict.device import multiplies_bfloat16, tune_allocator
from imgai.predict.foreign.community import bare, is_foreign
from imgai.registry import Registry, load_registry
from imgai.runs.signals import on_signal
from imgai.training import checkpoint
from imgai.training.average import Average
from imgai.training.batches import Batches, shrunk
from imgai.training.begin import Begun, batch_of, begin, spoiled_as
from imgai.training.clock import Clock
from imgai.training.dataset import Dataset
from imgai.training.finish import finish
from imgai.training.head import find_head, train_head
from imgai.training.log import Log
from imgai.training.loop import Learner, Loop, State, Unlearned
from imgai.training.losses import adjusted, loss_of
from imgai.training.optimizers import RATES, REST, make_optimizer
from imgai.training.order import SKEWED, class_weights, log_shares, skew_of
from imgai.training.out import About
from imgai.training.recorder import CHECKPOINT, Recorder
from imgai.training.settings import MINUTES, TrainOptions
from imgai.training.tell import Teller
from imgai.training.world import World

UNMEASURED = "unmeasured"
ENDED = ".ended"
"""The file in which the first of several processes leaves how it ended; UNMEASURED: without a model."""
_HEAD_ROUNDS = 2
"""The number of feature vectors per picture for a new head: of the picture, and of augmented versions."""
_HEAD_SHARE = 0.25
"""Of the minutes, that computing them may take."""


@dataclass(frozen=True)
class Job:
    """One training, as every process of it is given it.

    base: the model that it begins with, as it was named. going_on: from the checkpoint that is in the folder.
    sought: the checkpoint of the best short run of a search, whose weights it begins with; used: seconds before it.
    """

    task: str
    name: str
    base: str
    folder: Path
    options: TrainOptions
    dataset: Dataset
    going_on: bool
    remembered: dict[str, Any]
    sought: Path | None = None
    used: float = 0.0


def work(job: Job, quiet: bool, verbose: bool, world: World) -> None:
    """The part of one process in a training."""
    tune_allocator()
    console = Console(quiet=quiet or not world.first, verbose=verbose)
    teller = Teller(console, as_json=job.options.json and world.first)
    prepared, problem = prepare(job, load_registry(), world, teller), None
    with on_signal(_stopper(prepared.loop, teller)):
        teller.start()
        try:
            prepared.loop.run()
        except Unlearned as error:
            problem = error
        finally:
            teller.stop()
    if world.first:
        ending = prepared.loop.ending
        kept = finish(prepared, job, teller)
        (job.folder / ENDED).write_text(ending if kept or ending == "stopped" else UNMEASURED)
    if problem is not None:
        raise problem


@dataclass
class Prepared:
    """A training that is about to begin, or was just done."""

    begun: Begun
    about: About
    learner: Learner
    loop: Loop
    recorder: Recorder
    log: Log
    world: World


def prepare(job: Job, registry: Registry, world: World, teller: Teller) -> Prepared:
    """Build all that a training needs; train a new head; or take up a checkpoint."""
    options, dataset, device = job.options, job.dataset, world.device
    task, base = registry.task(job.task), registry.model(job.task, job.base)
    begun = begin(task, base, job.base, job.name, dataset, options, device)
    if task.inputs and any(example.target is not None for part in dataset.parts.values() for example in part):
        words = f"{task.name} is taught by clean pictures, into which holes are drawn"
        raise UsageError(words, f"{dataset.folder} holds pairs: name the folder of pictures as they should be")
    if is_foreign(base) and base.scale == 1:  # pictures are spoiled as for the task's own model
        begun = spoiled_as(begun, registry.members(job.task)[-1])
    elif begun.trainable.spoil is None and begun.model.scale > 1:
        begun = dataclasses.replace(begun, trainable=_shrinking(begun))
    network = begun.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    kept = checkpoint.load(job.folder / CHECKPOINT, device) if job.going_on else None
    fresh = State(batch=options.batch or _batch(begun, device, dataset), used=job.used)
    state = State(**kept["state"]) if kept else fresh
    make = partial(_batches, begun, dataset, options)
    data = make(state.batch)
    epoch = max(1, data.steps // world.size)
    clock = Clock(
        steps=options.epochs * epoch if options.epochs else None,
        minutes=options.minutes or (None if options.epochs else MINUTES),
        used=state.used,
    )
    loss = _loss(begun, dataset, options)
    learner = Learner(
        network=network,
        prepare=begun.trainable.predictor.preprocess,
        loss=loss,
        optimizer=_optimizer(begun, network, options),
        average=Average(network, moving=options.ema),
        precision=_precision(options.amp, device),
        l1=options.l1,
        seed=options.seed,
    )
    if kept:
        network.load_state_dict(kept["network"])
        learner.optimizer.load_state_dict(kept["optimizer"])
        learner.average.restore(kept["average"])
    elif job.sought is not None:
        before = checkpoint.load(job.sought, device)
        network.load_state_dict(before["average"])
        learner.average = Average(network, moving=options.ema)
    elif _head_first(begun, options, device):
        state.head = _train_head(learner, begun, make, clock, options, teller)
        learner.average = Average(network, moving=options.ema)
    about = About(begun, *_origin(registry, task, base), options.license, dataset)
    log = Log(job.folder if world.first else None, step=state.step, tensorboard=options.tensorboard)
    recorder = Recorder(job.folder, about, learner, registry, world, teller, log, job.remembered)
    knows = state.head > 0 or not begun.fresh or job.sought is not None
    loop = Loop(
        learner, make, clock, epoch, world, recorder, state, patience=options.patience, from_start=knows and not kept
    )
    return Prepared(begun, about, learner, loop, recorder, log, world)


def _shrinking(begun: Begun) -> Trainable:
    """Return the trainable with a `spoil` that downscales clean pictures, as validation does."""
    scale = begun.model.scale
    return dataclasses.replace(begun.trainable, spoil=lambda clean, generator: shrunk(clean, scale))


def _origin(registry: Registry, task: Task, base: Model) -> tuple[Model, str, str]:
    """The model whose code loads what comes of a training, and whose that is."""
    if is_foreign(base):
        assert base.weights is not None
        return bare(Path(base.weights.file), base.name, task), trained.FILE, base.weights.sha256[:12]
    owner = registry.owner(base)
    return registry.origin(base), owner.distribution, owner.version


def _batch(begun: Begun, device: torch.device, dataset: Dataset) -> int:
    return batch_of(begun.model, begun.size, device, len(dataset.parts["train"]))


def _batches(begun: Begun, dataset: Dataset, options: TrainOptions, batch: int) -> Batches:
    trainable = begun.trainable
    return Batches(
        dataset,
        "train",
        model=begun.model,
        size=begun.model.input_size or begun.size,
        batch=batch,
        augment=options.augment,
        names=trainable.augment,
        balance="none" if _adjusts(begun, dataset, options) else options.balance,
        seed=options.seed,
        target=trainable.target,
        spoil=trainable.spoil,
    )


def _loss(begun: Begun, dataset: Dataset, options: TrainOptions) -> Callable[[Any, Tensor], Tensor]:
    """The loss that was asked for, or the model's own."""
    loss = options.loss or begun.trainable.loss
    if not isinstance(loss, str):
        return loss
    adjusts = _adjusts(begun, dataset, options)
    weights = class_weights(dataset.parts["train"], len(dataset.labels)) if options.balance == "weights" else None
    made: Callable[[Any, Tensor], Tensor] = loss_of(
        loss, begun.task.output, dataset.labels, weights=weights, smoothing=options.label_smoothing
    )
    return adjusted(made, log_shares(dataset.parts["train"], len(dataset.labels))) if adjusts else made


def _adjusts(begun: Begun, dataset: Dataset, options: TrainOptions) -> bool:
    """Whether rare classes are evened out by the loss: of one class a picture, where nobody asks for other means.

    Of two classes cut to 6 of 60 pictures it found more than showing them as often as others did, which sees less of
    all others for it.
    """
    named = isinstance(options.loss or begun.trainable.loss, str)
    plain = options.balance == "auto" and dataset.output.value == "scores" and named
    return plain and skew_of(dataset.parts["train"]) >= SKEWED


def _optimizer(begun: Begun, network: nn.Module, options: TrainOptions) -> torch.optim.Optimizer:
    trainable = begun.trainable
    usual = trainable.rate or RATES["adamw"]
    rate = options.rate if options.rate is not None else usual * RATES[options.optimizer] / RATES["adamw"]
    learned = not begun.base.untrained
    return make_optimizer(
        options.optimizer,
        network,
        rate=rate,
        weight_decay=options.weight_decay,
        is_head=trainable.is_head if learned and begun.fresh else None,
        rest=REST if learned and begun.fresh else 1.0,
    )


def _precision(asked: str, device: torch.device) -> torch.dtype:
    """bfloat16 where it was asked for, or where it is faster."""
    if asked == "bf16":
        return torch.bfloat16
    fast = multiplies_bfloat16() if device.type == "cpu" else device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if asked == "auto" and fast else torch.float32


def _head_first(begun: Begun, options: TrainOptions, device: torch.device) -> bool:
    if begun.trainable.is_head is None or begun.base.untrained or not begun.fresh:
        return False
    return options.head_first if options.head_first is not None else device.type == "cpu"


def _train_head(
    learner: Learner,
    begun: Begun,
    make: Callable[[int], Batches],
    clock: Clock,
    options: TrainOptions,
    teller: Teller,
) -> int:
    """Train the new head on features that are computed once. Returns the steps that it took; 0 if it cannot be."""
    assert begun.trainable.is_head is not None
    head = find_head(learner.network, begun.trainable.is_head)
    if head is None:
        return 0
    teller.say("the head first, on features that are computed once")
    data, device = make(options.batch or 32), next(learner.network.parameters()).device

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(_HEAD_ROUNDS * data.steps):
            if clock.minutes is not None and step and clock.used > 60 * clock.minutes * _HEAD_SHARE:
                return
            images, targets = data.batch(step)
            yield learner.prepare(images.to(device)).contiguous(memory_format=torch.channels_last), targets.to(device)

    begun_at = time.monotonic()
    torch.manual_seed(options.seed)
    steps = train_head(
        learner.network, head, batches(), learner.loss, seed=options.seed, weight_decay=options.weight_decay
    )
    teller.event("head", steps=steps, seconds=round(time.monotonic() - begun_at, 1))
    return steps


def _stopper(loop: Loop, teller: Teller) -> Callable[[], None]:
    """Handle signals: the first stops the training after the current step, the second at once."""

    def stop() -> None:
        if loop.stopped:
            os._exit(EXIT_INTERRUPTED)
        loop.stop()
        teller.say("stopping; once more stops at once")

    return stop


def with_options(job: Job, **changes: Any) -> Job:
    """The same training with other options."""
    return dataclasses.replace(job, options=dataclasses.replace(job.options, **changes))
