"""The events of a run, and what a listener is told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgai.runs.job import Job
    from imgai.runs.run import Run
    from imgai.sample import Sample


class Listener:
    """Receives the events of a run. A subclass defines the methods that it needs; the others do nothing.

    All but `decoded`, `predicted` and `advanced` are called from the thread that iterates over the run, listener after
    listener in the run's order.
    BrokenPipeError or Unheard from a method means that nobody reads the listener's output: the run begins no further
    input, finishes those in hand without this listener, and raises the error. Any other exception ends the run.
    """

    def begin(self, run: Run, count: int | None) -> None:
        """The first input is about to be decoded. count: of the inputs to do; None if they come from a stream."""

    def skip(self, record: dict[str, Any]) -> None:
        """An input was done by an earlier run and has not changed."""

    def planned(self, job: Job, record: dict[str, Any]) -> None:
        """A dry run would do this input."""

    def decoded(self, job: Job, sample: Sample) -> None:
        """A page was read. Called from decoding threads, several at once; an exception fails the input."""

    def predicted(self, job: Job, sample: Sample) -> None:
        """A page went through all steps and is not written yet. Called by threads that encode, as `decoded` is."""

    def advanced(self, job: Job, step: str, done: int, count: int) -> None:
        """So many tiles of a page of so many are done in a step, a task and its model. Called by threads that predict,
        for pages of several tiles."""

    def finished(self, job: Job) -> None:
        """All files of an input are written, or it has failed. `Job.failed` may still be called."""

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        """An input is done or has failed, and this is its record."""

    def stopping(self, left: int) -> None:
        """The run was interrupted. left: inputs that are still finished. Called in a signal handler."""

    def stop(self) -> None:
        """No more inputs come. Also called if the run ends by an exception, unlike `end`."""

    def end(self, run: Run) -> None:
        """Everything is done: write what is made of all inputs together. May raise InputError."""
