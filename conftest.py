"""What every test of the host and of the plugins has: the same random numbers, and programs that start at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FORKED = Path(__file__).parent / "tests" / "forked.py"


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    random.seed(0)
    # Importing them takes seconds, and not every test needs them.
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def python() -> Iterator[str]:
    """A program that is used as `sys.executable` is, and starts with torch already imported; see tests/forked.py."""
    # Not pytest's own folder: a socket's name may have a hundred characters.
    with tempfile.TemporaryDirectory(prefix="imgai-") as folder:
        first, socket, program = f"#!{sys.executable} -IS\n", Path(folder, "socket"), Path(folder, "python")
        if not hasattr(os, "pidfd_open") or len(first) > 127 or " " in sys.executable:
            yield sys.executable
            return
        client = (
            f"sys.path.insert(0, {str(FORKED.parent)!r})\nimport forked\nforked.ask({str(socket)!r}, sys.argv[1:])\n"
        )
        program.write_text(f"{first}import sys\n{client}")
        program.chmod(0o755)
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        line = [sys.executable, str(FORKED), str(socket)]
        # It ends when its standard input does, which is when this process ends, however it does.
        with subprocess.Popen(line, stdin=subprocess.PIPE, process_group=0, env={**environment, **one}) as server:
            while not socket.exists():
                assert server.poll() is None, "tests/forked.py did not start"
                time.sleep(0.02)
            yield str(program)
            assert server.poll() is None, "tests/forked.py ended early"
            server.communicate()
