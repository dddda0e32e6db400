"""Files written at the end of a training: the model card, the curves, predictions for validation pictures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from imgai.errors import InputError
from imgai.evaluation.out import draw as confusion
from imgai.plural import counted
from imgai.runs.commit import commit
from imgai.trained import declaration
from imgai.training.card import card
from imgai.training.curves import draw
from imgai.training.recorder import CHECKPOINT
from imgai.training.sheet import write_sheet
from imgai.training.tell import Teller

if TYPE_CHECKING:
    from imgai.training.prepare import Job, Prepared
    from imgai.training.validation import Measured

CARD, CURVES, CONFUSION, SHEET = "card.md", "curves.png", "confusion.png", "validation.png"


def finish(prepared: Prepared, job: Job, teller: Teller) -> bool:
    """Write all that is beside the model, and say where it is. Returns whether there is one."""
    recorder, folder = prepared.recorder, job.folder
    prepared.log.close()
    if not recorder.path.is_file():
        teller.warn(f"nothing was measured, so no model is kept; {folder / CHECKPOINT} holds the weights")
        return False
    best = recorder.best or recorder.measured(recorder.path)
    figures, task = best.figures, prepared.begun.task.name
    test = recorder.measured(recorder.path, "test").figures if "test" in job.dataset.parts else None
    try:
        _write_beside(prepared, job, best, None if test is None else test.summary())
    except InputError as error:  # a disk that is full; the model is there
        teller.warn(f"not all that goes beside the model is written: {error}")
    score = figures.values[figures.main]
    told = "" if score is None else f"{figures.main} {score:.4f} on {counted(figures.pictures, 'validation picture')}"
    if test is not None and test.score is not None:
        told += f", {test.score:.4f} on {counted(test.pictures, 'test picture')}"
    how = job.name if job.options.out is None else str(recorder.path)
    teller.event("end", ending=prepared.loop.ending, file=str(recorder.path), measures=figures.summary())
    teller.say(f"{told}; see {folder}" if told else f"see {folder}")
    teller.say(f"use it: imgai {task} FOLDER --model {how}")
    if prepared.loop.ending == "stopped":
        teller.say("go on with: the same command and --resume")
    return True


def _write_beside(prepared: Prepared, job: Job, best: Measured, test: dict[str, Any] | None) -> None:
    """The curves, the confusion, the sheet and the card. test: the measures of the test pictures."""
    folder, figures = job.folder, best.figures
    picture = draw(prepared.log.rows, figures.main)
    commit(folder / CURVES, lambda file: file.write(picture))
    if figures.confusion is not None and len(prepared.begun.model.labels or ()) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # matplotlib: a label has letters that are in no font
            matrix = confusion(figures)
        commit(folder / CONFUSION, lambda file: file.write(matrix))
    if best.shown:
        write_sheet(folder / SHEET, best.shown, prepared.begun.task.name)
    declared = declaration(prepared.recorder.path)
    assert declared is not None
    text = card(
        declared,
        labels=prepared.begun.model.labels or (),
        folder=job.options.folder.name,
        report=job.dataset.report,
        options=job.remembered,
        seconds=prepared.loop.clock.used,
        device=str(prepared.world.device),
        test=test,
    )
    commit(folder / CARD, lambda file: file.write(text.encode()))
