"""The types of records, and the JSON Schema generated from them (draft 2020-12)."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, NotRequired, TypedDict, Union

from imgai.runs.record import SCHEMA

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class OutputRecord(TypedDict):
    """A file that was written; see docs/runs.md."""

    kind: str
    path: str
    bytes: int
    page: int
    time: NotRequired[int]
    ctime: NotRequired[int]
    sha256: NotRequired[str]
    label: NotRequired[str]
    step: NotRequired[str]
    shared: NotRequired[bool]
    found: NotRequired[bool]
    score: NotRequired[float]
    box: NotRequired[list[float]]
    scale: NotRequired[float]
    offset: NotRequired[float]
    unit: NotRequired[str]
    lost: NotRequired[list[str]]


class MaskRecord(TypedDict):
    """The mask that a step was given."""

    path: str | None
    part: float


class StepRecord(TypedDict):
    """A step of a chain, and what it found."""

    name: str
    task: str
    model: str
    params: dict[str, Any]
    classes: NotRequired[dict[str, float]]
    scores: NotRequired[dict[str, float]]
    objects: NotRequired[dict[str, int]]
    map: NotRequired[dict[str, Any]]
    mask: NotRequired[MaskRecord]
    normalized: NotRequired[list[list[float]]]
    data: NotRequired[Any]


class InputRecord(TypedDict):
    """The record of an input; those of skipped and planned ones hold less."""

    schema: int
    input: str
    status: Literal["done", "failed", "skipped", "planned", "begun", "ended", "undone"]
    path: NotRequired[str]
    run: NotRequired[str]
    kind: NotRequired[str]
    task: NotRequired[str]
    model: NotRequired[str]
    params: NotRequired[dict[str, Any]]
    outputs: NotRequired[list[OutputRecord]]
    seconds: NotRequired[float]
    digest: NotRequired[str]
    width: NotRequired[int]
    height: NotRequired[int]
    pages: NotRequired[int]
    classes: NotRequired[dict[str, float]]
    scores: NotRequired[dict[str, float]]
    objects: NotRequired[dict[str, int]]
    map: NotRequired[dict[str, Any]]
    mask: NotRequired[MaskRecord]
    normalized: NotRequired[list[list[float]]]
    data: NotRequired[Any]
    steps: NotRequired[list[StepRecord]]
    warnings: NotRequired[list[str]]
    error: NotRequired[str]
    hint: NotRequired[str]
    output: NotRequired[str]
    writes: NotRequired[list[str]]
    unread: NotRequired[dict[str, int]]
    done: NotRequired[int]
    skipped: NotRequired[int]
    failed: NotRequired[int]
    planned: NotRequired[int]
    nothing_found: NotRequired[int]
    interrupted: NotRequired[bool]


def record_schema() -> dict[str, Any]:
    """The JSON Schema of one line of records."""
    schema = schema_of(InputRecord)
    schema["properties"]["schema"] = {"const": SCHEMA}
    # Kinds of plugins tell more of their files.
    schema["properties"]["outputs"]["items"]["additionalProperties"] = True
    return {"$schema": DIALECT, "title": "A record of imgai", **schema}


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type: a TypedDict, list, dict, Literal, union or one of JSON's own.

    Raises TypeError for another.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        needed = [name for name, hint in hints.items() if typing.get_origin(hint) is not NotRequired]
        return {
            "type": "object",
            "properties": {name: schema_of(hint) for name, hint in hints.items()},
            "required": needed,
            "additionalProperties": False,
        }
    if origin is NotRequired:
        return schema_of(inner[0])
    if origin is list or origin is tuple:
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        kinds = [schema_of(each) for each in inner if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if kind is Any:
        return {}
    if kind in names:
        return {"type": names[kind]}
    raise TypeError(f"{kind!r} has no JSON Schema here")
