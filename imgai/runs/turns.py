"""Decide which of several concurrent runs over one output folder processes an input."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum, auto

from imgai.errors import InputError
from imgai.predict.spec import KindSpec
from imgai.runs.claims import Claims
from imgai.runs.job import Job, relative
from imgai.runs.merged import has_parts
from imgai.runs.names import Plan, key_of
from imgai.runs.record import Key
from imgai.runs.records import Records


class TakenOver(InputError):
    """Another run does the input, since it took this one for gone."""


class Turn(Enum):
    """OURS: this run does the input. THEIRS: another run is at it. OVER: another run has done it meanwhile."""

    OURS = auto()
    THEIRS = auto()
    OVER = auto()


class Turns:
    """Asked before an input is begun and before each of its files gets its name, and told when its record is kept.

    Two runs never are at the same outputs at once, whatever they make them of; and what another run has done since this
    one began, with the same settings, is not done again.
    """

    def __init__(
        self,
        records: Records,
        claims: Claims,
        run: str,
        kinds: tuple[KindSpec, ...],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """tell: is given a line when this run waits for another."""
        self._records = records
        self._claims = claims
        self._run = run
        self._kinds = kinds
        self._tell = tell
        self._told = False

    def take(self, job: Job) -> Turn:
        """Whose turn a job is; if it is ours it stays so until `end`. Raises InputError."""
        if job.plan.input.stream or job.plan.input.path is None:
            return Turn.OURS
        try:
            ours = self._claims.take(self._name(job.plan))
            if ours and self._claims.is_first(self._name(job.plan)):
                return Turn.OURS
            if ours or self._records.lasting:  # of which the claim stays when it is done
                self._records.refresh()
                if self.is_over(job):
                    if ours:
                        self._claims.release(self._name(job.plan))
                    return Turn.OVER
        except OSError as error:
            raise self._records.refusal(error) from error
        return Turn.OURS if ours else Turn.THEIRS

    def is_over(self, job: Job) -> bool:
        """Whether another run has done it since this one began. Raises OSError."""
        key = Key(key_of(job.plan), self._run)
        done = job.digest and self._records.is_done_now(self._name(job.plan), key, job.digest)
        return bool(done) and has_parts(job.plan, self._kinds, self._records)

    def check(self, plan: Plan) -> None:
        """Raise TakenOver where an input is no longer ours: others took this run for gone, as it stood still."""
        if plan.input.stream or plan.input.path is None:
            return
        if not self._claims.holds(self._name(plan)):
            raise TakenOver(f"{plan.input.name}: another run took it over, as this one stood still", "run it again")

    def end(self, job: Job) -> None:
        """The record of a job is kept, or the job was dropped."""
        with contextlib.suppress(OSError):  # it is overruled when this run is over
            self._claims.release(self._name(job.plan), done=job.error is None and not job.dropped)

    def wait(self) -> None:
        """Say that other runs are at all that is left."""
        if not self._told:
            self._told = True
            self._tell("waiting for another run, which is at the last inputs")

    def _name(self, plan: Plan) -> str:
        """Return the key of the claim: the prefix of the outputs' names, which other runs may share."""
        return relative(plan.base, self._records.out)
