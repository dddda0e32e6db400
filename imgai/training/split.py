"""Split pictures into training and validation by content, not at random."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from imgai.errors import UsageError
from imgai.plural import counted
from imgai.training.example import Example
from imgai.training.findings import Findings

SHARE = 0.2
"""Of the pictures, that are measured with where the folder does not say."""


def split(
    found: Iterable[tuple[str | None, Example]], findings: Findings, *, by_class: bool = False
) -> Mapping[str, tuple[Example, ...]]:
    """The examples of each part. What is there twice is taken once; a copy in another part is taken for the measure.

    by_class: every class gives its share (of SCORES, where a picture is of one class).

    Raises UsageError if nothing is left, or if a group lies in several parts that the folder names.
    """
    named = defaultdict[str, list[Example]](list)
    loose: list[Example] = []
    for part, example in _once(list(found), findings, by_class):
        (loose if part is None else named[part]).append(example)
    _check_groups(named)
    if named and loose:
        raise UsageError("some pictures lie in train/, val/ or test/, and others do not", "put all of them in folders")
    test = named.pop("test", [])
    if not named.get("val"):
        pool = loose or named.get("train", [])
        if len({example.group for example in pool}) < 2:
            raise UsageError(
                f"{counted(len(pool), 'picture')} cannot be split in two",
                "there must be one to learn from and one to measure",
            )
        held = _held(pool, by_class=by_class)
        named["train"] = [example for example in pool if example.group not in held]
        named["val"] = [example for example in pool if example.group in held]
    if not named.get("train"):
        raise UsageError("there is no picture to learn from in train/", "put some there")
    parts = {"train": named["train"], "val": named["val"], **({"test": test} if test else {})}
    return {part: tuple(sorted(examples, key=lambda example: example.name)) for part, examples in parts.items()}


_ORDER = {"test": 0, "val": 1, "train": 2, None: 2}


def _once(
    examples: Sequence[tuple[str | None, Example]], findings: Findings, by_class: bool
) -> Iterable[tuple[str | None, Example]]:
    """Each picture once; one that lies in two classes not at all."""
    by_key = defaultdict[str, list[tuple[str | None, Example]]](list)
    for part, example in examples:
        by_key[example.key].append((part, example))
    for copies in by_key.values():
        if by_class and len({example.truth for _, example in copies}) > 1:
            for _, example in copies:
                findings.leave_out("the same picture is there in another class", example.name)
            continue
        first, *others = sorted(copies, key=lambda pair: _ORDER[pair[0]])
        for part, example in others:
            where = "" if part == first[0] else f" in {first[0]}/"
            other = "" if example.truth == first[1].truth else ", where something else is right for it"
            findings.leave_out(f"the same picture is there already{where}{other}", example.name)
        yield first


def _check_groups(named: Mapping[str, Sequence[Example]]) -> None:
    parts_of = defaultdict[str, set[str]](set)
    for part, examples in named.items():
        for example in examples:
            parts_of[example.group].add(part)
    torn = sorted(group for group, parts in parts_of.items() if len(parts) > 1)
    if torn:
        parts = "/ and ".join(sorted(parts_of[torn[0]]))
        more = f" and {counted(len(torn) - 1, 'other')}" if len(torn) > 1 else ""
        raise UsageError(
            f"the group {torn[0].removeprefix('=')!r}{more} lies in {parts}/",
            "what --group keeps together must be in one folder",
        )


def _held(pool: Sequence[Example], *, by_class: bool) -> set[str]:
    """The groups to measure with: those whose digests come first, until they have a fifth of the pictures."""
    members = defaultdict[str, list[Example]](list)
    for example in pool:
        members[example.group].append(example)
    order = sorted(members, key=lambda group: _digest(group, members[group]))
    held: set[str] = set()
    kinds = sorted({example.classes for example in pool}) if by_class else [None]
    for kind in kinds:
        of = {g: sum(kind in (None, e.classes) for e in members[g]) for g in order}
        total = sum(of.values())
        wanted = max(1, round(SHARE * total)) if total > 1 else 0
        have = sum(of[group] for group in held)
        for group in order:
            # Never the last group of a class: something must be left to learn from.
            left = total - have - of[group]
            if have >= wanted:
                break
            if of[group] and group not in held and left > 0:
                held.add(group)
                have += of[group]
    if not held:  # every class has one picture, or one group
        held.add(order[0])
    return held


def _digest(group: str, members: Sequence[Example]) -> str:
    text = group if group.startswith("=") else min(example.key for example in members)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
