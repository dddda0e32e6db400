"""Loaded steps that can be called with a picture."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from imgai.errors import UsageError
from imgai.predict.normalize import AUTO

if TYPE_CHECKING:
    from imgai.library.result import Result
    from imgai.options import Machine, OutputOptions
    from imgai.predict.chain import Chain as Steps
    from imgai.predict.spec import StepSpec
    from imgai.registry import Registry


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a chain was made from.

    specs: the steps. outputs: how the last step's output is written. values: the option values of the last step.
    channel: the only channel that is used. dpi: the resolution of the pictures. None: as in the file.
    """

    specs: tuple[StepSpec, ...]
    outputs: OutputOptions
    values: dict[str, Any]
    registry: Registry
    channel: str | None = None
    dpi: float | None = None


class Chain:
    """Steps in order, made by `imgai.load`. It may be called from several threads at once.

    The first call loads the models; they stay loaded.
    """

    def __init__(self, asked: Asked, machine: Machine, max_pixels: int) -> None:
        self._asked = asked
        self._machine = machine
        self._max_pixels = max_pixels
        self._lock = Lock()
        self._steps: Steps | None = None

    def __repr__(self) -> str:
        steps = " | ".join(f"{spec.task.name} --model {spec.model_name}" for spec in self._asked.specs)
        return f"<imgai chain: {steps}>"

    def __call__(self, picture: Any, *, mask: Any = None) -> Result:
        """Run the steps on a picture of one page.

        picture: a path, the bytes of a file, a PIL image, an array ``(H, W[, C])`` or a tensor ``(3, H, W)``; uint8,
            uint16 or float in [0, 1].
        mask: for steps that take a mask, where to work: a picture of the same size that is white there, or a bool
            array or tensor ``(H, W)``. None: the mask given to `load`, else the transparent pixels.

        Raises UsageError for a file with several pages, InputError for a picture that cannot be read or predicted,
        PluginError for a model that cannot be loaded, DeviceError for a device that does not exist.
        """
        results = self._pages(picture, mask, alone=True)
        result = next(results, None)
        if result is None:
            raise UsageError("the file holds no picture")
        return result

    def pages(self, picture: Any, *, mask: Any = None) -> Iterator[Result]:
        """Run the steps on every page or frame of a picture, one at a time, when the result is requested.

        mask: has one page, or as many pages as the picture. Raises the same errors as a call.
        """
        return self._pages(picture, mask, alone=False)

    def _pages(self, picture: Any, mask: Any, *, alone: bool) -> Iterator[Result]:
        from imgai.images.channel import only
        from imgai.library.pages import masked, samples
        from imgai.library.result import Result

        specs = self._asked.specs
        if mask is not None and not any(spec.task.inputs for spec in specs):
            raise UsageError("none of the steps takes a mask", "leave out mask=")
        steps = self._loaded()
        begun = time.monotonic()
        ranged = any(spec.normalizes and spec.normalize == AUTO for spec in specs)
        pages = samples(picture, self._max_pixels, ranged=ranged)
        if self._asked.channel is not None:
            pages = only(pages, self._asked.channel)
        for sample in masked(pages, specs, mask, self._max_pixels):
            if alone and sample.source.pages > 1:
                words = f"{sample.source.name} has {sample.source.pages} pages"
                raise UsageError(words, "take them one by one: for result in chain.pages(x)")
            if (dpi := self._asked.dpi) is not None:
                sample.metadata = dataclasses.replace(sample.metadata, dpi=(dpi, dpi))
            result = steps(sample)
            size = sample.metadata.full or (sample.height, sample.width)
            yield Result(self._asked, result, size, time.monotonic() - begun)
            begun = time.monotonic()

    def _loaded(self) -> Steps:
        """Return the loaded models; the first call loads them."""
        with self._lock:
            if self._steps is None:
                self._steps = _load(self._asked.specs, self._machine)
            return self._steps


def _load(specs: Sequence[StepSpec], machine: Machine) -> Steps:
    from imgai.predict.device import choose_devices, settle_math, tune_allocator

    tune_allocator()
    settle_math()  # the chain may be called from several threads
    from imgai.runs.load import load_chain

    return load_chain(specs, machine, choose_devices(machine.device)[0])
