"""Allow tests of libraries that import torchvision with a build of torch that torchvision does not support."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

_LIBRARIES: list[Any] = []


def declare_torchvision_operators() -> None:
    """Declare the two operators that torchvision needs during import, if its own compiled library cannot be loaded.

    torchvision wheels on the package index are built for torch with CUDA. With a CPU build of torch the compiled part
    cannot be loaded, and the import fails even if nothing of that part is used. For tests only.
    """
    if _LIBRARIES:
        return
    library: Any = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # torchvision's own operator exists
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARIES.append(library)  # the declarations live as long as the library object
