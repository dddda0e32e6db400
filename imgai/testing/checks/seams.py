"""Checks of tiling: the receptive field of a pixel, and seams between tiles."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from imgai.predict.step import Step
from imgai.testing.fault import Fault
from imgai.testing.subject import LEVEL, Subject, as_given, blocky, called, changed, difference, output, sample, short

_FAR = 4
"""The change at a pixel caused by pixels beyond the overlap that is still allowed, as a multiple of the seam limit."""
_SMALLEST = 128
_MULTIPLES = (2, 4, 8, 16, 32, 64)


def tiles(subject: Subject) -> Iterator[Fault]:
    """Tiles leave no visible seam, on a picture of coloured blocks, a third of them dark."""
    for step in subject.distinct:
        if step.model.input_size is None and output(step).dense:
            yield from next(([fault] for fault in _tiles(step, subject.contract.seam_levels * LEVEL)), [])


def _tiles(step: Step, most: float) -> Iterator[Fault]:
    """most: the allowed difference at a pixel between tiles and the whole, as a fraction of the full range."""
    overlap = step.model.overlap
    try:
        apart = _apart(step)
        reach, whole = _reach(step, most if apart > most else _FAR * most)
    except Exception as error:
        yield Fault(called(step), f"a picture in several tiles fails: {short(error)}")
        return
    words = f"tiles differ from the whole by {apart * 255:.1f} levels"
    if apart > most:
        for multiple in (each for each in _MULTIPLES if each > step.model.multiple_of):
            if _apart(changed(step, multiple_of=multiple)) <= most / 8:
                yield Fault(called(step), words, f"it strides: declare multiple_of={multiple}")
                return
    if reach > overlap:
        words = f"the answer at a pixel moves when one {reach} pixels away does: overlap={overlap} is too small"
        more = -(-reach * 9 // 64) * 8  # an eighth more, because pixels farther away still have a small effect
        if whole:
            advice = "statistics of the whole picture are for survey; a network that needs all of it, for input_size"
        else:
            advice = f"declare overlap={more} and tile={max(step.model.tile, 4 * more)}, or use survey"
        yield Fault(called(step), words, advice)
    elif apart > most:
        yield Fault(called(step), words, f"more overlap than {overlap}? or use survey, if it looks at all of a picture")


def _apart(step: Step) -> float:
    """Return the largest difference between tiles and the whole. Tiles may be smaller than declared to save time."""
    model = step.model
    multiple = model.multiple_of
    tile = -(-min(model.tile, max(_SMALLEST, model.minimum, 4 * model.overlap)) // multiple) * multiple
    side = tile + tile // 2 + 5  # odd, so that tiles begin at odd pixels unless multiple_of prevents it
    picture = sample(0.1 + 0.8 * blocky(tile // 2 + 1, side), step)
    whole, parts = (changed(step, tile=size) for size in (side + multiple + model.minimum, tile))
    return float(difference(step, whole(picture), parts(picture)).max())


def _reach(step: Step, seen: float) -> tuple[int, bool]:
    """Return the distance in pixels at which a change has an effect, and whether it affects the whole picture.

    Two strips that differ at their left end are predicted, both with the survey of the first.
    seen: the smallest difference at a pixel that counts, as a fraction of the full range.
    """
    model = step.model
    multiple, overlap = model.multiple_of, model.overlap
    width = -(-max(model.minimum, 2 * overlap + 112) // multiple) * multiple
    height = -(-max(model.minimum, 32) // multiple) * multiple
    edge = 32
    one = 0.2 + 0.6 * blocky(height, width, 2)
    others = [one.clone(), one.clone()]
    others[0][..., :edge] = 0.9 - one[..., :edge]
    others[1][..., :edge] = 0.02
    answers = [_answer(step, image, one) for image in (one, *others)]
    moved = torch.stack([(answer - answers[0]).abs() for answer in answers[1:]]).amax((0, 1, 2, 3))
    low, high = model.range or (0.0, 1.0)
    columns = (moved > seen * (high - low)).nonzero()[:, 0]
    if not len(columns):
        return 0, False
    last = int(columns.max()) // model.scale
    return max(0, last - edge + 1), last >= width - 8


def _answer(step: Step, image: Tensor, surveyed: Tensor) -> Tensor:
    """Return the model's answer for an image with the survey of another. Shape: ``(1, C, h, w)``."""
    predictor = step.predictor
    with torch.inference_mode():
        given: tuple[Tensor, ...] = (predictor.preprocess(as_given(step, image)),)
        if predictor.survey is not None:
            notes = predictor.survey(surveyed.clone())
            given += (notes[None] if notes.ndim == 1 else notes, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
        answer: Tensor = predictor.postprocess(predictor.network(*given))
    return answer.float().clamp(*(step.model.range or (0.0, 1.0)))
