"""A chain over many files."""

from imgai.run.options import OutputOptions, RunOptions, StepSpec, Summary
from imgai.run.run import run

__all__ = ["OutputOptions", "RunOptions", "StepSpec", "Summary", "run"]
