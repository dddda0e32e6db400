"""What is made of all inputs together: parts are kept for each input beside the records, and merged at the end."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imgai.console import printable
from imgai.errors import ImgaiError
from imgai.predict.spec import KindSpec
from imgai.runs.commit import commit
from imgai.runs.job import Job
from imgai.runs.names import Plan, key_of
from imgai.runs.records import Records


def of_run(kinds: Sequence[KindSpec]) -> list[KindSpec]:
    """The kinds that are one file of the whole run."""
    return [each for each in kinds if each.kind.once == "run"]


def _fragment_path(records: Records, each: Plan, kind: KindSpec) -> Path:
    name = hashlib.sha256(os.fsencode(key_of(each))).hexdigest()[:32]
    return records.folder / kind.name / f"{name}.json"


def write_fragments(job: Job, kinds: Sequence[KindSpec], records: Records) -> None:
    """Keep what the kinds of the run made of one input's pages."""
    try:
        for kind in of_run(kinds):
            path = _fragment_path(records, job.plan, kind)
            if job.error is not None:
                path.unlink(missing_ok=True)  # what an earlier run made of it is no longer true
                continue
            pages = job.fragments.pop(kind.name, [])
            content = json.dumps(sorted(pages, key=lambda fragment: int(fragment["page"]))).encode()
            commit(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
    except (ImgaiError, OSError) as error:
        job.failed(error)


def write_merged(plans: list[Plan], out: Path, kinds: Sequence[KindSpec], records: Records) -> None:
    """The one file of each kind of the run, of every input done now or before."""
    from imgai.kinds.files import merge

    for kind in of_run(kinds):
        fragments = _fragments(plans, kind, records)
        commit(
            out / f"{kind.name}{kind.kind.suffixes[0]}",
            lambda file, kind=kind, fragments=fragments: merge(kind.kind, fragments, file, kind.params),  # type: ignore[misc]
        )


def _fragments(plans: list[Plan], kind: KindSpec, records: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    """What was kept of every page, with the name of the page."""
    names = Counter(each.input.name for each in plans)
    for each in plans:
        alone = names[each.input.name] == 1
        try:
            pages = json.loads(_fragment_path(records, each, kind).read_bytes())
        except FileNotFoundError:
            continue  # it failed, and was told
        for page in pages:
            name = each.input.name if alone else each.input.shown
            yield printable(name + (f"#{page['page'] + 1}" if page["pages"] > 1 else "")), page
