"""The pictures of a report over a store: each input's are one small file there, copied here while a page is made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from imgai.errors import InputError
from imgai.report.entry import Entry
from imgai.runs.album import FOLDER, Album
from imgai.runs.names import Plan, key_of
from imgai.runs.parts import path_of
from imgai.runs.stored import PARTS, StoreRecords

_AT_ONCE = 16


class StoredAlbum(Album):
    """As `Album`; the name of a file tells the settings, too, so that a listing tells whose pictures are kept."""

    def __init__(self, records: StoreRecords, folder: Path, run: str) -> None:
        """folder: of this machine, which pictures are copied to."""
        super().__init__(folder, run)
        self._store = records.store
        self._where = records.shown
        self._kept: dict[str, tuple[float, str]] | None = None  # by name, when and with what settings
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="album")
        self._late: deque[Future[None]] = deque()

    def has(self, each: Plan, digest: str) -> bool:
        """See `Album`."""
        return self._listed().get(self._name(each), (0.0, ""))[1] == digest

    def put(self, each: Plan, digest: str, pages: Sequence[Entry]) -> None:
        """See `Album`; several are on their way at once."""
        super().put(each, digest, pages)
        self._late.append(self._pool.submit(self._send, self._name(each), digest, self._path(each)))
        while len(self._late) > 4 * _AT_ONCE or (self._late and self._late[0].done()):
            self._sent(self._late.popleft())

    def entries(self, plans: Sequence[Plan]) -> Iterator[Entry]:
        """See `Album`; also what other runs have kept meanwhile."""
        while self._late:
            self._sent(self._late.popleft())
        self._kept = None
        self._listed()
        left = iter(plans)
        while some := list(islice(left, 4 * _AT_ONCE)):
            list(self._pool.map(self._fetch, some))
            for each in some:
                yield from self.pages(each)

    def _name(self, each: Plan) -> str:
        return path_of(Path(), f"{self._run}\0{key_of(each)}").stem

    def _listed(self) -> dict[str, tuple[float, str]]:
        """What is there of each input, the latest of it. Raises InputError."""
        if self._kept is None:
            self._kept = {}
            try:
                for entry in self._store.list(f"{PARTS}/{FOLDER}"):
                    name, _, digest = entry.key.rpartition("/")[2].removesuffix(".json").partition(".")
                    if entry.time >= self._kept.get(name, (0.0, ""))[0]:
                        self._kept[name] = entry.time, digest
            except OSError as error:
                raise InputError(f"{self._where} cannot be listed: {error.strerror}", "run it again") from error
        return self._kept

    def _send(self, name: str, digest: str, path: Path) -> None:
        self._store.replace(_key(name, digest), path)
        before = self._listed().get(name)
        if before is not None and before[1] != digest:
            self._store.delete(_key(name, before[1]))  # of other settings

    def _sent(self, one: Future[None]) -> None:
        try:
            one.result()
        except OSError as error:
            words = f"{self._where}: pictures of the report cannot be written: {error.strerror}"
            raise InputError(words, "run the same command again to go on") from error

    def _fetch(self, each: Plan) -> None:
        """Copy what is kept of an input, unless this run has made it."""
        path, kept = self._path(each), self._listed().get(self._name(each))
        if kept is None or path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._store.fetch(_key(self._name(each), kept[1]), path)
        except FileNotFoundError:  # another run has replaced it just now
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{self._where} cannot be read: {error.strerror}", "run it again") from error


def _key(name: str, digest: str) -> str:
    return f"{PARTS}/{FOLDER}/{name}.{digest}.json"
