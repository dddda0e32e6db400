"""Protect files from being overwritten: inputs, and files that the run has not made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from imgai.errors import InputError, UsageError
from imgai.runs.commit import reason
from imgai.runs.job import relative
from imgai.runs.names import Plan, key_of
from imgai.runs.record import Key
from imgai.runs.records import Records

_NAMED = 3  # the most files that a refusal names


class Inputs:
    """The files of the inputs, known by their paths and by device and inode.

    One folder may be reached by two ways (a volume that is mounted twice, a file system that folds case), and then two
    paths are one file.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._paths: set[str] = set()
        self._identities: set[tuple[int, int]] = set()
        for path in paths:
            self._paths.add(os.path.realpath(path))
            if (identity := _identity(path)) is not None:
                self._identities.add(identity)

    def __contains__(self, path: Path) -> bool:
        return os.path.realpath(path) in self._paths or _identity(path) in self._identities


class Guard:
    """Asked before every file that a run writes. Called by several threads at once."""

    def __init__(
        self,
        inputs: Inputs,
        records: Records | None = None,
        *,
        run: str = "",
        overwrite: bool = False,
        log: Path | None = None,
    ) -> None:
        """records: of the output folder; None where files need not be accounted for. run: what is run, by name.

        overwrite: other people's files may be replaced, but no input. log: the file of ``--log``, which never is.
        """
        self._inputs = inputs
        self._log = Inputs([log]) if log is not None else None
        self._records = records if records is not None and records.keep else None
        self._run = run
        self.overwrite = overwrite
        self.check: Callable[[Plan], None] = lambda plan: None  # raises InputError where an input is another run's

    def _stranger(self, path: Path, kind: str, key: str, *, of_run: bool = False) -> str:
        """Why a file that is there may not be replaced; "" if it may, or there is none."""
        if self._records is None or self.overwrite:
            return ""
        output, ours = relative(path, self._records.out), self._inputs.__contains__
        return self._records.stranger(output, self._run, kind, key=key, ours=ours, of_run=of_run)

    def allow(self, kind: str, path: Path, plan: Plan | None = None) -> None:
        """Note that an output is about to get its name. Raises InputError where that must not be.

        plan: of its input; None for what is made of all inputs together.
        """
        if path in self._inputs:
            raise InputError(f"{path} is an input, and would be overwritten", "choose another --out")
        if self._log is not None and path in self._log:
            raise InputError(f"{path} is what --log names, and would be overwritten", "name another log")
        if self._records is None:
            return
        if plan is not None:
            self.check(plan)
        try:
            key, shown = (key_of(plan), plan.input.shown) if plan is not None else ("", "")
            if self._stranger(path, kind, key, of_run=plan is None):
                self._records.load()  # another run over the same inputs may have made it just now
                if why := self._stranger(path, kind, key, of_run=plan is None):
                    raise InputError(f"{path} would be overwritten, and {why}", "--overwrite replaces it")
            output = relative(path, self._records.out)
            self._records.begin(Key(key, self._run), shown, output, kind)
        except OSError as error:
            raise reason(self._records.path, error) from error

    def refuse(self, targets: Iterable[tuple[Path, str, str]], of_run: Iterable[tuple[Path, str]] = ()) -> None:
        """Raise UsageError if any of these files is an input, or not this run's own.

        targets: each with its kind, and the key of the input that it would be made of. of_run: those that are made of
        all inputs together.
        """
        refused = []
        for paths, all_inputs in ((targets, False), (((*each, "") for each in of_run), True)):
            for path, kind, key in paths:
                if os.path.lexists(path):
                    if path in self._inputs:
                        raise UsageError(f"{path} is an input, and would be overwritten", "choose another --out")
                    if self._log is not None and path in self._log:
                        raise UsageError(f"{path} is what --log names, and would be overwritten", "name another log")
                    if self._stranger(path, kind, key, of_run=all_inputs):
                        assert self._records is not None
                        self._records.refresh()  # another run may have made it just now
                        if why := self._stranger(path, kind, key, of_run=all_inputs):
                            refused.append((path, why))
        if refused:
            names = ", ".join(str(path) for path, _ in refused[:_NAMED]) + (", ..." if len(refused) > _NAMED else "")
            count = f"{len(refused)} files" if len(refused) > 1 else "a file"
            raise UsageError(
                f"{count} would be overwritten: {names} ({refused[0][1]})", "name another folder, or add --overwrite"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None
