"""Inputs in stores: listed incrementally, stored compactly, and planned one by one."""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import overload

from imgai.errors import UsageError
from imgai.images.formats import HEAD, picture_suffixes, sniff
from imgai.pages import see
from imgai.predict.spec import Keep, KindSpec
from imgai.runs.names import Plan, folded, like_an_output, stem_of
from imgai.runs.scan import STDIN, UNREAD, Input, expanded
from imgai.stores import Entry, Remote, Store, address_of, local_path, open_store, parent_of

_LETTERS = "*?["  # that make a pattern


def remote_inputs(named: Sequence[str], *, null: bool = False) -> bool:
    """Whether the inputs are addresses of stores; of a list of names, the first tells.

    Raises UsageError where some are and others are not.
    """
    lists = {name for name in named if name.startswith("@") and name != f"@{STDIN}" and not os.path.lexists(name)}
    firsts = [next(expanded([name], null, match=False), "") if name in lists else name for name in named]
    addresses = [address_of(name) for name in firsts]
    there = [address is not None and local_path(address) is None for address in addresses]
    if any(there) and not all(there):
        raise UsageError("some inputs are addresses and others are files", "do them one after the other")
    return any(there)


def local_names(named: Sequence[str]) -> tuple[str, ...]:
    """The names, with ``file://`` taken away."""
    paths = [local_path(address) if (address := address_of(name)) else None for name in named]
    return tuple(name if path is None else os.fspath(path) for name, path in zip(named, paths, strict=True))


class Listing:
    """The files below addresses, without duplicates. Each takes its name and a hundred bytes, as there may be millions.

    Folders, patterns and hidden names mean what they mean on a disk. Files without a suffix are looked into; of others
    the suffix tells.
    """

    def __init__(
        self,
        named: Sequence[str],
        *,
        avoid: str | None = None,
        null: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        unread: Counter[str] | None = None,
        open_: Callable[[str], Store] = open_store,
    ) -> None:
        """avoid: the address of the outputs, which are no inputs. unread: counts pictures of formats not read.

        Raises UsageError for an address that means nothing or cannot be listed.
        """
        self._open = open_
        self._avoid = avoid
        self._tell = tell
        self._unread: Counter[str] = Counter() if unread is None else unread
        self._roots: list[tuple[str, Store]] = []
        self._numbers: dict[str, int] = {}
        self._keys: list[str] = []
        self._of_root, self._sizes, self._versions = array("H"), array("q"), array("Q")
        self._single: set[int] = set()  # places of those that are named themselves, not by a folder
        count = 0
        for count, name in enumerate(expanded(named, null, match=False), 1):  # noqa: B007 - counted
            address = address_of(name)
            if address is None:
                raise UsageError(f"{name} is no address, and others are", "do them one after the other")
            try:
                self._add(address)
            except OSError as error:
                why = error.strerror or str(error)
                raise UsageError(f"{address} cannot be listed: {why}", see("scale")) from error
        if count > 1:
            self._drop_doubles()

    def __len__(self) -> int:
        return len(self._keys)

    def name(self, place: int) -> str:
        """The name below what was named, mirrored below the output folder."""
        key = self._keys[place]
        return key.rpartition("/")[2] if place in self._single else key

    def item(self, place: int, folder: Path) -> Input:
        """One input. folder: where it is copied to while it is read."""
        address, store = self._roots[self._of_root[place]]
        key = self._keys[place]
        remote = Remote(store, key, f"{address}/{key}", self._sizes[place], f"{self._versions[place]:016x}")
        return Input(folder / f"{place:09d}", self.name(place), remote=remote)

    def _add(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        if any(letter in rest for letter in _LETTERS):
            self._add_matching(address)
            return
        folder, name = parent_of(address)
        if name:
            store = self._open(folder)
            try:
                self._put(folder, store, store.look(name), single=True)
            except FileNotFoundError:
                if scheme in ("https", "http"):
                    raise
            else:
                return
        store, before = self._open(address), len(self._keys)
        for entry in store.list():
            if self._is_taken(address, store, entry):
                self._put(address, store, entry)
        if len(self._keys) == before:
            raise UsageError(f"there is no picture in {address}", "check the address")

    def _add_matching(self, address: str) -> None:
        """A pattern is matched against what is below the last folder without one."""
        parts = address.split("/")
        first = next(place for place, part in enumerate(parts) if any(letter in part for letter in _LETTERS))
        folder, pattern = "/".join(parts[:first]), _pattern("/".join(parts[first:]))
        if first < 3:
            raise UsageError(f"{address}: a bucket cannot be a pattern", "name the bucket")
        store, before = self._open(folder), len(self._keys)
        for entry in store.list():
            if pattern.fullmatch(entry.key) and not self._is_avoided(f"{folder}/{entry.key}"):
                self._put(folder, store, entry, single=True)
        if len(self._keys) == before:
            raise UsageError(f"nothing matches {address}", "check the pattern")

    def _is_taken(self, address: str, store: Store, entry: Entry) -> bool:
        path = PurePosixPath(entry.key)
        if any(part.startswith(".") for part in path.parts) or entry.key.endswith("/"):
            return False
        if self._is_avoided(f"{address}/{entry.key}"):
            return False
        suffix = path.suffix.lower()
        if suffix in picture_suffixes():
            return True
        if suffix in UNREAD:
            self._unread[suffix] += 1
        return not suffix and entry.size > 0 and sniff(store.read(entry.key, 0, min(HEAD, entry.size))) is not None

    def _is_avoided(self, address: str) -> bool:
        if self._avoid is None or not address.startswith(f"{self._avoid}/"):
            return False
        self._tell(f"the output folder {self._avoid} lies inside the input; it is left out")
        self._tell = lambda _: None
        return True

    def _put(self, address: str, store: Store, entry: Entry, *, single: bool = False) -> None:
        number = self._numbers.get(address)
        if number is None:
            number = self._numbers[address] = len(self._roots)
            self._roots.append((address, store))
        if single:
            self._single.add(len(self._keys))
        self._keys.append(entry.key)
        self._of_root.append(number)
        self._sizes.append(entry.size)
        self._versions.append(_hash(f"{entry.size} {entry.version}"))

    def _drop_doubles(self) -> None:
        """Leave out what was named before."""
        seen: set[int] = set()
        kept = []
        for place, key in enumerate(self._keys):
            value = _hash(f"{self._roots[self._of_root[place]][0]}/{key}")
            if value not in seen:
                seen.add(value)
                kept.append(place)
        if len(kept) < len(self._keys):
            self._single = {new for new, place in enumerate(kept) if place in self._single}
            self._keys = [self._keys[place] for place in kept]
            for name in ("_of_root", "_sizes", "_versions"):
                column = getattr(self, name)
                setattr(self, name, array(column.typecode, (column[place] for place in kept)))


class RemotePlans(Sequence[Plan]):
    """The plan of every input of a listing, made when it is asked for; no two share an output, as in `names.plan`."""

    def __init__(
        self,
        listing: Listing,
        out: Path,
        staged: Path,
        kinds: tuple[KindSpec, ...],
        keeps: Sequence[Keep] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """staged: the folder that inputs are copied to while they are read."""
        import numpy as np

        self._listing, self._out, self._staged, self._kinds = listing, out, staged, kinds
        self._like = like_an_output(keeps)
        count = len(listing)
        stems = np.fromiter((_hash(folded(stem_of(listing.name(place)))) for place in range(count)), np.uint64, count)
        self._stems, times = np.unique(stems, return_counts=True)
        self._shared: frozenset[int] = frozenset(self._stems[times > 1].tolist())
        # Those of one name from two folders get a number each.
        self._numbered: dict[int, int] = {}
        taken: Counter[int] = Counter()
        if self._shared:
            for place in np.flatnonzero(np.isin(stems, self._stems[times > 1])).tolist():
                value = _hash(folded(PurePosixPath(listing.name(place))))
                taken[value] += 1
                if taken[value] > 1:
                    self._numbered[place] = taken[value]
            tell(f"{taken.total():,} inputs would share outputs; theirs keep the suffix")

    def __len__(self) -> int:
        return len(self._listing)

    @overload
    def __getitem__(self, place: int) -> Plan: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Plan]: ...
    def __getitem__(self, place: int | slice) -> Plan | Sequence[Plan]:
        """The plan at a place."""
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return Plan(self._listing.item(place, self._staged), self._out / self._base(place), self._kinds)

    def name(self, place: int) -> str:
        """The name of the input at a place."""
        return self._listing.name(place)

    def __iter__(self) -> Iterator[Plan]:
        return (self[place] for place in range(len(self)))

    def _base(self, place: int) -> PurePosixPath:
        whole = PurePosixPath(self._listing.name(place))
        base = stem_of(self._listing.name(place))
        like = self._like.fullmatch(base.name)
        if _hash(folded(base)) in self._shared or (like and self._is_there(base.with_name(like[1]))):
            base = whole
        number = self._numbered.get(place)
        return base.with_name(f"{base.name}-{number}") if number else base

    def _is_there(self, base: PurePosixPath) -> bool:
        import numpy as np

        value = np.uint64(_hash(folded(base)))
        at = int(np.searchsorted(self._stems, value))
        return at < len(self._stems) and bool(self._stems[at] == value)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern of names: ``*`` stays within a folder, ``**`` does not; neither matches hidden names."""
    *folders, last = text.split("/")
    made = ["(?:(?!\\.)[^/]+/)*" if part == "**" else _part(part) + "/" for part in folders]
    made.append("(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+" if last == "**" else _part(last))
    return re.compile("".join(made), re.DOTALL)


def _part(text: str) -> str:
    """One name of a pattern."""
    made = "" if text.startswith(".") else "(?!\\.)"
    place = 0
    while place < len(text):
        letter, end = text[place], text.find("]", place + 2)
        if letter == "[" and end > 0:
            inner = text[place + 1 : end].replace("\\", "\\\\")
            made += f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
            place = end
        else:
            made += {"*": "[^/]*", "?": "[^/]"}.get(letter) or re.escape(letter)
        place += 1
    return made
