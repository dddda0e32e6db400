"""The records of an output folder: a run writes one for each input, and later runs read them."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from imgai.errors import InputError
from imgai.runs.commit import commit, hash_of, reason
from imgai.runs.lock import alone
from imgai.runs.parts import path_of, read_part, write_part
from imgai.runs.record import SCHEMAS, Key, begun_record, found_nothing, run_of_record, to_line, undone_record
from imgai.stores import LocalStore, Store

if TYPE_CHECKING:
    from imgai.runs.names import Plan

FOLDER = ".imgai"
RECORDS = "records.jsonl"
_ENDS = ("done", "failed", "ended")
_STATUSES = (*_ENDS, "begun", "undone")
_LONGEST = 1 << 26
"""Bytes of a line; a longer one is no record."""
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Claim:
    """An output that records tell of: where, of which input and run, as what kind, and what it holds.

    size: -1 where a run was cut off before it knew. sha256: None in records of schema 1, and of copies of inputs.
    """

    output: str
    key: Key
    kind: str
    size: int = -1
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """Which run made an output, as what kind, and what it then held. size is -1 where a run was cut off before it knew.

    sha256: None in records of schema 1. ctime: 0 in those of earlier versions.
    """

    run: str
    kind: str
    size: int = -1
    time: int = 0
    ctime: int = 0
    sha256: str | None = None


class Records:
    """The records of an output folder, one JSON object a line; the last about an input and a run counts.

    store: the folder that they are in. lasting: whether claims on what is done stay until all runs are over.
    """

    lasting = False

    def __init__(
        self, out: Path, *, table: str = "", keep: bool = True, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """table: the name of the table in `out` that this run writes; its records lie apart.

        keep: whether anything is written at all. tell: is given a line where something is set aside.
        """
        self.out = out
        self.folder = out / FOLDER
        self.store: Store = LocalStore(self.folder)
        self.path = self.folder / (f"{table}.jsonl" if table else RECORDS)
        self.keep = keep
        self._tell = tell
        self._lock = Lock()
        self._read = 0  # bytes of the file that were read
        self._seen = 0  # bytes of the file that were read, or appended by this run
        self._since: int | None = None  # the byte from which on what was done is news; None: what comes after `load`
        self._loaded = False
        self.news: set[Key] = set()  # what was done since the records were first read
        self._failed: dict[Key, tuple[str, str]] = {}  # digest and error of what workers of the same run could not do
        self._known: dict[Key, tuple[str, str]] = {}  # digest, and outputs as JSON: the smallest form of them
        self._owner: dict[str, Key] = {}  # by output, the input and run that wrote it last
        self._claims: dict[str, _Claim] = {}  # by output
        self._begun: dict[str, tuple[Key, _Claim]] = {}  # by output, of inputs whose run was cut off
        self._empty: set[Key] = set()  # done, and nothing was found
        self._old_runs: set[str] = set()  # that have records of schema 1
        self._rows: dict[str, dict[str, Any]] | None = {} if table or not keep else None

    @property
    def shown(self) -> str:
        """Their location, for messages."""
        return str(self.path)

    def refusal(self, error: OSError, path: Path | None = None) -> InputError:
        """Why something cannot be kept, as people see where. path: of a file in the output folder; None: of records."""
        return reason(path if path is not None else self.folder, error)

    def load(self) -> None:
        """Read the records. Skips the incomplete line of a killed run; anything that is not a file is moved away."""
        if not self.keep:
            return
        try:
            self._set_aside_what_is_wrong()
            with self._lock, self._open(os.O_RDONLY) as file:
                file.seek(self._read)
                for line in lines_of(file):
                    new = self._loaded if self._since is None else file.tell() > self._since
                    self._learn(line, new=new)
                self._read = self._seen = file.tell()
        except (FileNotFoundError, NotADirectoryError):
            return
        finally:
            self._loaded = True

    def refresh(self) -> None:
        """Read the records that other runs have appended in the meantime."""
        if self.keep and _size(self.path) != self._seen:
            self.load()

    def joined(self, since: float) -> None:
        """The run is among those at work. since: when it began, by the store's clock."""

    def mark(self) -> float:
        """The place up to which the records are known; see `follow`."""
        return self._read

    def follow(self, mark: float) -> None:
        """As `load`, for a worker of another run: what was kept after its mark is news."""
        self._since = int(mark)
        self.load()

    def note(self, record: dict[str, Any]) -> None:
        """Remember what a table tells of a record, which a worker has kept."""
        if self._rows is not None and record["status"] in ("done", "failed"):
            self._rows[record["path"]] = cells_of(record)

    def complete(self, plans: Sequence[Plan], run: str, mark: Callable[[int], str]) -> None:
        """Make sure that tables know all that is done of these inputs. run: by name.

        mark: what the outputs of the input at a place depend on. Raises OSError.
        """

    def is_done_now(self, base: str, key: Key, digest: str) -> bool:
        """Whether another run has done an input since this one began. base: what its outputs are called.

        Raises OSError.
        """
        return key in self.news and self.unchanged(key, digest)

    def keep_part(self, kind: str, key: str, value: Any) -> None:
        """Keep what a kind of the whole run made of an input. key: see `key_of`. Raises InputError or OSError."""
        write_part(path_of(self.folder / kind, key), value)

    def drop_part(self, kind: str, key: str) -> None:
        """What was kept of an input is no longer true. Raises OSError."""
        path_of(self.folder / kind, key).unlink(missing_ok=True)

    def has_part(self, kind: str, key: str) -> bool:
        """Whether what was kept of an input is there and whole."""
        return read_part(path_of(self.folder / kind, key)) is not None

    def parts(self, kind: str, keys: Iterable[str]) -> Iterator[Any]:
        """What was kept of each input; None where nothing was."""
        return (read_part(path_of(self.folder / kind, key)) for key in keys)

    def deliver(self, path: Path, run: str) -> None:
        """A file of all inputs together is made: bring it where it belongs. run: see `run_name`. Raises OSError."""

    def prepare(self) -> None:
        """Make sure that records can be written. Raises OSError."""
        if self.keep:
            self._set_aside_what_is_wrong()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open(os.O_RDWR | os.O_APPEND | os.O_CREAT).close()

    def unchanged(self, key: Key, digest: str) -> bool:
        """Whether an input was processed with this digest and all of its outputs still exist."""
        known = self._known.get(key)
        if known is None or known[0] != digest:
            return False
        return all(_size(self.out / output["path"]) == output["bytes"] for output in self.outputs(key))

    def is_empty(self, key: Key) -> bool:
        """Whether nothing was found in an input that an earlier run has done."""
        return key in self._empty

    def is_done(self, key: Key) -> bool:
        """Whether an input was processed with any settings and all of its outputs still exist."""
        known = self._known.get(key)
        return known is not None and known[0] != "" and self.unchanged(key, known[0])

    def outputs(self, key: Key) -> list[dict[str, Any]]:
        """The outputs of an input in an earlier run; empty if there are none."""
        known = self._known.get(key)
        outputs: list[dict[str, Any]] = [] if known is None else json.loads(known[1])
        return outputs

    def made(self) -> set[str]:
        """The real paths of all outputs of earlier runs."""
        out = os.path.realpath(self.out)
        paths = {*self._claims, *self._begun}
        return {os.path.join(out, os.fsdecode(os.fsencode(path))) for path in paths}  # noqa: PTH118

    def claims(self) -> list[Claim]:
        """All outputs that earlier runs wrote or were cut off in, in the order of their paths."""
        begun = {output: Claim(output, key, claim.kind) for output, (key, claim) in self._begun.items()}
        whole = {
            output: Claim(output, self._owner[output], claim.kind, claim.size, claim.sha256)
            for output, claim in self._claims.items()
        }
        return [claim for _, claim in sorted((begun | whole).items())]

    def place(self, output: str) -> Path:
        """Where an output is."""
        return self.out / os.fsdecode(os.fsencode(output))

    def grown(self) -> bool:
        """Whether something was written to the file since it was read."""
        return _size(self.path) > self._read

    def undone(self, gone: Iterable[Claim]) -> None:
        """Note that these outputs are there no more, and that every input is to be done again. Raises OSError."""
        by_key: dict[Key, list[Claim]] = {key: [] for key in self._known}
        for claim in gone:
            by_key.setdefault(claim.key, []).append(claim)
        lines = [
            to_line(undone_record(key, [(claim.kind, claim.output) for claim in of])) for key, of in by_key.items()
        ]
        if lines:
            self._write("\n".join(lines) + "\n")

    def stranger(
        self,
        output: str,
        run: str,
        kind: str,
        *,
        key: str = "",
        ours: Callable[[Path], bool] | None = None,
        of_run: bool = False,
    ) -> str:
        """Why the file at an output's path is not this run's to replace; "" if it is. Reads it only if it must.

        key: of the input that it would be made of. ours: whether a file is an input of this run, which makes
        the results of all of them anew where their names have changed. of_run: it is made of all inputs together.
        """
        path = self.place(output)
        if not os.path.lexists(path):
            return ""
        claim = self._begun[output][1] if output in self._begun else self._claims.get(output)
        if claim is None and of_run and run in self._old_runs:
            return ""  # records of schema 1 did not tell of these
        if claim is None:
            return "imgai has no record of it"
        if (claim.run, claim.kind) != (run, kind):
            return f"it was made by {claim.run}"
        other = self._other_input(output, key)
        if other and not (ours is not None and ours(Path(other))):
            return f"it was made of {other}"
        if claim.size < 0 or self._holds(path, claim):
            return ""
        return "it has changed since imgai made it"

    def _other_input(self, output: str, key: str) -> str:
        """The input that an output was made of, if it is another file than this one and is there still."""
        owner = self._begun[output][0] if output in self._begun else self._owner.get(output)
        if not key or owner is None or owner.path in ("", key):
            return ""
        try:
            return "" if Path(owner.path).samefile(key) else owner.path
        except OSError:  # it was moved, is on another machine, or is no file
            return ""

    def _holds(self, path: Path, claim: _Claim) -> bool:
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != claim.size:
                return False
            # What somebody edited may have its old time of change again; a copied folder has other times.
            if claim.sha256 is None or (status.st_mtime_ns, status.st_ctime_ns) == (claim.time, claim.ctime):
                return True
            return hash_of(path) == claim.sha256
        except OSError:
            return False

    def row(self, path: str) -> dict[str, Any] | None:
        """The last record of an input, of this run or an earlier one; only runs that make tables have them."""
        return (self._rows or {}).get(path)

    def begin(self, key: Key, shown: str, output: str, kind: str) -> None:
        """Note that an output of an input is about to be written. Raises OSError."""
        self._append(begun_record(key, shown, output, kind))

    def append(self, record: dict[str, Any]) -> None:
        """Append a record in a single write. Raises OSError.

        Of a worker's failures only what is new: another one may have been killed when it had kept the same.
        """
        if self._rows is not None:
            self._rows[record["path"]] = cells_of(record)
        if record["status"] != "failed" or self._since is None or not self._has_failed(record):
            self._append(record)

    def _has_failed(self, record: dict[str, Any]) -> bool:
        """Whether a worker of the same run has kept this failure."""
        self.refresh()
        key = Key(record["path"], record["run"])
        return self._failed.get(key) == (record["digest"], record["error"])

    def _append(self, record: dict[str, Any]) -> None:
        if self.keep:
            self._write(to_line(record) + "\n")

    def _write(self, lines: str) -> None:
        content = lines.encode("ascii")
        with self._lock, self._open(os.O_RDWR | os.O_APPEND | os.O_CREAT) as file, alone(file):
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                # An incomplete last line of a killed run is ended, so that this record is a line of its own.
                content = (b"" if file.read(1) == b"\n" else b"\n") + content
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            file.flush()
            if self._seen == size:
                self._seen += len(content)

    def _open(self, flags: int) -> BinaryIO:
        """Open the records, never through a link and never something that is no file. Raises OSError."""
        try:
            descriptor = os.open(self.path, flags | _SAFE, 0o666)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, flags | _SAFE, 0o666)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no file")
        if flags & os.O_APPEND and status.st_nlink > 1:
            # Another hard link to the records, as backups make them: from here on they are two files.
            with os.fdopen(descriptor, "rb") as file:
                commit(self.path, lambda copy: [copy.write(block) for block in iter(lambda: file.read(1 << 20), b"")])
            descriptor = os.open(self.path, flags | _SAFE, 0o666)
        return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "r+b", buffering=0 if flags else -1)

    def own_folder(self, name: str) -> Path:
        """A folder beside the records, made if need be; a link or a file in its place is set aside. Raises OSError."""
        self._set_aside(self.folder, stat.S_ISDIR)
        path = self.folder / name
        self._set_aside(path, stat.S_ISDIR)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _set_aside_what_is_wrong(self) -> None:
        self._set_aside(self.folder, stat.S_ISDIR)
        self._set_aside(self.path, stat.S_ISREG)

    def _set_aside(self, path: Path, right: Callable[[int], bool]) -> None:
        """Rename what is at the place of the records or of a folder of theirs and is none. Raises OSError."""
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if not right(mode):
            aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.aside")
            path.rename(aside)
            self._tell(f"{path} was no {'folder' if right is stat.S_ISDIR else 'file'}; it is called {aside.name} now")

    def _learn(self, line: bytes, *, new: bool) -> None:
        found = parsed(line)
        if found is None:
            return
        key, record = found
        if record["schema"] == 1:
            self._old_runs.add(key.run)
        if record["status"] == "begun":
            self._begun[record["output"]] = key, _Claim(key.run, intern(record["kind"]))
            return
        outputs = record["outputs"]
        if record["status"] == "undone":
            self._unlearn(key, outputs)
            return
        done, digest = record["status"] == "done", record.get("digest", "")
        for path in [path for path, (owner, _) in self._begun.items() if owner == key]:
            del self._begun[path]
        for output in outputs:
            self._claim(output, key)
        self._known[key] = (digest if done else "", json.dumps(outputs))
        (self._empty.add if done and found_nothing(record) else self._empty.discard)(key)
        if done and new:
            self.news.add(key)
        if not done and new and self._since is not None:
            self._failed[key] = digest, record.get("error", "")
        if self._rows is not None and done:
            self._rows[key.path] = cells_of(record)

    def _unlearn(self, key: Key, outputs: list[dict[str, Any]]) -> None:
        """`imgai undo` took these outputs away, and the input is to be done again."""
        self._known.pop(key, None)
        if self._rows is not None:
            self._rows.pop(key.path, None)
        for output in outputs:
            for known in (self._claims, self._owner, self._begun):
                known.pop(output["path"], None)

    def _claim(self, output: dict[str, Any], key: Key) -> None:
        """An output is of the input and run that wrote it last; what was there before is gone."""
        path = output["path"]
        if output.get("found") and path not in self._claims:
            return  # somebody else put it there
        owner = self._owner.get(path, key)
        shared = owner == key or output["kind"] == "sorted" or output.get("shared")  # the same file for several inputs
        if not shared and any(each["path"] == path for each in self.outputs(owner)):
            self._known[owner] = ("", self._known[owner][1])
        self._owner[path] = key
        self._claims[path] = _Claim(
            key.run,
            intern(output["kind"]),
            output["bytes"],
            output.get("time", 0),
            output.get("ctime", 0),
            output.get("sha256"),
        )


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file up to a maximum length; the last one only if it is complete."""
    while line := file.readline(_LONGEST):
        if not line.endswith(b"\n"):
            if len(line) < _LONGEST:
                file.seek(-len(line), os.SEEK_CUR)  # torn, or being written
                return
            while line and not line.endswith(b"\n"):
                line = file.readline(_LONGEST)
            continue
        yield line


def parsed(line: bytes) -> tuple[Key, dict[str, Any]] | None:
    """What a line says, and of what it is; None for one that is damaged or of another version."""
    try:
        record = json.loads(line)
        if record["schema"] not in SCHEMAS or record["status"] not in _STATUSES:
            return None
        key = Key(_nameable(record["path"]), intern(run_of_record(record)))
        if record["status"] == "begun":
            _nameable(record["output"])
            intern(record["kind"])  # which takes texts alone
        else:
            record["outputs"] = [_checked(output) for output in record["outputs"]]
        if not isinstance(record.get("digest", ""), str) and record["status"] in _ENDS:
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return key, record


def _checked(output: dict[str, Any]) -> dict[str, Any]:
    """An output of a record, if it is one. Raises KeyError, TypeError or ValueError."""
    if not (isinstance(output["path"], str) and isinstance(output["kind"], str) and isinstance(output["bytes"], int)):
        raise TypeError
    times = output.get("time", 0), output.get("ctime", 0)
    if not (all(isinstance(time, int) for time in times) and isinstance(output.get("sha256", ""), str)):
        raise TypeError
    _nameable(output["path"])
    return output


def _nameable(path: str) -> str:
    """A path of a record, if a file can be called so. Raises TypeError or ValueError."""
    if b"\0" in os.fsencode(path):  # that raises UnicodeEncodeError for half of a surrogate pair
        raise ValueError
    return path


def cells_of(record: dict[str, Any]) -> dict[str, Any]:
    """What a table tells of a record; what a damaged line has instead is left out."""
    cells = {name: record[name] for name in ("width", "height") if isinstance(record.get(name), int)}
    if isinstance(record.get("error"), str):
        cells["error"] = record["error"]
    scores = record.get("scores")
    if isinstance(scores, dict) and all(isinstance(score, int | float) for score in scores.values()):
        cells["scores"] = scores
    return cells


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # ValueError: the name in a damaged record holds a NUL
        return -1
