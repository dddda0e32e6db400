"""A hash of all that the outputs of an input depend on; the next run processes the input again if it differs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imgai.params import to_dict
from imgai.predict.pairing import mask_files
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.options import OutputOptions
from imgai.runs.scan import Input

_VERSION = 1
"""Of what is hashed. Raise it only where outputs of earlier versions must be made again."""


def digest(
    item: Input,
    specs: Sequence[StepSpec],
    options: OutputOptions,
    base: str,
    seen: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Hash the file's size and time, the weights, the params, what is written, and where; 32 hex digits.

    The version of a store's file takes the place of its time.

    base: the prefix of the outputs' paths below the output folder; it depends on the other inputs of the run.
    seen: the options that affect how a picture is read, by name; None means the default.

    Raises InputError where a mask is missing, OSError for a file that cannot be looked at.
    """
    if item.path is None or item.stream:
        return ""
    if item.remote is not None:
        version: dict[str, object] = {"size": item.remote.size, "version": item.remote.version}
    else:
        status = item.path.stat()
        version = {"size": status.st_size, "time": status.st_mtime_ns}
    masks = mask_files(specs, item.name, item.path)
    what = {
        "schema": _VERSION,
        **version,
        "steps": [
            {
                "model": f"{spec.task.name}/{spec.model_name}",
                "weights": [model.weights.sha256 for model in spec.models if model.weights],
                "size": None if spec.size is None else dataclasses.asdict(spec.size),
                "params": to_dict(spec.params),
                "model_params": to_dict(spec.model_params),
                **({"name": spec.name} if len(specs) > 1 else {}),
                **({"version": spec.version} if spec.version and not all(m.weights for m in spec.models) else {}),
                **({"revisions": revisions} if (revisions := _revisions(spec)) else {}),
                **({"keep": {"name": spec.keep.name, "kinds": _kinds(spec.keep.kinds)}} if spec.keep else {}),
                **({"normalize": spec.normalize} if spec.model.normalize is not None else {}),
                **({"passes": _kinds((spec.passes,))} if spec.passes else {}),
                **({"explain": spec.explain} if spec.explain is not None else {}),
                **({"uses": _uses(spec)} if spec.uses else {}),
                **({"mask": _mask(spec, masks.get(spec.name))} if spec.task.inputs else {}),
                **({"explain_by": spec.explain_by} if spec.explain_by != "gradcam" else {}),
            }
            for spec in specs
        ],
        "outputs": _what_counts(options),
    }
    what |= {name: value for name, value in seen.items() if value is not None}
    if options.kinds or any(spec.keep for spec in specs):
        what["base"] = base
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=os.fspath).encode()).hexdigest()[:32]


def _uses(spec: StepSpec) -> dict[str, Any]:
    """Return the weights and revisions of the models that a model uses."""
    return {
        name: [used.model.weights.sha256 if used.model.weights else used.version, used.model.revision, _uses(used)]
        for name, used in spec.uses.items()
    }


def _mask(spec: StepSpec, path: Path | None) -> dict[str, Any]:
    """Return the size and time of a mask's file."""
    status = None if path is None else path.stat()
    return {"file": None if status is None else [status.st_size, status.st_mtime_ns], "grow": spec.mask.grow}


def _what_counts(options: OutputOptions) -> dict[str, Any]:
    """The options that a file's outputs depend on; a table is made of the records, of however many labels it takes."""
    what = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    what["kinds"] = _kinds(options.kinds)
    del what["table"], what["explain"], what["explain_label"], what["sort_by"], what["excel"]
    if not options.kinds and options.sort_into is None and not options.write_xmp:
        del what["top"], what["threshold"]
    return what


def _kinds(kinds: Sequence[KindSpec]) -> list[dict[str, Any]]:
    return [{"name": each.name, "revision": each.kind.revision, "params": to_dict(each.params)} for each in kinds]


def _revisions(spec: StepSpec) -> dict[str, int]:
    """The revisions of models that are not at their first."""
    return {model.name: model.revision for model in spec.models if model.revision != 1}
