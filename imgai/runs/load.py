"""Load the models of a run, once for each device."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from imgai.bar import Bar
from imgai.kinds.passing import Passing
from imgai.options import Machine
from imgai.plural import counted
from imgai.predict.chain import Chain, Link
from imgai.predict.device import choose_devices
from imgai.predict.load import load
from imgai.predict.machine import place
from imgai.predict.spec import StepSpec
from imgai.predict.weights import bring, location

if TYPE_CHECKING:
    from imgai.console import Console


_PRECISIONS = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


def load_chains(specs: Sequence[StepSpec], machine: Machine, console: Console, *, max_pixels: int) -> list[Chain]:
    """A chain for each device. Says which models, devices and precision were taken.

    max_pixels: of the pictures that params name.
    """
    devices = choose_devices(machine.device)
    for spec in specs:
        _fetch(spec, console)
    specs = [dataclasses.replace(spec, max_pixels=max_pixels) for spec in specs]
    chains, ways = [], []
    for device in devices:
        chains.append(load_chain(specs, machine, device))
        for spec in specs:
            placement = place(machine, device, spec.models)
            ways.append(f"{_PRECISIONS[placement.precision]}, {placement.backend.name}")
            console.detail(f"{spec.task.name}/{spec.model_name} on {device}, {ways[-1]}")
    what = " | ".join(f"{spec.task.name}/{spec.model_name}" for spec in specs)
    names = ", ".join(dict.fromkeys(str(device) for device in devices))
    on_cpu = any(device.type == "cpu" for device in devices)
    threads = f", {counted(torch.get_num_threads(), 'thread')}" if on_cpu else ""
    console.say(f"{what} on {names} ({'; '.join(dict.fromkeys(ways))}{threads})")
    return chains


def load_chain(specs: Sequence[StepSpec], machine: Machine, device: torch.device) -> Chain:
    """The steps, and between them what becomes the picture of the next."""
    steps: list[Link] = []
    for spec in specs:
        steps.append(load(spec, place(machine, device, spec.models), quantized=spec is specs[-1]))
        if spec.passes is not None:
            steps.append(Passing(spec.passes, spec.name, keep=spec.keep is not None))
    return Chain(steps)


def _fetch(spec: StepSpec, console: Console) -> None:
    """Fetch the weights that are elsewhere, and show how far they have come. Raises PluginError if they cannot be."""
    for model in spec.all_models:
        if model.weights is not None and location(model.weights) is None:
            bar = Bar(f"weights of {spec.task.name}/{model.name}", console)
            try:
                bring(model.weights, bar.tell)
            finally:
                bar.end()
