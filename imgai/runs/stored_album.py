"""The pictures of a report over a store: each input's are one small file there, copied here while a page is made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock

from imgai.errors import UsageError
from imgai.pages import see
from imgai.report.entry import Entry
from imgai.runs.album import FOLDER, Album
from imgai.runs.names import Plan, key_of
from imgai.runs.parts import path_of
from imgai.runs.stored import PARTS, StoreRecords

_AT_ONCE = 16


class StoredAlbum(Album):
    """As `Album`; the name of a file tells the settings, too, so that a listing tells whose pictures are kept."""

    def __init__(self, records: StoreRecords, folder: Path, run: str, tell: Callable[[str], None]) -> None:
        """folder: of this machine, which pictures are copied to. tell: is given a line where one cannot be kept."""
        super().__init__(folder, run)
        self._store = records.store
        self._tell = tell
        self._where = records.shown
        self._kept: dict[str, tuple[float, str]] | None = None  # by name, when and with what settings
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="album")
        self._late: deque[Future[None]] = deque()
        self._refused = False
        self._lock = Lock()

    def has(self, each: Plan, digest: str) -> bool:
        """See `Album`. Raises UsageError where the store does not answer."""
        try:
            there = self._listed()
        except OSError as error:
            raise UsageError(f"{self._where} cannot be listed: {error.strerror}", see("scale")) from error
        return there.get(self._name(each), (0.0, ""))[1] == digest

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
        there, self._kept = self._kept or {}, None
        try:
            there = self._listed()
        except OSError as error:
            self._fail("read", error)
        left = iter(plans)
        while some := list(islice(left, 4 * _AT_ONCE)):
            try:
                list(self._pool.map(partial(self._fetch, there=there), some))
            except OSError as error:
                self._fail("read", error)
                there = {}
            for each in some:
                yield from self.pages(each)

    def _name(self, each: Plan) -> str:
        return path_of(Path(), f"{self._run}\0{key_of(each)}").stem

    def _listed(self) -> dict[str, tuple[float, str]]:
        """What is there of each input, the latest of it. Raises OSError."""
        with self._lock:
            if self._kept is None:
                kept: dict[str, tuple[float, str]] = {}
                for entry in self._store.list(f"{PARTS}/{FOLDER}"):
                    name, _, digest = entry.key.rpartition("/")[2].removesuffix(".json").partition(".")
                    if entry.time >= kept.get(name, (0.0, ""))[0]:
                        kept[name] = entry.time, digest
                self._kept = kept
            return self._kept

    def _send(self, name: str, digest: str, path: Path) -> None:
        self._store.replace(_key(name, digest), path)
        before = self._listed().get(name)
        if before is not None and before[1] != digest:
            self._store.delete(_key(name, before[1]))  # of other settings

    def _sent(self, one: Future[None]) -> None:
        """Hear how it went. What the store refuses is still on this run's page, and the next run makes it again."""
        try:
            one.result()
        except OSError as error:
            self._fail("kept; the next run makes them again", error)

    def _fail(self, words: str, error: OSError) -> None:
        """Say it once: the page is made of what is here."""
        if not self._refused:
            self._tell(f"{self._where}: not all views for the report could be {words} ({error.strerror})")
        self._refused = True

    def _fetch(self, each: Plan, there: dict[str, tuple[float, str]]) -> None:
        """Copy what is kept of an input, unless this run has made it."""
        path, kept = self._path(each), there.get(self._name(each))
        if kept is None or path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._store.fetch(_key(self._name(each), kept[1]), path)
        except FileNotFoundError:  # another run has replaced it just now
            path.unlink(missing_ok=True)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _key(name: str, digest: str) -> str:
    return f"{PARTS}/{FOLDER}/{name}.{digest}.json"
