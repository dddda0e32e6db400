"""What a run finds for its COCO file: kept for each input beside the records, and made one file at the end."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imgai.console import printable
from imgai.errors import ImgaiError
from imgai.runs.commit import commit
from imgai.runs.job import Job
from imgai.runs.names import Plan, key_of
from imgai.runs.records import Records


def _fragment_path(records: Records, each: Plan) -> Path:
    name = hashlib.sha256(os.fsencode(key_of(each))).hexdigest()[:32]
    return records.folder / "coco" / f"{name}.json"


def write_fragments(job: Job, records: Records) -> None:
    path = _fragment_path(records, job.plan)
    try:
        if job.error is not None:
            path.unlink(missing_ok=True)  # what an earlier run found in it is no longer true
        else:
            content = json.dumps(sorted(job.fragments, key=lambda fragment: int(fragment["page"]))).encode()
            commit(path, lambda file: file.write(content))
            job.fragments.clear()
    except (ImgaiError, OSError) as error:
        job.failed(error)


def write_coco(plans: list[Plan], out: Path, records: Records) -> None:
    """One COCO file of every input of this run, done now or before."""
    from imgai.kinds.coco import merge

    names = Counter(each.input.name for each in plans)

    def fragments() -> Iterator[tuple[str, dict[str, Any]]]:
        for each in plans:
            alone = names[each.input.name] == 1
            try:
                pages = json.loads(_fragment_path(records, each).read_bytes())
            except FileNotFoundError:
                continue  # it failed, and was told
            for page in pages:
                name = (each.input.name if alone else each.input.shown) + (
                    f"#{page['page'] + 1}" if page["pages"] > 1 else ""
                )
                yield printable(name), page

    commit(out / "coco.json", lambda file: merge(fragments(), file))
