"""What a run is told, and what it tells in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imgai.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from imgai.options import Machine
from imgai.predict.spec import KindSpec

GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written for an input.

    kinds: what the last step's output is written as; none where labels alone are told.
    threshold: labels with a lower score are left out, 0 to 1.
    top: how many labels are told, the best first.
    table: the file that the labels of all inputs go to; CSV, JSON lines or Parquet by its ending.
    sort_into: a folder that gets a folder for each label, with the files of which it is the best.
    link: link them there instead of copying.
    xmp: write the labels as keywords into a sidecar beside each input.
    """

    kinds: tuple[KindSpec, ...]
    threshold: float = 0.0
    top: int = 1
    table: Path | None = None
    sort_into: Path | None = None
    link: bool = False
    xmp: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How a run goes about it.

    out: the folder of what is made, or the one file; None where labels alone are told.
    overwrite: also replace files in `out` that imgai did not make, or another run made. no_clobber: do not replace
        the one file or the table that `out` names.
    avoid: other folders of what is made, which are no inputs.
    memory: budget in bytes for the decoded pictures that are in flight.
    threads: that decode, and as many again that encode; None chooses by the cores.
    """

    inputs: list[str]
    out: Path | None
    outputs: OutputOptions
    avoid: tuple[Path, ...] = ()
    force: bool = False
    overwrite: bool = False
    no_clobber: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    null: bool = False
    machine: Machine = field(default_factory=Machine)
    threads: int | None = None
    memory: int = GIGABYTE
    max_pixels: int = 200_000_000


@dataclass(slots=True)
class Summary:
    """How a run ended: how many inputs were done, skipped because nothing changed, or failed, and which files did."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    interrupted: bool = False
    failures: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.failed else EXIT_OK
