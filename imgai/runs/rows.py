"""Inputs on their way to workers of a cluster: what is planned here, as small values that can be sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from imgai.errors import InputError, UsageError
from imgai.predict.spec import KindSpec
from imgai.runs.job import Job, relative
from imgai.runs.names import Plan
from imgai.runs.options import RunOptions
from imgai.runs.pipe import is_piped
from imgai.runs.scan import STDIN, Input
from imgai.stores import Remote, open_store, parent_of


@dataclass(frozen=True, slots=True)
class Row:
    """One input.

    path: as it was named, "" for a file of a store. name: mirrored below the output folder. base: what its outputs
    begin with below that. digest: what they depend on. address, size, version: of a file of a store.
    error: why it cannot be looked at, and what to do.
    """

    path: str
    name: str
    base: str
    digest: str
    address: str = ""
    size: int = 0
    version: str = ""
    error: tuple[str, str] | None = None

    def job(self, out: Path, staged: Path, number: int, kinds: tuple[KindSpec, ...]) -> Job:
        """The same for a worker. out: its folder of outputs. staged: its folder for files of stores."""
        error = InputError(*self.error) if self.error is not None else None
        if self.address:
            folder, key = parent_of(self.address)
            remote = Remote(open_store(folder), key, self.address, self.size, self.version)
            item = Input(staged / f"{number:09d}", self.name, error, remote=remote)
        else:
            item = Input(Path(self.path), self.name, error)
        return Job(Plan(item, out / self.base, kinds), self.digest)


def row_of(job: Job, out: Path) -> Row:
    """A job as it is sent. out: the folder that outputs are planned in."""
    item, base = job.plan.input, relative(job.plan.base, out)
    error = (item.error.message, item.error.hint) if item.error is not None else None
    if item.remote is not None:
        remote = item.remote
        return Row("", item.name, base, job.digest, remote.address, remote.size, remote.version, error)
    assert item.path is not None  # standard input does not go to a cluster
    return Row(os.fspath(item.path), item.name, base, job.digest, error=error)


def check_on(options: RunOptions) -> None:
    """Raise UsageError for what cannot be handed out to a cluster."""
    if options.on is None:
        if options.workers is not None or options.gpus_per_worker is not None:
            raise UsageError("--workers and --gpus-per-worker are for --on ray", "add --on ray, or leave them out")
        return
    if options.on != "ray" and not options.on.startswith("ray://"):
        raise UsageError(f"--on {options.on} is not known", "it is ray, or ray://HOST:PORT")
    if STDIN in options.inputs or is_piped(options.out):
        raise UsageError("--on is for files, folders and addresses, not for pipes", "name them, and a folder for --out")
    if options.watch or options.report is not None or options.contact is not None:
        words = "--watch, --report and --contact do not go with --on"
        raise UsageError(words, "leave them out; runs with --part take --report")
    if options.outputs.write_xmp:
        raise UsageError("--write-xmp does not go with --on", "leave it out")
    if options.out is None:
        raise UsageError("--on needs --out", "name a folder that all workers share, or a store")
