"""The record of an input: one JSON object. docs/runs.md describes its fields."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from imgai.errors import ImgaiError
from imgai.images.range import numbers
from imgai.outputs import output_of
from imgai.outputs.counting import Counting, counting_of
from imgai.params import to_dict
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.job import Job
from imgai.runs.names import Plan, key_of
from imgai.sample import Sample

if TYPE_CHECKING:
    from imgai.options import OutputOptions
    from imgai.runs.run import Run

SCHEMA = 2
"""The version of the records' schema; docs/runs.md describes it."""
SCHEMAS = (1, 2)
"""Those that are read. Records of schema 1 do not say `run`, and have no hashes."""


class Key(NamedTuple):
    """The key of a record: the full path of the input, and the name of the run."""

    path: str
    run: str


def run_name(specs: Sequence[StepSpec], kinds: Sequence[str]) -> str:
    """Return the name of a run, without models and params: the tasks, and the kinds of the last step."""
    return _run_name([spec.task.name for spec in specs], kinds)


def run_of_record(record: dict[str, Any]) -> str:
    """Return the name of the run of a record. Raises KeyError or TypeError for an invalid record."""
    if "run" in record:
        if not (isinstance(record["path"], str) and isinstance(record["run"], str)):
            raise TypeError
        return record["run"]
    tasks = [step["task"] for step in record["steps"]] if "steps" in record else [record["task"]]
    of_last = [output["kind"] for output in record["outputs"] if "step" not in output]
    return _run_name(tasks, [kind for kind in of_last if kind not in ("sorted", "xmp")])


def _run_name(tasks: Sequence[str], kinds: Sequence[str]) -> str:
    return " | ".join(tasks) + (f" --as {','.join(sorted(set(kinds)))}" if kinds else "")


def begun_record(key: Key, shown: str, output: str, kind: str) -> dict[str, Any]:
    """The record of an output that is about to be written."""
    about = {"schema": SCHEMA, "input": shown, "path": key.path, "run": key.run, "status": "begun"}
    return about | {"kind": kind, "output": output}


def found_nothing(record: Mapping[str, Any]) -> bool:
    """Whether a model that looks for something found nothing in an input."""
    counts = record.get("objects", record.get("classes"))
    return isinstance(counts, dict) and not any(counts.values())


def undone_record(key: Key, gone: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The record of an input whose outputs were taken away. gone: the kind and the path of each."""
    about = {"schema": SCHEMA, "input": key.path, "path": key.path, "run": key.run, "status": "undone"}
    return about | {"outputs": [{"kind": kind, "path": path, "bytes": 0, "page": 0} for kind, path in gone]}


def ended_record(run: Run) -> dict[str, Any]:
    """The record of a run that has ended: its counts, and what it made of all inputs together."""
    about = {"schema": SCHEMA, "input": "", "path": "", "run": run.name, "status": "ended", "outputs": run.outputs}
    summary = run.summary
    counts = {"done": summary.done, "skipped": summary.skipped, "failed": summary.failed}
    return about | counts | ({"unread": dict(run.unread)} if run.unread else {})


def summary_record(run: Run, seconds: float) -> dict[str, Any]:
    """The last line of ``--json``: how a run went. seconds: from its first input to its end."""
    summary = run.summary
    about = ended_record(run) | {"nothing_found": len(summary.empty), "interrupted": summary.interrupted}
    return about | {"seconds": round(seconds, 3)}


def record_of(job: Job, specs: Sequence[StepSpec], run: str) -> dict[str, Any]:
    """The record of a finished job; docs/runs.md describes its fields."""
    spec = specs[-1]
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "input": job.plan.input.shown,
        "path": key_of(job.plan),
        "run": run,
        "status": "done" if job.error is None else "failed",
        "task": spec.task.name,
        "model": spec.model_name,
        "params": _params(spec),
        "outputs": sorted(job.outputs, key=order_of),
        "seconds": round(time.monotonic() - job.begun, 3),
        "digest": job.digest,
    }
    if job.size is not None:
        record["width"], record["height"], record["pages"] = job.size
    ranges = {step: [ends for _, ends in sorted(pages.items())] for step, pages in job.ranges.items()}
    record |= _results(specs, {each.name: job.noted(each.name) for each in specs}, ranges)
    if job.words:
        record["warnings"] = [words.removeprefix(f"{job.plan.input.name}: ") for words in job.words]
    if job.error is not None:
        record["error"] = job.error.message if isinstance(job.error, ImgaiError) else str(job.error)
        if isinstance(job.error, ImgaiError) and job.error.hint:
            record["hint"] = job.error.hint
    return record


def record_of_page(
    sample: Sample, size: tuple[int, int], specs: Sequence[StepSpec], outputs: OutputOptions, seconds: float
) -> dict[str, Any]:
    """The record of one page whose results are kept in memory: there are no outputs, and no digest of the input.

    size: height and width of the page as read.
    """
    spec, kinds = specs[-1], outputs.kinds
    asked = {each.name: each.keep.kinds if each.keep else () for each in specs[:-1]} | {spec.name: kinds}
    notes = {
        each.name: output_of(each.task.output).note(sample, each.name, counting_by(asked[each.name])) for each in specs
    }
    height, width = size
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "input": sample.source.name,
        "run": run_name(specs, [each.name for each in kinds]),
        "status": "done",
        "task": spec.task.name,
        "model": spec.model_name,
        "params": _params(spec),
        "outputs": [],
        "seconds": round(seconds, 3),
        "width": width,
        "height": height,
        "pages": sample.source.pages,
    }
    ranges = {step: [numbers(used, sample.metadata)] for step, used in sample.ranges.items()}
    return record | _results(specs, {name: [] if note is None else [note] for name, note in notes.items()}, ranges)


def counting_by(kinds: Sequence[KindSpec]) -> Counting:
    """Return which objects the record counts: the same as in the files."""
    asked = [counting_of(each.params) for each in kinds if hasattr(each.params, "threshold")]
    return next((each for each in asked if each.numbered), asked[0] if asked else Counting())


def skipped_record(plan: Plan, outputs: list[dict[str, Any]], digest: str) -> dict[str, Any]:
    """The record of an input that an earlier run has done. outputs: those of that run."""
    about = {"schema": SCHEMA, "input": plan.input.shown, "path": key_of(plan), "status": "skipped"}
    return about | {"outputs": outputs, "digest": digest}


def planned_record(plan: Plan, writes: list[str]) -> dict[str, Any]:
    """The record of an input that a dry run would do. writes: the paths of what would be written."""
    about = {"schema": SCHEMA, "input": plan.input.shown, "status": "planned"}
    return about | {"output": str(plan.exact or plan.base), "writes": writes}


def to_line(record: dict[str, Any]) -> str:
    """One line of ASCII; bytes of a name that are no UTF-8 are written as lone surrogates, ``\\udcXX``."""
    return json.dumps(record, ensure_ascii=True, separators=(", ", ": "))


def _params(spec: StepSpec) -> dict[str, Any]:
    size = {} if spec.size is None else dataclasses.asdict(spec.size)
    asked = {name: value for name, value in size.items() if value is not None}
    if spec.model.normalize is not None:
        asked["normalize"] = spec.normalize if isinstance(spec.normalize, str) else list(spec.normalize)
    return {**to_dict(spec.params), **to_dict(spec.model_params), **asked}


def _results(
    specs: Sequence[StepSpec], notes: Mapping[str, list[Any]], ranges: Mapping[str, list[tuple[float, float]]]
) -> dict[str, Any]:
    """Return the results of the steps for an input. notes, ranges: for all pages, by the name of the step."""
    lines = {
        spec.name: output_of(spec.task.output).line(notes[spec.name]) if notes[spec.name] else {} for spec in specs
    }
    for step, ends in ranges.items():
        lines[step] |= {"normalized": _normalized(ends)}
    if len(specs) == 1:
        return lines[specs[0].name]
    steps = [
        {"name": each.name, "task": each.task.name, "model": each.model_name, "params": _params(each)}
        | lines[each.name]
        for each in specs
    ]
    return {**lines[specs[-1].name], "steps": steps}


def _normalized(ranges: Sequence[tuple[float, float]]) -> list[list[float]]:
    """The ranges of pages, one alone where all of them have the same."""
    rounded = [[float(f"{end:.6g}") for end in ends] for ends in ranges]
    return rounded[:1] if all(ends == rounded[0] for ends in rounded) else rounded


def order_of(output: dict[str, Any]) -> tuple[Any, ...]:
    """The sort key of an output in its record."""
    return output["page"], output.get("step", ""), output["kind"], output.get("label", "")
