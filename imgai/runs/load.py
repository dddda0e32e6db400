"""Load the models of a run, once for each device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from imgai.options import Machine
from imgai.predict.chain import Chain
from imgai.predict.device import choose_devices, choose_precision
from imgai.predict.load import load_scaling, load_step
from imgai.predict.scaling import Scaling
from imgai.predict.spec import StepSpec
from imgai.predict.step import Step

if TYPE_CHECKING:
    from imgai.console import Console


def load_chains(specs: Sequence[StepSpec], machine: Machine, console: Console) -> list[Chain]:
    """A chain for each device. Says which devices and precision were taken."""
    devices = choose_devices(machine.device)
    chains = []
    for device in devices:
        steps = []
        for spec in specs:
            bfloat16 = all(model.bfloat16 for model in spec.models)
            precision = choose_precision(machine.precision, device, bfloat16=bfloat16)
            steps.append(_load_one(spec, device, precision, machine, last=spec is specs[-1]))
            words = f"{str(precision).removeprefix('torch.')}, {torch.get_num_threads()} threads"
            console.detail(f"{spec.task.name}/{spec.model_name} on {device}, {words}")
        chains.append(Chain(steps))
    names = ", ".join(dict.fromkeys(str(device) for device in devices))
    console.say(f"on {names}")
    return chains


def _load_one(
    spec: StepSpec, device: torch.device, precision: torch.dtype, machine: Machine, *, last: bool
) -> Step | Scaling:
    about: dict[str, Any] = {
        "params": spec.params,
        "model_params": spec.model_params,
        "device": device,
        "precision": precision,
        "batch": machine.batch,
        "tile": machine.tile,
        "name": spec.name,
        "quantized": last,
    }
    if spec.size is not None:
        return load_scaling(spec.task, spec.models, spec.size, **about)
    return load_step(spec.task, spec.model, explain=spec.explain, **about)
