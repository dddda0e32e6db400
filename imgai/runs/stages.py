"""The stages of a run: decode, predict, encode and commit at the same time, over any number of files.

Decoding threads fill a queue, one thread a device predicts, encoding threads write; the budget bounds what
is in flight between them. torch is imported here and below, so import this module when there is work.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import torch

from imgai.apart import words_of
from imgai.errors import ImgaiError, InputError, PluginError, no_threads
from imgai.images import probe, ranges_of, read
from imgai.images.channel import only
from imgai.plugin import Header
from imgai.predict.chain import Chain
from imgai.predict.device import settle_math
from imgai.predict.heard import hears
from imgai.predict.masks import clear_pixels, holds_square, with_masks
from imgai.predict.normalize import AUTO
from imgai.predict.spec import StepSpec
from imgai.runs.budget import Budget
from imgai.runs.commit import DiskFull, reason
from imgai.runs.job import Job
from imgai.runs.need import bytes_beside, bytes_of, check_result, least_side
from imgai.runs.options import RunOptions
from imgai.runs.pipe import Stdin, Stopped
from imgai.runs.turns import Turn, Turns
from imgai.runs.write import Writer
from imgai.sample import Failure, Sample, Source
from imgai.stores import Remote

_BYTES_A_PIXEL, _BESIDE = 8, 256 << 20  # of a picture on standard input: four channels of 16 bits, and what else it has
_THREADS_OF_STORES = 16  # that decode, and as many that encode, where they wait for a store
_MOST_THREADS = 64  # that decode, and as many that encode; more only wait for each other
_LOOK = 0.2  # seconds after which it is looked again whether another run is done with an input
_SHARES = 4  # in which a core takes its part of a few pictures, so that none has a batch left when the others are done


class Stages:
    """The threads of one run and what they share.

    fatal: what ended the run early, as an error that no further input would escape.
    """

    def __init__(
        self,
        specs: Sequence[StepSpec],
        options: RunOptions,
        writer: Writer,
        stdin: Stdin,
        chains: list[Chain],
        show: Callable[[str, Job, Sample], None] = lambda event, job, sample: None,
        advance: Callable[[Job, str, int, int], None] = lambda job, step, done, count: None,
        turns: Turns | None = None,
        waits: bool = False,
    ) -> None:
        """chains: the loaded steps, one chain for each device. show: is told of each page decoded or predicted.

        advance: is told how many tiles of a page are done in a step, and of how many.
        turns: tells the inputs that other runs do; None where there are none.
        waits: whether reading and writing are waiting for a store, more than work.
        """
        self._options = options
        self._stdin = stdin
        self._writer = writer
        self._chains = chains
        self._show = show
        self._advance = advance
        self._turns = turns
        self._waits = waits
        self._theirs: deque[Job] = deque()  # that another run is at
        self.fatal: BaseException | None = None
        self._ended = False
        self._stop = Event()
        self._dropping = False
        self._seen: set[Job] = set()  # of which a network has seen something, and which are not finished
        self._budget = Budget(options.memory)
        self._specs = specs
        self._least = least_side(specs, options.outputs.kinds)
        self._masked = any(spec.mask.mask is not None for spec in specs)
        # Two batches ahead are enough to keep a device busy; more would only be more to finish after Ctrl-C.
        ahead = max(4, 2 * max(chain.steps[0].batch for chain in chains))
        # Bounded: where records or pictures go out slowly, everything before waits, instead of filling a folder.
        self._finished: queue.Queue[Job | None] = queue.Queue(4 * ahead)
        self._decoded: queue.Queue[tuple[Job, Sample | Failure, int] | None] = queue.Queue(ahead)
        self._found: queue.SimpleQueue[tuple[Job, Sample | Failure, int] | None] = queue.SimpleQueue()
        self._under_way: dict[Source, tuple[Job, int]] = {}
        self._lock = Lock()
        self._todo_lock = Lock()
        self._at_once = sys.maxsize

    def start(self, jobs: Iterable[Job], count: int | None) -> None:
        """Begin. Does not wait, and may leave torch one thread. count: of the jobs; None where they come one by one.

        Raises InputError where the system gives no threads; of those asked for, fewer will do.
        """
        settle_math()
        todo, most = iter(jobs), count if count is not None else sys.maxsize
        usual = _THREADS_OF_STORES if self._waits else max(1, min(8, os.cpu_count() or 1))
        workers = min(self._options.threads or usual, _MOST_THREADS)
        chains = _one_a_core(self._chains, most)
        if len(chains) > len(self._chains):
            self._at_once = max(1, -(-most // (_SHARES * len(chains))))
        # The last stage starts first, so that no picture is decoded that nothing would write.
        encoders = self._started(self._encode, [()] * workers)
        predictors = self._started(self._predict, [(chain,) for chain in chains])
        decoders = self._started(self._decode, [(todo,)] * min(workers, most))
        try:
            Thread(target=self._follow, args=(decoders, predictors, encoders), daemon=True).start()
        except RuntimeError as error:
            raise no_threads(error) from error

    def _started(self, work: Callable[..., None], given: Sequence[tuple[Any, ...]]) -> list[Thread]:
        threads: list[Thread] = []
        for arguments in given:
            try:
                thread = Thread(target=work, args=arguments, daemon=True)
                thread.start()
            except (RuntimeError, OSError, MemoryError) as error:  # the system's limit, or a container's
                if not threads:
                    self._ended = True
                    raise no_threads(error) from error
                break
            threads.append(thread)
        return threads

    def stop(self) -> int:
        """Stop: drop inputs that no network has processed. Returns the number of inputs left to finish."""
        self._dropping = True
        self._begin_no_more()
        self._budget.close()
        with self._lock:
            return len(self._seen)

    def _begin_no_more(self) -> None:
        """Begin no further input; those in progress are finished."""
        self._stop.set()
        self._stdin.stop()

    def finished(self) -> Iterator[Job]:
        """Yield every job when it is finished or has failed. May be called again to continue."""
        while not self._ended:
            try:
                job = self._finished.get(timeout=0.5)  # with a timeout, so that signal handlers run
            except queue.Empty:
                continue
            if job is None:
                self._ended = True
            else:
                yield job

    def _follow(self, decoders: list[Thread], predictors: list[Thread], encoders: list[Thread]) -> None:
        """When all threads of a stage have ended, send the end marker to the next stage."""
        for threads, following, count in (
            (decoders, self._decoded, len(predictors)),
            (predictors, self._found, len(encoders)),
        ):
            for thread in threads:
                thread.join()
            for _ in range(count):
                following.put(None)
        for thread in encoders:
            thread.join()
        self._finished.put(None)

    def _decode(self, todo: Iterator[Job]) -> None:
        while not self._stop.is_set():
            try:
                with self._todo_lock:  # a lock of its own: the next job of a stream may take long to come
                    job = next(todo, None)
            except Stopped:
                return
            except BaseException as error:  # a stream that breaks off: what came whole is done
                self.fatal = self.fatal or error
                self._begin_no_more()
                return
            if job is None:
                break
            self._begin(job)
        while not self._stop.is_set():  # what others have not finished is ours when they are gone
            try:
                job = self._theirs.popleft()
            except IndexError:
                return
            if not self._begin(job) and self._turns is not None:
                self._turns.wait()
                self._stop.wait(_LOOK)

    def _begin(self, job: Job) -> bool:
        """Process a job unless another run does. Returns whether nothing is left to do for it."""
        if job.before:
            self._finished.put(job)
            return True
        try:
            turn = self._turns.take(job) if self._turns is not None else Turn.OURS
        except Exception as error:
            job.failed(error if isinstance(error, ImgaiError) else _unexpected(job.plan.input.name, error))
            job.decoded = True
            if isinstance(error, DiskFull):
                self.stop()
            self._finish(job)
            return True
        if turn is Turn.THEIRS:
            self._theirs.append(job)
            return False
        if turn is Turn.OVER:
            job.before = True
            self._finished.put(job)
        else:
            self._decode_one(job)
        return True

    def _decode_one(self, job: Job) -> None:
        item = job.plan.input
        job.begun = time.monotonic()
        origin = Source(item.path, item.name)
        size = 0
        try:
            if item.error is not None:
                raise item.error
            if item.remote is not None and item.path is not None:
                bring(item.remote, item.path, item.name)
            most = _BYTES_A_PIXEL * self._options.max_pixels + _BESIDE
            content = item.path if item.path is not None else self._stdin.picture(most)
            header = probe(content, item.name, max_pixels=self._options.max_pixels)
            check_result(header, job.plan, self._specs)
            size = bytes_of(header, self._specs)
            pages: Iterator[Sample] | None = None
            whole = False
            while True:
                if self._dropping or not self._budget.take(size):
                    job.dropped = not whole  # the run is broken off: this input is neither done nor failed
                    break
                try:
                    if pages is None:
                        pages = self._pages(content, origin, header)
                    sample = next(pages, None)
                except BaseException:
                    self._budget.give_back(size)
                    raise
                if sample is None:
                    self._budget.give_back(size)
                    break
                if (dpi := self._options.dpi) is not None:
                    sample.metadata = dataclasses.replace(sample.metadata, dpi=(dpi, dpi))
                job.note(sample)
                job.hole = job.hole or exceeded(sample, self._specs)
                self._show("decoded", job, sample)
                whole = sample.source.page + 1 >= sample.source.pages
                more = bytes_beside(sample, self._specs)
                self._budget.add(more)
                self._decoded.put((job, sample, size + more))
        except Stopped:
            job.dropped = True
        except BaseException as error:  # a plugin that exits, too: Ctrl-C comes to the main thread alone
            job.failed(error if isinstance(error, ImgaiError) else _unexpected(item.name, error))
        if job.finish_decoding():
            self._finish(job)

    def _pages(self, content: Path | bytes, origin: Source, header: Header) -> Iterator[Sample]:
        """Yield the pages of an input, with the shared range of values if a network needs one."""
        wanted = any(spec.normalizes and spec.normalize == AUTO for spec in self._specs)
        ranges = ranges_of(content, header, goes_on=lambda: not self._dropping) if wanted else {}
        most = self._options.max_pixels
        pages = read(content, origin, max_pixels=most, least=self._least, header=header, ranges=ranges)
        if self._options.channel is not None:
            pages = only(pages, self._options.channel)
        return with_masks(pages, self._specs, origin, max_pixels=most) if self._masked else pages

    def _samples(self) -> Iterator[Sample | Failure | None]:
        """Yield decoded samples, and None if none is available, so that pending work items do not wait.

        Also yields None after as many samples as one core takes at once.
        """
        taken = 0
        while True:
            if taken >= self._at_once:
                taken = 0
                yield None
            try:
                entry = self._decoded.get_nowait()
            except queue.Empty:
                yield None
                entry = self._decoded.get()
            if entry is None:
                self._decoded.put(None)  # for the other devices, and for who drains the queue after a failure
                return
            job, sample, size = entry
            with self._lock:
                dropped = self._dropping and job not in self._seen
                if not dropped:
                    self._under_way[sample.source] = (job, size)
                    self._seen.add(job)
            if dropped:
                job.dropped = True
                self._found.put(entry)
                continue
            taken += 1
            yield sample

    def _heard(self, source: Source, step: str, done: int, count: int) -> None:
        """A tile of a page is done."""
        if (entry := self._under_way.get(source)) is not None:
            self._advance(entry[0], step, done, count)

    def _predict(self, chain: Chain) -> None:
        hears.set(self._heard)  # of this thread alone
        try:
            for sample in chain.stream(self._samples()):
                if sample is None:
                    continue
                with self._lock:
                    job, size = self._under_way.pop(sample.source)
                self._found.put((job, sample, size))
        except BaseException as error:
            # A model that breaks its promise would break it for every picture.
            self.fatal = self.fatal or error
            self.stop()
            self._budget.close()
            while self._decoded.get() is not None:
                pass

    def _encode(self) -> None:
        while (entry := self._found.get()) is not None:
            job, sample, size = entry
            try:
                if isinstance(sample, Failure):
                    job.failed(sample.error)
                elif not job.dropped:
                    self._show("predicted", job, sample)
                    self._writer.write(job, sample)
            except BaseException as error:  # a kind that exits, too
                job.failed(error if isinstance(error, ImgaiError) else _unexpected(job.plan.input.name, error))
                if isinstance(error, DiskFull):
                    self.stop()
            del sample, entry
            self._budget.give_back(size)
            if job.finish_page():
                self._finish(job)

    def _finish(self, job: Job) -> None:
        """Finish an input: write its per-input files, and pass it on."""
        try:
            if job.error is None and not job.dropped:
                self._writer.finish(job)
        except BaseException as error:
            job.failed(error if isinstance(error, ImgaiError) else _unexpected(job.plan.input.name, error))
        self._writer.close(job)
        if job.plan.input.aside and job.plan.input.path is not None:
            job.plan.input.path.unlink(missing_ok=True)  # the copy of a member of the tar stream, or of a store's file
        with self._lock:
            self._seen.discard(job)
        if not job.dropped:
            self._finished.put(job)
        elif self._turns is not None:
            self._turns.end(job)


def _one_a_core(chains: list[Chain], jobs: int) -> list[Chain]:
    """On a CPU and for several pictures, return one chain per core, each on one thread.

    Threads within an operation synchronize after every layer, and while other threads decode and
    encode, they wait for a long time; one picture per core needs no synchronization. A step has
    no state of a stream, so several threads may share it.
    """
    cores = torch.get_num_threads()
    if len(chains) > 1 or chains[0].steps[0].device.type != "cpu" or min(jobs, cores) < 2:
        return chains
    torch.set_num_threads(1)
    return chains * min(jobs, cores)


def exceeded(sample: Sample, specs: Sequence[StepSpec]) -> int:
    """Return the width of holes that a step's model fills well, if one of this picture is twice as wide; else 0."""
    for spec in specs:
        hole = spec.model.hole if "mask" in spec.task.inputs else None
        if hole is not None:
            given = sample.given.get(spec.name)
            mask = clear_pixels(sample) if given is None else given.values
            if mask is not None and holds_square(mask, 2 * hole):
                return hole
    return 0


def bring(remote: Remote, path: Path, name: str) -> None:
    """Copy a store's file to this machine. Raises InputError."""
    try:
        remote.fetch(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise reason(path, error) from error
        raise InputError(
            f"{name}: the store does not give it: {error.strerror}", "run the same command again"
        ) from error


def _unexpected(name: str, error: BaseException) -> ImgaiError:
    if isinstance(error, PluginError):
        return error
    text = words_of(error)
    return InputError(f"{name}: {type(error).__name__}: {text}")
