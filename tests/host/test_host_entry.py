"""The command starts without looking for garbage, and a run looks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import gc, sys
import imgai.runs, imgai.runs.run
from imgai.cli import entry

imgai.runs.run = lambda *_, **__: sys.exit(100 + gc.isenabled())
sys.argv = ["imgai", "segment", sys.argv[1], "-o", sys.argv[2]]
entry.main()
"""


def test_a_run_collects_garbage_although_the_start_does_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    line = [sys.executable, "-c", CODE, str(tmp_path / "in"), str(tmp_path / "out")]
    assert subprocess.run(line, capture_output=True, check=False).returncode == 101
