"""The command starts without looking for garbage, and a run looks for it; it ends although a plugin does not.

Ctrl-C while it starts ends it at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


INTERRUPTED = """
import os, sys
before = set(sys.modules)
from imgai.cli.entry import main  # all that the script does before it calls main

print(*sorted(set(sys.modules) - before))

class Interrupting:
    def __init__(self, after):
        self.left = after

    def find_spec(self, name, path=None, target=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), %s)

for after in (1, 2, 3, 5, 10, 20, 40, 80, 120):
    sys.stdout.flush()
    if not (child := os.fork()):
        sys.meta_path.insert(0, Interrupting(after))
        sys.argv = ["imgai", "models"]
        os.dup2(2, 1)
        main()
    print(after, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("signal", [2, 15])
def test_a_signal_while_the_command_starts_is_its_end_without_a_word(signal: int) -> None:
    # Where the tests run in the background of a shell, they are to ignore SIGINT themselves.
    line = ["env", "--default-signal=INT,TERM", sys.executable, "-c", INTERRUPTED % signal]
    answer = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
    first, *ends = answer.stdout.splitlines()
    assert ends == [f"{after} 130" for after in (1, 2, 3, 5, 10, 20, 40, 80, 120)]
    assert answer.stderr == ""
    # Nothing can be done about a signal before main is called: what is imported by then must be little.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; s = set(sys.modules); import signal, os; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    more = set(first.split()) - set(bare.stdout.split())
    assert more <= {"__future__", "imgai", "imgai.cli", "imgai.cli.entry", "imgai.errors"}
