"""How fast a program says that it was, run in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

RUN = """
import os, sys, time
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command has it
from pathlib import Path
from imgai.console import Console
from imgai.registry import load_registry
from imgai.options import Machine
from imgai.runs import OutputOptions, RunOptions, run
from imgai.predict.spec import StepSpec
from imgai.runs.stages import Stages
from imgai.testing.kinds import named_kinds
registry = load_registry()
begun = []
start = Stages.start
Stages.start = lambda *given: (begun.append(time.perf_counter()), start(*given))[1]
"""
"""What programs begin with that do the run behind a command; ``begun[0]`` is when its first picture was asked for."""


def rate(program: str, *arguments: object) -> float:
    """The number that a program prints last, after the command's own words. arguments: its `sys.argv`."""
    environment = {key: value for key, value in os.environ.items() if key not in ("GLIBC_TUNABLES", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return float(told.split()[-1])
