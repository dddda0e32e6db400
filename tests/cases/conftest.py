"""What the cases need: the command in a shell, as a person runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def shell(tmp_path: Path, python: str) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """bash in an empty folder; ``$imgai`` is the command."""

    def call(script: str) -> subprocess.CompletedProcess[str]:
        environment = {"imgai": f"{python} -m imgai", "COLUMNS": "300"}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )

    return call
