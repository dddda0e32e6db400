"""Checks of the answers of models: for pictures of any size, in batches, and repeatedly."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from imgai.outputs import StepContext
from imgai.plugin import Model
from imgai.predict.step import Step
from imgai.sample import Sample
from imgai.testing.fault import Fault
from imgai.testing.images import discs, gradient, noise
from imgai.testing.subject import (
    LEVEL,
    Subject,
    attempt,
    called,
    changed,
    difference,
    output,
    plain_side,
    sample,
    short,
    watched,
)

_MULTIPLES = (2, 4, 8, 16, 32, 64)
_MINIMA = (8, 16, 32, 64, 128)


def sizes(subject: Subject) -> Iterator[Fault]:
    """Pictures of any size give the result that `Output` describes."""
    for step in subject.steps:
        for height, width in _sizes(step.model):
            words = _wrong(step, height, width)
            if words:
                yield Fault(called(step), f"{height}x{width} pixels fail: {words}", _advice(step, height, width))
                break


def _sizes(model: Model) -> list[tuple[int, int]]:
    """Return sizes at which implementations break: one pixel, odd sizes, sizes around the declared limits."""
    candidates = {(1, 1), (1, 37), (31, 33), (model.multiple_of + 1, model.multiple_of)}
    if model.minimum > 1:
        candidates.add((model.minimum - 1, model.minimum + 1))
    if model.input_size is None:
        candidates.add((min(model.tile, 512) + 1, 40))
    else:
        candidates.add((model.input_size[0] + 1, model.input_size[1] - 1))
    return sorted(candidates)


def _wrong(step: Step, height: int, width: int) -> str:
    """Return what is wrong with the answer for a picture of that size; empty if nothing is."""
    try:
        result = step(sample(noise(height, width), step))
    except Exception as error:
        return short(error)
    context = StepContext(step.model, step.predictor, step.name)
    return output(step).violation(result, context, (height, width))


def _advice(step: Step, height: int, width: int) -> str:
    """Find by trial what to declare, and return it as advice."""
    if step.model.input_size is not None:
        return ""
    odd = min(max(_MINIMA) + 5, step.model.tile - 1 - step.model.tile % 2)  # one tile
    up = -(-height // 2) * 2, -(-width // 2) * 2
    multiples = [each for each in _MULTIPLES if each > step.model.multiple_of]
    for multiple in multiples if _wrong(step, odd, odd - 2) else ():
        if not _wrong(changed(step, multiple_of=multiple), height, width):
            works = tuple(-(-side // multiple) * multiple for side in up)
            return f"{works[0]}x{works[1]} work: declare multiple_of={multiple}"
    for minimum in (each for each in _MINIMA if each > step.model.minimum):
        least = {"minimum": minimum, "tile": max(step.model.tile, minimum)}
        if not _wrong(changed(step, **least), height, width):
            return f"larger ones work: declare minimum={minimum}"
    if not _wrong(changed(step, multiple_of=32, minimum=64, tile=max(step.model.tile, 64)), height, width):
        return "larger ones work: declare multiple_of=32 and minimum=64, or less of either"
    return ""


def values(subject: Subject) -> Iterator[Fault]:
    """Answers have the right type and range before the host clamps them, also for pictures of one colour."""
    for step in subject.steps:
        yield from next(([fault] for fault in _values(step)), [])


def _values(step: Step) -> Iterator[Fault]:
    side = plain_side(step)
    plain = torch.ones(1, 3, side, side)
    pictures = {
        "a black picture": plain * 0,
        "a white picture": plain,
        "a red picture": plain * torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1),
    }
    if output(step).field:  # not for images, which may overshoot at sharp edges
        pictures["discs"] = discs(side, side)[0]
    for name, image in pictures.items():
        recorded, seen = watched(step)
        if words := attempt(lambda image=image, recorded=recorded: recorded(sample(image, recorded))):  # type: ignore[misc]
            advice = "a division by a spread of 0? add an epsilon" if "finite" in words else ""
            yield Fault(called(step), f"of {name}: {words}", advice)
            return
        for _, answer in seen:
            if words := output(step).improper(step.model, answer):
                yield Fault(called(step), f"of {name}, {words}")
                return


def colors(subject: Subject) -> Iterator[Fault]:
    """Images are returned as RGB, not BGR."""
    for step in subject.distinct:
        if output(step).field:
            continue  # the answer is not an image
        side = plain_side(step, 96)
        y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
        image = torch.stack((x, y, (6.2832 * (x + y)).sin() / 2 + 0.5))[None] * 0.8 + 0.1
        recorded, seen = watched(step)
        if attempt(lambda recorded=recorded, image=image: recorded(sample(image, recorded))):  # type: ignore[misc]
            continue  # told by another check
        if any(output(step).reversed_channels(given, answer) for given, answer in seen[:1]):
            advice = "networks of OpenCV's world speak BGR: flip(1) before and after them"
            yield Fault(called(step), "what was red comes back blue", advice)


def batch(subject: Subject) -> Iterator[Fault]:
    """A picture gives the same answer in a batch as alone."""
    for step in subject.steps:
        side = plain_side(step)
        samples = [sample(image, step) for image in _unlike(side)]
        try:
            single = [step(each) for each in samples]
            recorded, seen = watched(step)
            together = [each for each in recorded.stream(samples) if isinstance(each, Sample)]
            most = max(float(difference(step, a, b).max()) for a, b in zip(single, together, strict=True))
        except Exception as error:
            yield Fault(called(step), f"a batch of {len(samples)} pictures fails: {short(error)}")
            continue
        if seen and max(len(given) for given, _ in seen) < len(samples):
            words = f"a batch of {len(samples)} pictures fails, so that each is predicted alone"
            yield Fault(called(step), words, "let the network take any number of pictures")
        elif most > 2 * LEVEL:
            words = f"in a batch with others a picture comes out {most * 255:.1f} levels different"
            yield Fault(called(step), words, "take means, minima and the like of each picture: dim=(1, 2, 3), not all")


def _unlike(side: int) -> list[Tensor]:
    """Return two pictures of different brightness and structure."""
    return [0.25 * gradient(side, side), 0.6 + 0.4 * noise(side, side)]


def repeats(subject: Subject) -> Iterator[Fault]:
    """The same picture and params give the same answer: at once, after another picture, and after loading again."""
    for step in subject.steps:
        side = plain_side(step, 64)
        one, other = sample(0.1 + 0.8 * noise(side, side, seed=1), step), sample(0.3 * gradient(side, side), step)
        try:
            first = step(one)
            step(other)
            later = at_once = float(difference(step, first, step(one)).max())
            if later > 0:
                at_once = float(difference(step, step(one), step(one)).max())
            anew = float(difference(step, first, subject.load(step.model)(one)).max())
        except Exception as error:
            yield Fault(called(step), f"a second picture fails: {short(error)}")
            continue
        if at_once > 0:
            advice = "noise? draw it from torch.Generator().manual_seed(0), made anew for each call; dropout? eval()"
            yield Fault(called(step), f"the same picture comes out {at_once * 255:.1f} levels different", advice)
        elif later > 0:
            words = f"after another picture the same one comes out {later * 255:.1f} levels different"
            yield Fault(called(step), words, "keep nothing of a picture in the network: track_running_stats=False?")
        elif anew > 0:
            words = f"loaded again, the model answers {anew * 255:.1f} levels differently"
            yield Fault(called(step), words, "are all of its numbers in the weights? a strict load_state_dict tells")
