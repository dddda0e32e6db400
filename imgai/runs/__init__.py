"""Run a chain over many files."""

from imgai.runs.options import OutputOptions, RunOptions, Summary
from imgai.runs.run import Run, run

__all__ = ["OutputOptions", "Run", "RunOptions", "Summary", "run"]
