"""The stages of a run: decode, predict, encode and commit at the same time, over any number of files.

Decoding threads fill a queue, one thread a device predicts, encoding threads write; the budget bounds what
is in flight between them. torch is imported here and below, so import this module when there is work.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from threading import Event, Lock, Thread

import torch

from imgai.errors import ImgaiError, InputError, PluginError
from imgai.images import probe, read
from imgai.predict.chain import Chain
from imgai.predict.spec import StepSpec
from imgai.runs.budget import Budget
from imgai.runs.commit import DiskFull
from imgai.runs.job import Job
from imgai.runs.need import bytes_of, least_side
from imgai.runs.options import RunOptions
from imgai.runs.pipe import Stdin
from imgai.runs.write import Writer
from imgai.sample import Failure, Sample, Source

_SHARES = 4  # in which a core takes its part of a few pictures, so that none has a batch left when the others are done


class Stages:
    """The threads of one run and what they share.

    fatal: what ended the run early, as an error that no further input would escape.
    """

    def __init__(
        self, specs: Sequence[StepSpec], options: RunOptions, writer: Writer, stdin: Stdin, chains: list[Chain]
    ) -> None:
        """chains: the loaded steps, one chain for each device."""
        self._options = options
        self._stdin = stdin
        self._writer = writer
        self._chains = chains
        self._finished: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.fatal: BaseException | None = None
        self._ended = False
        self._stop = Event()
        self._budget = Budget(options.memory)
        self._specs = specs
        self._least = least_side(specs, options.outputs.kinds)
        # Two batches ahead are enough to keep a device busy; more would only be more to finish after Ctrl-C.
        ahead = max(4, 2 * max(chain.steps[0].batch for chain in chains))
        self._decoded: queue.Queue[tuple[Job, Sample | Failure, int] | None] = queue.Queue(ahead)
        self._found: queue.SimpleQueue[tuple[Job, Sample | Failure, int] | None] = queue.SimpleQueue()
        self._under_way: dict[Source, tuple[Job, int]] = {}
        self._lock = Lock()
        self._todo_lock = Lock()
        self._at_once = sys.maxsize

    def start(self, jobs: Iterable[Job], count: int | None) -> None:
        """Begin. Does not wait, and may leave torch one thread. count: of the jobs; None where they come one by one."""
        todo, most = iter(jobs), count if count is not None else sys.maxsize
        workers = self._options.threads or max(1, min(8, os.cpu_count() or 1))
        decoders = [Thread(target=self._decode, args=(todo,), daemon=True) for _ in range(min(workers, most))]
        chains = _one_a_core(self._chains, most)
        if len(chains) > len(self._chains):
            self._at_once = max(1, -(-most // (_SHARES * len(chains))))
        predictors = [Thread(target=self._predict, args=(chain,), daemon=True) for chain in chains]
        encoders = [Thread(target=self._encode, daemon=True) for _ in range(workers)]
        Thread(target=self._follow, args=(decoders, predictors, encoders), daemon=True).start()

    def stop(self) -> None:
        """Begin no further input; what is under way is finished."""
        self._stop.set()

    def finished(self) -> Iterator[Job]:
        """Every job once it is done or has failed, until no more come. May be called again to go on."""
        while not self._ended:
            try:
                job = self._finished.get(timeout=0.5)  # wakes now and then, so that a signal is heard
            except queue.Empty:
                continue
            if job is None:
                self._ended = True
            else:
                yield job

    def _follow(self, decoders: list[Thread], predictors: list[Thread], encoders: list[Thread]) -> None:
        """Start all, and when one kind of thread has ended tell the next that nothing more comes."""
        for thread in (*decoders, *predictors, *encoders):
            thread.start()
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
                with self._todo_lock:  # not the other: a stream may keep us waiting
                    job = next(todo, None)
            except BaseException as error:
                self.fatal = self.fatal or error
                self.stop()
                return
            if job is None:
                return
            self._decode_one(job)

    def _decode_one(self, job: Job) -> None:
        item = job.plan.input
        job.begun = time.monotonic()
        origin = Source(item.path, item.name)
        size = 0
        try:
            if item.error is not None:
                raise item.error
            content = item.path if item.path is not None else self._stdin.read()
            header = probe(content, item.name, max_pixels=self._options.max_pixels)
            size = bytes_of(header, self._specs)
            pages = read(content, origin, max_pixels=self._options.max_pixels, least=self._least, header=header)
            while True:
                if not self._budget.take(size):
                    return  # the run is broken off: this input is neither done nor failed
                try:
                    sample = next(pages, None)
                except BaseException:
                    self._budget.give_back(size)
                    raise
                if sample is None:
                    self._budget.give_back(size)
                    break
                job.note(sample)
                self._decoded.put((job, sample, size))
        except Exception as error:
            job.failed(error if isinstance(error, ImgaiError) else _unexpected(item.name, error))
        if job.finish_decoding():
            self._finish(job)

    def _samples(self) -> Iterator[Sample | Failure | None]:
        """What is decoded; None whenever nothing is, so that no work item waits for one that may not come.

        None also after as many as one core is to take at once.
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
                self._under_way[sample.source] = (job, size)
            taken += 1
            yield sample

    def _predict(self, chain: Chain) -> None:
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
                else:
                    self._writer.write(job, sample)
            except Exception as error:
                job.failed(error if isinstance(error, ImgaiError) else _unexpected(job.plan.input.name, error))
                if isinstance(error, DiskFull):
                    self.stop()
            del sample, entry
            self._budget.give_back(size)
            if job.finish_page():
                self._finish(job)

    def _finish(self, job: Job) -> None:
        """Nothing more comes of an input: write what is written once of it, and hand it out."""
        try:
            if job.error is None:
                self._writer.finish(job)
        except Exception as error:
            job.failed(error if isinstance(error, ImgaiError) else _unexpected(job.plan.input.name, error))
        self._writer.close(job)
        if job.plan.input.stream and job.plan.input.path is not None:
            job.plan.input.path.unlink(missing_ok=True)  # the copy of a member of the tar stream
        self._finished.put(job)


def _one_a_core(chains: list[Chain], jobs: int) -> list[Chain]:
    """On a CPU and for several pictures: the chain once for each core, each on one thread.

    Threads inside of an operation wait for each other after every layer, and while the others decode and
    encode, or anything else runs, they wait long; a picture for each core waits for nothing. A step keeps
    nothing of a stream, so one may be used by several threads.
    """
    cores = torch.get_num_threads()
    if len(chains) > 1 or chains[0].steps[0].device.type != "cpu" or min(jobs, cores) < 2:
        return chains
    torch.set_num_threads(1)
    return chains * min(jobs, cores)


def _unexpected(name: str, error: Exception) -> ImgaiError:
    if isinstance(error, PluginError):
        return error
    text = " ".join(str(error).split())
    return InputError(f"{name}: {type(error).__name__}: {text}")
