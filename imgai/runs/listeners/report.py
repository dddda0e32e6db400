"""``--report`` and ``--contact``: an overview of the results."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

from imgai import __version__
from imgai.images.shrink import busiest, part, shrunk
from imgai.kinds.views import Asked, View, view
from imgai.options import PRINTED, RecipeOptions
from imgai.outputs import output_of
from imgai.outputs.counting import Counting
from imgai.report.entry import DETAIL, Entry, Side, packed
from imgai.report.page import Run as About
from imgai.report.page import fitting
from imgai.runs.album import FOLDER, Album, write_contact, write_report
from imgai.runs.commit import Written, reason
from imgai.runs.job import Job, output_of_run
from imgai.runs.listen import Listener
from imgai.runs.record import counting_by
from imgai.stores import address_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from imgai.console import Console
    from imgai.predict.spec import KindSpec
    from imgai.runs.run import Run
    from imgai.sample import Sample

_FAILED, _NOTED, _EMPTY, _DOUBT = 1000.0, 100.0, 50.0, 10.0
"""The order of pictures: failures, warnings, empty results, then by uncertainty."""
_NO_DETAIL = 600  # pixels along the longer side, up to which a picture is shown whole at its size
_FEW = 250  # pictures up to which details are kept


@dataclass(frozen=True, slots=True)
class Judged:
    """The measurements of a page with ground truth.

    worst: what is shown first. true: how it should be. over: the layer that takes the place of the usual one, and what
    its colours mean.
    """

    figures: Mapping[str, float | None] = field(default_factory=dict)
    worst: float | None = None
    true: Side | None = None
    over: Image | None = None
    legend: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Before:
    """A page as it was read. size, whole: (width, height) of the small view and of the page."""

    image: Image | None
    size: tuple[int, int]
    whole: tuple[int, int]
    middle: tuple[float, float] | None
    detail: Image | None


class Show(Listener):
    """Keeps a small view of every page in an album: before, after, and what was found."""

    def __init__(
        self,
        album: Album | None = None,
        *,
        title: str = "",
        more: bool = False,
        sides: int = 2,
        threshold: float | None = None,
        kinds: Sequence[KindSpec] | None = None,
        judge: Callable[[Job, Sample, Asked], Judged] | None = None,
    ) -> None:
        """album: where to; None is the run's own. title: of what is added. more: it is added to what the album has.

        sides: how many a picture will have in the end. threshold: results of at least this value count;
        None is that of the kinds. kinds: as which results are shown; None is as what they are written.
        judge: says how good a page is; called by several threads.
        """
        self._album = album
        self._title = title
        self._more = more
        self._sides = sides
        self._threshold = threshold
        self._kinds = kinds
        self._judge = judge
        self._lock = Lock()
        self._before: dict[tuple[Job, int], _Before] = {}
        self._pages: dict[Job, dict[int, Entry]] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._longest, self._limit, self._details = 0, 0, False
        self._run: Run | None = None

    @property
    def album(self) -> Album:
        assert self._album is not None
        return self._album

    def begin(self, run: Run, count: int | None) -> None:
        self._prepare(run)

    def _prepare(self, run: Run) -> None:
        if self._run is not None:
            return
        self._run = run
        if self._album is None:
            if run.records.keep:
                try:
                    folder = run.records.own_folder(FOLDER)
                except OSError as error:
                    raise reason(run.records.folder / FOLDER, error) from error
            else:
                self._folder = TemporaryDirectory(prefix="imgai-report-", ignore_cleanup_errors=True)
                folder = Path(self._folder.name)
            self._album = run.destination.album(run.name) if self._folder is None else Album(folder, run.name)
        inputs = len(run.plans) or None
        self._longest, self._limit = fitting(inputs, self._sides)
        self._details = (inputs or _FEW + 1) <= _FEW

    def decoded(self, job: Job, sample: Sample) -> None:
        small = shrunk(sample, self._longest)
        longest = max(sample.height, sample.width)
        middle = busiest(small, DETAIL / longest) if self._details and longest > _NO_DETAIL else None
        shot = None if middle is None or self._more else part(sample, middle, DETAIL)
        height, width = sample.metadata.full or (sample.height, sample.width)
        before = _Before(None if self._more else small, small.size, (width, height), middle, shot)
        with self._lock:
            self._before[job, sample.source.page] = before

    def predicted(self, job: Job, sample: Sample) -> None:
        assert self._run is not None
        spec, outputs = self._run.specs[-1], self._run.options.outputs
        with self._lock:
            before = self._before.pop((job, sample.source.page))
        output = spec.task.output
        result = output_of(output).carried(sample, spec.name)
        kinds = outputs.kinds if self._kinds is None else self._kinds
        counting = counting_by(kinds)
        if self._threshold is not None or output in PRINTED:
            counting = Counting(outputs.threshold if self._threshold is None else self._threshold)
        asked = Asked(
            size=before.size,
            longest=self._longest,
            counting=counting,
            kinds=tuple(kinds),
        )
        seen = view(output, sample, result, asked)
        judged = self._judge(job, sample, asked) if self._judge else Judged()
        changed = result is sample and before.middle is not None
        side = Side(
            title=self._title or ("after" if result is sample else spec.model_name),
            view=seen if judged.over is None else dataclasses.replace(seen, over=judged.over),
            legend=judged.legend,
            detail=part(sample, before.middle, _detail(sample, job)) if changed and before.middle else None,
            figures=judged.figures if self._more or self._sides > 2 else {},
        )
        first = [] if self._more else [Side("before", View(image=before.image), before.detail if changed else None)]
        first += [judged.true] if judged.true is not None and not self._more else []
        worst = judged.worst if judged.worst is not None else _DOUBT * seen.doubt + _EMPTY * seen.empty
        entry = packed(_name(job, sample), before.whole, [*first, side], self._limit, worst)
        entry.about["figures"] = dict(judged.figures)
        with self._lock:
            self._pages.setdefault(job, {})[sample.source.page] = entry

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        with self._lock:
            pages = self._pages.pop(job, {})
            waiting = {page: self._before.pop((job, page)) for each, page in list(self._before) if each is job}
        if job.error is not None and not pages:
            pages = {0: self._failed(job, waiting.get(0))}
        name = job.plan.input.name
        for entry in pages.values():
            about = entry.about
            about["notes"] = [words.removeprefix(f"{name}: ") for words in job.words]
            about["seconds"] = record.get("seconds")
            if job.error is not None:
                hint = f" ({record['hint']})" if record.get("hint") else ""
                about["error"] = f"{record.get('error')}{hint}".removeprefix(f"{name}: ")
                about["worst"] = _FAILED
            elif about["notes"] and self._judge is None:
                about["worst"] += _NOTED
        ordered = [entry for _, entry in sorted(pages.items())]
        if self._more:
            ordered = _joined(self.album.pages(job.plan), ordered, self._title)
        self.album.put(job.plan, job.digest, ordered)

    def _failed(self, job: Job, before: _Before | None) -> Entry:
        image = None if before is None else before.image
        sides = [] if image is None else [Side("before", View(image=image))]
        size = job.size[:2] if job.size else (0, 0)
        entry = packed(job.plan.input.name, size, sides, self._limit, _FAILED)
        entry.about["empty"] = False
        return entry


class Report(Show):
    """Writes the report and the contact sheet of one run, of every input done now or before."""

    def __init__(self, report: Path | None, contact: Path | None, console: Console) -> None:
        super().__init__()
        self._report = report
        self._contact = contact
        self._console = console
        self._begun = time.monotonic()

    def end(self, run: Run) -> None:
        self._prepare(run)
        if self._report is not None:
            about = about_run(run, time.monotonic() - self._begun, self.album)
            page, left_out = write_report(self.album, run.plans, self._report, about)
            words = f"; no room was left in it for {left_out} pictures" if left_out else ""
            self._tell(run, "report", self._report, page, words)
        if self._contact is not None:
            written = write_contact(self.album, run.plans, self._contact)
            self._tell(run, "contact", self._contact, written)

    def _tell(self, run: Run, what: str, path: Path, written: Written, words: str = "") -> None:
        """Say where a file is, once it is there."""
        made = output_of_run(what, path.absolute(), written, run.out)
        if (sent := next((each for each in run.sent if each.path == path), None)) is not None:
            sent.send()
            made["path"] = sent.address
        name = "report" if what == "report" else "contact sheet"
        self._console.say(f"the {name} is {path if sent is None else sent.address}{words}")
        run.outputs.append(made)


def about_run(run: Run, seconds: float, album: Album) -> About:
    """Return the texts of a report about a whole run."""
    summary, pages, empty = run.summary, 0, 0
    for entry in album.entries(run.plans):
        pages += 1
        empty += bool(entry.about["empty"])
    tiles = [(f"{pages:,}", "pictures" if pages != 1 else "picture", True)]
    if summary.failed:
        tiles.append((f"{summary.failed:,}", "failed", False))
    if empty:
        tiles.append((f"{empty:,}", "with nothing found", False))
    if summary.skipped:
        tiles.append((f"{summary.skipped:,}", "done before", False))
    if summary.done:
        tiles.append((_seconds(seconds), "in all", False))
        tiles.append((_seconds(seconds / summary.done), "a picture", False))
    about = [f"imgai {__version__}", datetime.now().strftime("%Y-%m-%d %H:%M"), ", ".join(run.devices)]
    if run.options.out is not None and run.stdout is None:
        about.append(f"results in {address_of(run.options.out) or run.options.out}")
    steps = " | ".join(f"{spec.task.name} --model {spec.model_name}" for spec in run.specs)
    recipe = run.options.recipe if isinstance(run.options, RecipeOptions) else None
    title = f"imgai run {recipe}: {steps}" if recipe else f"imgai {steps}"
    return About(title, [each for each in about if each], tiles)


def _seconds(seconds: float) -> str:
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _name(job: Job, sample: Sample) -> str:
    source = sample.source
    return job.plan.input.name + (f", page {source.page + 1}" if source.pages > 1 else "")


def _detail(sample: Sample, job: Job) -> int:
    """How large the part of a result is that shows what `DETAIL` pixels of the input have become."""
    before = max(job.size[:2]) if job.size else max(sample.height, sample.width)
    return max(1, round(DETAIL * max(sample.height, sample.width) / before))


def _joined(kept: list[Entry], added: list[Entry], title: str) -> list[Entry]:
    """The pages of an album with one more side each; what failed this time has a side that says so."""
    for page, entry in zip(kept, added, strict=False):
        number = len(page.about["sides"])
        error = entry.about.get("error")
        page.about["sides"] += [{"title": title, "text": error}] if error else entry.about["sides"]
        page.about["worst"] = max(page.about["worst"], entry.about["worst"])
        page.about["notes"] += [words for words in entry.about["notes"] if words not in page.about["notes"]]
        page.about["seconds"] = (page.about["seconds"] or 0) + (entry.about["seconds"] or 0)
        if not error:
            page.images |= {f"{number}{name.lstrip('0')}": image for name, image in entry.images.items()}
    return kept
