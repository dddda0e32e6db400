"""Where the outputs of a run go: a folder of this machine, or a store. What differs between them is said here alone."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgai.console import Console
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.claims import claim_of
from imgai.runs.guard import Guard, Inputs
from imgai.runs.job import relative
from imgai.runs.listen import Listener
from imgai.runs.listeners.keep import Keep
from imgai.runs.merged import has_parts, merged_path, of_run
from imgai.runs.names import Plan, key_of
from imgai.runs.options import OutputOptions
from imgai.runs.record import Key
from imgai.runs.records import Records
from imgai.runs.stored import StoredGuard, StoreRecords
from imgai.runs.targets import targets

if TYPE_CHECKING:
    from imgai.runs.album import Album
    from imgai.runs.write import Writer


class Destination:
    """A folder of this machine.

    address: of a store; None here. waits: whether writing is waiting, more than work.
    """

    address: str | None = None
    waits = False

    def __init__(self, records: Records) -> None:
        self.records = records

    def guard(self, inputs: Inputs, run: str, *, overwrite: bool, log: Path | None) -> Guard:
        """Says which files may be written. run: what is run, by name. log: the file that messages are added to."""
        return Guard(inputs, self.records, run=run, overwrite=overwrite, log=log)

    def writer(self, specs: Sequence[StepSpec], options: OutputOptions, guard: Guard) -> Writer:
        """Writes what is made of the inputs."""
        from imgai.runs.write import Writer  # and with it torch

        return Writer(self.records.out, specs, options, guard)

    def keeper(self, console: Console) -> Listener:
        """Keeps the records."""
        return Keep(self.records, console)

    def album(self, run: str) -> Album:
        """Keeps the pictures of a report. run: what is run, by name."""
        from imgai.runs.album import FOLDER, Album

        return Album(self.records.folder / FOLDER, run)

    def holds(self, path: Path) -> bool:
        """Whether a file of all inputs together is there. Raises UsageError."""
        return os.path.lexists(path)

    def is_done(self, plan: Plan, run: str, digest: str, specs: Sequence[StepSpec], kinds: Sequence[KindSpec]) -> bool:
        """Whether an earlier run has done an input with these settings, and all that it made is there still."""
        return self.records.unchanged(Key(key_of(plan), run), digest) and has_parts(plan, kinds, self.records)

    def refuse_to_overwrite(
        self,
        guard: Guard,
        plans: Iterable[Plan],
        specs: Sequence[StepSpec],
        kinds: Sequence[KindSpec],
        shared: Iterable[tuple[Path, str]],
    ) -> None:
        """Raise UsageError for files that are there and must stay, as far as can be seen before anything is done.

        guard: made by `guard`. shared: files that all inputs make alike, each with its kind.
        """
        merged = [(merged_path(self.records.out, each), each.name) for each in of_run(kinds)]
        own = ((*target, key_of(each)) for each in plans for target in targets(each, specs))
        guard.refuse(itertools.chain(((*each, "") for each in shared), own), merged)

    def shown(self, path: Path) -> str:
        """A file, as people see where it is."""
        return str(path)


class StoredDestination(Destination):
    """A store. Files are made in a folder of this machine, which is removed at the end, and copied."""

    waits = True

    def __init__(self, records: StoreRecords) -> None:
        super().__init__(records)
        self._stored = records
        self.address = records.address
        self._albums: dict[str, Album] = {}

    def guard(self, inputs: Inputs, run: str, *, overwrite: bool, log: Path | None) -> StoredGuard:
        """See `Destination`; no input lies among these outputs."""
        return StoredGuard(self._stored, claim_of, run=run, overwrite=overwrite)

    def writer(self, specs: Sequence[StepSpec], options: OutputOptions, guard: Guard) -> Writer:
        """See `Destination`."""
        from imgai.runs.upload import StoredWriter  # and with it torch

        return StoredWriter(self._stored, specs, options, guard)

    def keeper(self, console: Console) -> Listener:
        """See `Destination`."""
        from imgai.runs.listeners.stored import KeepStored

        return KeepStored(self._stored, console)

    def album(self, run: str) -> Album:
        """See `Destination`."""
        from imgai.runs.album import FOLDER
        from imgai.runs.stored_album import StoredAlbum

        if run not in self._albums:
            self._albums[run] = StoredAlbum(self._stored, self.records.folder / FOLDER, run, self._stored.tell)
        return self._albums[run]

    def holds(self, path: Path) -> bool:
        """See `Destination`."""
        return self._stored.holds(relative(path, self.records.out))

    def is_done(self, plan: Plan, run: str, digest: str, specs: Sequence[StepSpec], kinds: Sequence[KindSpec]) -> bool:
        """See `Destination`; a listing tells, so that nothing is asked for each input."""
        out = self.records.out
        if not self._stored.knows(relative(plan.base, out), run, Key(key_of(plan), run), digest):
            return False
        if not has_parts(plan, kinds, self.records):
            return False
        return all(self._stored.has(relative(path, out)) for path, _ in targets(plan, specs, sure=True))

    def refuse_to_overwrite(
        self,
        guard: Guard,
        plans: Iterable[Plan],
        specs: Sequence[StepSpec],
        kinds: Sequence[KindSpec],
        shared: Iterable[tuple[Path, str]],
    ) -> None:
        """See `Destination`."""
        assert isinstance(guard, StoredGuard)  # made here
        merged = ((None, merged_path(self.records.out, each)) for each in of_run(kinds))
        own = ((each, path) for each in plans for path, _ in targets(each, specs))
        guard.refuse_all(itertools.chain(merged, own))

    def shown(self, path: Path) -> str:
        """See `Destination`."""
        return f"{self.address}/{relative(path, self.records.out)}"
