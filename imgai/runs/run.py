"""A run: find the inputs, skip those that are up to date, process the others."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from imgai import hidden
from imgai.console import Console, Unheard
from imgai.errors import EXIT_INTERRUPTED, ImgaiError, InputError, UsageError
from imgai.images.elsewhere import what_first
from imgai.options import SEARCHED
from imgai.predict.pairing import mask_files
from imgai.predict.spec import StepSpec
from imgai.runs.destination import Destination, StoredDestination
from imgai.runs.digest import digest
from imgai.runs.guard import Guard, Inputs
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.listeners.standard import standard_listeners, worker_listeners
from imgai.runs.merged import merged_path, of_run
from imgai.runs.names import Plan, StreamPlans, key_of, plan
from imgai.runs.naming import Naming
from imgai.runs.options import RunOptions, Summary
from imgai.runs.part import part_of
from imgai.runs.pipe import Stdin, Stdout, is_piped
from imgai.runs.record import Key, found_nothing, planned_record, record_of, run_name, skipped_record
from imgai.runs.records import Records
from imgai.runs.remote import Listing, RemotePlans, local_names, remote_inputs
from imgai.runs.rows import Row, check_on
from imgai.runs.scan import STDIN, Input, scan
from imgai.runs.sent import Sent, sent_of
from imgai.runs.signals import on_signal
from imgai.runs.stored import StoreRecords, check_stored
from imgai.runs.targets import shared_targets, targets
from imgai.runs.team import Team
from imgai.runs.turns import TakenOver, Turns
from imgai.runs.workers import bury
from imgai.stores import address_of, local_path, parent_of

if TYPE_CHECKING:
    from imgai.kinds.table import Row as Labels
    from imgai.predict.chain import Chain
    from imgai.runs.cluster import Cluster
    from imgai.runs.stages import Stages
    from imgai.sample import Sample


_Work: TypeAlias = "tuple[Iterable[Job], Iterable[tuple[Plan, str]], int | None]"
"""What is to be done, what was done before with what it depends on, and how much is to be done, if that is known."""


@dataclass(slots=True)
class Loaded:
    """What a run leaves for the next one over the same steps on the same devices: the loaded models.

    The runs of a worker of a cluster also share stack: what the worker leaves when it ends; mark: see `Records.follow`;
    before: the runs that it was among those at work before it died and was started again; place and team.
    """

    chains: list[Chain] | None = None
    stack: contextlib.ExitStack | None = None
    mark: float = 0.0
    before: Sequence[str] = ()
    place: tuple[Destination, Path, Path] | None = None
    team: Team | None = None


class Jobs(Sequence[Job]):
    """Jobs that are made when they are asked for: there may be more than there is memory for."""

    def __init__(self, places: Sequence[int], make: Callable[[int], Job]) -> None:
        """places: of their plans."""
        self._places = places
        self._make = make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Job: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Job]: ...
    def __getitem__(self, at: int | slice) -> Job | Sequence[Job]:
        return Jobs(self._places[at], self._make) if isinstance(at, slice) else self._make(self._places[at])

    def __iter__(self) -> Iterator[Job]:
        return map(self._make, self._places)


class Run:
    """One run. Iterate over it to do the work: it yields the record of each input as that is finished.

    A file that fails is recorded and passed over. If the iteration is left early, the inputs in hand are finished and
    no more are begun. The iteration raises UsageError if there is nothing to do or the options make no sense,
    PluginError if a model cannot be loaded, InputError if a tar stream breaks off, and BrokenPipeError if the reader
    of standard output left.

    specs, options, console: as given; of ``--out -``, `options.out` is a folder that is removed at the end.
    folder: where the files of outputs go. out: the folder that holds the records and that their paths begin in.
    exact: `options.out` names the one file to write. guard: says which files may be written.
    outputs: what was made of all inputs together, as records have it. replaces: the named file that was there before.
    unread: by suffix, how many pictures in the folders are of formats that are not read.
    name: what is run, in words, without models and params: records of two names do not touch each other.
    destination: the folder or the store that outputs go to; of a store, `out` and `folder` are removed at the end.
    sent: the report and the contact sheet, where they belong into a store.
    plans: one for every input, done before or not; grows while a tar stream comes.
    stdout: where pictures go with ``--out -``. summary: the counts so far.
    """

    def __init__(
        self,
        specs: Sequence[StepSpec],
        options: RunOptions,
        console: Console,
        *,
        collect: Callable[[Labels], None] | None = None,
        accept: Callable[[Input], bool] | None = None,
        loaded: Loaded | None = None,
        listeners: Sequence[Listener] = (),
        rows: Sequence[Row] | None = None,
    ) -> None:
        """Nothing is read or written before the iteration.

        collect: is given the labels of each input, in place of showing them.
        accept: whether an input is taken at all; if given, it is no error that there is nothing to do, and not told.
        loaded: the models of an earlier run, or where to leave them.
        listeners: hear of this run's events after its own listeners.
        rows: of a worker of a cluster, the inputs that it was given, in place of those that the options name.
        """
        self.specs = tuple(specs)
        self.options = self._asked = options
        self.console = console
        self.stdin = Stdin()
        self.stdout: Stdout | None = None
        self.summary = Summary(fail_if_empty=options.fail_if_empty)
        self.folder = self.out = Path()
        self.destination: Destination
        self.exact = False
        self.name = run_name(self.specs, [each.name for each in options.outputs.kinds])
        self.guard = Guard(Inputs())
        self.outputs: list[dict[str, Any]] = []
        self.replaces: Path | None = None
        self.unread: Counter[str] = Counter()
        self.sent: list[Sent] = []
        self.plans: Sequence[Plan] = []
        self._collect = collect
        self._accept = accept
        self._loaded = loaded if loaded is not None else Loaded()
        self._more_listeners = listeners
        self._rows = rows
        self._listeners: list[Listener] = []
        self._naming: Naming | None = None
        self._part = part_of(options.part) if options.part is not None else None
        self._team: Team | None = None
        self._turns: Turns | None = None
        self._stages: Stages | Cluster | None = None
        self._broken: BrokenPipeError | Unheard | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with contextlib.ExitStack() as stack:
            self._check()
            if self.options.steal and self._part is None:
                raise UsageError("--steal goes on with what other parts left", "add --part I/N")
            if self.options.outputs.write_xmp and STDIN in self.options.inputs:
                words = "--write-xmp writes beside the pictures, and - is beside none"
                raise UsageError(words, "name files or folders")
            check_on(self.options)
            if self._rows is not None:
                yield from self._do_rows(self._rows, stack)
                return
            if is_piped(self.options.out):
                self._pipe(stack)
            stream = STDIN in self.options.inputs and self.stdin.is_tar()
            jobs, skipped, count = self._members(stack) if stream else self._planned(stack)
            if self._accept is not None and not jobs:
                return
            self._listeners = [*standard_listeners(self, self._collect), *self._more_listeners]
            yield from self._tell_skipped(skipped)
            if self.options.dry_run:
                yield from self._tell_planned(jobs)
            else:
                self._sweep()
                if jobs and self.options.on is not None:
                    yield from self._hand_out(stack, jobs, count)
                elif jobs:
                    yield from self._work(stack, jobs, count)
            with self._team.last() if self._team is not None else contextlib.nullcontext():
                self._hear("end", self)
        if self._stages is not None and self._stages.fatal is not None:  # a stream that broke off
            raise self._stages.fatal

    @property
    def records(self) -> Records:
        """The records of the destination."""
        return self.destination.records

    @property
    def devices(self) -> list[str]:
        """What the models were loaded to; nothing before that."""
        return list(dict.fromkeys(str(chain.steps[0].device) for chain in self._loaded.chains or ()))

    def interrupt(self) -> None:
        """Ctrl-C or SIGTERM: the first ends the run after the work in hand, the second ends the process at once.

        The first does so too while no work is in hand.
        """
        if self._stages is None or self.summary.interrupted:
            # Whatever runs is in the middle of it; what it has half written is swept by the next run. An exception
            # would be swallowed by one of the many imports, or told by another as a failure of its own.
            os._exit(EXIT_INTERRUPTED)
        self.summary.interrupted = True
        self._hear("stopping", self._stages.stop())

    def stop(self) -> None:
        """Begin no further input, and finish those that a network has seen."""
        if self._stages is not None:
            self._stages.stop()

    def _do_rows(self, rows: Sequence[Row], stack: contextlib.ExitStack) -> Iterator[dict[str, Any]]:
        """Do what a worker of a cluster was given; what is made of all inputs together is made by who gave it."""
        shared = self._loaded
        if shared.place is None:
            self._place(shared.stack or stack)
            self.records.follow(shared.mark)
            for name in shared.before:
                bury(self.records.store, name)
            shared.place = self.destination, self.folder, self.out
        self.destination, self.folder, self.out = shared.place
        staged = stack.enter_context(hidden.folder_for_a_while())
        kinds = self.options.outputs.kinds
        jobs = [row.job(self.records.out, staged, number, kinds) for number, row in enumerate(rows)]
        self.plans = [job.plan for job in jobs]
        self._watch_over(Inputs(job.plan.input.path for job in jobs if job.plan.input.path is not None))
        self._listeners = [*worker_listeners(self), *self._more_listeners]
        yield from self._work(stack, jobs, len(jobs))
        self._hear("end", self)

    def _hand_out(
        self, stack: contextlib.ExitStack, jobs: Iterable[Job], count: int | None
    ) -> Iterator[dict[str, Any]]:
        """Let the workers of a cluster do the jobs."""
        from imgai.runs.cluster import Cluster

        if self.exact:
            raise UsageError("--on is for many inputs, and --out names one file", "name a folder")
        assert isinstance(jobs, Sequence)  # a stream is refused
        cluster = Cluster(self._asked, self.console)
        try:
            cluster.join()
            self._hear("begin", self, count)
            self._join(stack, count)
            cluster.begin(jobs, self.records, self.specs, Run, Loaded)
            self._stages = cluster
            for job, record in cluster.finished():
                yield self._heard_of(job, record, cluster)
            self.summary.unrecorded = cluster.unrecorded
        finally:
            cluster.end(self.records.store if self._team is not None else None)
            for listener in self._listeners:
                listener.stop()
        if self._broken is not None:
            raise self._broken

    def _heard_of(self, job: Job, record: dict[str, Any], cluster: Cluster) -> dict[str, Any]:
        """Count what a worker has done."""
        if job.before:
            return self._skip(job, record)
        self.records.note(record)
        self._count(job, record, cluster)
        return record

    def _check(self) -> None:
        """Raise UsageError for options that do not go with what is run."""
        last, name = self.specs[-1].task, self.options.name
        if self.options.fail_if_empty and last.output not in SEARCHED:
            raise UsageError(f"--fail-if-empty: {last.name} looks for nothing", "it is for tasks that find something")
        self._naming = None if name is None else Naming(name, self.specs)
        if self._naming is None:
            return
        if not self.options.outputs.kinds:
            raise UsageError(f"--name: {last.name} writes no file of its own for a picture", "leave it out")
        if not self._naming.unique and (self.options.watch or STDIN in self.options.inputs):
            raise UsageError(f"--name {name}: all pictures would be called the same", "put {stem} into it")

    def _pipe(self, stack: contextlib.ExitStack) -> None:
        """Write outputs to standard output, through a temporary folder."""
        options = self.options
        if options.json:
            raise UsageError("--json and --out - both want standard output", "leave out one of them")
        for kind in of_run(options.outputs.kinds):
            words = f"--as {kind.name} is of all pictures together, and cannot go through a pipe"
            raise UsageError(words, "name a folder")
        tar = self._is_several()
        if not tar and len(options.outputs.kinds) + sum(spec.keep is not None for spec in self.specs) > 1:
            raise UsageError("--out - takes one file of one picture", "write one kind, or name a folder")
        self.stdout = Stdout(tar=tar)
        made = stack.enter_context(hidden.folder_for_a_while())
        self.options = dataclasses.replace(options, out=made)

    def _is_several(self) -> bool:
        """Whether what was named may be more than one picture: then a tar stream goes out."""
        if len(self.options.inputs) != 1:
            return True
        (name,) = self.options.inputs
        return self.stdin.is_tar() if name == STDIN else not Path(name).is_file()

    def _place(self, stack: contextlib.ExitStack) -> None:
        """Determine the location of outputs and records."""
        self._send(stack)
        table, out = self.options.outputs.table, self.options.out
        address = address_of(table if table is not None else out)
        if address is not None and (path := local_path(address)) is not None:
            self.options = dataclasses.replace(
                self.options,
                out=path,
                outputs=dataclasses.replace(self.options.outputs, table=None if table is None else path),
            )
            table, out = self.options.outputs.table, path
        elif address is not None:
            check_stored(address, self.options)
            name = ""
            self.folder = self.out = stack.enter_context(hidden.folder_for_a_while())
            if table is not None:
                address, name = parent_of(address)
                table = self.out / name
                self.folder = table.with_suffix("")
                outputs = dataclasses.replace(self.options.outputs, table=table)
                self.options = dataclasses.replace(self.options, outputs=outputs)
            self.destination = StoredDestination(StoreRecords(address, self.out, table=name, tell=self.console.warn))
            return
        self.folder = table.with_suffix("") if table is not None else out if out is not None else Path()
        self.out = table.parent if table is not None else self.folder
        keep = out is not None and self.stdout is None
        table_name = "" if table is None else table.name
        self.destination = Destination(Records(self.out, table=table_name, keep=keep, tell=self.console.warn))

    def _send(self, stack: contextlib.ExitStack) -> None:
        """Make the report and the contact sheet in a folder of this machine, where they belong into a store."""
        report, contact = self.options.report, self.options.contact
        if address_of(report) is None and address_of(contact) is None:
            return
        staged = stack.enter_context(hidden.folder_for_a_while())

        def placed(named: Path | None) -> Path | None:
            if (sent := sent_of(named, staged)) is not None:
                self.sent.append(sent)
                return sent.path
            address = address_of(named)
            return named if address is None else local_path(address)

        self.options = dataclasses.replace(self.options, report=placed(report), contact=placed(contact))

    def shown(self, path: Path) -> str:
        """An output or a file of the whole run, as people see where it is."""
        sent = next((each for each in self.sent if each.path == path), None)
        return sent.address if sent is not None else self.destination.shown(path)

    def mark(self, place: int) -> str:
        """What the outputs of the input at a place depend on; "" for one that cannot be looked at."""
        each = self.plans[place]
        try:
            base = "" if each.exact else each.base.relative_to(self.records.out).as_posix()
            seen = {"dpi": self.options.dpi, "channel": self.options.channel}
            return digest(each.input, self.specs, self.options.outputs, base, seen)
        except (OSError, InputError):  # the job says so
            return ""

    def _planned(self, stack: contextlib.ExitStack) -> _Work:
        """Find the inputs, and which of them an earlier run has processed."""
        options = self.options
        if STDIN in options.inputs and options.outputs.sort_into is not None:
            words = "--sort-into copies files, and a picture on - has no name"
            raise UsageError(words, "name files, or send a tar stream")
        self._place(stack)
        options = self.options
        self.records.load()
        if remote_inputs(options.inputs, null=options.null):
            return self._listed(stack)
        inputs = scan(
            local_names(options.inputs),
            avoid=self._avoided(),
            made=self.records.made() | self._mask_files(),
            null=options.null,
            tell=self.console.warn,
            unread=self.unread,
        )
        return self._plan(inputs)

    def _plan(self, inputs: list[Input]) -> _Work:
        """Plan the outputs of all inputs."""
        options = self.options
        self._tell_unread()
        if not inputs and self._accept is None:
            raise UsageError("there is no picture in what was named", "name files, or folders that hold pictures")
        if not inputs:
            return [], [], 0
        keeps = [spec.keep for spec in self.specs if spec.keep is not None]
        self.plans = plan(
            inputs, self.folder, options.outputs, tell=self.console.warn, keeps=keeps, naming=self._naming
        )
        self.exact = self.plans[0].exact is not None
        if self.exact and self._part is not None:
            raise UsageError("--part shares out many inputs, and --out names one file", "name a folder")
        if self.exact:
            self.out = self.folder.parent
            self.destination = Destination(Records(self.out, keep=False))
        paths = [item.path for item in inputs if item.path is not None]
        self._watch_over(Inputs([*paths, *self._masks_of(inputs)]))
        jobs, skipped = self._divide()
        if self._accept is None and jobs:
            self._refuse_to_overwrite(job.plan for job in jobs)
        if self._accept is not None:
            jobs = [job for job in jobs if self._accept(job.plan.input)]
        self.summary.skipped = len(skipped)
        self.summary.empty += [each.input.shown for each, _ in skipped if self.records.is_empty(self._key(each))]
        return jobs, skipped, len(jobs)

    def _tell_unread(self) -> None:
        """Count the pictures of formats that are not read."""
        if self.unread and self._accept is None:
            counts = ", ".join(f"{count} {suffix}" for suffix, count in self.unread.most_common())
            other = what_first(f"FILE{self.unread.most_common(1)[0][0]}")
            hint = f"; {other[0]}: {other[1]}" if other is not None else ""
            self.console.warn(f"{counts} {'are' if self.unread.total() > 1 else 'is'} not read{hint}")

    def _listed(self, stack: contextlib.ExitStack) -> _Work:
        """Plan inputs that lie in a store, as they come: there may be more than there is memory for."""
        options = self.options
        if options.outputs.write_xmp or self._accept is not None:
            raise UsageError("--write-xmp and --watch are for files, not for addresses", "leave it out")
        if self._naming is not None:
            raise UsageError("--name is for files, not for addresses", "leave it out")
        listing = Listing(
            options.inputs,
            avoid=self.destination.address,
            null=options.null,
            tell=self.console.warn,
            unread=self.unread,
        )
        staged = stack.enter_context(hidden.folder_for_a_while())
        if len(listing) == 1:
            return self._plan([listing.item(0, staged)])
        self._tell_unread()
        keeps = [spec.keep for spec in self.specs if spec.keep is not None]
        kinds = options.outputs.kinds
        self.plans = RemotePlans(listing, self.folder, staged, kinds, keeps, self.console.warn)
        self._watch_over(Inputs())
        order = self._shared_out()
        before = 0  # at the beginning, that are done; what is done behind them is told when it comes
        while before < len(order) and self._job(order[before]).before:
            before += 1
        left = order[before:]
        if left and (self.destination.address is not None or (self.out.is_dir() and any(self.out.iterdir()))):
            self._refuse_to_overwrite(job.plan for job in map(self._job, left) if not job.before)
        self.summary.skipped = before
        skipped = ((job.plan, job.digest) for job in map(self._job, order[:before]))
        return Jobs(left, self._job), skipped, len(left)

    def _avoided(self) -> list[Path]:
        """The folders that hold outputs or masks, which are no inputs."""
        options = self.options
        avoided = [*options.avoid, self.folder] if self.records.keep else [*options.avoid]
        if (into := options.outputs.sort_into) is not None:
            if into.is_dir() and any(Path(name).is_dir() and into.samefile(name) for name in options.inputs):
                raise UsageError(f"--sort-into {into} is an input: the copies would be sorted again", "name another")
            avoided.append(into)
        return [*avoided, *(path for path in self._named_masks() if path.is_dir())]

    def _named_masks(self) -> list[Path]:
        return [spec.mask.mask for spec in self.specs if spec.mask.mask is not None]

    def _mask_files(self) -> set[str]:
        """The masks that were named themselves, by their real paths: in a folder of pictures they are none of these."""
        return {os.path.realpath(path) for path in self._named_masks() if not path.is_dir()}

    def _masks_of(self, inputs: Iterable[Input]) -> Iterator[Path]:
        """The masks of inputs, which no output may replace."""
        for item in inputs if self._named_masks() else ():
            with contextlib.suppress(InputError):
                yield from mask_files(self.specs, item.name, item.path).values()

    def _shared_out(self) -> Sequence[int]:
        """The places of the plans whose inputs are this worker's, before those that it may steal."""
        if self._part is None:
            return range(len(self.plans))
        plans = self.plans
        names = map(plans.name, range(len(plans))) if isinstance(plans, RemotePlans) else (p.input.name for p in plans)
        shares = [self._part.place(name) for name in names]
        own = shares.count(0)
        self.console.say(f"part {self._part}: {own:,} of {len(plans):,} inputs")
        if self.options.steal:
            return sorted(range(len(plans)), key=shares.__getitem__)
        return [place for place, share in enumerate(shares) if share == 0]

    def _divide(self) -> tuple[list[Job], list[tuple[Plan, str]]]:
        jobs, skipped = [], []
        for job in map(self._job, self._shared_out()):
            if job.before:
                skipped.append((job.plan, job.digest))
            else:
                jobs.append(job)
        return jobs, skipped

    def _job(self, place: int) -> Job:
        """Make a job, marked if an earlier run has processed its input."""
        each, mark = self.plans[place], self.mark(place)
        job = Job(each, mark)
        job.before = bool(not self.options.force and mark and self._is_done(each, mark))
        return job

    def _is_done(self, each: Plan, mark: str) -> bool:
        kinds = self.options.outputs.kinds
        return self.destination.is_done(each, self.name, mark, self.specs, kinds) and self._is_in_report(each, mark)

    def _is_in_report(self, each: Plan, mark: str) -> bool:
        """Whether what an earlier run kept of an input for the report is there."""
        if self.options.report is None and self.options.contact is None:
            return True
        return self.destination.album(self.name).has(each, mark)

    def _key(self, each: Plan) -> Key:
        return Key(key_of(each), self.name)

    def _watch_over(self, inputs: Inputs) -> None:
        overwrite, log = self.options.overwrite, self.options.log
        self.guard = self.destination.guard(inputs, self.name, overwrite=overwrite, log=log)
        if self.options.report is not None or self.options.contact is not None:
            from imgai.runs.album import check_report

            overwrite = self.options.overwrite
            check_report(self.options.report, self.options.contact, inputs, self.sent, overwrite=overwrite)
        named = self.options.outputs.table or (self.plans[0].exact if self.exact else None)
        if named is None:
            return
        if named in inputs:
            raise UsageError(f"{named} is an input, and would be overwritten", "choose another --out")
        if named.is_dir():
            raise UsageError(f"--out {named} is a folder", "name a file in it")
        if self.destination.holds(named):
            if self.options.no_clobber:
                raise UsageError(f"{self.shown(named)} is there, and --no-clobber was given", "name another file")
            self.replaces = named

    def _refuse_to_overwrite(self, plans: Iterable[Plan]) -> None:
        """Raise UsageError for files that are there and must stay, as far as can be seen before anything is done."""
        kinds = self.options.outputs.kinds
        shared = () if self.exact else shared_targets(self.out, self.specs, kinds)
        self.destination.refuse_to_overwrite(self.guard, plans, self.specs, kinds, shared)

    def _members(self, stack: contextlib.ExitStack) -> _Work:
        """The members of the tar stream on standard input, as they come."""
        options = self.options
        if self._part is not None:
            raise UsageError("--part cannot share out a tar stream", "name files or folders")
        if len(options.inputs) > 1:
            raise UsageError("a tar stream on standard input comes alone", "leave out the other inputs")
        if options.dry_run:
            raise UsageError("--dry-run cannot tell what a stream will bring", "leave it out")
        self._place(stack)
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"--out {self.folder} is a file, and a tar stream brings many", "name a folder")
        keeps = [spec.keep for spec in self.specs if spec.keep is not None]
        each_plan = StreamPlans(self.folder, options.outputs.kinds, keeps, self._naming)
        self._watch_over(Inputs())
        staged = stack.enter_context(hidden.folder_for_a_while())
        self.plans = plans = list[Plan]()

        def jobs() -> Iterator[Job]:
            for item in self.stdin.members(staged):
                plans.append(each_plan.plan(item))
                yield Job(plans[-1], "")

        return jobs(), [], None

    def _tell_skipped(self, skipped: Iterable[tuple[Plan, str]]) -> Iterator[dict[str, Any]]:
        for each, mark in skipped if self._accept is None else ():
            record = skipped_record(each, self.records.outputs(self._key(each)), mark)
            self._hear("skip", record)
            yield record

    def _tell_planned(self, jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
        from imgai.runs.need import foresee

        for job in jobs:
            if job.before:
                self.summary.skipped += 1
                continue
            try:
                if job.plan.input.error is not None:
                    raise job.plan.input.error
                if job.plan.input.path is not None:
                    foresee(job.plan, self.specs, self.options.max_pixels)
            except ImgaiError as error:
                job.failed(error)
                self.summary.failed += 1
            record = planned_record(job.plan, self._writes(job.plan))
            self._hear("planned", job, record)
            yield record

    def _writes(self, each: Plan) -> list[str]:
        """The files that will be written for an input, as far as can be told before it is read."""
        outputs = self.options.outputs
        paths = [path for path, _ in targets(each, self.specs, sure=True)]
        paths += [path for path, _ in shared_targets(self.out, self.specs, outputs.kinds)]
        paths += [path for path in (outputs.table, self.options.report, self.options.contact) if path is not None]
        paths += [merged_path(self.out, kind) for kind in of_run(outputs.kinds)]
        return [self.shown(path) for path in paths]

    def _sweep(self) -> None:
        """Remove what killed runs left half written, wherever this run writes."""
        outputs = self.options.outputs
        if self.options.out is not None and self.stdout is None:
            # A single file or a table may lie in a home folder, whose subfolders are not searched.
            hidden.sweep(self.out, below=not self.exact and outputs.table is None)
            if outputs.table is not None:
                hidden.sweep(self.folder)
                hidden.sweep(self.records.folder)
        if outputs.sort_into is not None:
            hidden.sweep(outputs.sort_into)
        if outputs.write_xmp:
            for folder in {each.input.path.parent for each in self.plans if each.input.path is not None}:
                hidden.sweep(folder, below=False)

    def _join(self, stack: contextlib.ExitStack, count: int | None) -> Turns | None:
        """Tell other runs over this output folder of this one; None where nothing is kept. Raises InputError."""
        if not self.records.keep or self.exact:
            return None
        options = self.options
        merges = bool(of_run(options.outputs.kinds) or options.outputs.table or options.report or options.contact)
        shared = self._loaded
        self._team = shared.team or (shared.stack or stack).enter_context(Team(self, count, merges=merges))
        if shared.stack is not None:
            shared.team = self._team
        self._team.summaries.append(self.summary)
        turns = Turns(self.records, self._team.claims, self.name, options.outputs.kinds, self.console.say)
        self.guard.check = turns.check
        return turns

    def _work(self, stack: contextlib.ExitStack, jobs: Iterable[Job], count: int | None) -> Iterator[dict[str, Any]]:
        """Process the jobs. Raises errors that would affect every further input."""
        from imgai.predict.device import threads_kept, tune_allocator

        tune_allocator()
        from imgai.runs.load import load_chains
        from imgai.runs.stages import Stages

        loaded = self._loaded
        loaded.chains = loaded.chains or load_chains(
            self.specs, self.options.machine, self.console, max_pixels=self.options.max_pixels
        )
        writer = self.destination.writer(self.specs, self.options.outputs, self.guard)
        with threads_kept():
            self._hear("begin", self, count)
            self._turns = self._join(stack, count)
            waits = self.destination.waits or isinstance(self.plans, RemotePlans)
            stages = Stages(
                self.specs,
                self.options,
                writer,
                self.stdin,
                loaded.chains,
                self._show,
                self._advance,
                turns=self._turns,
                waits=waits,
            )
            self._stages = stages
            stages.start(jobs, count)
            try:
                for job in stages.finished():
                    yield self._finish(job, stages)
            finally:
                stages.stop()
                for job in stages.finished():  # none, unless the reader of this iterator left
                    self._finish(job, stages)
                for listener in self._listeners:
                    listener.stop()
        if self._broken is not None:
            raise self._broken
        if stages.fatal is not None and not (isinstance(stages.fatal, InputError) and self.plans and count is None):
            raise stages.fatal
        if not self.plans and not self.summary.interrupted:
            raise UsageError("there is no picture in the tar stream on standard input")

    def _finish(self, job: Job, stages: Stages) -> dict[str, Any]:
        if job.before or self._is_over(job):
            return self._skip(job)
        self._hear("finished", job)
        record = record_of(job, self.specs, self.name)
        self._count(job, record, stages)
        if self._turns is not None:
            self._turns.end(job)
        return record

    def _skip(self, job: Job, record: dict[str, Any] | None = None) -> dict[str, Any]:
        """Count an input that an earlier run has processed. record: as a worker of a cluster returned it."""
        self.summary.skipped += 1
        record = record or skipped_record(job.plan, self.records.outputs(self._key(job.plan)), job.digest)
        self._hear("skip", record)
        return record

    def _count(self, job: Job, record: dict[str, Any], stages: Stages | Cluster) -> None:
        """Count an input that was processed or has failed, and stop the others after a failure with --fail-fast."""
        if job.error is None:
            self.summary.done += 1
            if found_nothing(record):
                self.summary.empty.append(job.plan.input.shown)
        else:
            self.summary.failed += 1
            if job.plan.input.path is not None and not job.plan.input.aside:
                self.summary.failures.append(job.plan.input.path)
            if self.options.fail_fast:
                stages.stop()
        self._hear("recorded", job, record)

    def _is_over(self, job: Job) -> bool:
        """Whether another run that took a job over has done it."""
        if self._turns is None or not isinstance(job.error, TakenOver):
            return False
        self.records.refresh()
        return self._turns.is_over(job)

    def _show(self, event: str, job: Job, sample: Sample) -> None:
        """Pass a page to the listeners. Called by threads of the stages."""
        for listener in self._listeners:
            getattr(listener, event)(job, sample)

    def _advance(self, job: Job, step: str, done: int, count: int) -> None:
        """Pass on that a tile is done. Called by threads of the stages."""
        for listener in self._listeners:
            listener.advanced(job, step, done, count)

    def _hear(self, event: str, *about: Any) -> None:
        """Notify every listener of an event."""
        for listener in list(self._listeners):
            try:
                getattr(listener, event)(*about)
            except (BrokenPipeError, Unheard) as error:
                self._broken = error
                self._listeners.remove(listener)
                if self._stages is None or event == "end":
                    raise
                self._stages.stop()


def run(
    specs: Sequence[StepSpec],
    options: RunOptions,
    console: Console,
    collect: Callable[[Labels], None] | None = None,
    *,
    accept: Callable[[Input], bool] | None = None,
    loaded: Loaded | None = None,
) -> Summary:
    """Do a whole run, as a command does: Ctrl-C and SIGTERM end it after the work in hand. See `Run`."""
    it = Run(specs, options, console, collect=collect, accept=accept, loaded=loaded)
    with on_signal(it.interrupt):
        for _ in it:
            pass
    return it.summary
