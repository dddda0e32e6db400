"""The summary of a run; its options are in `imgai.options`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imgai.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from imgai.options import OutputOptions, RunOptions

__all__ = ["OutputOptions", "RunOptions", "Summary"]


@dataclass(slots=True)
class Summary:
    """The summary of a run: the number of inputs done, skipped as unchanged, and failed, and the failed files.

    unrecorded: records that could not be written. empty: the inputs, done now or before, in which nothing was found.
    fail_if_empty: whether that is a failure.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    unrecorded: int = 0
    interrupted: bool = False
    fail_if_empty: bool = False
    empty: list[str] = field(default_factory=list)
    failures: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        wrong = self.failed or self.unrecorded or (self.fail_if_empty and self.empty)
        return EXIT_FAILED if wrong else EXIT_OK
