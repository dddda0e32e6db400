"""Checks that a model changes no global state, prints nothing, leaks no memory and stays on its device."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import torch

from imgai.errors import UsageError
from imgai.plugin import Model
from imgai.predict.step import Step
from imgai.testing.elsewhere import elsewhere
from imgai.testing.fault import Fault
from imgai.testing.images import noise
from imgai.testing.state import kept
from imgai.testing.subject import Subject, called, plain_side, sample, short

_CALLS = 200
_SECONDS = 0.2
"""The time limit of the calls that look for memory growth, in seconds; slow networks are called less often."""
_FEWEST = 6
_WARM = 2
"""The number of calls before memory is measured, so that objects which are created once exist already."""
_MEASUREMENTS = 3
"""The number of measurements in which memory has to grow."""
_GROWTH = 64  # bytes per call
_LEAST_GROWTH = 24_000  # bytes in all, because the interpreter's own memory varies a little


def loads(subject: Subject) -> Iterator[Fault]:
    """Models load with their default params; those that cannot do without others are in `Subject.left_out`."""
    for name, loaded in subject.loaded.items():
        if isinstance(loaded, Exception) and not isinstance(loaded, UsageError):
            advice = "does load return a Predictor? is what it needs installed?"
            yield Fault(name, short(loaded), advice)


def state(subject: Subject) -> Iterator[Fault]:
    """Importing a model's module, loading the model and running it change no global state."""
    for step in subject.distinct:
        where = called(step)
        seen: set[str] = set()
        for what, work in _parts(subject, step):
            with kept() as (changes, printed), elsewhere() as touched:
                failed = ""
                try:
                    work()
                except Exception as error:
                    failed = short(error)
            yield from (Fault(where, f"{what} {words}", advice) for words, advice in touched)
            for change in changes:
                if change not in seen:
                    seen.add(change)
                    advice = "that belongs to the whole process: " + _instead(change)
                    yield Fault(where, f"{what} changes {change}", advice)
            if printed.getvalue().strip() and "print" not in seen:
                seen.add("print")
                words = printed.getvalue().strip().splitlines()[0][:80]
                yield Fault(where, f"{what} prints {words!r}", "take it out; raise an error, or say nothing")
            if failed:
                yield Fault(where, f"{what} fails: {failed}")


def _instead(change: str) -> str:
    if change.startswith("the seed"):
        return "use a generator of your own, torch.Generator().manual_seed(0)"
    if "threads that go on" in change:
        return "daemon=True ends one with the process; better, join it"
    if "threads" in change:
        return "imgai shares the cores out; tell a runtime of your own its number where you make it"
    return "leave it alone"


def _parts(subject: Subject, step: Step) -> Iterator[tuple[str, Callable[[], object]]]:
    side = plain_side(step, 32)
    yield f"importing {step.model.load.partition(':')[0]}", lambda: _again(step.model)
    yield "loading it", lambda: subject.load(step.model)
    yield "running it", lambda: step(sample(0.1 + 0.8 * noise(side, side), step))


def _again(model: Model) -> None:
    """Execute the module that loads a model once more, when everything that it imports is already imported."""
    name = model.load.partition(":")[0]
    module = importlib.import_module(name)
    spec = module.__spec__
    if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
        return
    fresh = importlib.util.module_from_spec(spec)
    sys.modules[name] = fresh  # dataclasses look up their module
    try:
        spec.loader.exec_module(fresh)
    finally:
        sys.modules[name] = module


def memory(subject: Subject) -> Iterator[Fault]:
    """Memory does not grow with the number of pictures."""
    for step in subject.distinct:
        picture = sample(noise(plain_side(step, 32), plain_side(step, 32)), step)
        try:
            words = _held(lambda step=step, picture=picture: step(picture))  # type: ignore[misc]
        except Exception:
            continue  # reported by another check
        if words:
            yield Fault(called(step), words, "let go of what belongs to one picture: is there a list that grows?")


def _held(work: Callable[[], object]) -> str:
    """Describe the memory held after many calls in addition to that after two; empty if there is none.

    A leak per picture grows in every measurement. Growth in a single measurement is not a fault: it may be a cache that
    is filled once, a table that is resized, or another thread.
    """
    words = ""
    for _ in range(_MEASUREMENTS):
        words = _growth(work)
        if not words:
            break
    return words


def _growth(work: Callable[[], object]) -> str:
    """Measure once: the bytes that tracemalloc sees, and the number of tensors, whose memory it does not see."""
    gc.freeze()  # existing objects are neither counted nor traversed, which makes collection fast
    tracemalloc.start()
    try:
        ends, calls, held, tensors = time.perf_counter() + _SECONDS, 0, 0, 0
        while calls < _CALLS and (calls < _FEWEST or time.perf_counter() < ends):
            work()
            calls += 1
            if calls == _WARM:
                held, tensors = _holding()
        grown, more = (after - before for after, before in zip(_holding(), (held, tensors), strict=True))
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    if grown > max(_GROWTH * calls, _LEAST_GROWTH):
        return f"after {calls} pictures it holds {grown / 1024:.0f} kB more"
    return f"after {calls} pictures it holds {more} tensors more" if more >= calls - _WARM else ""


def _holding() -> tuple[int, int]:
    """Collect garbage and return the traced bytes and the number of tensors that are not frozen."""
    gc.collect()
    tensors = sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())
    return tracemalloc.get_traced_memory()[0], tensors


def device(subject: Subject) -> Iterator[Fault]:
    """A model runs on the device that it is loaded to. Without CUDA, only where its network lies is checked."""
    for model in (step.model for step in subject.steps):
        if not torch.cuda.is_available():
            yield from _stays(model, _loaded_to(subject, model, "meta"), "meta")
            continue
        try:
            step = subject.load(model, device="cuda")
            side = plain_side(step, 64)
            step(sample(noise(side, side), step))
        except Exception as error:
            yield Fault(model.name, f"on a GPU it fails: {short(error)}", "put all tensors on context.device")
            continue
        yield from _stays(model, step, "cuda")


def _loaded_to(subject: Subject, model: Model, device: str) -> Step | None:
    """The model on a device that only has shapes; None where it cannot be, as safetensors does not read to it, say."""
    try:
        return subject.load(model, device=device)
    except Exception:
        return None


def _stays(model: Model, step: Step | None, device: str) -> Iterator[Fault]:
    network = None if step is None else step.predictor.network
    if isinstance(network, torch.nn.Module):
        places = {tensor.device.type for tensor in (*network.parameters(), *network.buffers())}
        if others := sorted(places - {device}):
            where = "on a GPU" if device == "cuda" else "on another device"
            words = f"{where} its network stays on {', '.join(others)}"
            yield Fault(model.name, words, "load it straight to context.device")
