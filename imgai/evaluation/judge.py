"""Measure every page of a run against the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from imgai.kinds.truth import LEGEND, compared, true_view
from imgai.kinds.views import Asked
from imgai.measure import Measure
from imgai.measure.mask import TrueMask
from imgai.outputs import output_of
from imgai.plugin import Output
from imgai.report.entry import Side
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.listeners.report import Judged
from imgai.sample import Sample

_BEST = -1e9
"""The rank of a picture of which there is nothing to say: neither there nor found."""


class Judge(Listener):
    """Measures each page as it is predicted.

    rows: the figures of each page, by its name. errors: of inputs that failed, by their names.
    """

    def __init__(
        self, measure: Measure, truth: Callable[[Sample], Any], output: Output, step: str, labels: tuple[str, ...]
    ) -> None:
        """truth: what is true of a sample; may raise InputError. step: the name of the step that is judged."""
        self.measure = measure
        self.rows: dict[str, Mapping[str, float | None]] = {}
        self.errors: dict[str, str] = {}
        self._truth = truth
        self._output = output
        self._step = step
        self._labels = labels
        self._lock = Lock()
        self._looked: dict[tuple[Job, int], tuple[Any, Mapping[str, float | None]]] = {}

    def predicted(self, job: Job, sample: Sample) -> None:
        true = self._truth(sample)
        with self._lock:
            figures = self.measure.update(output_of(self._output).carried(sample, self._step), true)
            self.rows[name_of(sample)] = figures
            self._looked[job, sample.source.page] = true, figures

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        for each in [each for each in self._looked if each[0] is job]:
            del self._looked[each]
        if job.error is not None:
            self.errors[job.plan.input.name] = str(record.get("error", job.error))

    def look(self, job: Job, sample: Sample, asked: Asked) -> Judged:
        """Return the report's view of a page that was passed to `predicted`."""
        with self._lock:
            true, figures = self._looked[job, sample.source.page]
        result = output_of(self._output).carried(sample, self._step)
        rank = figures.get(self.measure.rank)
        return Judged(
            figures=figures,
            worst=_BEST if rank is None else -rank,
            true=Side("true", true_view(true, self._labels, asked), dashed=True),
            over=compared(result, true, asked) if isinstance(true, TrueMask) and true.objects is None else None,
            legend=LEGEND if isinstance(true, TrueMask) and true.objects is None else (),
        )


def name_of(sample: Sample) -> str:
    """Return the name of a page in tables."""
    source = sample.source
    return source.name + (f"#{source.page + 1}" if source.pages > 1 else "")
