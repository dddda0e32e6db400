"""``imgai train --dry-run``: what would be done, and how long an epoch takes."""

from __future__ import annotations

import dataclasses
import time

import torch

from imgai import hidden
from imgai.errors import EXIT_OK
from imgai.registry import load_registry
from imgai.training.prepare import Job, prepare, with_options
from imgai.training.settings import MINUTES
from imgai.training.tell import Teller
from imgai.training.world import World

_STEPS = 3


def rehearse(job: Job, devices: list[torch.device], teller: Teller) -> int:
    """Do a few steps in a folder that is removed, and tell."""
    with hidden.folder_for_a_while() as folder:
        trial = dataclasses.replace(with_options(job, head_first=False, minutes=1e6), folder=folder, going_on=False)
        prepared = prepare(trial, load_registry(), World(devices[0]), teller)
        loop = prepared.loop
        data = loop.batches(loop.state.batch)
        times = []
        for step in range(_STEPS):
            begun = time.monotonic()
            loop.rehearse(data.batch(step))
            times.append(time.monotonic() - begun)
    seconds = sorted(times)[_STEPS // 2]
    about, options = prepared.begun, job.options
    plan = {
        "from": job.base,
        "parameters": about.model.parameters,
        "learned": sum(each.numel() for each in about.network.parameters() if each.requires_grad),
        "labels": list(about.model.labels or ()),
        "size": about.size,
        "batch": loop.state.batch,
        "steps_an_epoch": loop.epoch,
        "seconds_a_step": round(seconds, 3),
        "seconds_an_epoch": round(seconds * loop.epoch, 3),
        "precision": str(prepared.learner.precision).removeprefix("torch."),
        "devices": [str(device) for device in devices],
    }
    teller.event("plan", **plan)
    if not options.json:
        for name, value in plan.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            teller.say(f"{name.replace('_', ' '):18} {shown}")
        ends = f"{options.minutes or MINUTES:g} minutes"
        if options.epochs:
            minutes = options.epochs * seconds * loop.epoch / 60
            ends = f"{options.epochs} epochs, about {minutes:.1f} minutes and the measurements"
        teller.say(f"{'ends after':18} {ends}")
    return EXIT_OK
