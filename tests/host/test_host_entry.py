"""The command starts without looking for garbage, and a run looks for it; it ends although a plugin does not."""

from __future__ import annotations

import os
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


def test_a_command_ends_although_a_plugin_left_a_thread(tmp_path: Path) -> None:
    (tmp_path / "goes_on.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait).start()\n")
    info = tmp_path / "x_goes_on-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: x-goes-on\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[imgai.plugins.v1]\ngoes-on = goes_on\n")
    line = [sys.executable, "-m", "imgai", "no-such-command"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "IMGAI_PLUGINS": "goes-on"}
    answer = subprocess.run(line, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert answer.returncode == 2
    assert "the plugin x-goes-on started a thread that goes on" in answer.stderr
