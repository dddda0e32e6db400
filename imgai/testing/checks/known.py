"""A check of pictures for which the right answer is known."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from imgai.evaluation.truths import Truths, read_truths, shrunk_into
from imgai.images import DEFAULT_MAX_PIXELS, read
from imgai.measure import MEASURES, measure_of
from imgai.predict.step import Step
from imgai.sample import Sample, Source
from imgai.testing.fault import Fault
from imgai.testing.steps import step_of
from imgai.testing.subject import Subject, called, output, short

_MOST = 16
"""The maximum number of pictures."""
_BETTER_DECIBEL, _BETTER_RATE = 0.3, 0.03
"""How much better another input has to be, of pictures (PSNR), and of all else (a figure between 0 and 1)."""
_OTHERWISE: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "with red and blue exchanged": (lambda image: image.flip(1), "its network is for BGR: flip(1) in preprocess"),
    "in the range 0 to 255": (lambda image: image * 255, "multiply by 255 in preprocess"),
    "in the range -1 to 1": (lambda image: image * 2 - 1, "subtract 0.5 and divide by 0.5 in preprocess"),
}
"""What a network may have been trained on instead, and what to change."""


def examples(subject: Subject) -> Iterator[Fault]:
    """No model is better on example pictures if its input is changed to what other libraries give."""
    if subject.examples is None:
        return
    for step in subject.distinct:
        if step.task.output not in MEASURES or step.task.inputs:
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="imgai-examples-") as scratch:
                yield from _examples(step, Path(subject.examples), Path(scratch))
        except Exception as error:
            yield Fault(called(step), f"its examples cannot be measured: {short(error)}")


def _examples(step: Step, folder: Path, scratch: Path) -> Iterator[Fault]:
    scale = step.model.scale
    truths = read_truths(folder, step.task.output, step.model, scale=scale, max_pixels=DEFAULT_MAX_PIXELS)
    if scale > 1 and all(example.target is None for example in truths.examples.values()):
        truths = shrunk_into(truths, scale, scratch)
    image = not output(step).field
    plain = _figure(step, truths)
    for what, (change, advice) in _OTHERWISE.items():
        if image and "range" in what:
            continue  # its answers would be of that range too, which another check finds
        other = _figure(_changed(step, change, back=image), truths)
        if other > plain + (_BETTER_DECIBEL if image else _BETTER_RATE):
            words = f"on its examples it is better {what}: {plain:.3f}, then {other:.3f}"
            yield Fault(called(step), words, advice)


def _changed(step: Step, change: Callable[[Tensor], Tensor], *, back: bool) -> Step:
    """The step with another input. back: change its answer, too."""
    mine = step.predictor

    def preprocess(images: Tensor) -> Tensor:
        return mine.preprocess(change(images))

    def postprocess(raw: object) -> object:
        answer = mine.postprocess(raw)
        return change(answer) if back else answer

    return step_of(step.task, step.model, dataclasses.replace(mine, preprocess=preprocess, postprocess=postprocess))


def _figure(step: Step, truths: Truths) -> float:
    """The mean over pictures of the figure by which models are compared."""
    measure = measure_of(step.task.output, truths.labels, border=truths.border)
    figures = []
    for path, page in sorted(truths.examples)[:_MOST]:
        if page:
            continue
        given = next(iter(read(Path(path), Source(Path(path), Path(path).name), max_pixels=truths.max_pixels)))
        result = step(given)
        assert isinstance(result, Sample)
        found = measure.update(output(step).carried(result, step.name), truths.of(result))
        figures.append(found.get(measure.alone))
    known = [each for each in figures if each is not None]
    return statistics.mean(known) if known else 0.0
