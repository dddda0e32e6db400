"""A step: one model with batching, padding, tiling and checks around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from imgai.apart import is_interrupt, words_of
from imgai.errors import InputError, PluginError
from imgai.images.depth import to_float
from imgai.outputs import StepContext, output_of
from imgai.outputs.base import Place
from imgai.plugin import Model, Task
from imgai.predict.machine import CPU, Placement
from imgai.predict.masked import masked
from imgai.predict.tiling import Blender
from imgai.predict.work import Item, TiledWork, WholeWork, Work, failed, make_grid
from imgai.sample import Failure, Sample

_BATCH = {"cpu": 4, "mps": 4, "cuda": 16}
_SMALLEST_TILE = 32
_WITHOUT_CUDA = (
    "not compiled with CUDA",
    "Found no NVIDIA driver",
    "No CUDA GPUs are available",
    "CUDA driver version is insufficient",
    "Attempting to deserialize object on a CUDA device",
)
"""Messages of torch if CUDA is requested but not available."""


class Step:
    """One loaded model as ``Sample -> Sample``.

    members: the model, with further models of the same task where `choose` says which of them takes a sample (by its
        index; None for none of them: it passes as it is).
    batch: the most work items that are predicted at once; halved when memory runs out, then `tile` is.
    """

    def __init__(
        self,
        task: Task,
        members: Sequence[StepContext],
        placement: Placement = CPU,
        *,
        choose: Callable[[Sample], int | None] = lambda sample: 0,
    ) -> None:
        first, device = members[0], placement.device
        self.task = task
        self.name = first.name
        self.model = first.model
        self.predictor = first.predictor
        self.device = device
        self.precision = placement.precision
        self.batch = placement.batch or _BATCH.get(device.type, 4)
        self.tile = placement.tile or first.model.tile
        self._members = tuple(members)
        self._networks = {
            id(member): placement.backend.prepare(member.model, member.predictor.network, device) for member in members
        }
        self._choose = choose
        self._output = output_of(task.output)

    def __call__(self, sample: Sample) -> Sample:
        """Predict one sample. Raises the error if it fails."""
        result = next(self.stream([sample]))
        if isinstance(result, Failure):
            raise result.error
        assert result is not None  # None is returned only for None
        return result

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Predict samples in order, work items of several of them in one batch.

        Samples are requested when needed and returned when finished, so that memory
        holds a batch of work items and the samples they belong to. A `Failure` is passed on. None
        means that no sample is available: pending items are predicted without waiting for a full
        batch, and None is passed on.
        """
        open_: deque[Work | Sample | Failure] = deque()
        pending: list[Item] = []
        for sample in samples:
            if sample is None:
                if pending:
                    self._predict(pending)
                    pending = []
            elif isinstance(sample, Failure):
                open_.append(sample)
            else:
                work = self._begin(sample)
                open_.append(work)
                for item in work.items() if isinstance(work, Work) and work.error is None else ():
                    if pending and not _alike(pending[0], item):
                        self._predict(pending)
                        pending = []
                    pending.append(item)
                    if len(pending) >= self.batch:
                        self._predict(pending)
                        pending = []
            yield from self._finished(open_)
            if sample is None:
                yield None
        if pending:
            self._predict(pending)
        yield from self._finished(open_)

    def _begin(self, sample: Sample) -> Work | Sample | Failure:
        index = self._choose(sample)
        if index is None:
            return sample
        step = self._members[index]
        predictor = step.predictor
        if self._output.passes(predictor):
            return sample
        if self.task.inputs:
            return masked(sample, self._output, step, self.tile)
        if step.model.input_size is not None:
            return WholeWork(sample, self._output, step, self.device)
        work = TiledWork(sample, self._output, step, self.tile)
        if predictor.survey is not None and not (predictor.sees_whole and work.single):
            self._survey(work)
        return work

    def _survey(self, work: Work) -> None:
        assert work.predictor.survey is not None
        try:
            with torch.inference_mode():
                work.notes = work.predictor.survey(work.overview().to(self.device))
        except BaseException as error:  # a failure for one image must not end the run
            if isinstance(error, PluginError) or is_interrupt(error):
                raise
            if needs_cuda(error, self.device):
                raise _without_cuda(work.model, error) from error
            work.error = failed(work, error)

    def _finished(self, open_: deque[Work | Sample | Failure]) -> Iterator[Sample | Failure]:
        while open_:
            first = open_[0]
            if isinstance(first, (Failure, Sample)):
                yield first
            elif first.error is not None:
                yield Failure(first.sample.source, first.error)
            elif first.done:
                yield first.result()
            else:
                return
            open_.popleft()

    def _predict(self, items: list[Item]) -> None:
        """Predict a batch, and pass each item's output to its work."""
        for item, answer in zip(items, self._outputs(items), strict=True):
            if item.work.error is not None:
                continue
            if isinstance(answer, Exception):
                item.work.error = answer
            else:
                item.work.add(item, answer)

    def _outputs(self, items: list[Item]) -> list[Any]:
        """Return the model's answer for each item, or the exception that it raised."""
        try:
            return list(self._forward(items))
        except PluginError:
            raise
        except BaseException as error:  # a network that calls sys.exit is treated like one that raises
            if is_interrupt(error):
                raise
            if needs_cuda(error, self.device):
                raise _without_cuda(items[0].work.model, error) from error
            if not _out_of_memory(error):
                if len(items) == 1:
                    return [failed(items[0].work, error)]
                # Predict each item separately to find out which one fails.
                return [answer for item in items for answer in self._outputs([item])]
        # Outside of `except`, so that the traceback no longer keeps the tensors of the failed batch alive.
        _give_back(self.device)
        if len(items) > 1:
            half = len(items) // 2
            self.batch = max(1, min(self.batch, half))
            return self._outputs(items[:half]) + self._outputs(items[half:])
        return [self._in_smaller_tiles(items[0])]

    def _in_smaller_tiles(self, item: Item) -> Any:
        """Predict one tile in tiles of half its side, and use that side from now on."""
        side = max(item.pixels.shape[-2:])
        model = item.work.model
        least = max(_SMALLEST_TILE, model.minimum, model.multiple_of)
        if item.window is None or side // 2 < least:
            name = item.work.sample.source.name
            return InputError(
                f"{name}: out of memory on {self.device} even with one work item of {side} pixels",
                "use another --device, or close what else uses it",
            )
        self.tile = min(self.tile, side // 2)
        if item.work.predictor.survey is not None and item.work.notes is None:
            self._survey(item.work)  # no survey was made, because the image was a single tile until now
            if item.work.error is not None:
                return item.work.error
        whole = Item(item.work, item.pixels)  # positions of its parts are relative to this tile
        height, width = item.pixels.shape[-2:]
        grid = make_grid(model, height, width, self.tile)
        rows: list[Tensor] = []
        blender = Blender(grid, lambda _, part: rows.append(part.clone()), model.scale)
        answers: list[tuple[Place, Any]] = []
        for window in grid.windows():
            pixels = grid.cut(item.pixels, window)
            answer = self._outputs([item.part(pixels, window)])[0]
            if isinstance(answer, Exception):
                return answer
            if self._output.dense:
                blender.add(window, answer)
            else:
                answers.append((whole.part(pixels, window).place, answer))
        if self._output.dense:
            return torch.cat(rows, dim=1)
        return self._output.joined(answers, item.work.sample, item.work.step)

    def _forward(self, items: list[Item]) -> Iterator[Any]:
        first = items[0].pixels
        shape = (len(items), *first.shape)
        batch = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last)
        for place, item in zip(batch, items, strict=True):
            place.copy_(item.pixels)
        images = to_float(batch.to(self.device, non_blocking=True))
        with torch.inference_mode():
            returned = self._call(items, images, self.precision)
            finite = self._output.finite(returned)
            if not all(finite) and self.precision is not torch.float32:
                returned = self._call(items, images, torch.float32)
                finite = self._output.finite(returned)
            answers = self._output.parts(returned)
        for item, answer, good in zip(items, answers, finite, strict=True):
            if good:
                yield answer
            else:
                name = item.work.sample.source.name
                yield InputError(f"{name}: the model {item.work.model.name} gave values that are not finite")

    def _call(self, items: list[Item], images: Tensor, precision: torch.dtype) -> Any:
        step = items[0].work.step
        model, predictor = step.model, step.predictor
        prepared: tuple[Tensor, ...] = (predictor.preprocess(images),)
        if predictor.survey is not None:
            notes = [images.new_empty(0) if item.work.notes is None else item.work.notes for item in items]
            place = torch.tensor([item.place for item in items], device=images.device)
            prepared += (torch.stack(notes), place)
        raw = self._networks[id(step)](prepared, precision)
        returned = predictor.postprocess(_float32(raw))
        if problem := self._output.problem(model, images, returned):
            raise PluginError(f"the model {model.name} does not keep its promise: {problem}")
        return returned


def _alike(item: Item, other: Item) -> bool:
    """Whether two work items may be in one batch."""
    surveyed = (item.work.notes is None) == (other.work.notes is None)
    same = item.pixels.shape == other.pixels.shape and item.pixels.dtype == other.pixels.dtype
    return surveyed and same and item.work.step is other.work.step


def _float32(raw: Any) -> Any:
    """Convert a network's output, a tensor or a tuple or dict of tensors, to float32."""
    if isinstance(raw, Tensor):
        return raw.float() if raw.is_floating_point() else raw
    if isinstance(raw, (tuple, list)):
        return tuple(_float32(each) for each in raw)
    return {name: _float32(each) for name, each in raw.items()} if isinstance(raw, dict) else raw


def needs_cuda(error: BaseException, device: torch.device) -> bool:
    """Whether a network failed because it requires CUDA on another device, so that it would fail for every picture."""
    text = words_of(error)
    return (
        device.type != "cuda"
        and isinstance(error, (RuntimeError, AssertionError))
        and any(words in text for words in _WITHOUT_CUDA)
    )


def _without_cuda(model: Model, error: BaseException) -> PluginError:
    text = words_of(error)
    return PluginError(
        f"the model {model.name} runs on CUDA devices alone: {text}", "add --device cuda, on a machine that has one"
    )


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = words_of(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _give_back(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
