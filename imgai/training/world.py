"""The processes that train together, each on a device of its own; one process is the usual case.

Gradients are averaged by torch's DistributedDataParallel (Li et al., VLDB 2020). What depends on the clock or on a
signal is decided by the first process and told to the others, so that all of them do the same steps.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
from torch import nn

from imgai.errors import ImgaiError
from imgai.runs.signals import on_signal

_WAIT = timedelta(hours=2)
"""The time limit for other processes to wait while the first one validates."""


class World:
    """This process among those that train. rank: its number; size: how many there are."""

    def __init__(self, device: torch.device, rank: int = 0, size: int = 1) -> None:
        self.device = device
        self.rank = rank
        self.size = size

    @property
    def first(self) -> bool:
        """Whether this is the process that decides, measures and writes."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> Callable[..., Any]:
        """The network as it is called in a step."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def agree(self, *values: float) -> tuple[float, ...]:
        """The values of the first process."""
        if self.size == 1:
            return values
        told = torch.tensor(values, dtype=torch.float64, device=self.device if self.device.type == "cuda" else "cpu")
        torch.distributed.broadcast(told, 0)
        return tuple(told.tolist())


def together(devices: list[torch.device], work: Callable[[World], None]) -> None:
    """Do the work on every device at once, one process each; on one device in this process.

    work: can be pickled, where there are several devices. What a process raises is raised.
    """
    if len(devices) == 1:
        work(World(devices[0]))
        return
    from torch.multiprocessing.spawn import ProcessException, spawn

    threads = max(1, torch.get_num_threads() // sum(device.type == "cpu" for device in devices) or 1)
    try:
        with on_signal(lambda: None):  # the processes hear it themselves
            spawn(_one, (devices, _free_port(), work, threads), nprocs=len(devices), join=True)
    except ProcessException as error:
        last = str(error).strip().splitlines()[-1]
        raise ImgaiError(f"a process of the training ended: {last}", "see what it said above") from error


def _one(rank: int, devices: list[torch.device], port: int, work: Callable[[World], None], threads: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    device = devices[rank]
    if device.type == "cuda":
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(threads)
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, rank=rank, world_size=len(devices), timeout=_WAIT)
    try:
        work(World(device, rank, len(devices)))
    finally:
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
