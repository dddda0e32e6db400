"""How long ``imgai --help`` takes, against a bare Typer app of two commands, in turn in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = '''
import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    """Say hello."""


@app.command()
def goodbye(name: str, formal: bool = False) -> None:
    """Say goodbye."""


app()
'''


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(runs: int = 15) -> dict[str, float]:
    """The median of the ratios of neighbouring runs, and the two medians in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        ours = [str(Path(sys.executable).with_name("imgai")), "--help"]
        theirs = [sys.executable, str(bare), "--help"]
        for command in (ours, theirs):
            seconds(command)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return {
        "ratio": statistics.median(a / b for a, b in pairs),
        "imgai_ms": 1000 * statistics.median(a for a, _ in pairs),
        "bare_ms": 1000 * statistics.median(b for _, b in pairs),
    }


if __name__ == "__main__":
    print(measure())
