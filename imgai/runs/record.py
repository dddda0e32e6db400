"""The record: one JSON object about one input; docs/runs.md describes its fields."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any

from imgai.errors import ImgaiError
from imgai.outputs import output_of
from imgai.params import to_dict
from imgai.predict.spec import StepSpec
from imgai.runs.job import Job
from imgai.runs.names import Plan, key_of

SCHEMA = 1
"""The version of the records' schema; docs/runs.md describes it."""


def record_of(job: Job, specs: Sequence[StepSpec]) -> dict[str, Any]:
    """The record of a finished job; docs/runs.md describes its fields."""
    spec = specs[-1]
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "input": job.plan.input.shown,
        "path": key_of(job.plan),
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
    record |= _found(job, spec)
    if len(specs) > 1:
        record["steps"] = [
            {"name": each.name, "task": each.task.name, "model": each.model_name, "params": _params(each)}
            | _found(job, each)
            for each in specs
        ]
    if job.error is not None:
        record["error"] = job.error.message if isinstance(job.error, ImgaiError) else str(job.error)
        if isinstance(job.error, ImgaiError) and job.error.hint:
            record["hint"] = job.error.hint
    return record


def skipped_record(plan: Plan, outputs: list[dict[str, Any]], digest: str) -> dict[str, Any]:
    """The record of an input that an earlier run has done. outputs: those of that run."""
    about = {"schema": SCHEMA, "input": plan.input.shown, "path": key_of(plan), "status": "skipped"}
    return about | {"outputs": outputs, "digest": digest}


def planned_record(plan: Plan) -> dict[str, Any]:
    """The record of an input that a dry run would do."""
    return {"schema": SCHEMA, "input": plan.input.shown, "status": "planned", "output": str(plan.base)}


def to_line(record: dict[str, Any]) -> str:
    """One line of ASCII; bytes of a name that are no UTF-8 are written as lone surrogates, ``\\udcXX``."""
    return json.dumps(record, ensure_ascii=True, separators=(", ", ": "))


def _params(spec: StepSpec) -> dict[str, Any]:
    size = {} if spec.size is None else dataclasses.asdict(spec.size)
    asked = {name: value for name, value in size.items() if value is not None}
    return {**to_dict(spec.params), **to_dict(spec.model_params), **asked}


def _found(job: Job, spec: StepSpec) -> dict[str, Any]:
    """What a step found in an input, of all of its pages."""
    notes = job.noted(spec.name)
    return output_of(spec.task.output).line(notes) if notes else {}


def order_of(output: dict[str, Any]) -> tuple[Any, ...]:
    """The sort key of an output in its record."""
    return output["page"], output.get("step", ""), output["kind"], output.get("label", "")
