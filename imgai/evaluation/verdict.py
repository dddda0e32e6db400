"""Measure a model on the pictures of a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imgai.console import Console
from imgai.evaluation.judge import Judge
from imgai.measure import Measure
from imgai.measure.figures import Figures
from imgai.options import RunOptions
from imgai.predict.spec import StepSpec
from imgai.runs.album import Album
from imgai.runs.listeners.report import Show
from imgai.runs.names import Plan
from imgai.runs.run import Run
from imgai.runs.scan import Input
from imgai.runs.signals import on_signal
from imgai.sample import Sample


@dataclass(frozen=True, slots=True)
class Verdict:
    """The measurements of one model.

    rows: the figures of each page by its name. errors: why others have none. alone: of the figures of a page, that by
    which models are compared. plans: of the inputs. seconds: that it took, loading included.
    """

    model: str
    figures: Figures
    rows: Mapping[str, Mapping[str, float | None]]
    errors: Mapping[str, str]
    alone: str
    plans: Sequence[Plan]
    seconds: float
    devices: Sequence[str]
    exit_code: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """Where what a report shows is kept. sides: how many a picture has in the end. more: some are there already."""

    album: Album
    sides: int
    more: bool


def judge_model(
    spec: StepSpec,
    title: str,
    options: RunOptions,
    console: Console,
    measure: Measure,
    truth: Callable[[Sample], Any],
    *,
    labels: tuple[str, ...],
    threshold: float,
    accept: Callable[[Input], bool],
    gallery: Gallery | None = None,
) -> Verdict:
    """Run a model over the pictures that are accepted. Raises what a run raises.

    truth: what is true of a sample. labels: the names of what is true, by their index. threshold: that of the measure.
    """
    begun = time.monotonic()
    judge = Judge(measure, truth, spec.task.output, spec.name, labels)
    listeners: list[Any] = [judge]
    if gallery is not None:
        listeners.append(
            Show(
                gallery.album,
                title=title,
                more=gallery.more,
                sides=gallery.sides,
                threshold=threshold,
                judge=judge.look,
            )
        )
    run = Run([spec], options, console, collect=lambda row: None, accept=accept, listeners=listeners)
    with on_signal(run.interrupt):
        for _ in run:
            pass
    return Verdict(
        model=title,
        figures=measure.compute(),
        rows=judge.rows,
        errors=judge.errors,
        alone=measure.alone,
        plans=[each for each in run.plans if accept(each.input)],
        seconds=time.monotonic() - begun,
        devices=run.devices,
        exit_code=run.summary.exit_code,
    )
