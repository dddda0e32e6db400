"""A chain over many files."""

from imgai.runs.options import OutputOptions, RunOptions, Summary
from imgai.runs.run import run

__all__ = ["OutputOptions", "RunOptions", "Summary", "run"]
