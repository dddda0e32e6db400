"""``imgai train --search N``: short runs with several learning rates and sizes; the best one continues."""

from __future__ import annotations

import dataclasses
import shutil
import time
from functools import partial
from typing import Any

import numpy as np
import torch

from imgai import hidden
from imgai.console import Console
from imgai.registry import load_registry
from imgai.trained import SUFFIX, declaration
from imgai.training.prepare import Job, prepare, with_options, work
from imgai.training.recorder import CHECKPOINT
from imgai.training.settings import MINUTES, remembered
from imgai.training.tell import Teller
from imgai.training.world import World, together

SOUGHT = ".sought.pt"
"""The file in which the best short run leaves its weights until the whole training has begun."""
SHARE = 0.25
"""Of the whole training, that all short runs take together."""
_SPREAD = 10.0
"""The factor between the default learning rate and the highest, and between the lowest and the default."""
_SIZES = (0.75, 1.0, 1.5)


def search(job: Job, devices: list[torch.device], teller: Teller) -> Job:
    """The training with the rate, and the size where nobody said one, that did best in short runs.

    It goes on from the weights of that run, which are left as SOUGHT in its folder; the time of all runs counts.
    """
    count, begun = job.options.search, time.monotonic()
    rng = np.random.default_rng((job.options.seed, 5))
    usual = _usual(job, devices)
    best: tuple[float, dict[str, Any]] | None = None
    for number in range(count):
        changes = _tried(number, count, usual, job, rng)
        with hidden.folder_for_a_while() as folder:
            score = _short(dataclasses.replace(job, folder=folder), changes, devices)
            if score is not None and (best is None or score > best[0]):
                best = (score, changes)
                shutil.copyfile(folder / CHECKPOINT, job.folder / SOUGHT)
        told = ", ".join(f"{name} {value:.3g}" for name, value in changes.items())
        teller.event("search", number=number + 1, of=count, score=score, **changes)
        teller.say(f"search {number + 1} of {count}: {told}: {'no figure' if score is None else f'{score:.4f}'}")
    if best is None:
        teller.warn("no short run gave a figure; the usual rate and size are taken")
        return job
    taken = with_options(job, **best[1])
    return dataclasses.replace(
        taken,
        remembered=remembered(taken.options),
        sought=job.folder / SOUGHT,
        used=time.monotonic() - begun,
    )


def _usual(job: Job, devices: list[torch.device]) -> tuple[float, int, bool]:
    """The rate and the size that are taken where nobody says, and whether the size may be chosen."""
    with hidden.folder_for_a_while() as folder:
        options = dataclasses.replace(job.options, head_first=False)
        trial = dataclasses.replace(job, folder=folder, options=options)
        quiet = Teller(Console(quiet=True))
        prepared = prepare(trial, load_registry(), World(devices[0]), quiet)
    rate = max(group["highest"] for group in prepared.learner.optimizer.param_groups)
    free = job.options.size is None and prepared.begun.base.input_size is None
    return rate, prepared.begun.size, free


def _tried(
    number: int, count: int, usual: tuple[float, int, bool], job: Job, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the changed options of one short run. Rates are spaced evenly on a log scale; the first is the default."""
    rate, size, free = usual
    others = count // 2 * 2  # an even number, so that none of them is the usual one
    place = 0.0 if number == 0 else 2 * (number - 0.5) / others - 1
    changes: dict[str, Any] = {"rate": float(rate * _SPREAD**place)}
    if free and number:
        changes["size"] = max(32, round(size * float(rng.choice(_SIZES)) / 32) * 32)
    return changes


def _short(job: Job, changes: dict[str, Any], devices: list[torch.device]) -> float | None:
    """Return the best score of a short run."""
    options, count = job.options, job.options.search
    ends: dict[str, Any] = {}
    if options.epochs:
        ends["epochs"] = max(1, round(SHARE * options.epochs / count))
    if options.minutes or not options.epochs:
        ends["minutes"] = SHARE * (options.minutes or MINUTES) / count
    trial = with_options(job, **changes, **ends, tensorboard=False, json=False)
    together(devices, partial(work, trial, True, False))
    path = job.folder / f"{job.name}{SUFFIX}"
    declared = declaration(path) if path.is_file() else None
    return None if declared is None else declared["score"]
