"""Choose devices and precisions, and tune the allocator for CPUs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from imgai.errors import DeviceError

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device of this machine; memory in bytes, None where it is not known."""

    name: str
    what: str
    total: int | None
    free: int | None


def tune_allocator() -> None:
    """Make glibc keep the large blocks that tensors free, for the next layer to use again.

    By default each is returned to the kernel at once, and the page faults of the next cost more than
    its arithmetic. Call before torch allocates. Does nothing where the allocator is another one.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    # What one thread frees the others must be able to use, or each keeps a store of large blocks of its own.
    libc.mallopt(_M_ARENA_MAX, 2)


def settle_math() -> None:
    """Let MKL choose its code for this processor, on one thread.

    Its vector functions (square roots, exponentials, logarithms) choose at the first call of one of them, without a
    lock: a thread that calls one while another chooses may get code of lower accuracy, and so other pixels than the
    next run. Call before threads are started that compute.
    """
    torch.ones(1).sqrt_()


def keep_to_one_core() -> None:
    """Let torch compute on one thread, in this thread and in those that are started from now on."""
    torch.set_num_threads(1)


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Give this thread's share of torch's threads back at the end: each thread has a count of its own."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_devices(asked: str = "auto") -> list[torch.device]:
    """The devices that a run uses: "auto", or names joined by commas ("cuda:0,cuda:1", "cpu", "mps").

    Raises DeviceError for a device that this machine does not have: it never falls back to the CPU.
    """
    if asked == "auto":
        if torch.cuda.is_available():
            return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
        return [torch.device("mps" if torch.backends.mps.is_available() else "cpu")]
    return [_device(name.strip()) for name in asked.split(",")]


def choose_precision(asked: str, device: torch.device, *, bfloat16: bool = False) -> torch.dtype:
    """The dtype that a network is run in: "auto", "fp32", "fp16" or "bf16".

    "auto" is fp16 on a CUDA device with tensor cores (compute capability 7 or later), bf16 on a CPU that
    has instructions for it if the network bears it (`bfloat16`), and fp32 elsewhere: on a CPU without
    them half precision is several times slower.
    """
    if asked == "auto":
        if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 7:
            return torch.float16
        return torch.bfloat16 if device.type == "cpu" and bfloat16 and multiplies_bfloat16() else torch.float32
    try:
        precision = _PRECISIONS[asked]
    except KeyError:
        raise DeviceError(f"--precision cannot be {asked!r}", f"it is auto, {', '.join(_PRECISIONS)}") from None
    if precision is torch.float16 and device.type == "cpu":
        raise DeviceError("the CPU has no fp16", "leave --precision at auto, or use bf16 or fp32")
    return precision


def devices() -> list[DeviceInfo]:
    """Every device that ``--device`` takes here."""
    infos = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        infos.append(DeviceInfo(f"cuda:{index}", torch.cuda.get_device_name(index), total, free))
    if torch.backends.mps.is_available():
        infos.append(DeviceInfo("mps", "Apple GPU", None, None))
    total_memory, free_memory = _machine_memory()
    infos.append(DeviceInfo("cpu", f"{os.cpu_count()} cores, {platform.machine()}", total_memory, free_memory))
    return infos


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise _absent(name) from None
    if device.type == "cpu" and device.index in (None, 0):
        return torch.device("cpu")
    if device.type == "cuda" and torch.cuda.is_available():
        index = device.index if device.index is not None else torch.cuda.current_device()
        if index < torch.cuda.device_count():
            return torch.device("cuda", index)
    if device.type == "mps" and torch.backends.mps.is_available():
        return device
    raise _absent(name)


def _absent(name: str) -> DeviceError:
    there = ", ".join(device.name for device in devices())
    build = "" if torch.version.cuda or not name.startswith("cuda") else "; this torch is built without CUDA"
    return DeviceError(f"there is no device {name!r}{build}", f"--device takes auto or {there}; see: imgai doctor")


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions that multiply bfloat16 (AVX512-BF16, AMX)."""
    ask = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch cannot say
    capabilities = ask() if ask else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _machine_memory() -> tuple[int | None, int | None]:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total, unused = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None, None
    # Linux fills unused memory with copies of files, which it drops when a program asks for memory.
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return total, int(line.split()[1]) * 1024
    return total, unused
