"""Cache facts about model files that were determined by running them, by the file's digest."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any


def kept(digest: str, version: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `find`, from the cache if it was stored by the same version.

    version: of what is found and how.
    """
    from imgai.predict.weights import cache_folder

    path = cache_folder() / "models" / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        held = json.loads(path.read_text(encoding="utf-8"))
        if held.pop("version", None) == version:
            return dict(held)
    facts = find()
    with contextlib.suppress(OSError):  # it is found again then
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.{os.getpid()}")
        half.write_text(json.dumps({"version": version, **facts}), encoding="utf-8")
        half.replace(path)
    return facts
