"""What lets libraries that import torchvision be tested on a torch that it was not built for."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

_LIBRARIES: list[Any] = []


def declare_torchvision_operators() -> None:
    """Declare the two operators that torchvision looks for while it is imported, where its own library did not load.

    A torchvision from a package index is built against a torch with CUDA; beside a CPU build its compiled part does not
    load, and importing it fails although nothing of that part is needed. For tests alone.
    """
    if _LIBRARIES:
        return
    library: Any = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # its own is there
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)  # what is declared goes with the library that declared it
